"""Every feature key and signature input of the pipeline, in one place.

Three tables speak through these keys: the flat examples that the ExampleGens
write, the windows that `components/windows` derives from them, and the inputs
and outputs of the served signatures.
"""

from __future__ import annotations

# Flat examples: interactions, candidates, queries.
QUERY_ID = "query_id"
CANDIDATE_ID = "candidate_id"
TIMESTAMP = "timestamp"
TIMESTAMP_NANOS = "timestamp_nanos"  # what the whole seconds leave, in logs that have it; next in the order after them
WEIGHT = "weight"  # how much an interaction counts in the loss, where the config gives weights
SOURCE_PATH = "source_path"  # relative to the data root; next key of the order
SOURCE_ROW = "source_row"  # data row within that file, 0-based; last key of the order

# Windows: one query's time-ordered slice of history with its targets.
HISTORY_IDS = "history_ids"
HISTORY_TIMES = "history_times"
TARGET_IDS = "target_ids"
TARGET_TIMES = "target_times"
TARGET_WEIGHTS = "target_weights"  # 0: looked back on by later targets, never a target itself
SEEN_IDS = "seen_ids"

# Served signatures.
QUERY_TIME = "query_time"
K = "k"
EXCLUDE = "exclude"
ALLOW = "allow"
IDS = "ids"
SCORES = "scores"
COUNT = "count"
EMBEDDING = "embedding"

# Outputs of the `evaluation` signature, int64 [batch] each; ranks start at 1.
RANK = "rank"
RANK_WITH_SEEN = "rank_with_seen"
POPULARITY_RANK = "popularity_rank"
POPULARITY_RANK_WITH_SEEN = "popularity_rank_with_seen"

# Outputs of the `slices` signature, string [batch] each: by what the metrics of a row are told, too.
HISTORY_LENGTH = "history_length"
TARGET_POPULARITY = "target_popularity"
TARGET_SEEN_BEFORE = "target_seen_before"

# Before the name of a candidates' feature: the slice by the target's value of it.
TARGET_FEATURE = "target_"

# Splits.
SPLIT_ALL = "all"
SPLIT_TRAIN = "train"
SPLIT_EVAL = "eval"
SPLIT_TEST = "test"

# A query feature may not be called like a column that Shortlist itself makes.
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
        IDS,
        SCORES,
        COUNT,
        EMBEDDING,
        HISTORY_LENGTH,
        TARGET_POPULARITY,
        TARGET_SEEN_BEFORE,
    }
)
