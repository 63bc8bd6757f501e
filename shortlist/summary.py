"""`summary.json`: the result of a run, for programs. Frozen: see `SCHEMA_VERSION`."""

from __future__ import annotations

import enum
import json
import os
import pathlib
from typing import Literal

import pydantic

from shortlist.config.values import Value

SCHEMA_VERSION = 1


class Status(str, enum.Enum):
    """How a run ended."""

    PUSHED = "pushed"
    NOT_BLESSED = "not_blessed"
    INDEX_REJECTED = "index_rejected"
    CHECK_FAILED = "check_failed"
    REFUSED = "refused"
    FAILED = "failed"


class SummaryPart(pydantic.BaseModel):
    """Base of the summary's parts."""

    model_config = pydantic.ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Protocol(SummaryPart):
    """Without it no figure means anything."""

    split: str
    """Kind of the split."""
    exclude_seen: bool = True
    """Whether gates and early stopping go by plain metrics, which exclude seen items; else by those `_with_seen`."""
    corpus_size: int
    """Candidates that every target is ranked against."""
    tied_targets: float
    """Share of test targets whose timestamp another interaction of the query has too."""
    repeat_targets: float
    """Fraction of test targets that their query had seen before: plain metrics leave these rows out."""
    unseen_queries: float
    """Share of test rows whose query has no train row."""


class DataSummary(SummaryPart):
    """What went in."""

    rows: dict[str, int]
    """Targets a split."""
    queries: dict[str, int]
    """Distinct queries a split."""
    interactions: int
    candidates: int
    dropped: dict[str, int]
    """Interactions left out, by reason; before all else, rows of a table: `filter/<table>` and `duplicate/<table>`."""


class Blessing(SummaryPart):
    """The Evaluator's verdict."""

    blessed: bool
    reasons: list[str]


class IndexSummary(SummaryPart):
    """The index that is served."""

    kind: str
    k: int
    recall_at_k: float
    p50_ms: float
    p99_ms: float
    coverage_at_10: float | None = None
    """Distinct candidates in the top 10 of the test queries, as a share of those that could be there; null in
    summaries of an older version, as the next one."""
    overlap_at_10: float | None = None
    """What two test queries' top 10 share, on average."""


class AnswersSummary(SummaryPart):
    """How varied the measured model's top 10 of the test queries are, whether or not it was blessed."""

    queries: int
    """Distinct test queries that were asked, a sample of at most 2,000."""
    coverage_at_10: float
    """Distinct candidates in all answers, as a share of those that could be there."""
    overlap_at_10: float
    """What two queries' answers share, on average."""
    overlap_at_10_with_seen: float
    """The same before seen items are removed: 1 where there is one list for all."""
    mean_train_count: float
    """How often an average answer is a train target."""
    mean_train_count_of_targets: float
    """How often an average test target is one: popularity bias is the first beside the second."""


class Trial(SummaryPart):
    """One set of values that was tried before training."""

    number: int
    """From 1, the config itself."""
    values: dict[str, Value]
    """By the settings' dotted names."""
    score: float | None = None
    """The objective on eval at the trial's best epoch; null where it failed."""
    epochs: int | None = None
    seconds: float | None = None
    problem: str = ""
    """Why it failed."""


class Tuning(SummaryPart):
    """The search for better settings."""

    objective: str
    """The eval metric that the best trial has most of."""
    best: int
    """Number of the best trial."""
    trials: list[Trial]
    """In the order in which they ran."""
    seconds: float
    ended_by: Literal["max_trials", "minutes", "space"]
    """What ended the search: enough trials, the time box, or that there was nothing else to try."""
    used: dict[str, Value] = {}
    """What the trained model says that it was trained with, by the same names; empty where none was trained."""

    @property
    def winner(self) -> Trial:
        """The best trial."""
        return next(trial for trial in self.trials if trial.number == self.best)


ENDED_BY = {
    "max_trials": "as many as tune.max_trials allows",
    "minutes": "until tune.minutes were over",
    "space": "until there was nothing else to try",
}


class RefitSummary(SummaryPart):
    """The model that is indexed, where it was trained once more on everything: nobody can know its own metrics."""

    steps: int
    targets: int
    """Interactions that it was trained on, eval and test included."""
    seconds: float


class Pushed(SummaryPart):
    """What is being served since."""

    version: int
    path: str


class Seconds(SummaryPart):
    """Wall-clock time."""

    total: float
    components: dict[str, float]


class Fingerprints(SummaryPart):
    """SHA-256 of what went in: equal fingerprints, equal results on one machine."""

    data: dict[str, str]
    config: str
    code: str


class Summary(SummaryPart):
    """One run of one pipeline."""

    schema_version: int = SCHEMA_VERSION
    run_id: str
    pipeline: str
    status: Status
    reasons: list[str] = []
    """Why nothing was pushed; empty when something was."""
    warnings: list[str] = []
    """What the checks of the data and of the model's cold start found and the config lets pass."""
    advice: list[str] = []
    """What the run's own figures say of the model, with the remedy."""
    protocol: Protocol | None = None
    data: DataSummary | None = None
    metrics: Metrics | None = None
    baselines: Baselines | None = None
    blessing: Blessing | None = None
    refit: RefitSummary | None = None
    """Set where the served model is not the measured one, but its recipe trained on everything; all metrics are the
    measured one's, which was trained on train alone."""
    answers: AnswersSummary | None = None
    """Null where the model could not be asked."""
    index: IndexSummary | None = None
    pushed: Pushed | None = None
    tuning: Tuning | None = None
    """Null where nothing was searched."""
    training: dict[str, float] = {}
    """Epochs run, best epoch, train seconds and eval metrics at the best epoch."""
    cached: list[str] = []
    """Nodes whose result was taken from the cache."""
    seconds: Seconds
    peak_rss_mb: float
    node_peaks_mb: dict[str, float] = {}
    """Peak resident memory of the process while each node ran; empty where the kernel does not tell."""
    fingerprints: Fingerprints


class Metrics(SummaryPart):
    """TFMA metric name to value; denominators are `example_count`."""

    overall: dict[str, float]
    slices: list[dict[str, object]] = []


class Baselines(SummaryPart):
    """What the model was compared with on the same rows."""

    popularity: dict[str, float]
    latest_blessed: dict[str, float] | None = None


Summary.model_rebuild()


def write_summary(summary: Summary, run_dir: pathlib.Path) -> pathlib.Path:
    """Writes `<run_dir>/summary.json` in one step and returns its path."""
    path = run_dir / "summary.json"
    partial = run_dir / ".summary.json.part"
    partial.write_text(json.dumps(summary.model_dump(mode="json"), indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)
    return path


def read_summary(path: pathlib.Path) -> Summary:
    """Returns the summary of one run."""
    return Summary.model_validate_json(path.read_text(encoding="utf-8"))
