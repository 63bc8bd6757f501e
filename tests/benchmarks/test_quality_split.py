"""The benchmark's split does not use the product's code; here the two are compared."""

from __future__ import annotations

import collections
import csv

import numpy as np
import pytest

from benchmarks.quality import exchange, shortlist, split
from components.windows import records, windowing
from shortlist import datasets, splits
from shortlist.config.data import Data
from shortlist.config.load import load_config
from tests.shared_data import shared_data


def write(folder, log, candidates):
    with (folder / "log.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("user", "item", "when"), *log])
    with (folder / "items.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("item",), *((name,) for name in candidates)])


def data(kind: str, repeats: str) -> Data:
    return Data.model_validate(
        {
            "schemas": "schemas",
            "interactions": {
                "path": "log.csv",
                "query_id": "user",
                "candidate_id": "item",
                "timestamp": "when",
                "repeats": repeats,
            },
            "candidates": {"path": "items.csv", "candidate_id": "item"},
            "split": {"kind": kind},
        }
    )


def windows_of(log, candidates, section: Data) -> dict[str, dict[bytes, list[windowing.Window]]]:
    """Returns the product's windows by split and query."""
    queries = collections.defaultdict(list)
    for row, (query_id, candidate_id, time) in enumerate(log):
        if candidate_id in candidates:
            queries[query_id.encode()].append(splits.Interaction(time, 0, b"log.csv", row, candidate_id.encode()))
    found: dict[str, dict[bytes, list[windowing.Window]]] = {name: {} for name in ("train", "eval", "test")}
    for query_id, interactions in queries.items():
        kept = splits.drop_repeats(interactions, section.interactions.repeats)
        for name, windows in windowing.windows_of(kept, section.split, section.windows).items():
            found[name][query_id] = windows
    return found


@pytest.mark.parametrize("kind", ["leave_last_out", "leave_last_basket"])
@pytest.mark.parametrize("repeats", ["all", "first"])
def test_it_equals_the_products_windows_row_for_row(tmp_path, kind, repeats):
    generator = np.random.default_rng(1)
    names = [str(number) for number in range(30)]
    # Few items and few times: repeats, ties, queries with one row; "29" is in no catalogue; ids sort as texts.
    log = [
        (str(generator.zipf(1.5) % 60), names[generator.integers(30)], int(generator.integers(12))) for _ in range(800)
    ]
    catalogue = names[:29]
    write(tmp_path, log, catalogue)
    section = data(kind, repeats)
    made = split.split_tables(section, tmp_path)
    assert list(made.candidate_ids) == sorted(catalogue)
    expected = windows_of(log, catalogue, section)

    for phase in ("train", "eval", "test"):
        rows = getattr(made.split, phase)
        got = [
            (made.query_ids[query].encode(), made.candidate_ids[candidate].encode(), time)
            for query, candidate, time in zip(*rows, strict=True)
        ]
        assert got == [
            (query_id, row.candidate_id, row.timestamp)
            for query_id, windows in sorted(expected[phase].items())
            for window in windows
            for row in window.targets
        ]
    for phase in ("eval", "test"):
        serialized = [
            records.encode(query_id, window, None, {})
            for query_id, windows in reversed(expected[phase].items())
            for window in windows
        ]
        places = shortlist.match(serialized, phase, made.split, made.query_ids, made.candidate_ids)
        assert sorted(places) == list(range(len(serialized)))


def test_windows_of_other_rows_are_refused(tmp_path):
    log = [("1", "a", 1), ("1", "b", 2), ("1", "c", 3), ("1", "d", 4)]
    write(tmp_path, log, "abcd")
    section = data("leave_last_out", "all")
    made = split.split_tables(section, tmp_path)
    [[window]] = windows_of(log, "abcd", section)["test"].values()
    for wrong in (
        window._replace(seen_ids=window.seen_ids[1:]),
        window._replace(targets=window.history[:1]),
        window._replace(history=window.history[::-1]),
        window._replace(history=()),
    ):
        with pytest.raises(ValueError, match="is not in the split"):
            shortlist.match(
                [records.encode(b"1", wrong, None, {})], "test", made.split, made.query_ids, made.candidate_ids
            )
    with pytest.raises(ValueError, match="the pipeline has 0 test rows, the split 1"):
        shortlist.match([], "test", made.split, made.query_ids, made.candidate_ids)


def test_movielens_100k_has_the_committed_rows():
    config = load_config(split.RECIPES["movielens-100k"].config)
    data_dir = datasets.default_data_dir()
    if not (data_dir / config.data.interactions.path).exists():
        pytest.skip("MovieLens 100K was not fetched; `shortlist data fetch movielens-100k`")
    made = split.make("movielens-100k", data_dir)
    assert [len(part.query) for part in made.split[2:]] == [100_000 - 2 * 943, 943, 943]


@pytest.mark.parametrize("config", ["configs/movielens_1m.yaml", "configs/movielens_1m_order.yaml"])
def test_movielens_1m_has_the_committed_rows_with_and_without_its_clock(config):
    folder = shared_data("ml-1m-clock").parent
    recipe = split.RECIPES["movielens-1m"]
    made = split.split_tables(load_config(config).data, folder, recipe.has_exact_times)
    assert made.rows_sha256 == recipe.rows_sha256
    assert [len(part.query) for part in made.split[2:]] == [1_000_209 - 2 * 6_040, 6_040, 6_040]
    assert (np.diff(made.split.history("test").time)[np.diff(made.split.history("test").query) == 0] >= 0).all()


def test_amazon_beauty_has_the_committed_rows():
    made = split.make("amazon-beauty", shared_data("amazon-beauty").parent)
    assert [len(part.query) for part in made.split[2:]] == [198_502 - 2 * 22_363, 22_363, 22_363]


def test_times_that_may_be_estimated_count_by_their_order(tmp_path):
    def made(times, has_exact_times=False):
        write(tmp_path, [("1", name, time) for name, time in zip("abcd", times, strict=True)], "abcd")
        return split.split_tables(data("leave_last_out", "all"), tmp_path, has_exact_times)

    exact, estimated, other_order = made([10, 20, 20, 30]), made([10, 20, 25, 30]), made([10, 25, 20, 30])
    assert exact.rows_sha256 == estimated.rows_sha256 != other_order.rows_sha256
    assert exact.times_sha256 != estimated.times_sha256
    assert list(exact.split.train.time) == [10, 20]
    assert made([10, 20, 20, 30], True).rows_sha256 != made([10, 20, 25, 30], True).rows_sha256
    assert not made([10, 20, 20, 30], True).times_sha256


def test_other_rows_than_the_committed_ones_are_refused(tmp_path):
    folder = tmp_path / "movielens-100k"
    folder.mkdir()
    (folder / "interactions.csv").write_text("user_id,item_id,rating,timestamp\n1,1,5,1\n1,2,5,2\n1,1,5,3\n")
    (folder / "candidates.csv").write_text("item_id\n1\n2\n")
    with pytest.raises(split.WrongRowsError, match=r"movielens-100k in .*: expected the split 82449df12f96"):
        split.make("movielens-100k", tmp_path)


def test_a_split_comes_back_as_it_was_written(tmp_path):
    empty = exchange.Rows(np.array([], np.int32), np.array([], np.int32), np.array([], np.int64))
    some = exchange.Rows(np.array([0, 0], np.int32), np.array([1, 0], np.int32), np.array([5, 9], np.int64))
    exchange.write_split(tmp_path, exchange.Split(1, 2, some, empty, some))
    found = exchange.read_split(tmp_path)
    assert found[:2] == (1, 2)
    for phase, expected in (("train", some), ("eval", empty), ("test", some)):
        for got, column in zip(getattr(found, phase), expected, strict=True):
            assert got.dtype == column.dtype
            assert list(got) == list(column)
