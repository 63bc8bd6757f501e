"""`shortlist submit`: a run on Kubeflow Pipelines."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli.invocation import Invocation
from cli.options import JsonOption, OwnConfigOption, SetOption, VerboseOption
from cli.output import consoles
from shortlist.errors import BadInputError, ConfigError, ExitCode

if TYPE_CHECKING:
    from cli.kubeflow import CompilationPlan
    from pipeline.kubeflow.metadata.outcome import PushOutcome
    from pipeline.kubeflow.package import Package
    from pipeline.kubeflow.parameters import ComparisonUris
    from pipeline.kubeflow.submit import Cluster, RunState, Submission
    from shortlist.config.config import Config
    from shortlist.config.kubeflow import Kubeflow

_EXIT_CODES = {"pushed": ExitCode.DONE, "succeeded": ExitCode.DONE, "nothing pushed": ExitCode.NOTHING_PUSHED}


def submit(
    config: OwnConfigOption = None,
    set_: SetOption = None,
    host: Annotated[str | None, typer.Option(help="Address of the API instead of kubeflow.host.")] = None,
    namespace: Annotated[str | None, typer.Option(help="Instead of kubeflow.namespace.")] = None,
    experiment: Annotated[str | None, typer.Option(help="Instead of kubeflow.experiment.")] = None,
    pipeline_root: Annotated[str | None, typer.Option(help="Instead of kubeflow.pipeline_root.")] = None,
    run_name: Annotated[
        str | None, typer.Option(help="The run's name in the UI; by default the pipeline's name and the time.")
    ] = None,
    param: Annotated[
        list[str] | None, typer.Option("--param", metavar="NAME=VALUE", help="Set a parameter of the run.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="URI", help="Compare with this model instead of the latest blessed one.")
    ] = None,
    no_baseline: Annotated[bool, typer.Option("--no-baseline", help="Compare with no earlier run.")] = False,
    cron: Annotated[
        str | None, typer.Option(metavar="EXPRESSION", help="Run on a schedule: '0 0 3 * * *' is each night at 3.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the end; the exit code is the outcome.")] = False,
    as_json: JsonOption = False,
    verbose: VerboseOption = False,
) -> None:
    """Compile the pipeline and run it on Kubeflow Pipelines, with kfp's own client.

    The data's fingerprints and the model to compare with become parameters of the
    run. Credentials come from KF_PIPELINES_TOKEN, KF_PIPELINES_COOKIES or kfp's own
    configuration. With --wait, exit code 0: pushed, or succeeded if
    kubeflow.metadata is not set; 3: nothing pushed; 1: failed or canceled.

    Example: shortlist submit --config configs/movielens_100k.yaml --wait
    """
    from cli import kubeflow as shared
    from cli.notification import Ended, cluster_message, notified
    from shortlist.config.secrets import check_no_credentials
    from shortlist.summary import Kind

    check_no_credentials("--baseline", baseline or "")
    parameters = _parsed_parameters(param or [])
    options = {"host": host, "namespace": namespace, "experiment": experiment, "pipeline_root": pipeline_root}
    checked_config = _load_config(Invocation.of_own_pipeline(config, set_), options)
    shared.check_kfp()
    if cron is not None and wait:
        raise BadInputError("--wait waits for one run, and --cron starts many; give one of them")

    # With --json, programs read stdout: everything else goes to stderr.
    console = consoles.console(stderr=as_json)
    from pipeline.kubeflow.submit import Cluster

    section = shared.section(checked_config)
    # Without --wait, the command ends before the run does.
    with notified(checked_config, Kind.RUN, console) if wait else contextlib.nullcontext(Ended()) as ended:
        cluster = Cluster(section)
        compare = _comparison(checked_config, baseline, no_baseline, console)
        plan = shared.plan_submission(checked_config, parameters, compare, cron is not None, console, verbose)
        name = run_name or f"{checked_config.name} {datetime.datetime.now(datetime.timezone.utc):%Y-%m-%d %H:%M:%S}"
        submission = _start(cluster, plan, name, cron)
        _print_submitted(submission, plan.parameters, console)
        outcome = None
        if wait:
            outcome, reason, verdict = _outcome(cluster, submission, section, console)
            ended.message = cluster_message(checked_config, submission, outcome, reason, verdict)
    if as_json:
        _print_json(submission, plan.parameters, outcome)
    if outcome is not None:
        raise typer.Exit(int(_EXIT_CODES.get(outcome, ExitCode.UNEXPECTED)))


def _load_config(invocation: Invocation, options: Mapping[str, str | None]) -> Config:
    """Returns the checked config, with values of --set and of options for keys of its section `kubeflow`."""
    return invocation.load({f"kubeflow.{name}": value for name, value in options.items() if value is not None})


def _start(cluster: Cluster, plan: CompilationPlan, name: str, cron: str | None) -> Submission:
    if cron is not None:
        return cluster.schedule(plan.package, plan.parameters, name, _six_fields(cron))
    return cluster.submit(plan.package, plan.parameters, name)


def _comparison(
    config: Config, baseline: str | None, no_baseline: bool, console: Console
) -> Callable[[Package, Mapping[str, str]], ComparisonUris]:
    """Returns a function that finds the earlier runs to compare with."""
    from pipeline.kubeflow.parameters import ComparisonUris

    def compare(package: Package, parameters: Mapping[str, str]) -> ComparisonUris:
        address = config.kubeflow.metadata if config.kubeflow else None
        if no_baseline or (address is None and baseline is None):
            if not no_baseline:
                console.print(
                    "No comparison with an earlier run: set kubeflow.metadata to find it, or give --baseline URI",
                    soft_wrap=True,
                )
            return ComparisonUris()
        found = ComparisonUris()
        if address is not None:
            from pipeline.kubeflow.metadata import earlier, store

            runs = store.ClusterStore(store.connect(address)).runs(config.name)
            found = earlier.comparison_uris(runs, package, parameters, config.data.tables, config.has_warm_start)
        elif config.has_warm_start:
            # Nothing tells which data that model was trained on.
            found = ComparisonUris(warm_start_model=baseline)
        return dataclasses.replace(found, baseline_model=baseline or found.baseline_model)

    return compare


def _parsed_parameters(assignments: list[str]) -> dict[str, str]:
    from shortlist.config.secrets import check_no_credentials

    found = dict(assignment.partition("=")[::2] for assignment in assignments)
    wrong = next((assignment for assignment in assignments if "=" not in assignment), None)
    if wrong is not None:
        raise ConfigError(f"--param {wrong!r}: expected NAME=VALUE, for example data_root=gs://bucket/data")
    for name, value in found.items():
        # Every user of the cluster can read the parameters of a run.
        check_no_credentials(f"--param {name}", value)
    return found


def _six_fields(cron: str) -> str:
    fields = cron.split()
    if len(fields) not in (5, 6):
        raise ConfigError.from_parts(
            f"--cron {cron!r}", "six fields (second minute hour day month weekday)", len(fields)
        )
    # Kubeflow's cron expressions begin with seconds; the usual five fields have none.
    if len(fields) == 5:
        fields = ["0", *fields]
    return " ".join(fields)


def _print_submitted(submission: Submission, parameters: dict[str, str], console: Console) -> None:
    console.print(f"Submitted {submission.id}")
    console.print(f"          {submission.address}", soft_wrap=True)
    for name, value in sorted(parameters.items()):
        console.print(f"          {name}: {value}", soft_wrap=True)


def _print_json(submission: Submission, parameters: dict[str, str], outcome: str | None) -> None:
    answer = {"id": submission.id, "address": submission.address, "parameters": parameters, "outcome": outcome}
    print(json.dumps(answer, indent=2, ensure_ascii=False))


def _outcome(
    cluster: Cluster, submission: Submission, kubeflow: Kubeflow, console: Console
) -> tuple[str, str, PushOutcome | None]:
    """Waits for the end of a run and prints each change of a task's state.

    Returns:
      One of pushed, nothing pushed, succeeded, failed and canceled; the reason that nothing was pushed; and the record
      in ML Metadata, None if it was not read.
    """
    last_states: dict[str, str] = {}

    def print_changes(run: RunState) -> None:
        for task, state in run.tasks.items():
            if last_states.get(task) != state:
                last_states[task] = state
                console.print(f"  {state.lower():<10}{task}")

    end = cluster.wait(submission.id, print_changes)
    if end.state != "SUCCEEDED":
        for error in end.errors:
            console.print(f"          {' '.join(error.split())}", soft_wrap=True)
        console.print(f"Result    {end.state.lower()}")
        word = {"FAILED": "failed", "ERROR": "failed"}.get(end.state, "canceled")
        return word, "; ".join(" ".join(error.split()) for error in end.errors) or word, None
    if kubeflow.metadata is None:
        console.print(
            "Result    succeeded; set kubeflow.metadata to see here whether the model was pushed",
            soft_wrap=True,
        )
        return "succeeded", "", None
    from pipeline.kubeflow.metadata import outcome

    verdict = outcome.read(kubeflow.metadata, submission.id)
    for reason in verdict.reasons:
        console.print(f"          {reason}", soft_wrap=True)
    if verdict.pushed:
        console.print(f"Result    pushed {verdict.destination}")
        return "pushed", "", verdict
    console.print("Result    nothing pushed")
    return "nothing pushed", "; ".join(verdict.reasons), verdict
