"""The end of a run, told to the channels of the config's section `notify`."""

from __future__ import annotations

import contextlib
import datetime
import os
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import typer
from rich.console import Console

from cli.output import consoles
from shortlist.errors import BadInputError

if TYPE_CHECKING:
    from pipeline.kubeflow.metadata.outcome import PushOutcome
    from pipeline.kubeflow.submit import Submission
    from shortlist.config.config import Config
    from shortlist.notify.message import Files, Message
    from shortlist.summary import Kind


class Ended:
    """What is known of the run when it has ended."""

    folder: pathlib.Path | None = None
    """The run's folder, which exists only after the data were checked."""
    message: Message | None = None
    """The message on a run that has no folder here."""


@contextlib.contextmanager
def notified(config: Config, kind: Kind, console: Console) -> Iterator[Ended]:
    """Tells the end of its body, whatever it is; the body sets the run's folder or its message.

    A channel that fails is a warning on the console and in the run's log, and changes nothing else.

    Raises:
      ConfigError: A channel cannot work; the body is not started.
    """
    from shortlist.notify import channels

    channels.check(config.notify, os.environ)
    ended = Ended()
    try:
        yield ended
    except BaseException as error:
        _tell(config, kind, ended, error, console)
        raise
    _tell(config, kind, ended, None, console)


def cluster_message(
    config: Config, submission: Submission, outcome: str, reason: str, record: PushOutcome | None
) -> Message:
    """Returns the message on a run on Kubeflow; its `report` is the run's address.

    Args:
      config: The run's config.
      submission: The run's id and address.
      outcome: One of pushed, nothing pushed, succeeded, failed and canceled.
      reason: The reason that nothing was pushed.
      record: The record in ML Metadata; None if it was not read.
    """
    from shortlist.lineage import measurements
    from shortlist.notify import message

    run = message.Run(config.name, submission.id)
    evaluate, files = config.evaluate, message.Files(report=submission.address)
    evaluation = record.evaluation if record else None
    measured = message.figures(
        evaluate.gate_k,
        evaluate.repeat_consumption,
        measurements.own(evaluation.metrics) if evaluation else {},
        measurements.popularity(evaluation.metrics) if evaluation else {},
        measurements.own(evaluation.baseline) if evaluation else None,
    )
    if record is not None:
        return message.make(run, record.ending, "" if record.pushed else reason, measured, files, record.version)
    ending = {"succeeded": message.Ending.SUCCEEDED, "canceled": message.Ending.INTERRUPTED}.get(
        outcome, message.Ending.FAILED
    )
    return message.make(run, ending, reason, measured, files)


def _tell(config: Config, kind: Kind, ended: Ended, error: BaseException | None, console: Console) -> None:
    if config.notify is None:
        return
    from shortlist.notify import channels

    try:
        results = channels.deliver(
            config.notify, ended.message or _message(config, kind, ended.folder, error), os.environ
        )
    except Exception as bug:
        # The run itself has ended, and its exit code is that of the run.
        results = {"message": f"it could not be made: {type(bug).__name__}"}
    for channel, problem in results.items():
        if problem:
            consoles.warn(console, f"notify.{channel}: {problem}; the run itself is not affected")
        _log(ended.folder, f"notify.{channel}: {problem or 'delivered'}")


def _message(config: Config, kind: Kind, folder: pathlib.Path | None, error: BaseException | None) -> Message:
    from shortlist.notify import message
    from shortlist.process.causes import first_cause
    from shortlist.summary import read_summary

    files, gate_k = _files(folder), config.evaluate.gate_k
    interrupted = isinstance(error, KeyboardInterrupt | SystemExit)
    if folder is not None and (folder / "summary.json").exists():
        return message.of_summary(read_summary(folder / "summary.json"), gate_k, files, interrupted=interrupted)
    ending, reason = message.Ending.FAILED, "the run wrote no summary"
    if interrupted:
        ending, reason = message.Ending.INTERRUPTED, "interrupted"
    elif isinstance(error, BadInputError):
        ending, reason = message.Ending.REFUSED, str(error)
    elif error is not None and not isinstance(error, typer.Exit):
        reason = first_cause(error)
    run = message.Run(config.name, folder.name if folder else None, kind)
    nothing = message.figures(gate_k, config.evaluate.repeat_consumption, {}, {}, None)
    return message.make(run, ending, reason, nothing, files)


def _files(folder: pathlib.Path | None) -> Files:
    from shortlist.notify.message import Files

    if folder is None:
        return Files()
    paths = {"report": folder / "report.html", "log": folder / "run.log"}
    return Files(**{name: str(path.absolute()) for name, path in paths.items() if path.exists()})


def _log(folder: pathlib.Path | None, line: str) -> None:
    # A full or read-only disk must not hide how the run ended.
    with contextlib.suppress(OSError):
        if folder is not None:
            moment = datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M:%S")
            with (folder / "run.log").open("a", encoding="utf-8") as file:
                file.write(f"{moment} {line}\n")
