"""What a config file may say, field by field.

Every class refuses keys that it does not know. `docs/configuration.md` is
generated from the docstrings and descriptions here.
"""

from __future__ import annotations

import datetime
import enum
import re
from typing import Annotated, Literal, Union

import pydantic

from shortlist import inputs, keys, row_filter
from shortlist.config import space
from shortlist.config.engines import NO_ENGINE, Beam, DirectBeam
from shortlist.config.kubeflow import Accelerator as Accelerator
from shortlist.config.kubeflow import Kubeflow as Kubeflow
from shortlist.config.kubeflow import SecretKey as SecretKey
from shortlist.config.kubeflow import Task as Task
from shortlist.config.kubeflow import Volume as Volume
from shortlist.config.metadata import Metadata, SqliteMetadata
from shortlist.config.section import Section as Section
from shortlist.config.section import without_credentials
from shortlist.config.tune import Tune as Tune

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


TableName = Literal["interactions", "candidates", "queries"]
Format = Literal["csv", "jsonl", "parquet"]
TimestampUnit = Literal["auto", "seconds", "milliseconds", "microseconds", "nanoseconds", "iso8601", "order"]
Duplicates = Literal["refuse", "first", "last"]
Repeats = Literal["all", "first", "last"]
Action = Literal["error", "warn", "ignore"]


class FeatureType(str, enum.Enum):
    """How a column is read, transformed and embedded."""

    CATEGORY = "category"
    MULTI_CATEGORY = "multi_category"
    NUMERIC = "numeric"
    TEXT = "text"
    TIMESTAMP = "timestamp"


class Feature(Section):
    """One feature column. `genres: category` is short for `genres: {type: category}`."""

    type: FeatureType
    """category, multi_category, numeric, text (split into lower-case words) or timestamp."""

    delimiter: str | None = None
    """Separator between the values of a multi_category column; `|` unless told."""

    column: str | None = None
    """Name of the column in the file, where it differs from the feature's name."""

    max_vocabulary: int = pydantic.Field(20_000, ge=1)
    """Most values that get an embedding of their own; rarer ones share one."""

    @pydantic.model_validator(mode="before")
    @classmethod
    def _short_form(cls, value: object) -> object:
        return {"type": value} if isinstance(value, str) else value

    @pydantic.model_validator(mode="after")
    def _delimiter_needs_multi(self) -> Feature:
        if self.delimiter is not None and self.type is not FeatureType.MULTI_CATEGORY:
            raise ValueError(f"delimiter needs type multi_category, got {self.type.value}")
        if self.delimiter == "":
            raise ValueError("delimiter must not be empty")
        return self


class Table(Section):
    """One input table: where it is and which of its columns mean what."""

    path: str
    """A file, a folder, a pattern (`*.csv`), dated spans (`log/{YYYY}-{MM}-{DD}/*.csv`) or any URI that Beam opens;
    relative to SHORTLIST_DATA_DIR. CSV, JSON Lines (either may be gzipped) or Parquet."""

    format: Format | None = None
    """Told by the file names' ending unless given."""

    filter: str | None = None
    """Which rows are read, by the file's own column names: `rating >= 4 and country in ("UK", "FR")`. Rows that do not
    pass are dropped and counted, before anything in them is checked."""

    features: dict[str, Feature] = {}
    """Feature name to type."""

    @pydantic.field_validator("path")
    @classmethod
    def _path(cls, path: str) -> str:
        inputs.check_path(path)
        return without_credentials(path)

    @pydantic.field_validator("filter")
    @classmethod
    def _filter(cls, text: str | None) -> str | None:
        if text is not None:
            row_filter.parse(text)
        return text

    @pydantic.field_validator("features")
    @classmethod
    def _not_reserved(cls, features: dict[str, Feature]) -> dict[str, Feature]:
        for name in features:
            if name in keys.RESERVED:
                raise ValueError(f"the feature name {name!r} is reserved; use `column:` to rename it")
            if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name):
                raise ValueError(
                    f"the feature name {name!r} must be letters, digits and underscores; "
                    "use `column:` for the file's own name"
                )
        return features


