"""`shortlist run --orchestrator kubeflow-local`: the Kubeflow pipeline, run on this machine."""

from __future__ import annotations

import datetime
import pathlib
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from shortlist.errors import ExitCode
from shortlist.workspace import Workspace

if TYPE_CHECKING:
    from cli.notification import Ended
    from shortlist.config.config import Config
    from shortlist.tables.spec import Unit

_NOTICE = (
    "This was a local KFP run: the compiled pipeline ran task by task, each container's command as a process here. "
    "It does not test Kubernetes, Argo or object stores, and its model is not served."
)


def run_local_kfp(
    config: Config,
    workspace: Workspace,
    data_root: pathlib.Path,
    unit: Unit,
    console: Console,
    verbose: bool,
    ended: Ended,
) -> None:
    """Runs the compiled pipeline in a folder of the workspace and prints the run's summary.

    Raises:
      typer.Exit: Nothing was pushed.
      ShortlistError: See `pipeline.kubeflow.local_kfp.run`.
    """
    from cli import kubeflow
    from cli.output import consoles, log, progress, results
    from shortlist.summary import Status

    kubeflow.check_kfp()
    variables = kubeflow.variables(config)
    if variables:
        consoles.warn(
            console,
            f"kubeflow: a local KFP run does not set {', '.join(variables)}: its commands run on this machine, where a "
            "config may not choose their environment",
        )
    with workspace.reserve("run --orchestrator kubeflow-local"):
        # In a separate folder, so that the served model stays the same.
        stage = Workspace(workspace.root / "kubeflow", workspace.name)
        run_id = stage.start_run(datetime.datetime.now(datetime.timezone.utc))
        ended.folder = stage.run_dir(run_id)
        log_path = ended.folder / "run.log"
        console.print(f"Local KFP run {run_id} of {config.name}; log: {log_path}")
        with log.redirect_output(log_path, verbose) as terminal:
            with terminal.status(log.LOADING_TFX):
                from pipeline.kubeflow.local_kfp import run
            with progress.ProgressListener(terminal) as listener:
                summary = run.execute(config, stage, run_id, data_root, listener, unit)
    results.print_summary(summary, stage.run_dir(run_id) / "summary.json", [], None, console)
    console.print(f"\n{_NOTICE}")
    if summary.status is not Status.PUSHED:
        raise typer.Exit(int(ExitCode.NOTHING_PUSHED))
