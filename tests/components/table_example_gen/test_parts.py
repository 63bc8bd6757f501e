from __future__ import annotations

import pytest

from components.table_example_gen import parts
from shortlist.config.table import Interactions
from shortlist.tables.inputs import InputFile
from shortlist.tables.spec import table_spec

MB = 2**20


@pytest.mark.parametrize(
    ("files", "shards"),
    [
        ([("x.csv", 0)], 1),
        ([("x.csv", 16 * MB)], 1),
        ([("x.csv", 16 * MB + 1)], 2),
        ([("x.csv", 16 * MB), ("y.jsonl", 16 * MB), ("z.csv", 1)], 3),
        # 5 times 4 MB and 5 times 3 MB: 35 MB of text.
        ([("x.csv.gz", 4 * MB), ("y.parquet", 3 * MB)], 3),
        ([("x.CSV.GZ", 4 * MB)], 2),
    ],
)
def test_shards_follow_from_bytes_of_text(files, shards):
    spec = table_spec("interactions", Interactions(path="log"))
    assert parts.num_shards([InputFile(name, name, size) for name, size in files], spec) == shards


@pytest.mark.parametrize("row_groups", [0, 1, 2, 63, 64, 65, 1000])
def test_ranges_cover_all_row_groups_once_and_are_not_too_many(row_groups):
    ranges = list(parts.row_group_ranges(row_groups))
    assert [group for start, stop in ranges for group in range(start, stop)] == list(range(row_groups))
    assert len(ranges) == min(row_groups, 64) or 32 <= len(ranges) <= 64