class Weight(Section):
    """How much an interaction counts in the loss. Metrics and popularity count every interaction once."""

    column: str
    """Column of the interaction's type, or of the weight itself where `values` is not given."""

    values: dict[str, float] | None = None
    """Weight of each type, e.g. `{view: 1, cart: 3, purchase: 10}`. With 0, it is history and never a train target."""

    @pydantic.field_validator("values")
    @classmethod
    def _not_negative(cls, values: dict[str, float] | None) -> dict[str, float] | None:
        if values is not None and (min(values.values(), default=0.0) < 0.0 or max(values.values(), default=0.0) <= 0.0):
            raise ValueError(f"weights must be 0 or more, one of them above 0, got {values}")
        return values


class Interactions(Table):
    """The interaction log: one row says that a query met a candidate at a time."""

    query_id: str = "query_id"
    """Column of the query's (the user's) id. Ids are strings: `007` stays `007`."""

    candidate_id: str = "candidate_id"
    """Column of the candidate's (the item's) id."""

    timestamp: str | None = "timestamp"
    """Column of the time, or of any number that grows with it; `null` only with split random."""

    timestamp_unit: TimestampUnit = "auto"
    """seconds, milliseconds, microseconds or nanoseconds since 1970, iso8601 (UTC where it names no zone), or order:
    any whole number that orders a query's interactions. auto is found by looking at the first rows, and told."""

    earliest: datetime.date = datetime.date(1990, 1, 1)
    """A time before this date is taken for a corrupted one and refused; order numbers have no date."""

    weight: Weight | None = None
    """Interaction types with weights; without it, every interaction counts 1."""

    repeats: Repeats = "all"
    """Which interactions of one query with one candidate are kept; those of weight 0 repeat only each other. `last`
    drops a row because of a later one: the history then lacks what is still to come, so figures are optimistic; use it
    only where the log has no first one."""

    last_spans: int | None = pydantic.Field(None, ge=1)
    """With dated spans in `path`: only the newest this many are read; all of them unless given."""

    @pydantic.model_validator(mode="after")
    def _spans_in_path(self) -> Interactions:
        if self.last_spans is not None and not inputs.has_spans(self.path):
            raise ValueError(f"last_spans needs {{YYYY}}, {{MM}} and {{DD}} in path, got {self.path!r}")
        return self


class Candidates(Table):
    """The catalogue: everything that may be recommended, one row each."""

    candidate_id: str = "candidate_id"
    """Column of the candidate's id; each id once."""

    duplicates: Duplicates = "refuse"
    """What to do with an id that comes again: refuse the table, or keep the first or last row (by file and row). With
    `first`, the interaction log itself can serve as the catalogue."""

    title: str | None = None
    """Name of the feature that people recognise a candidate by, shown by `recommend`."""

    @pydantic.model_validator(mode="after")
    def _title_is_a_feature(self) -> Candidates:
        if self.title is not None and self.title not in self.features:
            raise ValueError(f"title: {self.title!r} is not among the features {sorted(self.features)}")
        return self


class Queries(Table):
    """Optional: what is known of a query (a user) besides its history."""

    query_id: str = "query_id"
    """Column of the query's id; each id once."""

    duplicates: Duplicates = "refuse"
    """As in candidates."""


class LeaveLastOut(Section):
    """Test is a query's last interaction, eval the one before, train the rest."""

    kind: Literal["leave_last_out"] = "leave_last_out"


class LeaveLastBasket(Section):
    """Test is all rows at a query's last timestamp, eval the basket before where there are three."""

    kind: Literal["leave_last_basket"] = "leave_last_basket"


class Temporal(Section):
    """Cuts in time, the same for every query: train < eval_from <= eval < test_from <= test."""

    kind: Literal["temporal"] = "temporal"

    eval_from: int
    """First timestamp of the eval split."""

    test_from: int
    """First timestamp of the test split."""

    @pydantic.model_validator(mode="after")
    def _ordered(self) -> Temporal:
        if self.eval_from >= self.test_from:
            raise ValueError(f"eval_from={self.eval_from} must be before test_from={self.test_from}")
        return self


class Random(Section):
    """Rows shuffled by SHA-256(seed, row position): last 20% test, the 8% before eval."""

    kind: Literal["random"] = "random"

    seed: int = 42
    """Seed of the shuffle."""


Split = Annotated[Union[LeaveLastOut, LeaveLastBasket, Temporal, Random], pydantic.Field(discriminator="kind")]


