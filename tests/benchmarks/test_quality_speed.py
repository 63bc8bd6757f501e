"""The speed comparison: the rows of both models, and the ratio of their speeds."""

import pathlib

import pandas as pd
import pytest

from benchmarks.quality import contenders, speed
from shortlist.config.model import HistoryTowerSection
from shortlist.tables import preflight

QUERIES = 20
ITEMS = 150


@pytest.fixture
def bench(tmp_path):
    folder = tmp_path / "data" / "movielens-100k"
    folder.mkdir(parents=True)
    rows = [(query, item, 3.0, 1_000 + item) for query in range(QUERIES) for item in range(ITEMS - query)]
    table = pd.DataFrame(rows, columns=["user_id", "item_id", "rating", "timestamp"])
    table.to_csv(folder / "interactions.csv", index=False)
    films = pd.DataFrame({"item_id": range(ITEMS), "title": "a film", "release_year": 1990, "genres": "Drama"})
    films.to_csv(folder / "candidates.csv", index=False)
    return speed.prepare(tmp_path / "data", tmp_path / "bench")


def test_each_query_keeps_its_latest_interactions(bench):
    log = pd.read_csv(bench.data_dir / bench.config.data.interactions.path)
    assert set(log.groupby("user_id").size()) == {speed.LATEST}
    assert log.groupby("user_id")["timestamp"].max().tolist() == [1_000 + ITEMS - 1 - query for query in range(QUERIES)]


def test_the_cut_tables_pass_the_preflight_without_features(bench):
    preflight.check(bench.config, bench.data_dir)
    data = bench.config.data
    assert (data.interactions.features, data.candidates.features, data.candidates.title) == ({}, {}, None)
    # The gate refuses a table that lacks a column of its schema.
    described = [(pathlib.Path(data.schemas) / f"{name}.pbtxt").read_text() for name in ("interactions", "candidates")]
    assert all(f'"{feature}"' not in text for text in described for feature in ("rating", "title", "genres"))


def test_the_peer_is_given_the_same_sizes(bench):
    (setting,) = bench.grid(speed.SASREC)
    tower = bench.config.model.query_tower
    assert isinstance(tower, HistoryTowerSection)
    assert (setting["n_blocks"], setting["n_heads"], setting["n_factors"]) == (tower.blocks, tower.heads, 64)
    assert (setting["batch_size"], setting["stop_after"]) == (
        bench.config.train.batch_size,
        [bench.config.train.epochs],
    )
    assert (tower.feed_forward_factor, tower.position_bias, tower.cold_start_fraction) == (1, False, 0.0)
    assert not tower.time_intervals
    # SASRec's input is in the file's order.
    assert not bench.config.train.shuffle_ties


def test_times_as_fast_is_by_the_means():
    records = [
        {"model": model, "targets_per_second": rate}
        for model, rates in ((contenders.SHORTLIST, (30, 50)), (speed.SASREC, (10, 10)))
        for rate in rates
    ]
    assert speed.times_as_fast(records) == 4.0
