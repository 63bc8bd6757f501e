import numpy as np
import pytest
import tensorflow as tf
import tensorflow_recommenders as tfrs
from hypothesis import given, settings
from hypothesis import strategies as st

from components.evaluator import ranks, screening


def brute_force(scores, target_rows, seen_rows):
    """The definition, read literally, one target at a time."""
    corpus = scores.shape[1]
    excluding, including = [], []
    for row, target, seen in zip(scores, target_rows, seen_rows, strict=True):
        with_seen = without = ranks.NO_HIT
        if target >= 0 and np.isfinite(row[target]):
            against = [j for j in range(corpus) if j != target and (not np.isfinite(row[j]) or row[j] >= row[target])]
            with_seen, without = 1 + len(against), 1 + len(set(against) - set(seen))
        including.append(with_seen)
        excluding.append(ranks.NOT_RANKED if target >= 0 and target in seen else without)
    return excluding, including


@tf.function(
    input_signature=[
        tf.TensorSpec([None, None], tf.float32),
        tf.TensorSpec([None, None], tf.float32),
        tf.TensorSpec([None], tf.int64),
        tf.TensorSpec([None, None], tf.int64),
        tf.TensorSpec([], tf.int64),
    ]
)
def traced_target_ranks(queries, candidates, targets, seen, tile):
    return ranks.target_ranks(queries, candidates, targets, seen, tile)


def rank_pair(queries, candidates, targets, seen, tile=ranks.TILE):
    pair = traced_target_ranks(queries, candidates, targets, seen, tile)
    return tuple(rank.numpy().tolist() for rank in pair)


@st.composite
def problems(draw):
    """Embeddings of small integers (many exact ties) and the values that are not numbers."""
    batch, corpus, dim = draw(st.integers(1, 4)), draw(st.integers(1, 9)), draw(st.integers(1, 3))
    value = st.sampled_from([0.0, -0.0, 1.0, -1.0, 2.0, np.nan, np.inf, -np.inf, 3e38])
    queries = draw(st.lists(st.lists(value, min_size=dim, max_size=dim), min_size=batch, max_size=batch))
    candidates = draw(st.lists(st.lists(value, min_size=dim, max_size=dim), min_size=corpus, max_size=corpus))
    targets = draw(st.lists(st.integers(-1, corpus - 1), min_size=batch, max_size=batch))
    width = draw(st.integers(0, corpus))
    seen = [
        (draw(st.lists(st.integers(0, corpus - 1), unique=True, max_size=width)) + [-1] * width)[:width]
        for _ in range(batch)
    ]
    return (
        np.array(queries, np.float32),
        np.array(candidates, np.float32),
        np.array(targets, np.int64),
        np.array(seen, np.int64).reshape(batch, width),
        draw(st.integers(1, 12)),
    )


@settings(max_examples=200)
@given(problems())
def test_target_ranks_are_the_definition(problem):
    queries, candidates, targets, seen, tile = problem
    with np.errstate(all="ignore"):
        scores = (queries.astype(np.float64)[:, None, :] * candidates.astype(np.float64)[None]).sum(-1)
        scores = scores.astype(np.float32)
    assert rank_pair(queries, candidates, targets, seen, tile) == brute_force(scores, targets, seen)


@settings(max_examples=200)
@given(problems(), st.data())
def test_popularity_ranks_are_the_definition(problem, data):
    _, candidates, targets, seen, _ = problem
    size = len(candidates)
    counts = np.array(data.draw(st.lists(st.integers(0, 3), min_size=size, max_size=size)), np.int64)
    scores = np.repeat(counts[None], len(targets), axis=0)
    pair = ranks.popularity_ranks(tf.constant(ranks.candidates_below(counts)), targets, seen)
    assert tuple(rank.numpy().tolist() for rank in pair) == brute_force(scores, targets, seen)


def test_by_hand():
    # Scores are the candidates' own numbers: 5, 3, 3, 1. Target row 1 (3): 5 is greater and the
    # other 3 is equal, so its rank is 3. Row 0 was seen and counted against it: 2 without it.
    # Target row 3 (1): all three are greater, 4; rows 0 and 2 were seen: 2. Where it was seen itself, it
    # has no rank without seen items, and competes with all four as before.
    candidates = np.array([[5.0], [3.0], [3.0], [1.0]], np.float32)
    seen = [[0, 3, -1], [0, 2, -1], [0, 2, 3]]
    pair = rank_pair(np.ones((3, 1), np.float32), candidates, [1, 3, 3], seen)
    assert pair == ([2, 2, ranks.NOT_RANKED], [3, 4, 4])