class WindowsSection(Section):
    """How a query's interactions are cut into training windows."""

    max_history: int = pydantic.Field(100, ge=1, le=10_000)
    """Most recent interactions that the query side may look at."""

    max_targets: int = pydantic.Field(100, ge=1, le=10_000)
    """Most targets of one training window; longer queries get several windows."""


class Check(Section):
    """One thing that the gate looks at: the threshold, and what happens beyond it."""

    threshold: float = pydantic.Field(ge=0.0)
    """The highest value that passes; `volume` must be above it."""

    action: Action = "error"
    """error stops the run before training, warn tells, ignore does neither."""


class Gate(Section):
    """What stops a run, or warns, before anything is trained. "Before" is the last blessed run on other data."""

    schema_anomalies: Action = "error"
    """Values, types or columns that the schemas do not allow."""

    drift: Check = Check(threshold=0.3, action="warn")
    """Distance of a feature's distribution from before: Jensen-Shannon divergence for numbers, the largest change of
    one value's share for strings."""

    volume: Check = Check(threshold=0.5)
    """Rows of a table as a share of before: half of them gone is an error."""

    unknown_candidates: Check = Check(threshold=0.05)
    """Share of interactions that name a candidate the catalogue lacks; up to it they are dropped and counted."""

    tied_targets: Check = Check(threshold=0.5, action="warn")
    """Share of test targets whose query has another interaction at the same time: only the file's order decides which
    is the last. Baskets are ties by nature and not checked."""

    isolated_times: Check = Check(threshold=0.0, action="warn")
    """Share of interactions whose time lies further outside the middle 99.8% of all times than that middle is long."""


class Data(Section):
    """Where the data is and how it is split."""

    source: str | None = None
    """Public data set that `run` fetches when it is missing, as `shortlist data fetch` names it."""

    interactions: Interactions
    candidates: Candidates
    queries: Queries | None = None

    schemas: str
    """Folder with interactions.pbtxt, candidates.pbtxt and, with queries, queries.pbtxt."""

    split: Split = LeaveLastOut()
    windows: WindowsSection = WindowsSection()

    max_interactions_per_query: int = pydantic.Field(10_000, ge=3)
    """Latest interactions kept a query; the drops are counted and reported."""

    gate: Gate = Gate()

    @property
    def tables(self) -> dict[TableName, Table]:
        """The tables that there are, by name."""
        tables: dict[TableName, Table] = {"interactions": self.interactions, "candidates": self.candidates}
        return tables | {"queries": self.queries} if self.queries else tables

    @pydantic.model_validator(mode="after")
    def _time_where_order_matters(self) -> Data:
        if self.interactions.timestamp is None and self.split.kind != "random":
            raise ValueError(f"split {self.split.kind} needs interactions.timestamp; only split random does without")
        return self


class FeaturesTower(Section):
    """The classic two-tower query side: an embedding of the query id, and the query's features."""

    kind: Literal["features"] = "features"

    use_query_id: bool = True
    """Learn an embedding for each query id seen in train; unseen ids share one."""

    hidden_units: tuple[int, ...] = ()
    """Widths of hidden ReLU layers before the embedding; none is a linear tower."""

    dropout: float = pydantic.Field(0.0, ge=0.0, lt=1.0)
    """Dropout on the query's id and features while training."""


class HistoryTower(Section):
    """Causal self-attention over the history's candidate embeddings, plus the query's features."""

    kind: Literal["history"] = "history"

    blocks: int = pydantic.Field(2, ge=1, le=16)
    """Transformer blocks."""

    position_bias: bool = True
    """Learn how much it counts how many positions ago something was, beside the place in the sequence."""

    time_intervals: bool = True
    """Learn how much it counts how long ago something was, and how long the query has been away. A query without its
    time, and items without theirs, are answered without."""

    heads: int = pydantic.Field(1, ge=1)
    """Attention heads; must divide model.embedding_dim."""

    feed_forward_factor: int = pydantic.Field(4, ge=1, le=16)
    """Width of a block's feed-forward layer, in model.embedding_dim; SASRec has 1."""

    dropout: float = pydantic.Field(0.2, ge=0.0, lt=1.0)
    """Dropout on embeddings, attention and feed-forward while training."""

    newcomers: float = pydantic.Field(0.05, ge=0.0, lt=1.0)
    """Share of train targets, others in each step, that are asked for as of a newcomer: from an empty history, half of
    them without the query's features. So newcomers are answered with what is liked, not with what others happened to
    begin with."""


