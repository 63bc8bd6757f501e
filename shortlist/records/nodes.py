"""Ids of the pipeline's nodes and types of their executions in ML Metadata."""

from __future__ import annotations

from collections.abc import Mapping

TABLES = ("interactions", "candidates", "queries")

INTERACTIONS_GEN = "InteractionsGen"
CANDIDATES_GEN = "CandidatesGen"
QUERIES_GEN = "QueriesGen"
GENS: Mapping[str, str] = {
    "interactions": INTERACTIONS_GEN,
    "candidates": CANDIDATES_GEN,
    "queries": QUERIES_GEN,
}
"""Table name to the node that reads the table."""

SCHEMAS = "Schemas"
"""Writes all schemas on a cluster; on one machine each table has its own node instead."""
BLESSED_STATISTICS = "BlessedStatistics"
DATA_GATE = "DataGate"
WINDOWS = "Windows"
TRANSFORM = "Transform"
CANDIDATE_TRANSFORM = "CandidateTransform"
TUNER = "Tuner"
WARM_START_MODEL = "WarmStartModel"
"""Finds the model that a training with `train.warm_start` begins from."""
TRAINER = "Trainer"
BLESSED_MODEL = "BlessedModel"
BASELINE = "Baseline"
EVALUATOR = "Evaluator"
ANSWERS = "Answers"
REFIT_WINDOWS = "RefitWindows"
REFIT_TRANSFORM = "RefitTransform"
REFIT = "Refit"
SERVED_MODEL = "ServedModel"
"""Finds the served model in a run of `run --reindex`."""
REFRESH = "Refresh"
INDEXER = "Indexer"
SERVING_CHECK = "ServingCheck"
PUSHER = "Pusher"

ROLLBACK = "Rollback"
"""Recorded by the command `rollback`; it is not a node of the pipeline."""
FORCED_PUSH = "ForcedPush"
"""Recorded by the command `push --force`; it is not a node of the pipeline."""
BULK = "Bulk"
"""Recorded by the command `bulk`; it is not a node of the pipeline."""
SIMILAR_ITEMS = "SimilarItems"
"""Recorded by the command `similar-items`; it is not a node of the pipeline."""
EMBEDDINGS = "Embeddings"
"""Recorded by the command `export embeddings`; it is not a node of the pipeline."""

# ML Metadata stores the full name of a class as the type of its executions. The last part is compared, because modules
# have moved between versions.
TRAINER_TYPES = ("RetrievalTrainer", "Trainer")
"""Last parts of the execution types of the Trainer; `Trainer` is TFX's, which older versions used."""
EVALUATOR_TYPES = ("RankEvaluator", "Evaluator")
"""Last parts of the execution types of the Evaluator."""
PUSHER_TYPE = "components.pusher.component.TwinPusher"
"""Execution type of the Pusher. It is the name of the class in 0.1, because types in ML Metadata do not change."""
PUSHER_TYPES = ("TwinPusher", "Pusher")
"""Last parts of the execution types of the Pusher."""

_RESOLVERS = (BLESSED_MODEL, BLESSED_STATISTICS, WARM_START_MODEL, SERVED_MODEL)


def gen(table: str) -> str:
    """Returns the id of the node that reads a table."""
    return f"{table.capitalize()}Gen"


def schema(table: str) -> str:
    """Returns the id of the node that imports a table's schema."""
    return f"{table.capitalize()}Schema"


def statistics(table: str) -> str:
    """Returns the id of the node that computes a table's statistics."""
    return f"{table.capitalize()}Statistics"


def validator(table: str) -> str:
    """Returns the id of the node that compares a table's statistics with its schema."""
    return f"{table.capitalize()}Validator"


def statistics_before(table: str) -> str:
    """Returns the id of the node that imports a table's statistics of the last blessed run on a cluster."""
    return f"{table.capitalize()}Before"


def is_resolver(node: str) -> bool:
    """Returns whether a node only finds artifacts of earlier runs and makes none."""
    return node in _RESOLVERS