@pytest.mark.parametrize("dim", [2, 3, 16, 33, 64, 100, 300])
@pytest.mark.parametrize("batch", [1, 7, 64])
def test_a_constant_model_ranks_every_target_last(dim, batch):
    rng = np.random.default_rng(dim * batch)
    corpus = 1682
    candidates = np.repeat(rng.normal(size=(1, dim)), corpus, axis=0).astype(np.float32)
    queries = rng.normal(size=(batch, dim)).astype(np.float32)
    targets = rng.integers(0, corpus, batch)
    seen = np.full((batch, 1), -1)
    pair = rank_pair(queries, candidates, targets, seen, tile=500)
    assert pair == ([corpus] * batch, [corpus] * batch)


def _exactly(queries, candidates, targets, seen):
    """The definition with scores in float64, rounded once; without NaN, infinity and unknown targets."""
    scores = (queries.astype(np.float64) @ candidates.astype(np.float64).T).astype(np.float32)
    own = scores[np.arange(len(targets)), targets][:, None]
    before = scores >= own
    seen_before = np.take_along_axis(before, seen, axis=1) & (seen != targets[:, None])
    is_seen = (seen == targets[:, None]).any(axis=1)
    with_seen = before.sum(axis=1)
    return np.where(is_seen, ranks.NOT_RANKED, with_seen - seen_before.sum(axis=1)).tolist(), with_seen.tolist()


@pytest.mark.parametrize("dim", [3, 64])
@pytest.mark.parametrize("scale", [1e-30, 1e-3, 1.0, 1e6, 1e17])
def test_near_ties_are_decided_exactly(dim, scale):
    # A third of the candidates are copies of targets with some values moved by one step of float32, a third are exact
    # copies, and the queries point at the targets, so that the scores near the target's are many.
    rng = np.random.default_rng(dim)
    corpus, batch = 900, 20
    candidates = rng.normal(size=(corpus, dim)).astype(np.float32)
    targets = rng.integers(0, 300, batch)
    copied = rng.choice(targets, 600)
    candidates[300:] = candidates[copied]
    steps = rng.choice(np.array([-np.inf, np.inf], np.float32), (300, dim))
    moved = np.nextafter(candidates[600:], steps)
    candidates[600:] = np.where(rng.uniform(size=(300, dim)) < 0.2, moved, candidates[600:])
    queries = (candidates[targets] * scale).astype(np.float32)
    seen = np.stack([rng.permutation(corpus)[:30] for _ in range(batch)])
    found = rank_pair(queries, candidates, targets, seen, tile=200)
    assert found == _exactly(queries, candidates, targets, seen)


def test_most_scores_are_decided_in_float32(retrieval, monkeypatch):
    problem = [retrieval[name] for name in ("queries", "candidates", "targets", "seen")]
    numbers = []
    exact_scores = screening.exact_scores
    monkeypatch.setattr(
        screening, "exact_scores", lambda queries, rows: numbers.append(len(queries)) or exact_scores(queries, rows)
    )
    pair = ranks.target_ranks(*map(tf.constant, problem), tile=100)
    assert tuple(rank.numpy().tolist() for rank in pair) == _exactly(*problem)
    # 200 targets and 200 * 20 seen candidates are scored exactly in any case. Of the 336,600 others few are.
    assert 200 + 4000 + 200 <= sum(numbers) < 4400 + 500


def test_a_tile_of_near_ties_is_scored_as_a_whole(retrieval, monkeypatch):
    monkeypatch.setattr(screening, "MAX_PAIRS", 3)
    problem = [retrieval[name] for name in ("queries", "candidates", "targets", "seen")]
    pair = ranks.target_ranks(*map(tf.constant, problem), tile=1000)
    assert tuple(rank.numpy().tolist() for rank in pair) == _exactly(*problem)


def test_all_zero_embeddings_rank_last():
    pair = rank_pair(np.zeros((2, 4), np.float32), np.zeros((10, 4), np.float32), [0, 9], [[-1, -1], [0, -1]])
    assert pair == ([10, 9], [10, 10])  # the second query's seen item, 0, is subtracted


