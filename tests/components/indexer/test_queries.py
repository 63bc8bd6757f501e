from __future__ import annotations

import tensorflow as tf

from components.indexer import queries
from tests.components.indexer import stand_in


def test_sample_is_the_same_whatever_the_order_of_the_rows(tmp_path):
    windows = [stand_in.window(f"user-{row}", ["item-1"], "item-2") for row in range(30)]
    for name, rows in (("one", windows), ("other", windows[::-1])):
        (tmp_path / name).mkdir()
        with tf.io.TFRecordWriter(str(tmp_path / name / "windows-0.gz"), "GZIP") as writer:
            for row in rows:
                writer.write(row)
    sample = queries.sample_windows(str(tmp_path / "one"), 10)
    assert len(set(sample)) == 10
    assert sample == queries.sample_windows(str(tmp_path / "other"), 10)


def test_a_split_without_rows_has_no_windows(tmp_path):
    root = stand_in.write_windows(tmp_path, ["item-1"], rows=3, splits=("train",))
    assert queries.sample_windows(str(root / "Split-eval"), 10) == []


def test_a_window_becomes_the_inputs_of_its_query():
    row = queries.parse_window(stand_in.window("user-1", ["item-1", "item-3"], "item-2", seen=["item-0", "item-3"]))
    assert row["query_id"] == [b"user-1"]
    assert row["history_ids"] == [b"item-1", b"item-3"]
    assert row["query_time"] == row["target_times"] == [3]
    assert row["joined"] == []
    assert queries.seen_ids(row) == [b"item-0", b"item-1", b"item-3"]
