"""`summary.json`: the result of a run, for programs. Frozen: see `SCHEMA_VERSION`."""

from __future__ import annotations

import enum
import json
import os
import pathlib
from typing import Literal

import pydantic

from shortlist.config.values import Value
from shortlist.verdicts import GateResult

SCHEMA_VERSION = 1


class Status(str, enum.Enum):
    """How a run ended."""

    PUSHED = "pushed"
    NOT_BLESSED = "not_blessed"
    INDEX_REJECTED = "index_rejected"
    CHECK_FAILED = "check_failed"
    REFUSED = "refused"
    FAILED = "failed"


class Kind(str, enum.Enum):
    """Kind of a run."""

    RUN = "run"
    """The whole pipeline."""
    REINDEX = "reindex"
    """`run --reindex`: today's catalogue with the served model, without training."""


class SummaryPart(pydantic.BaseModel):
    """Base of the summary's parts."""

    model_config = pydantic.ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Protocol(SummaryPart):
    """The evaluation protocol, which the metrics depend on."""

    split: str
    """Kind of the split."""
    exclude_seen: bool = True
    """Whether gates and early stopping go by plain metrics, which exclude seen items; else by those `_with_seen`."""
    corpus_size: int
    """Number of candidates that every target is ranked against."""
    tied_targets: float
    """Share of test targets that share their timestamp with another interaction of the query."""
    repeat_targets: float
    """Share of test targets that the query had seen before. Plain metrics leave these rows out."""
    unseen_queries: float
    """Share of test rows whose query has no train row."""
    eval_from: str | None = None
    """First time of the eval split with split temporal, in UTC, or as an order number; null with other splits."""
    test_from: str | None = None
    """First time of the test split, in the same way."""
    latest_time: str | None = None
    """Time of the latest target, in the same way."""


class DataSummary(SummaryPart):
    """The input data."""

    rows: dict[str, int]
    """Number of targets per split."""
    queries: dict[str, int]
    """Number of distinct queries per split."""
    interactions: int
    candidates: int
    dropped: dict[str, int]
    """Number of interactions that were left out, by reason. The reasons `filter/<table>` and `duplicate/<table>` come
    first and count rows of a table."""


class Blessing(SummaryPart):
    """The Evaluator's verdict."""

    blessed: bool
    reasons: list[str]

    @property
    def verdict(self) -> str:
        """`blessed` or `not blessed`."""
        return "blessed" if self.blessed else "not blessed"


class IndexSummary(SummaryPart):
    """The served index."""

    kind: str
    k: int
    recall_at_k: float
    p50_ms: float
    p99_ms: float
    coverage_at_10: float | None = None
    """Distinct candidates in the top 10 of the test queries, as a share of those that could be there; null in
    summaries of an older version."""
    overlap_at_10: float | None = None
    """Share of the top 10 that two test queries have in common, on average; null in summaries of an older version."""


class AnswersSummary(SummaryPart):
    """The variety of the measured model's top 10 on test queries, whether or not the model was blessed."""

    queries: int
    """Number of distinct test queries in the sample, 2,000 at most."""
    coverage_at_10: float
    """Distinct candidates in all top 10, as a share of those that could be there."""
    overlap_at_10: float
    """Share of the top 10 that two queries have in common, on average."""
    overlap_at_10_with_seen: float
    """The same before seen items are removed: 1 if all queries get the same list."""
    mean_train_count: float
    """Mean number of train interactions of a recommended candidate."""
    mean_train_count_of_targets: float
    """Mean number of train interactions of a test target. Popularity bias is the difference of the two means."""


class Trial(SummaryPart):
    """One set of hyperparameter values that the Tuner tried."""

    number: int
    """From 1; trial 1 has the config's own values."""
    values: dict[str, Value]
    """Values by the settings' dotted names."""
    score: float | None = None
    """The objective on eval at the trial's best epoch; null if the trial failed."""
    epochs: int | None = None
    seconds: float | None = None
    problem: str = ""
    """The reason of a failure; empty if the trial succeeded."""


class Tuning(SummaryPart):
    """The hyperparameter search."""

    objective: str
    """The eval metric that the search maximises."""
    best: int
    """Number of the best trial."""
    trials: list[Trial]
    """Trials in the order of their runs."""
    seconds: float
    ended_by: Literal["max_trials", "minutes", "space"]
    """The limit that ended the search: the number of trials, the time, or the size of the search space."""
    used: dict[str, Value] = {}
    """Values that the trained model recorded, by the settings' dotted names; empty if no model was trained."""

    @property
    def winner(self) -> Trial:
        """The best trial."""
        return next(trial for trial in self.trials if trial.number == self.best)