QueryTower = Annotated[Union[FeaturesTower, HistoryTower], pydantic.Field(discriminator="kind")]


class CandidateTower(Section):
    """The candidate side: an embedding of the candidate id, and the candidate's features."""

    use_candidate_id: bool = True
    """Learn an embedding for each candidate id seen in train; unseen ones rely on their features."""

    id_dropout: float = pydantic.Field(0.2, ge=0.0, lt=1.0)
    """Share of candidates, others in each training step, that are embedded by their features alone, so that features
    learn to stand for a candidate that train never met; nothing where candidates have no features."""

    hidden_units: tuple[int, ...] = ()
    """Widths of hidden ReLU layers on top of the features."""

    dropout: float = pydantic.Field(0.0, ge=0.0, lt=1.0)
    """Dropout on the candidate's features while training."""


class QueryTime(Section):
    """A learned vector for the moment a query is asked, added to its embedding."""

    knots: int = pydantic.Field(32, ge=2, le=10_000)
    """Moments with a vector of their own, evenly spaced from the first train target to the last; in between,
    interpolated."""


class Model(Section):
    """The two towers."""

    query_tower: QueryTower = HistoryTower()
    candidate_tower: CandidateTower = CandidateTower()

    query_time: QueryTime | None = None
    """Follow demand through time; needs data.interactions.timestamp. What is asked later than the last train
    target, or without query_time, is asked at it."""

    embedding_dim: int = pydantic.Field(64, ge=2, le=4096)
    """Width of both towers' output."""

    normalize: bool = False
    """L2-normalise both towers' output: the score is a cosine."""

    @pydantic.model_validator(mode="after")
    def _heads_divide(self) -> Model:
        tower = self.query_tower
        if isinstance(tower, HistoryTower) and self.embedding_dim % tower.heads:
            raise ValueError(f"query_tower.heads={tower.heads} does not divide embedding_dim={self.embedding_dim}")
        return self


class InBatchLoss(Section):
    """`tfrs.tasks.Retrieval`: softmax over the batch's own targets, plus uniform negatives."""

    kind: Literal["in_batch"] = "in_batch"

    temperature: float = pydantic.Field(1.0, gt=0.0)
    """Scores are divided by it."""

    logq: bool = True
    """Correct the scores for how often the sampler draws a candidate."""

    remove_accidental_hits: bool = True
    """Mask negatives that are the row's own target."""

    num_hard_negatives: int | None = pydantic.Field(None, ge=1)
    """Only the highest scoring negatives count; all of them unless given."""

    uniform_negatives: int = pydantic.Field(0, ge=0)
    """Candidates drawn uniformly from the catalogue for every batch."""

    max_positions: int = pydantic.Field(1024, ge=2)
    """Largest train.batch_size that is let pass: the logits are at least its square."""


class CorpusLoss(Section):
    """Softmax over the whole catalogue; a query's other targets are masked exactly."""

    kind: Literal["corpus"] = "corpus"

    temperature: float = pydantic.Field(1.0, gt=0.0)
    """Scores are divided by it."""

    mask_other_targets: bool = True
    """A query's own other targets in the window are no negatives."""

    parts: int = pydantic.Field(2, ge=1, le=256)
    """Parts of a batch that are computed side by side, best as many as there are cores. Another number draws other
    noise, so that a seed gives another model."""

    mask_unseen_candidates: bool = True
    """Candidates that train never met are no negatives, where they have features to be known by: nobody was seen to
    pass them over, and a negative of all rows is recommended to nobody."""


Loss = Annotated[Union[InBatchLoss, CorpusLoss], pydantic.Field(discriminator="kind")]


