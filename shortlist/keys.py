"""All feature keys and signature inputs of the pipeline.

Three kinds of tables use these keys: the flat examples that the ExampleGens
write, the windows that `components/windows` derives from them, and the inputs
and outputs of the served signatures.
"""

from __future__ import annotations

# Flat examples: interactions, candidates, queries.
QUERY_ID = "query_id"
CANDIDATE_ID = "candidate_id"
TIMESTAMP = "timestamp"
# Interactions are ordered by timestamp, then by the three keys marked as sort keys.
TIMESTAMP_NANOS = "timestamp_nanos"  # nanoseconds after the whole second, in logs that have them; second sort key
WEIGHT = "weight"  # weight of an interaction in the loss, if the config gives weights
SOURCE_PATH = "source_path"  # relative to the data root; third sort key
SOURCE_ROW = "source_row"  # data row within that file, 0-based; last sort key

# Windows: one query's time-ordered history with its targets.
HISTORY_IDS = "history_ids"
HISTORY_TIMES = "history_times"
TARGET_IDS = "target_ids"
TARGET_TIMES = "target_times"
TARGET_WEIGHTS = "target_weights"  # 0: part of later targets' history, never a target itself
SEEN_IDS = "seen_ids"

# Served signatures.
QUERY_TIME = "query_time"
K = "k"
EXCLUDE = "exclude"
ALLOW = "allow"
CANDIDATE_IDS = "candidate_ids"
IDS = "ids"
SCORES = "scores"
COUNT = "count"
EMBEDDING = "embedding"
KNOWN = "known"  # whether a described candidate was in the catalogue of the training

# Outputs of the `evaluation` signature, int64 [batch] each; ranks start at 1.
RANK = "rank"
RANK_WITH_SEEN = "rank_with_seen"
POPULARITY_RANK = "popularity_rank"
POPULARITY_RANK_WITH_SEEN = "popularity_rank_with_seen"

# Outputs of the `slices` signature, string [batch] each: the slices that a row belongs to.
HISTORY_LENGTH = "history_length"
TARGET_POPULARITY = "target_popularity"
TARGET_SEEN_BEFORE = "target_seen_before"

# Prefix of a candidate feature's name: the slice by the target's value of that feature.
TARGET_FEATURE = "target_"

# Prefixes of an interaction feature's name, in windows and signatures: its values at the history's rows, and its value
# at the target's own row.
HISTORY_FEATURE = "history_"
CONTEXT_FEATURE = "context_"

# Splits.
SPLIT_ALL = "all"
SPLIT_TRAIN = "train"
SPLIT_EVAL = "eval"
SPLIT_TEST = "test"

# Names that a feature must not have, since Shortlist uses them.
RESERVED = frozenset(
    {
        QUERY_ID,
        CANDIDATE_ID,
        TIMESTAMP,
        TIMESTAMP_NANOS,
        WEIGHT,
        SOURCE_PATH,
        SOURCE_ROW,
        HISTORY_IDS,
        HISTORY_TIMES,
        TARGET_IDS,
        TARGET_TIMES,
        TARGET_WEIGHTS,
        SEEN_IDS,
        QUERY_TIME,
        K,
        EXCLUDE,
        ALLOW,
        CANDIDATE_IDS,
        IDS,
        SCORES,
        COUNT,
        EMBEDDING,
        HISTORY_LENGTH,
        TARGET_POPULARITY,
        TARGET_SEEN_BEFORE,
    }
)

# Further names that a feature must not have. Features are inputs of signatures, which Python calls by name, as methods.
RESERVED_FOR_INPUTS = frozenset({"self"})

# Further names that a query feature must not have: Transform's vocabulary of candidates has this one.
RESERVED_FOR_QUERIES = frozenset({"candidate_counts"})

# Prefixes that a feature's name must not have: inputs of served signatures and rules of requests begin with them.
FILTER = "filter_"
RESERVED_PREFIXES = (FILTER, "rerank_", HISTORY_FEATURE, CONTEXT_FEATURE)
