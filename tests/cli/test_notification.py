"""How a run ends, told by the command: it never changes the exit, whatever the channel does."""

from __future__ import annotations

import io
import json
import pathlib
from collections.abc import Iterator

import pytest
import typer

from cli.notification import cluster_message, notified
from cli.output import consoles
from pipeline.kubeflow.metadata.outcome import PushOutcome
from pipeline.kubeflow.submit import Submission
from shortlist.config.config import Config
from shortlist.config.load import parse_config
from shortlist.errors import ConfigError, DataError, ShortlistError
from shortlist.notify.message import Ending
from shortlist.records.artifacts import Evaluation
from shortlist.summary import Kind
from tests.receivers import Receiver, receiving
from tests.shortlist.config.test_load import MINIMAL
from tests.shortlist.notify.test_message import summary


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as server:
        yield server


@pytest.fixture
def config(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Config:
    monkeypatch.setenv("SHORTLIST_TEST_HOOK", receiver.url)
    webhook = {"url_env": "SHORTLIST_TEST_HOOK", "attempts": 1, "timeout_seconds": 30}
    return parse_config({**MINIMAL, "notify": {"webhook": webhook}}, "x.yaml")


def run(config: Config, folder: pathlib.Path | None = None, error: BaseException | None = None) -> str:
    """Runs a body that ends with `error`, and returns what the console shows."""
    out = io.StringIO()
    with notified(config, Kind.RUN, consoles.console(file=out)) as ended:
        ended.folder = folder
        if error is not None:
            raise error
    return out.getvalue()


def told(receiver: Receiver) -> dict[str, object]:
    [request] = receiver.requests
    message: dict[str, object] = json.loads(request.body)
    return message


@pytest.fixture
def folder(tmp_path: pathlib.Path) -> pathlib.Path:
    path = tmp_path / "run-7"
    path.mkdir()
    (path / "run.log").write_text("before\n")
    (path / "report.html").touch()
    (path / "summary.json").write_text(summary().model_dump_json())
    return path


def test_a_run_is_told_from_its_summary(config: Config, receiver: Receiver, folder: pathlib.Path):
    assert run(config, folder) == ""
    message = told(receiver)
    assert (message["status"], message["version"], message["run_id"]) == ("pushed", 12, "run-7")
    assert (message["report"], message["log"]) == (str(folder / "report.html"), str(folder / "run.log"))
    before, line = (folder / "run.log").read_text().splitlines()
    assert before == "before"
    assert line.endswith(" notify.webhook: delivered")


@pytest.mark.parametrize(
    ("error", "status", "reason"),
    [
        (DataError("log.csv: expected a file"), "refused", "log.csv: expected a file"),
        (ShortlistError("workspace: expected it free"), "failed", "ShortlistError: workspace: expected it free"),
        (KeyboardInterrupt(), "interrupted", "interrupted"),
        (SystemExit(143), "interrupted", "interrupted"),
        (ZeroDivisionError("a bug"), "failed", "ZeroDivisionError: a bug"),
    ],
)
def test_a_run_without_a_summary_is_told_too(config: Config, receiver: Receiver, error, status, reason):
    with pytest.raises(type(error)):
        run(config, error=error)
    message = told(receiver)
    assert (message["status"], message["reason"], message["run_id"]) == (status, reason, None)


def test_a_stopped_run_with_a_summary_is_interrupted(config: Config, receiver: Receiver, folder: pathlib.Path):
    with pytest.raises(SystemExit):
        run(config, folder, SystemExit(143))
    assert told(receiver)["status"] == "interrupted"


def test_a_run_that_pushed_nothing_keeps_its_exit_code(config: Config, receiver: Receiver, folder: pathlib.Path):
    (folder / "summary.json").write_text(summary(pushed=None, status="not_blessed", reasons=["low"]).model_dump_json())
    with pytest.raises(typer.Exit) as exit_:
        run(config, folder, typer.Exit(3))
    assert exit_.value.exit_code == 3
    assert told(receiver)["status"] == "not_blessed"


def test_a_dead_webhook_is_one_warning_and_a_line_of_the_log(config: Config, receiver: Receiver, folder: pathlib.Path):
    receiver.answers = [500]
    sentence = "notify.webhook: the address in SHORTLIST_TEST_HOOK answered with status 500"
    assert run(config, folder) == f"Warning: {sentence}; the run itself is not affected\n"
    log = (folder / "run.log").read_text()
    assert log.splitlines()[1].endswith(f" {sentence}")
    assert "s3cr3t" not in log


def test_a_fault_of_the_message_does_not_hide_the_run(config: Config, receiver: Receiver, folder: pathlib.Path):
    (folder / "summary.json").write_text("{")
    assert run(config, folder) == (
        "Warning: notify.message: it could not be made: ValidationError; the run itself is not affected\n"
    )
    assert receiver.requests == []


EVALUATION = Evaluation(
    metrics={
        "factorized_top_k/top_10_categorical_accuracy": 0.3,
        "popularity/top_10_categorical_accuracy": 0.1,
    },
    slices=None,
    baseline={"factorized_top_k/top_10_categorical_accuracy": 0.2},
)
NOT_BLESSED = PushOutcome(False, "", ("too low",), None, Ending.NOT_BLESSED, EVALUATION)
PUSHED = PushOutcome(True, "/models/7", ("fine",), 7, Ending.PUSHED, EVALUATION)


@pytest.mark.parametrize(
    ("outcome", "reason", "record", "text"),
    [
        ("pushed", "", PUSHED, "shop: PUSHED version 7; HR@10 0.300, previous model 0.200"),
        (
            "nothing pushed",
            "too low",
            NOT_BLESSED,
            "shop: NOT BLESSED nothing pushed; HR@10 0.300, previous model 0.200; too low",
        ),
        ("succeeded", "", None, "shop: SUCCEEDED"),
        ("failed", "Trainer: out of memory", None, "shop: FAILED nothing pushed; Trainer: out of memory"),
        ("canceled", "canceled", None, "shop: INTERRUPTED nothing pushed; canceled"),
    ],
)
def test_a_run_on_kubeflow(config: Config, outcome: str, reason: str, record: PushOutcome | None, text: str):
    message = cluster_message(config, Submission("r-1", "http://kfp/#/runs/details/r-1"), outcome, reason, record)
    assert message.text == text
    assert (message.run_id, message.report, message.log) == ("r-1", "http://kfp/#/runs/details/r-1", None)
    assert message.most_popular == (0.1 if record else None)


def test_a_channel_that_cannot_work_stops_the_run_before_it_starts(
    config: Config, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("SHORTLIST_TEST_HOOK")
    with pytest.raises(ConfigError, match="a value in the environment variable SHORTLIST_TEST_HOOK, got an unset"):
        run(config, error=AssertionError("the body ran"))
    assert receiver.requests == []