ENDED_BY = {
    "max_trials": "the limit tune.max_trials",
    "minutes": "the time limit tune.minutes",
    "space": "the end of the search space",
}


class RefitSummary(SummaryPart):
    """The refit: a second training on all data. No test rows are left to measure the served model on."""

    steps: int
    targets: int
    """Number of interactions in its training data, eval and test included."""
    seconds: float


class WarmStartSummary(SummaryPart):
    """The beginning of a training with `train.warm_start`."""

    reason: str = ""
    """Reason why training started from scratch; empty if it began from an earlier model's weights."""
    run_of: str | None = None
    """The run that trained the earlier model; null without one."""
    version: int | None = None
    """The version that this run pushed: that model or its refit. Null if it pushed none."""
    known_candidates: int = 0
    """Candidates with train interactions that began with the earlier model's embedding of their id."""
    new_candidates: int = 0
    """The other candidates with train interactions."""
    left_out: int = 0
    """Eval rows that early stopping left out, because the earlier model was trained on them."""


class RefreshSummary(SummaryPart):
    """Today's catalogue in the eyes of the served model. A reindex trains nothing and measures no accuracy."""

    model_of: str
    """The run that trained the model. Its metrics are those of the pushed version, in the catalogue of that run."""
    candidates: int
    known: int
    """Candidates that the model was trained with; embedded by id and today's features."""
    new: int
    """Candidates that are new to the model; embedded by their features alone."""
    removed: int
    """Candidates of the model's own catalogue that today's lacks."""


class Pushed(SummaryPart):
    """The version that the run pushed."""

    version: int
    path: str


class Seconds(SummaryPart):
    """Wall-clock time."""

    total: float
    components: dict[str, float]


class Fingerprints(SummaryPart):
    """SHA-256 of the inputs: equal fingerprints, equal results on one machine."""

    data: dict[str, str]
    config: str
    code: str


class Summary(SummaryPart):
    """One run of one pipeline."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    pipeline: str
    kind: Kind = Kind.RUN
    status: Status
    reasons: list[str] = []
    """The reasons that nothing was pushed; empty if something was."""
    gates: list[GateResult] = []
    """One result per gate, in the order of the pipeline; empty in summaries of an older version."""
    warnings: list[str] = []
    """Findings of the data checks and of the cold-start checks that the config lets pass."""
    advice: list[str] = []
    """Problems that the run's own figures show, each with a remedy."""
    protocol: Protocol | None = None
    data: DataSummary | None = None
    metrics: Metrics | None = None
    baselines: Baselines | None = None
    blessing: Blessing | None = None
    refit: RefitSummary | None = None
    """Set if the served model is a refit on all data. All metrics are those of the measured model, which was trained on
    train alone."""
    warm_start: WarmStartSummary | None = None
    """Null without `train.warm_start`."""
    refresh: RefreshSummary | None = None
    """Set if a reindex made a model of today's catalogue."""
    answers: AnswersSummary | None = None
    """Null if the model could not answer."""
    index: IndexSummary | None = None
    pushed: Pushed | None = None
    tuning: Tuning | None = None
    """Null if no search ran."""
    training: dict[str, float] = {}
    """Number of epochs, best epoch, train seconds and eval metrics at the best epoch."""
    cached: list[str] = []
    """Nodes with a result from the cache."""
    seconds: Seconds
    peak_rss_mb: float
    node_peaks_mb: dict[str, float] = {}
    """Peak resident memory of the process while each node ran; empty if the kernel does not report it."""
    fingerprints: Fingerprints


class Metrics(SummaryPart):
    """Metrics by TFMA's names; the denominator of shares is `example_count`."""

    overall: dict[str, float]
    slices: list[dict[str, object]] = []


class Baselines(SummaryPart):
    """Metrics of the models that this one was compared with, on the same rows."""

    popularity: dict[str, float]
    latest_blessed: dict[str, float] | None = None


Summary.model_rebuild()


def write_summary(summary: Summary, run_dir: pathlib.Path) -> pathlib.Path:
    """Writes `<run_dir>/summary.json` in one step and returns its path."""
    path = run_dir / "summary.json"
    partial = run_dir / ".summary.json.part"
    partial.write_text(json.dumps(summary.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    # A program that waits for the file never reads a part of it.
    os.replace(partial, path)
    return path


def read_summary(path: pathlib.Path) -> Summary:
    """Returns the summary of one run."""
    return Summary.model_validate_json(path.read_text(encoding="utf-8"))
