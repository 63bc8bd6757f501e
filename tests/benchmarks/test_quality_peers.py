"""Peers by hand: the rows that each may use, and its scores."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import pytest

from benchmarks.quality import contenders, environments, exchange
from benchmarks.quality.peers import recent_popularity
from shortlist import environment

_DAY = 86_400


def rows(*found):
    query, candidate, time = zip(*found, strict=True)
    return exchange.Rows(np.array(query, np.int32), np.array(candidate, np.int32), np.array(time, np.int64))


def test_recent_popularity_ends_before_the_time_of_the_query():
    split = exchange.Split(
        3,
        4,
        train=rows((0, 0, 0), (0, 1, 9 * _DAY), (1, 1, 9 * _DAY), (1, 2, 10 * _DAY), (2, 3, 10 * _DAY + 1)),
        eval=rows((0, 2, 10 * _DAY), (1, 3, 11 * _DAY)),
        test=rows((0, 3, 12 * _DAY), (2, 1, 10 * _DAY)),
    )
    three, twenty = recent_popularity.fit(split, [{"days": 3}, {"days": 20}], seed=1)
    # The time of query 0 is day 10: interactions at that moment do not count, nor those of day 0.
    assert three.score("eval").tolist() == [[0, 2, 0, 0], [0, 2, 1, 1]]
    assert twenty.score("eval").tolist() == [[1, 2, 0, 0], [1, 2, 1, 1]]
    # Of the queries that have a test row: 0 and 2.
    assert three.score("test").tolist() == [[0, 2, 1, 1], [0, 2, 0, 0]]
    [around] = recent_popularity.fit(split, [{"days": 1, "around": True}], seed=1)
    # Days 9 to 11 for the query of day 10, days 10 to 12 for that of day 11.
    assert around.score("eval").tolist() == [[0, 2, 1, 1], [0, 0, 1, 1]]


# Twins until eval: queries 0 and 1 took 0 and 1, 2 and 3 took 1 and 2. Nobody took 4 in train.
_TRAIN = [(query, item, place) for query in range(4) for place, item in enumerate(((0, 1), (1, 2))[query // 2])]
_SPLIT = exchange.Split(
    4,
    5,
    train=rows(*_TRAIN, *((query, item, 9) for query, item in ((2, 3), (3, 3)))),
    eval=rows((0, 2, 10), (1, 3, 10), (2, 0, 10), (3, 4, 10)),
    test=rows((0, 3, 11), (1, 2, 11), (2, 4, 11), (3, 0, 11)),
)


@pytest.fixture
def run_peer(tmp_path):
    """Returns a function that runs a peer and returns (scores by phase, facts) of each of its models."""

    def run(model, *grid):
        contender = contenders.CONTENDERS[model]
        python = environments.ROOT / ".tools" / contender.environment / "bin" / "python"
        if not python.exists():
            pytest.skip(f"`make bench-quality` makes .tools/{contender.environment}")
        exchange.write_split(tmp_path / "split", _SPLIT)
        arguments = [tmp_path / "split", tmp_path / "out", f"--grid={json.dumps(grid)}", "--seed=1"]
        subprocess.run(
            [python, "-m", f"benchmarks.quality.{contender.script}", *arguments],
            cwd=environments.ROOT,
            env=environment.external_environment(),
            check=True,
            capture_output=True,
        )
        return [exchange.read(folder) for folder in sorted((tmp_path / "out").iterdir())]

    return run


def test_item_knn_adds_cosines_of_the_history_with_the_eval_item_in_test(run_peer):
    [(scores, _)] = run_peer("item_knn", {"model": "item_knn", "K": 20})
    # Takers of 0: two, of 1: four, of 2 and 3: the other two.
    to_one = 2 / np.sqrt(2 * 4)
    np.testing.assert_allclose(scores["eval"][0], [1 + to_one, to_one + 1, to_one, to_one, 0], rtol=1e-5)
    np.testing.assert_allclose(scores["test"][0], scores["eval"][0] + [0, to_one, 1, 1, 0], rtol=1e-5)


def test_ials_solves_again_with_the_eval_item_and_bpr_does_not(run_peer):
    settings = {"factors": 8, "regularization": 0.01, "iterations": 3}
    ials, bpr = run_peer(
        "ials", {"model": "ials", "alpha": 1, **settings}, {"model": "bpr", "learning_rate": 0.01, **settings}
    )
    np.testing.assert_allclose(ials[0]["eval"][0], ials[0]["eval"][1], rtol=1e-4)
    # The eval item of query 0 is 2, which other queries without 0 have.
    assert ials[0]["test"][0][2] > ials[0]["eval"][0][2] + 0.1
    np.testing.assert_array_equal(bpr[0]["test"], bpr[0]["eval"])


def test_sasrec_reads_the_eval_item_and_knows_no_item_that_train_lacks(run_peer):
    size = {"n_blocks": 1, "n_heads": 1, "n_factors": 8, "session_max_len": 2, "dropout_rate": 0.0}
    one, two = run_peer("sasrec", {**size, "batch_size": 2, "lr": 0.01, "stop_after": [2, 1]})
    assert [facts["setting"]["epochs"] for _, facts in (one, two)] == [1, 2]
    # Two queries of two items have a target each, two of three have two.
    assert [facts["targets"] for _, facts in (one, two)] == [6, 12]
    for scores, _ in (one, two):
        assert scores["eval"].shape == scores["test"].shape == (4, 5)
        assert (scores["test"][:, 4] == np.float32(exchange.LOWEST)).all()
        np.testing.assert_allclose(scores["eval"][0], scores["eval"][1], rtol=1e-4)
        assert not np.allclose(scores["test"][0][:4], scores["test"][1][:4], rtol=1e-3)
    assert not np.array_equal(one[0]["eval"], two[0]["eval"])
