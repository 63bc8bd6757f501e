"""Names of custom properties of artifacts, and of exec properties that lineage shows.

They are stored in ML Metadata, so a name never changes. A property is a string if its description names no other type.
"""

from __future__ import annotations

CODE_SHA256 = "code_sha256"
"""Exec property of every node in `components/`: `shortlist.fingerprints.code_sha256`."""
CUSTOM_CONFIG = "custom_config"
"""Exec property of TFX's nodes: JSON of the settings."""
CONFIG = "config"
"""Exec property of Windows and Indexer: JSON of a section of the config."""
EXCLUDE_SEEN = "exclude_seen"
"""Exec property of Indexer and Answers: int, 1 unless `evaluate.repeat_consumption` is set."""

CATALOGUE = "catalogue"
"""Exec property of the Indexer: JSON of the title and the attributes in the catalogue of the served model."""

# Every artifact of a run on one machine.
MANIFEST = "files_manifest"
"""`shortlist.records.contents.manifest` of the artifact's files, recorded when its node ended."""
DAMAGED = "damaged"
"""Sentence on the first damaged file of an artifact that is not used any more; absent in a sound one."""

# Verdicts: artifacts of type ModelBlessing and InfraBlessing.
BLESSED = "blessed"
"""int, 1 or 0; the name is TFX's."""
REASONS = "reasons"
"""JSON list of sentences: reasons for a blessing, its refusal, or for not pushing a model."""
WARNINGS = "warnings"
"""JSON list of sentences that the summary repeats."""
STATUS = "status"
"""One of the next five values; absent in a verdict of the Evaluator."""
OK = "ok"
NOT_BLESSED = "not_blessed"
INDEX_REJECTED = "index_rejected"
NOT_CHECKED = "not_checked"
CHECK_FAILED = "check_failed"
GATES = "gates"
"""Property of the Evaluator's blessing: JSON list of `verdicts.GateResult`."""
CURRENT_MODEL_ID = "current_model_id"
"""int: the artifact id of the model in a verdict; the name is TFX's."""
FIGURES = "figures"
"""Property of the ServingCheck's blessing: JSON of seconds and ms, measured in clean processes."""

# Examples.
CONTENT_SHA256 = "content_sha256"
"""Property of flat examples: fingerprint of the input files. In a pinned run it is an exec property."""
ROWS = "rows"
"""int, number of rows of flat examples."""
DROPPED = ("filter", "duplicate")
"""Reasons for dropping rows of a table; `dropped(reason)` is the property."""
FIRST_SPAN = "first_span"
LAST_SPAN = "last_span"
TIMESTAMP_UNIT = "timestamp_unit"
DATA_PATH = "data_path"
"""Exec property of a node that reads a table: the path in the config."""
DATA_ROOT = "data_root"
"""Exec property of a node that reads a table: the root of relative paths."""
TABLE = "table"
"""Exec property of a node that reads a table: JSON of its `TableSpec`."""
STATS = "stats"
"""Property of windows: JSON of the counts of rows, queries and dropped rows."""
CUTS = ("eval_from", "test_from", "latest_time")
"""Properties of windows with split temporal: the first times of eval and test, and the time of the latest target, in
UTC. Order numbers stay numbers."""
SPLIT_FINGERPRINT = "split_fingerprint"
"""Property of windows: equal fingerprints hold out the same rows of the same log."""

# DataGate's report.
NOT_COMPARED = "not_compared"
"""JSON of table name to the reason why the table was not compared with an earlier one."""
GATE = "gate"
"""Exec property: JSON of the section `data.gate`."""

# The Baseline node's model.
SKIPPED = "skipped"
"""int, 1 if there is no model to compare with."""
REASON = "reason"
"""Reason for skipping the comparison; for a rollback or a forced push, the reason given by its author."""
NO_EARLIER_MODEL = "no earlier blessed model"
"""Value of `REASON` of a Baseline node in the first run."""
FEATURES_CHANGED = "features_changed"
"""Clause on features of today's model that the earlier one does not read; absent without any."""
CATALOGUE_CHANGED = "catalogue_changed"
"""Difference of today's catalogue from the earlier model's own."""

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
"""Property of a served model: JSON of kind, parameters and measurements of the index."""
REFIT = "refit"
"""Property of a refitted model: JSON of `steps`, `targets`, `seconds` and `metrics_of`, the artifact id of the model
that the Evaluator measured."""
WARM_START = "warm_start"
"""Property of a model with `train.warm_start`: JSON of `reason`, why it was trained from scratch, which is empty if it
was not; else `model_id`, the artifact id of the model that its training began from, `known_candidates`,
`new_candidates` and `left_out`, the number of eval rows that early stopping left out."""
REFRESH = "refresh"
"""Property of a refreshed model: JSON of `candidates`, `known`, `new`, `removed` and `refresh_of`, the artifact id of
the model whose towers it has."""

# The Tuner's best hyperparameters.
TUNED_VALUES = "values"
"""JSON: values by dotted name."""
OBJECTIVE = "objective"
SCORE = "score"
"""float."""
TRIAL = "trial"
"""int, number of the best trial."""
TRIALS = "trials"
"""int, number of trials."""

# Answers.
PROBLEM = "problem"
"""Reason why there are no answers to show."""

# PushedModel; the names are TFX's.
PUSHED = "pushed"
"""int, 1 or 0."""
PUSHED_DESTINATION = "pushed_destination"
PUSHED_VERSION = "pushed_version"

# Executions of manual commands, and executions that did not end.
BY = "by"
"""User and host."""
RUN_ID = "run_id"
"""Property of a forced push: the run whose model was pushed."""
OVERRIDDEN = "overridden"
"""Property of a forced push: JSON of node to its objections."""
RESTORED_VERSION = "restored_version"
REPLACED_VERSION = "replaced_version"
KILLED = "killed"
"""Property of an execution whose process died: the time when a later command closed it."""
ERROR = "error"
"""Property of a step that failed: the exception."""


def dropped(reason: str) -> str:
    """Returns the property of flat examples, int, that counts the rows dropped for one of the reasons `DROPPED`."""
    return f"dropped_{reason}"
