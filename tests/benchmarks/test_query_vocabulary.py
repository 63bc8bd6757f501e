from __future__ import annotations

import pyarrow as pa

from benchmarks import query_vocabulary
from shortlist import keys

_SCHEMA = pa.schema(
    [
        (keys.QUERY_ID, pa.large_list(pa.large_binary())),
        (keys.TARGET_IDS, pa.large_list(pa.large_binary())),
        (keys.TARGET_TIMES, pa.large_list(pa.int64())),
        (keys.TARGET_WEIGHTS, pa.large_list(pa.float32())),
    ]
)


def test_no_two_rows_have_a_query_id():
    batches = [query_vocabulary.record_batch(number, _SCHEMA) for number in (0, 1, 7)]
    ids = [row for batch in batches for [row] in batch.column(0).to_pylist()]
    assert len(ids) == len(set(ids)) == 3_000
    assert batches[0].schema == _SCHEMA


def test_the_table_names_the_stages_of_the_highest_peak():
    stages = {
        "((AnalyzeDataset/VocabularyPrune[of#ids]/Top(5000000)/Read)+(Merge_1))+(Order_2)": {"peak_mb": 1500},
        "(Flatten_1)+(Write)": {"peak_mb": 700},
    }
    run = {"ids": 500_000, "seconds": 61.2, "cpu_seconds": 58.9, "before_mb": 600, "peak_mb": 1500, "stages": stages}
    *_, first, second = query_vocabulary.table([run, {"ids": 5_000_000, "failed": "exit code -9"}]).splitlines()
    assert first == "| 500,000 | 61 | 59 | 600 | 1,500 | VocabularyPrune/Top(5000000)/Read 1,500; Flatten_1 700 |"
    assert second == "| 5,000,000 | exit code -9 |"
