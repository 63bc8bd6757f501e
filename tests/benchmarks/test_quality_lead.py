"""Differences between contenders, with intervals from the ranks in the results."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.quality import lead, ranks, run
from pipeline.ablations import effects
from shortlist.metrics import bootstrap, intervals
from tests.benchmarks.test_quality_trials import bench, record

QUERIES = np.arange(200)


def hits(share, seed=0):
    """Returns ranks of which a share is within the first ten, and the others beyond a hundred."""
    found = np.full(len(QUERIES), 500)
    found[np.random.default_rng(seed).permutation(len(QUERIES))[: round(share * len(QUERIES))]] = 1
    return found


def found_of(records, *of_rows):
    return {ranks.TrialKey.of(one): given for one, given in zip(records, of_rows, strict=True)}


def test_a_difference_has_the_noise_of_rows_and_of_seeds():
    records = [record("sasrec", 1), record("sasrec", 2), record("shortlist", 1), record("shortlist", 2)]
    given = [hits(0.2, 1), hits(0.3, 2), hits(0.6, 3), hits(0.5, 4)]
    by_metric = {one["metric"]: one for one in lead.differences(records, found_of(records, *given), QUERIES)}
    one = by_metric["top_10"]
    assert (one["of"], one["against"]) == ("shortlist", "sasrec")
    assert one["seeds"] == {"shortlist": [1, 2], "sasrec": [1, 2]}
    rows = bootstrap.difference_of_top_k(given[2:], given[:2], QUERIES, 10)
    # Both spread by 0.1 / sqrt(2) about their means, with one degree of freedom each.
    seeds = intervals.student_t_95(2) * 0.1 / np.sqrt(2)
    assert one["mean"] == pytest.approx(0.3)
    assert one["low"] == pytest.approx(0.3 - np.hypot(rows.mean - rows.low, seeds))
    assert one["high"] == pytest.approx(0.3 + np.hypot(rows.high - rows.mean, seeds))


def test_a_deterministic_contender_adds_no_noise_of_seeds():
    records = [record("ease", 1), record("shortlist", 1), record("shortlist", 2)]
    given = [hits(0.1), hits(0.6, 3), hits(0.5, 4)]
    one, *_ = lead.differences(records, found_of(records, *given), QUERIES)
    rows = bootstrap.difference_of_top_k(given[1:], given[:1], QUERIES, 10)
    assert one["low"] == effects.with_seeds(rows, effects.seed_noise([given[1:]], 10), 1 / 2).low


def test_the_noise_of_two_contenders_ignores_others_seeds():
    records = [record("sasrec", 1), record("sasrec", 2), record("shortlist", 1), record("shortlist", 2)]
    given = [hits(0.2, 1), hits(0.3, 2), hits(0.6, 3), hits(0.5, 4)]
    alone = lead.differences(records, found_of(records, *given), QUERIES)
    records += [record("ials", 1), record("ials", 2)]
    beside = lead.differences(records, found_of(records, *given, hits(0.2, 5), hits(0.2, 5)), QUERIES)
    assert [one for one in beside if one["against"] == "sasrec"] == alone


def test_a_contender_that_lacks_the_ranks_of_one_seed_is_not_compared():
    records = [record("ease", 1), record("sasrec", 1), record("sasrec", 2), record("shortlist", 1)]
    found = found_of(records, *map(hits, (0.1, 0.2, 0.3, 0.5)))
    del found[ranks.TrialKey.of(records[2])]
    assert {one["against"] for one in lead.differences(records, found, QUERIES)} == {"ease"}
    # Ranks of another recipe are none.
    records[0] = record("ease", 1, recipe="new")
    assert lead.differences(records, found, QUERIES) == []


def test_all_shortlist_contenders_are_compared_with_peers_and_the_first_with_the_others():
    records = [record(model, 1) for model in ("ease", "shortlist_short", "shortlist_untimed", "shortlist")]
    differences = lead.differences(records, found_of(records, *map(hits, (0.1, 0.2, 0.3, 0.4))), QUERIES)
    pairs = [(one["of"], one["against"]) for one in differences if one["metric"] == "top_100"]
    assert pairs == [
        ("shortlist", "ease"),
        ("shortlist_untimed", "ease"),
        ("shortlist_short", "ease"),
        ("shortlist", "shortlist_untimed"),
        ("shortlist", "shortlist_short"),
    ]


def test_ranks_are_stored_with_the_results_and_replaced_with_their_record(tmp_path):
    place = bench(tmp_path / "cache")
    full = record("popularity", 1) | dict.fromkeys(("top_1", "top_10", "top_100", "ndcg_10", "train_seconds"), 0.0)
    full |= {
        "protocol": "x",
        "query_time": False,
        "targets_per_second": None,
        "machine": {"busy": False},
        "setting": {},
    }
    full |= {"tried": [{"setting": {}}]}
    run.add(tmp_path, place, full, np.array([1, 2]))
    run.add(tmp_path, place, full | {"model": "shortlist"}, np.array([2, 70_000]))
    found = ranks.read(tmp_path)
    assert {key.model: list(test_ranks) for key, test_ranks in found.items()} == {
        "popularity": [1, 2],
        "shortlist": [2, 70_000],
    }
    run.compare(tmp_path, place)
    [difference, _] = run.read(tmp_path)["differences"]
    assert (difference["of"], difference["against"], difference["mean"]) == ("shortlist", "popularity", -0.5)
    run.add(tmp_path, place, full | {"recipe_sha256": "new"}, np.array([3, 4]))
    assert list(ranks.read(tmp_path)[ranks.TrialKey("movielens-100k", "popularity", 1, "new")]) == [3, 4]
    assert len(ranks.read(tmp_path)) == 2
