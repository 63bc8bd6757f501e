"""`shortlist run`: a run of the pipeline on this machine."""

from __future__ import annotations

import contextlib
import datetime
import enum
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli.folders import relative
from cli.invocation import Invocation, option
from cli.options import ConfigOption, SetOption, VerboseOption
from cli.output import consoles
from cli.output.wrapping import print_labelled
from shortlist.errors import BadInputError, ExitCode
from shortlist.process import limits

if TYPE_CHECKING:
    from cli.notification import Ended
    from shortlist.config.config import Config
    from shortlist.tables.spec import Unit
    from shortlist.workspace import Workspace


class Orchestrator(str, enum.Enum):
    """The orchestrator of the nodes."""

    LOCAL = "local"
    KUBEFLOW_LOCAL = "kubeflow-local"


def run(
    config: ConfigOption = None,
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
    reindex: Annotated[
        bool,
        typer.Option(
            "--reindex",
            help="Give the served model today's catalogue and push it; nothing is trained. See docs/tasks/refresh.md.",
        ),
    ] = False,
    verbose: VerboseOption = False,
) -> None:
    """Run the whole pipeline: ingest, check, train, evaluate, index, push.

    Without --config and shortlist.yaml it runs the MovieLens demo.
    Nodes with unchanged input, config and code come from the cache.
    Exit code 0: pushed; 2: bad data or config; 3: finished and nothing pushed.
    With --orchestrator kubeflow-local, the model is not served.

    Example: shortlist run --config configs/movielens_100k.yaml
    Example: shortlist run --tune --set tune.minutes=20
    Example: shortlist run --reindex
    """
    from cli.notification import notified
    from components.trainer import checks as training
    from shortlist import datasets
    from shortlist.engines import checks
    from shortlist.engines.running import running_engine
    from shortlist.summary import Kind
    from shortlist.workspace import Workspace

    if reindex and (tune or orchestrator is not Orchestrator.LOCAL):
        other = "--tune" if tune else "--orchestrator"
        raise BadInputError.from_parts("", f"--reindex or {other}", "both", "a reindex trains nothing and runs here")
    console = consoles.console()
    invocation = Invocation.of(config, set_)
    checked_config = invocation.load({"tune.enabled": True} if tune else None)
    data_root = datasets.default_data_dir()
    with notified(checked_config, Kind.REINDEX if reindex else Kind.RUN, console) as ended:
        unit = _check_data(invocation, checked_config, data_root, console, reindex)
        workspace = Workspace.of(checked_config)
        limits.check_addresses()
        # Before the workspace is reserved and TFX is loaded: a dead endpoint must be an error within seconds.
        checks.check(checked_config.beam)
        if not reindex:
            # Workers may still be starting.
            with console.status("Checking train.strategy ..."):
                training.check(checked_config.train)
        if orchestrator is Orchestrator.KUBEFLOW_LOCAL:
            from cli import local_kfp

            with running_engine(checked_config.beam, workspace.root, console.print, console.print):
                local_kfp.run_local_kfp(checked_config, workspace, data_root.absolute(), unit, console, verbose, ended)
        else:
            root = data_root.absolute()
            _run_here(invocation, checked_config, workspace, root, unit, console, verbose, reindex, ended)


def _check_data(
    invocation: Invocation, config: Config, data_root: pathlib.Path, console: Console, reindex: bool
) -> Unit:
    """Fetches the config's data set, prints warnings on the data, and returns the unit of the timestamps.

    A reindex reads the catalogue alone, so that the unit is then `order`.

    Raises:
      BadInputError: The data or a folder is not usable.
    """
    from cli import data
    from shortlist.tables import preflight

    if config.data.source:
        data.fetch_with_progress(config.data.source, console)
    update = invocation.command("schema", "infer", "--update")
    if reindex:
        preflight.check_catalogue(config, data_root, update)
        return "order"
    report = preflight.check(config, data_root, update)
    for warning in report.warnings:
        consoles.warn(console, warning)
    if config.unread_features:
        names = ", ".join(config.unread_features)
        print_labelled(
            console, "Note", f"data.interactions.features ({names}): checked and profiled; no model reads them"
        )
    return report.timestamp_unit