class Train(Section):
    """How the towers are trained; early stopping watches eval."""

    loss: Loss = CorpusLoss()

    epochs: int = pydantic.Field(60, ge=1)
    """Most passes over the train windows."""

    batch_size: int = pydantic.Field(64, ge=1)
    """Windows a batch with loss corpus; single targets with loss in_batch."""

    learning_rate: float = pydantic.Field(1e-3, gt=0.0)
    """Peak learning rate (AdamW)."""

    schedule: Literal["constant", "cosine"] = "cosine"
    """How the rate goes down over the epochs, after a warm-up."""

    warmup_fraction: float = pydantic.Field(0.05, ge=0.0, lt=1.0)
    """Share of all steps in which the rate rises from zero."""

    weight_decay: float = pydantic.Field(0.0, ge=0.0)
    """Decoupled weight decay (AdamW)."""

    eval_every_epochs: int = pydantic.Field(2, ge=1)
    """How often eval is ranked while training."""

    patience: int = pydantic.Field(5, ge=1)
    """Evaluations without a better eval NDCG@10 after which training stops; the best weights are kept."""

    shuffle_ties: bool = False
    """Put train interactions of one query in one second into another random order in each epoch: for logs whose times
    are whole seconds or coarser, where the file's order says nothing; others are refused. Eval and test rows keep the
    file's order. With `basket_mates`, baskets are shuffled anyway."""

    basket_mates: float = pydantic.Field(0.0, ge=0.0, le=1.0)
    """Share of train windows, others in each epoch, in which a target also looks back on rows of its own basket, in
    random order; split leave_last_basket only. Eval and test rows never do."""

    seed: int = 1
    """Seeds weights, shuffling, dropout and sampling."""

    refit: bool = False
    """Train a blessed model's recipe once more before it is indexed, on everything, eval and test included, for the
    steps that were best. All figures stay those of the model that was measured: nothing is left to measure it on."""

    @pydantic.model_validator(mode="after")
    def _batch_fits(self) -> Train:
        if isinstance(self.loss, InBatchLoss) and self.batch_size > self.loss.max_positions:
            raise ValueError(
                f"train.batch_size {self.batch_size} is more than train.loss.max_positions {self.loss.max_positions}: "
                "every step scores each target of a batch against all of them; lower the one or raise the other"
            )
        return self


class Floor(Section):
    """The least that a figure must reach, and what happens below it."""

    threshold: float = pydantic.Field(ge=0.0)
    """The lowest value that passes."""

    action: Action = "error"
    """error blesses no model below it, warn tells, ignore does neither."""


class ColdStart(Section):
    """What the model must say where train says nothing."""

    unseen_candidates: Floor = Floor(threshold=5.0)
    """top_100 of the test rows whose target train never met, as a multiple of chance, which is 100 over the number of
    candidates."""

    empty_history: Floor = Floor(threshold=0.5)
    """Of the 100 candidates that a query is answered with of which nothing is known, the share that are among the 100
    most popular in train."""

    min_rows: int = pydantic.Field(100, ge=1)
    """With fewer test rows whose target train never met, these are measured and not judged; the verdict says so."""


class Evaluate(Section):
    """What the model must beat before it may be pushed."""

    ks: tuple[int, ...] = (1, 5, 10, 50, 100)
    """The K of factorized_top_k/top_K_categorical_accuracy."""

    gate_k: int = 10
    """The gates compare top_K_categorical_accuracy at this K, seen items excluded."""

    min_lift_over_popularity: float = pydantic.Field(1.1, ge=0.0)
    """The gated accuracy must be at least this many times that of "most popular" on the same rows."""

    max_drop_from_baseline: float = pydantic.Field(0.02, ge=0.0, le=1.0)
    """How far the gated accuracy may fall below the latest blessed model's, absolute; on 1,000 test rows two seeds
    of one model differ by 0.01."""

    cold_start: ColdStart = ColdStart()

    slices: tuple[str, ...] = ()
    """Features (category or multi_category) by whose values the metrics are told, too: `name` of the queries, or
    `target_name` of the candidates, for what the target has; those by history length and by the target's popularity
    always are."""

    @pydantic.model_validator(mode="after")
    def _gate_among_ks(self) -> Evaluate:
        if self.gate_k not in self.ks:
            raise ValueError(f"gate_k={self.gate_k} is not among ks={list(self.ks)}")
        if any(k < 1 for k in self.ks):
            raise ValueError(f"ks must be 1 or more, got {list(self.ks)}")
        return self


class Index(Section):
    """The nearest-neighbour index that is served."""

    kind: Literal["auto", "scann", "brute_force"] = "auto"
    """auto: ScaNN where its recall holds, exact search below 16 candidates."""

    k: int = pydantic.Field(100, ge=1, le=10_000)
    """Most candidates that one answer may have."""

    min_recall: float = pydantic.Field(0.99, ge=0.0, le=1.0)
    """Recall@k against exact search on test queries below which nothing is pushed."""

    max_exclusions: int = pydantic.Field(1024, ge=0)
    """Excluded ids a query that ScaNN over-fetches for; longer lists are searched exactly."""


