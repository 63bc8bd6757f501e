"""`shortlist run`: a run of the pipeline on this machine."""

from __future__ import annotations

import contextlib
import datetime
import enum
import pathlib
from collections.abc import Iterator
from typing import Annotated

import typer
from rich.console import Console

from cli.options import DEFAULT_CONFIG, ConfigOption, SetOption, VerboseOption
from shortlist.errors import ExitCode


class Orchestrator(str, enum.Enum):
    """The orchestrator of the nodes."""

    LOCAL = "local"
    KUBEFLOW_LOCAL = "kubeflow-local"


def run(
    config: ConfigOption = DEFAULT_CONFIG,
    set_: SetOption = None,
    orchestrator: Annotated[
        Orchestrator,
        typer.Option(
            help="kubeflow-local compiles for Kubeflow Pipelines and runs the result here, without a cluster."
        ),
    ] = Orchestrator.LOCAL,
    tune: Annotated[
        bool,
        typer.Option(
            "--tune", help="First search for better settings, by the config's section `tune`; see docs/tuning.md."
        ),
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Run the whole pipeline: ingest, check, train, evaluate, index, push.

    Nodes with unchanged input, config and code come from the cache.
    Exit code 0: pushed; 2: bad data or config; 3: finished and nothing pushed.
    With --orchestrator kubeflow-local, the model is not served.

    Example: shortlist run --config configs/movielens_100k.yaml
    Example: shortlist run --tune --set tune.minutes=20
    """
    from cli import data
    from cli.output import log, manual_pushes, progress, results
    from shortlist import datasets
    from shortlist.config.load import load_config
    from shortlist.config.overrides import parse_overrides
    from shortlist.engines import checks
    from shortlist.engines.running import running_engine
    from shortlist.lineage.database import database
    from shortlist.summary import Status
    from shortlist.tables import preflight
    from shortlist.workspace import Workspace

    console = Console(highlight=False)
    overrides = parse_overrides(set_ or [])
    if tune:
        overrides["tune.enabled"] = True
    checked_config = load_config(config, overrides)
    data_root = datasets.default_data_dir()
    if checked_config.data.source:
        data.fetch_with_progress(checked_config.data.source, console)
    report = preflight.check(checked_config, data_root)
    times, unit = checked_config.data.interactions.timestamp, checked_config.data.interactions.timestamp_unit
    guess = ""
    if times and unit == "auto":
        guess = f"{times} read as {report.timestamp_unit}; "
    for warning in report.warnings:
        console.print(f"[yellow]Warning:[/] {warning}", soft_wrap=True)

    workspace = Workspace.of(checked_config)
    # Before the workspace is reserved and TFX is loaded: a dead endpoint must be an error within seconds.
    checks.check(checked_config.beam)
    if orchestrator is Orchestrator.KUBEFLOW_LOCAL:
        from cli import local_kfp

        with running_engine(checked_config.beam, workspace.root, console.print):
            local_kfp.run_local_kfp(
                checked_config, workspace, data_root.absolute(), report.timestamp_unit, console, verbose
            )
        return
    database(workspace).check()
    with workspace.reserve("run") as previous_holder:
        if previous_holder is not None:
            console.print(f"Continuing after a command that died: {previous_holder}", soft_wrap=True, markup=False)
        # The run may replace it, so that it has to be read now.
        served_before = manual_pushes.find_manual_push(workspace)
        run_id = workspace.start_run(datetime.datetime.now(datetime.timezone.utc))
        log_path = workspace.run_dir(run_id) / "run.log"
        console.print(f"Run {run_id} of {checked_config.name}; {guess}log: {log_path}", soft_wrap=True)
        with (
            _print_log_paths(workspace.run_dir(run_id), console),
            log.redirect_output(log_path, verbose) as terminal,
            contextlib.ExitStack() as stack,
        ):
            with terminal.status(log.LOADING_TFX) as status:
                stack.enter_context(running_engine(checked_config.beam, workspace.root, status.update))
                status.update(log.LOADING_TFX)
                from pipeline.run import run_pipeline
            with progress.ProgressListener(terminal) as listener:
                summary = run_pipeline(
                    checked_config, workspace, run_id, data_root.absolute(), listener, report.timestamp_unit
                )
    results.print_summary(summary, workspace.run_dir(run_id) / "summary.json", config, console)
    manual_pushes.print_served(served_before, workspace, summary, config, console)
    if summary.status is not Status.PUSHED:
        raise typer.Exit(int(ExitCode.NOTHING_PUSHED))


@contextlib.contextmanager
def _print_log_paths(run_dir: pathlib.Path, console: Console) -> Iterator[None]:
    """Prints the paths of report and log if its body fails, before the error itself is printed."""
    try:
        yield
    except BaseException:
        for name, file in (("Report", "report.html"), ("Log", "run.log")):
            if (run_dir / file).exists():
                console.print(f"{name:<10}{run_dir / file}", soft_wrap=True, markup=False)
        raise
