import math

import numpy as np
import pytest

from pipeline.ablations import effects, run
from shortlist.errors import BadInputError
from shortlist.metrics import bootstrap

_QUERIES = np.arange(1_000)


def _ranks(hits):
    return np.where(np.arange(1_000) < hits, 1, 99)


def test_seed_noise_is_pooled_over_recipes():
    # 0.1 and 0.2: 0.005 in squares; 0.3 and 0.3: none; together over 2 degrees of freedom.
    deviation, freedom = effects.seed_noise([[_ranks(100), _ranks(200)], [_ranks(300), _ranks(300)]], 10)
    assert freedom == 2
    assert deviation == pytest.approx(math.sqrt(0.005 / 2))


def test_the_interval_has_the_noise_of_rows_and_of_seeds():
    ours, theirs = [_ranks(300), _ranks(310)], [_ranks(200), _ranks(220)]
    rows = bootstrap.difference_of_top_k(ours, theirs, _QUERIES, 10)
    found = effects.effect(ours, theirs, _QUERIES, 10, (0.01, 2))
    assert found.mean == pytest.approx(0.095)
    # Student's t at 2 degrees of freedom is 4.303, two means of two seeds each deviate by 0.01 x sqrt(1/2 + 1/2).
    seeds = 0.0430
    assert found.mean - found.low == pytest.approx(math.hypot(rows.mean - rows.low, seeds), abs=1e-4)
    assert found.high - found.mean == pytest.approx(math.hypot(rows.high - rows.mean, seeds), abs=1e-4)
    assert found.verdict == effects.HELPS


def test_a_difference_that_seeds_could_make_is_no_effect():
    quiet = effects.effect([_ranks(230)], [_ranks(200)], _QUERIES, 10, (math.nan, 0))
    noisy = effects.effect([_ranks(230)], [_ranks(200)], _QUERIES, 10, (0.02, 20))
    assert (quiet.verdict, noisy.verdict) == (effects.HELPS, effects.NO_EFFECT)
    assert effects.effect([_ranks(200)], [_ranks(230)], _QUERIES, 10, (math.nan, 0)).verdict == effects.COSTS


def test_without_a_second_seed_nothing_is_known_of_seeds():
    deviation, freedom = effects.seed_noise([[_ranks(100)], [_ranks(300)]], 10)
    assert math.isnan(deviation)
    assert freedom == 0


def test_an_interval_that_ends_at_zero_is_no_effect():
    assert effects.Effect(0.1, 0.0, 0.2).verdict == effects.NO_EFFECT
    assert effects.Effect(-0.1, -0.2, 0.0).verdict == effects.NO_EFFECT


def test_two_means_of_unlike_many_seeds_deviate_each_by_its_own():
    # 4.303 x 0.01 x sqrt(1/1 + 1/4), on rows that do not differ.
    found = effects.effect([_ranks(200)], [_ranks(200)] * 4, _QUERIES, 10, (0.01, 2))
    assert (found.low, found.high) == pytest.approx((-0.0481, 0.0481), abs=1e-4)


def test_rows_whose_target_had_been_seen_are_left_out_of_all_trials():
    queries = np.array(["a", "b", "b"])
    found = {("own", name, 1): run.AblationTrial(np.array(ranks), 1, 1, 0.0) for name, ranks in _RANKS.items()}
    kept, trials = run._ranked(queries, found)
    assert kept.tolist() == ["a", "b"]
    assert {key[1]: cell.ranks.tolist() for key, cell in trials.items()} == {"with": [3, 20], "without": [4, 11]}


_RANKS = {"with": [3, 0, 20], "without": [4, 0, 11]}


def test_rows_that_all_had_been_seen_are_refused():
    trial = run.AblationTrial(np.array([0, 0]), 1, 1, 0.0)
    with pytest.raises(BadInputError, match="whose target is new to its query, got none"):
        run._ranked(np.array(["a", "b"]), {("own", "with", 1): trial})