def test_a_broken_score_stays_last_whatever_was_seen():
    candidates = np.array([[np.nan], [1.0], [2.0]], np.float32)
    seen = [[1, 2], [0, 2], [0, 2]]
    # Target 0 is NaN and target -1 unknown: a hit at no K, though the corpus has 3. Target 1: NaN and 2 are before it.
    no_hit = ranks.NO_HIT
    expected = [no_hit, no_hit, 1], [no_hit, no_hit, 3]
    assert rank_pair(np.ones((3, 1), np.float32), candidates, [0, -1, 1], seen) == expected


@pytest.fixture(scope="module")
def retrieval():
    """Random embeddings; each query has seen 20 candidates, never its target."""
    rng = np.random.default_rng(0)
    batch, corpus, dim = 200, 1683, 64
    targets = rng.integers(0, corpus, batch)
    seen = np.stack([rng.choice(np.delete(np.arange(corpus), target), 20, replace=False) for target in targets])
    return {
        "queries": rng.normal(size=(batch, dim)).astype(np.float32),
        "candidates": rng.normal(size=(corpus, dim)).astype(np.float32),
        "ids": np.array([f"id{i}" for i in range(corpus)]),
        "targets": targets,
        "seen": seen,
    }


@pytest.mark.parametrize("tile", [1, 127, 1683, ranks.TILE])
def test_the_tile_does_not_matter(retrieval, tile):
    problem = [retrieval[name] for name in ("queries", "candidates", "targets", "seen")]
    if tile == 1:
        problem[1] = problem[1][:50]
        problem[2] = problem[2] % 50
        problem[3] = np.where(problem[3] < 50, problem[3], -1)
    assert rank_pair(*problem, tile=tile) == rank_pair(*problem, tile=64)


@pytest.mark.parametrize("k", [1, 5, 10, 50, 100])
def test_equals_id_based_factorized_top_k(retrieval, k):
    index = tfrs.layers.factorized_top_k.BruteForce(k=100)
    index.index(retrieval["candidates"], retrieval["ids"])
    metric = tfrs.metrics.FactorizedTopK(index, ks=[k])
    targets = retrieval["targets"]
    metric.update_state(
        retrieval["queries"], retrieval["candidates"][targets], true_candidate_ids=retrieval["ids"][targets][:, None]
    )
    _, with_seen = rank_pair(retrieval["queries"], retrieval["candidates"], targets, retrieval["seen"])
    assert np.mean(np.array(with_seen) <= k) == pytest.approx(float(metric.result()[0]), abs=1e-6)


@pytest.mark.parametrize("k", [1, 5, 10, 50, 100])
def test_excluding_seen_equals_query_with_exclusions(retrieval, k):
    index = tfrs.layers.factorized_top_k.BruteForce(k=k)
    index.index(retrieval["candidates"], retrieval["ids"])
    targets, seen = retrieval["targets"], retrieval["seen"]
    _, found = index.query_with_exclusions(retrieval["queries"], tf.constant(retrieval["ids"][seen]))
    hits = (found.numpy().astype(str) == retrieval["ids"][targets][:, None]).any(axis=1)
    without_seen, _ = rank_pair(retrieval["queries"], retrieval["candidates"], targets, seen)
    assert (np.array(without_seen) <= k).tolist() == hits.tolist()


def test_survives_a_saved_model_with_unknown_sizes(retrieval, tmp_path):
    class Ranker(tf.Module):
        def __init__(self):
            self.candidates = tf.Variable(retrieval["candidates"])

        @tf.function(
            input_signature=[
                tf.TensorSpec([None, 64], tf.float32),
                tf.TensorSpec([None], tf.int32),
                tf.TensorSpec([None, None], tf.int32),
            ]
        )
        def __call__(self, queries, targets, seen):
            below = tf.range(tf.shape(self.candidates)[0])
            return *ranks.target_ranks(queries, self.candidates, targets, seen, 100), *ranks.popularity_ranks(
                below, targets, seen
            )

    tf.saved_model.save(Ranker(), str(tmp_path))
    loaded = tf.saved_model.load(str(tmp_path))
    queries, targets, seen = (retrieval[name] for name in ("queries", "targets", "seen"))
    for size in (0, 1, 200):
        result = loaded(
            tf.constant(queries[:size]), tf.constant(targets[:size], tf.int32), tf.constant(seen[:size], tf.int32)
        )
        assert [rank.dtype for rank in result] == [tf.int64] * 4
        assert tuple(rank.numpy().tolist() for rank in result[:2]) == rank_pair(
            queries[:size], retrieval["candidates"], targets[:size], seen[:size]
        )
        # Candidate i has count i: all the candidates after a target count against it.
        assert (result[3].numpy() == 1683 - targets[:size]).all()