def _moment(seconds: int) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def _times_text(config: Config, unit: Unit) -> str:
    """Returns how the log's times are read, and the moments of a split by time."""
    from shortlist.config.split import Temporal

    times, text = config.data.interactions.timestamp, ""
    if times and config.data.interactions.timestamp_unit == "auto":
        text = f"{times} read as {config.data.interactions.timestamp_format or unit}; "
    split = config.data.split
    if not isinstance(split, Temporal) or unit == "order":
        return text
    if split.eval_from is not None and split.test_from is not None:
        return f"{text}eval from {_moment(split.eval_from)}, test from {_moment(split.test_from)}; "
    return f"{text}spans of a {split.span} (UTC): the last {split.test_spans} for test, {split.eval_spans} for eval; "


def _run_here(
    invocation: Invocation,
    config: Config,
    workspace: Workspace,
    data_root: pathlib.Path,
    unit: Unit,
    console: Console,
    verbose: bool,
    reindex: bool,
    ended: Ended,
) -> None:
    """Runs the pipeline with TFX's local runner and prints the run's summary.

    Raises:
      typer.Exit: Nothing was pushed.
      ShortlistError: The workspace is in use, or see `pipeline.run.run_pipeline`.
    """
    from cli.output import log, manual_pushes, progress, results
    from shortlist.engines.running import running_engine
    from shortlist.lineage.database import database
    from shortlist.serving import versions
    from shortlist.summary import Status

    database(workspace).check()
    with workspace.reserve("run --reindex" if reindex else "run") as previous_holder:
        if previous_holder is not None:
            console.print(f"Continuing after a command that died: {previous_holder}")
        # The run may replace it, so that it has to be read now.
        served_before = manual_pushes.find_manual_push(workspace)
        served = None
        if reindex:
            from shortlist.lineage.served_model import find_served_model

            served = find_served_model(workspace)
        run_id = workspace.start_run(datetime.datetime.now(datetime.timezone.utc))
        ended.folder = workspace.run_dir(run_id)
        log_path = ended.folder / "run.log"
        kind = "Reindex" if reindex else "Run"
        about = "" if reindex else _times_text(config, unit)
        console.print(f"{kind:<10}{run_id} of {config.name}; {about}log: {relative(log_path)}")
        with (
            _print_log_paths(workspace.run_dir(run_id), console),
            log.redirect_output(log_path, verbose) as terminal,
            contextlib.ExitStack() as stack,
        ):
            with terminal.status(log.LOADING_TFX) as status:
                stack.enter_context(running_engine(config.beam, workspace.root, status.update, terminal.print))
                status.update(log.LOADING_TFX)
                from pipeline.run import run_pipeline
            with progress.ProgressListener(terminal) as listener:
                summary = run_pipeline(config, workspace, run_id, data_root, listener, unit, served)
    results.print_summary(
        summary,
        workspace.run_dir(run_id) / "summary.json",
        next_commands(invocation, config, data_root),
        versions.served_version(workspace.serving_dir),
        console,
    )
    manual_pushes.print_served(served_before, workspace, summary, invocation, console)
    if summary.status in (Status.NOT_BLESSED, Status.INDEX_REJECTED):
        manual_pushes.print_forced_push(invocation, console)
    if summary.status is not Status.PUSHED:
        raise typer.Exit(int(ExitCode.NOTHING_PUSHED))


def next_commands(invocation: Invocation, config: Config, data_root: pathlib.Path) -> list[str]:
    """Returns the command lines to type after a push, each of which works as it is."""
    from shortlist.tables import lookup

    example = lookup.example_query(config.data, data_root) if config.report.examples else None
    # Queries are people in many logs: none is named where the report names none.
    asked = ["--history", ""] if example is None else option("--query", example)
    return [invocation.command("recommend", *asked), invocation.command("lineage")]


@contextlib.contextmanager
def _print_log_paths(run_dir: pathlib.Path, console: Console) -> Iterator[None]:
    """Prints the paths of report and log if its body fails, before the error itself is printed."""
    try:
        yield
    except BaseException:
        for name, file in (("Report", "report.html"), ("Log", "run.log")):
            if (run_dir / file).exists():
                console.print(f"{name:<10}{relative(run_dir / file)}")
        raise
