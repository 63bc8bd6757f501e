"""Names of the custom properties of artifacts and of the exec properties that people are shown later.

They are stored in ML Metadata: a name never changes. Each property is a string
unless its description names another type.
"""

from __future__ import annotations

CODE_SHA256 = "code_sha256"
"""Exec property of every node of ours: `shortlist.fingerprints.code_sha256`."""
CUSTOM_CONFIG = "custom_config"
"""Exec property of TFX's nodes: JSON of the settings."""
CONFIG = "config"
"""Exec property of Windows and Indexer: JSON of a section of the config."""
EXCLUDE_SEEN = "exclude_seen"
"""Exec property of Indexer and Answers: int, 1 unless `evaluate.repeat_consumption` is set."""

# Verdicts: artifacts of type ModelBlessing and InfraBlessing.
BLESSED = "blessed"
"""int, 1 or 0: TFX's own name."""
REASONS = "reasons"
"""JSON list of sentences: why a blessing was given or refused, or a model not pushed."""
WARNINGS = "warnings"
"""JSON list of sentences that the summary repeats."""
STATUS = "status"
"""One of the five that follow; absent where the Evaluator gave the verdict."""
OK = "ok"
NOT_BLESSED = "not_blessed"
INDEX_REJECTED = "index_rejected"
NOT_CHECKED = "not_checked"
CHECK_FAILED = "check_failed"
CURRENT_MODEL_ID = "current_model_id"
"""int: the artifact id of the model that a verdict is about: TFX's own name."""
FIGURES = "figures"
"""Of the ServingCheck's blessing: JSON of the seconds and ms that were measured in clean processes."""

# Examples.
CONTENT_SHA256 = "content_sha256"
"""Of flat examples: fingerprint of the files that an unpinned run found. Exec property of a pinned one."""
ROWS = "rows"
"""int, of flat examples."""
DROPPED = ("filter", "duplicate")
"""Reasons for which rows of a table are dropped; `dropped(reason)` is the property."""
FIRST_SPAN = "first_span"
LAST_SPAN = "last_span"
TIMESTAMP_UNIT = "timestamp_unit"
DATA_PATH = "data_path"
"""Exec property of a node that reads a table: the path as the config has it."""
DATA_ROOT = "data_root"
"""Exec property of a node that reads a table: where a relative path starts."""
TABLE = "table"
"""Exec property of a node that reads a table: JSON of its `TableSpec`."""
STATS = "stats"
"""Of windows: JSON of the counts of rows, queries and drops."""
SPLIT_FINGERPRINT = "split_fingerprint"
"""Of windows: equal fingerprints hold out the same rows of the same log."""

# DataGate's report.
NOT_COMPARED = "not_compared"
"""JSON, by table name: why the table was compared with no earlier one."""
GATE = "gate"
"""Exec property: JSON of the section `data.gate`."""

# The Baseline node's model.
SKIPPED = "skipped"
"""int, 1: there is nothing to compare with."""
REASON = "reason"
"""Why the comparison was skipped; of a rollback or a forced push, what its author gave as the reason."""
CATALOGUE_CHANGED = "catalogue_changed"
"""How the catalogue that the earlier model was given differs from its own."""

# Evaluation.
METRICS = "metrics"
"""JSON of metric name to value over all test rows."""
SLICES = "slices"
"""JSON list of {"slice": {feature: value}, "metrics": {...}}."""
BASELINE_METRICS = "baseline"
"""JSON of the baseline's metrics over all test rows; null without one."""
COLD_START = "cold_start"
"""Exec property of the Evaluator: JSON of `evaluate.cold_start`."""
EVAL_CONFIG = "eval_config"
"""Exec property of the Evaluator: TFMA's own config."""

# Models.
INDEX = "index"
"""Of a served model: JSON of what the Indexer built and measured."""
REFIT = "refit"
"""Of a refitted model: JSON of `steps`, `targets`, `seconds` and `metrics_of`, the artifact id of the model that the
Evaluator measured."""

# The Tuner's best hyperparameters.
TUNED_VALUES = "values"
"""JSON: values by dotted name."""
OBJECTIVE = "objective"
SCORE = "score"
"""float."""
TRIAL = "trial"
"""int, the number of the best trial."""
TRIALS = "trials"
"""int, how many there were."""

# Answers.
PROBLEM = "problem"
"""Why there are no answers to show."""

# PushedModel: TFX's own names.
PUSHED = "pushed"
"""int, 1 or 0."""
PUSHED_DESTINATION = "pushed_destination"
PUSHED_VERSION = "pushed_version"

# Executions that a person started, and executions that did not end.
BY = "by"
"""User and host."""
RUN_ID = "run_id"
"""Of a forced push: the run whose model was pushed."""
OVERRIDDEN = "overridden"
"""Of a forced push: JSON of node to its objections."""
RESTORED_VERSION = "restored_version"
REPLACED_VERSION = "replaced_version"
KILLED = "killed"
"""Of an execution that ended without a word: when that was found."""
ERROR = "error"
"""Of a step that failed: the exception."""


def dropped(reason: str) -> str:
    """Returns the property of flat examples, int, that counts the rows dropped for one of the reasons `DROPPED`."""
    return f"dropped_{reason}"