class Push(Section):
    """Where and how pushed versions are kept."""

    keep_versions: int = pydantic.Field(3, ge=1)
    """Newest versions kept; older ones are deleted."""


class Report(Section):
    """The report that every run writes, one page for a browser."""

    examples: bool = True
    """Five test queries with their history, what they took next and what they were recommended. Histories are personal
    data: with `false` none of them is written, neither into the report nor into what it is made from."""

    query_ids: bool = False
    """Call these queries by their own ids; unless asked they are numbered 1 to 5."""


class Config(Section):
    """A pipeline: its data, its model, its gates, its index."""

    name: str
    """Name of the pipeline and of the served model: a-z, 0-9 and dashes."""

    workspace: str
    """Folder of all that the pipeline writes; relative to the working directory."""

    data: Data
    model: Model = Model()
    train: Train = Train()
    tune: Tune = Tune()
    evaluate: Evaluate = Evaluate()
    index: Index = Index()
    push: Push = Push()
    report: Report = Report()
    beam: Beam = DirectBeam()
    metadata: Metadata = SqliteMetadata()
    kubeflow: Kubeflow | None = None

    @pydantic.field_validator("beam", mode="before")
    @classmethod
    def _engine(cls, beam: object) -> object:
        if not isinstance(beam, dict):
            return beam
        engine = beam.get("engine", "direct")
        if isinstance(engine, str) and engine.lower() in NO_ENGINE:
            raise ValueError(
                f"engine {engine} is refused: {NO_ENGINE[engine.lower()]}; use direct, portable, flink or dataflow"
            )
        return {"engine": engine, **beam}

    @pydantic.field_validator("workspace")
    @classmethod
    def _workspace(cls, workspace: str) -> str:
        return without_credentials(workspace)

    @pydantic.field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} must be 1 to 63 of a-z, 0-9 and dashes, starting with a letter or digit")
        return name

    @pydantic.model_validator(mode="after")
    def _no_contradictions(self) -> Config:
        if self.data.split.kind == "random" and isinstance(self.model.query_tower, HistoryTower):
            raise ValueError(
                "split random claims no order, so a history tower has no history to read; "
                "use query_tower.kind: features or another split"
            )
        self._check_slices()
        space.settings(self.tune, {"model": self.model, "train": self.train})
        mates = self.train.basket_mates or "train.basket_mates" in (self.tune.space or {})
        if mates and self.data.split.kind != "leave_last_basket":
            raise ValueError(
                f"train.basket_mates is for split leave_last_basket, whose windows tell baskets apart; the split is "
                f"{self.data.split.kind}, remove basket_mates"
            )
        searched = self.tune.space or {}
        by_id = self.model.candidate_tower.use_candidate_id and "model.candidate_tower.use_candidate_id" not in searched
        if not by_id and not self.data.candidates.features:
            raise ValueError(
                "model.candidate_tower.use_candidate_id: false leaves nothing to tell candidates apart by, "
                "data.candidates.features has none; add some, or keep the id"
            )
        if self.model.query_time and self.data.interactions.timestamp is None:
            raise ValueError(
                "model.query_time needs the times of the interactions; name their column in "
                "data.interactions.timestamp, or remove query_time"
            )
        return self

    @property
    def target_slices(self) -> tuple[str, ...]:
        """Those of `evaluate.slices` that are of the target."""
        of_queries = self.data.queries.features if self.data.queries else {}
        return tuple(name for name in self.evaluate.slices if name not in of_queries)

    def _check_slices(self) -> None:
        features = dict(self.data.queries.features) if self.data.queries else {}
        for name, feature in self.data.candidates.features.items():
            if keys.TARGET_FEATURE + name not in keys.RESERVED:
                features.setdefault(keys.TARGET_FEATURE + name, feature)
        for name in self.evaluate.slices:
            if name not in features:
                raise ValueError(
                    f"evaluate.slices: {name!r} is no feature that rows can be told by; data.queries.features and, "
                    f"after {keys.TARGET_FEATURE!r}, data.candidates.features give {sorted(features)}"
                )
            kind = features[name].type
            if kind not in (FeatureType.CATEGORY, FeatureType.MULTI_CATEGORY):
                raise ValueError(
                    f"evaluate.slices: {name!r} is of type {kind.value}; expected category or multi_category, "
                    "whose values can be listed"
                )
