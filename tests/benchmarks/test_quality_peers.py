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


@pytest.fixture(scope="module")
def run_peer(tmp_path_factory):
    """Returns a function that runs a peer and returns (scores by phase, facts) of each of its models."""

    def run(model, *grid, split=_SPLIT, **options):
        contender = contenders.CONTENDERS[model]
        python = environments.ROOT / ".tools" / contender.environment / "bin" / "python"
        if not python.exists():
            pytest.skip(f"`make bench-quality` makes .tools/{contender.environment}")
        folder = tmp_path_factory.mktemp(model)
        exchange.write_split(folder / "split", split)
        arguments = [folder / "split", folder / "out", f"--grid={json.dumps(grid)}", "--seed=1"]
        subprocess.run(
            [
                python,
                "-m",
                f"benchmarks.quality.{contender.script}",
                *arguments,
                *(f"--{name}={value}" for name, value in options.items()),
            ],
            cwd=environments.ROOT,
            env=environment.external_environment(),
            check=True,
            capture_output=True,
        )
        return [exchange.read(result) for result in sorted((folder / "out").iterdir())]

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


_TRAINING = {
    "n_blocks": 1,
    "n_heads": 1,
    "n_factors": 8,
    "session_max_len": 2,
    "dropout_rate": 0.1,
    "batch_size": 2,
    "lr": 0.01,
}
_NEGATIVES = {"loss": "sampled_softmax", "n_negatives": 3}
_SETTINGS = [
    {"model": "sasrec", **_TRAINING},
    {"model": "esasrec", **_TRAINING, **_NEGATIVES, "use_key_padding_mask": True},
    {
        "model": "hstu",
        **_TRAINING,
        **_NEGATIVES,
        "relative_time_attention": True,
        "lightning_module_kwargs": {"logits_t": 0.05},
    },
]


@pytest.fixture(scope="module")
def transformers(run_peer):
    """(scores by phase, facts) of each model of `_SETTINGS` after one and after two epochs."""
    found = run_peer("sasrec", *({**setting, "stop_after": [2, 1]} for setting in _SETTINGS))
    return list(zip(found[::2], found[1::2], strict=True))


def test_a_transformer_reads_the_eval_item_and_knows_no_item_that_train_lacks(transformers):
    for one, two in transformers:
        assert [facts["setting"]["epochs"] for _, facts in (one, two)] == [1, 2]
        # Two queries of two items have a target each, two of three have two.
        assert [facts["targets"] for _, facts in (one, two)] == [6, 12]
        for scores, _ in (one, two):
            assert scores["eval"].shape == scores["test"].shape == (4, 5)
            assert (scores["test"][:, 4] == np.float32(exchange.LOWEST)).all()
            np.testing.assert_allclose(scores["eval"][0], scores["eval"][1], rtol=1e-4)
            assert not np.allclose(scores["test"][0][:4], scores["test"][1][:4], rtol=1e-3)
        assert not np.array_equal(one[0]["eval"], two[0]["eval"])


def test_an_interrupted_training_of_a_transformer_goes_on(run_peer, transformers, tmp_path):
    for epochs in (1, 2):
        settings = [{**setting, "stop_after": [epochs]} for setting in _SETTINGS]
        resumed = run_peer("sasrec", *settings, checkpoints=tmp_path)
    for (scores, facts), (_, (whole, _)) in zip(resumed, transformers, strict=True):
        assert facts["setting"]["epochs"] == 2
        np.testing.assert_allclose(scores["test"], whole["test"], rtol=1e-4, atol=1e-5)


def test_the_fast_loss_is_the_same_loss(run_peer, transformers):
    settings = [{**setting, "fast_loss": True, "stop_after": [2]} for setting in _SETTINGS]
    for (scores, _), (_, (whole, _)) in zip(run_peer("sasrec", *settings), transformers, strict=True):
        np.testing.assert_allclose(scores["test"], whole["test"], rtol=1e-4, atol=1e-5)


def test_hstu_reads_the_time_of_the_target_and_the_others_do_not(run_peer, transformers):
    later = _SPLIT._replace(test=_SPLIT.test._replace(time=_SPLIT.test.time + 9 * _DAY))
    settings = [{**setting, "stop_after": [1]} for setting in _SETTINGS]
    for (scores, facts), ((before, _), _) in zip(run_peer("sasrec", *settings, split=later), transformers, strict=True):
        np.testing.assert_allclose(scores["eval"], before["eval"], rtol=1e-4, atol=1e-5)
        is_equal = np.allclose(scores["test"], before["test"], rtol=1e-4, atol=1e-5)
        assert is_equal == (facts["setting"]["model"] != "hstu")


def test_a_peer_writes_ranks_instead_of_scores_and_gets_the_folder_of_its_checkpoints(tmp_path, monkeypatch):
    exchange.write_split(tmp_path / "split", _SPLIT)
    folders = []

    def fit(split, grid, seed, folder):
        folders.append(folder)
        popularity = np.broadcast_to(np.arange(5.0), (4, 5))
        yield exchange.Fitted(grid[0], 0.0, lambda phase: popularity)

    arguments = [str(tmp_path / "split"), str(tmp_path / "out"), "--grid=[{}]", "--seed=1", "--ranks"]
    monkeypatch.setattr("sys.argv", ["peer", *arguments, f"--checkpoints={tmp_path / 'kept'}"])
    exchange.main(fit, resumes=True)
    arrays, _ = exchange.read(tmp_path / "out" / "000")
    # Query 0 saw 0 and 1: 2 ranks below 3 and 4. Its test target 3 ranks below 4.
    assert arrays.keys() == {"ranks.eval", "ranks.test"}
    assert (arrays["ranks.eval"][0], arrays["ranks.test"][0]) == (3, 2)
    assert folders == [tmp_path / "kept"]
