"""The signatures `recommend_filtered` and `similar`, on a ScaNN export and its exact copy, against NumPy."""

import hypothesis
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import strategies as st

from components.graph import graph_function
from components.indexer import filtered
from components.indexer.exact import ExactIndex
from components.indexer.filters import AttributeFilters
from components.indexer.scann_index import ScannIndex, ScannParams
from shortlist.serving.catalogue import Catalogue
from shortlist.serving.input_tensors import signature_inputs
from shortlist.serving.rules import Rule, matches
from shortlist.serving.served_model import load_served
from tests.components.indexer import stand_in

SIZE, K, POOL = 40, 6, 15
IDS = stand_in.candidate_ids(SIZE)
LOWEST = np.finfo(np.float32).min
KINDS = ["scann", "brute_force"]
# "rare" is the value of one candidate; every fourth has none, every fifth has several.
TAGS = [
    [] if row % 4 == 0 else ["a", "b", "b"] if row % 5 == 0 else [["a"], ["b"], ["c"]][row % 3] for row in range(SIZE)
]
TAGS[7] = ["rare", "c"]
YEARS = [None if row % 6 == 0 else float(1990 + row % 10) for row in range(SIZE)]
ATTRIBUTES = {"tags": TAGS, "year": YEARS}

values = st.lists(st.sampled_from(["a", "b", "c", "rare", "unknown", ""]), max_size=3)
bound = st.one_of(st.none(), st.sampled_from([1980.0, 1992.0, 1995.0, 1999.0, 2020.0]))
rules = {"filter_any_tags": values, "filter_none_tags": values, "filter_min_year": bound, "filter_max_year": bound}
some_ids = st.lists(st.sampled_from([*IDS, "item-unknown"]), max_size=12)
one_query = st.fixed_dictionaries(
    {
        "query_id": st.sampled_from(["user-1", "user-2", "stranger"]),
        "k": st.sampled_from([1, 3, K, 11, POOL, 1000, 0, -1]),
        "exclude": some_ids,
        "allow": st.one_of(st.just([]), st.just([]), some_ids),
        **rules,
    }
)
one_similar = st.fixed_dictionaries(
    {"candidate_ids": some_ids, "k": st.sampled_from([1, 4, POOL, 1000]), "exclude": some_ids, **rules}
)


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Both exports with two attributes; five pairs of candidates have equal embeddings, and one has zeros."""
    root = tmp_path_factory.mktemp("filtered")
    embeddings = np.random.default_rng(5).normal(size=(SIZE, 8))
    embeddings[20:25] = embeddings[:5]
    embeddings[30] = 0.0
    trained = stand_in.save_stand_in(root / "trained", SIZE, embeddings=embeddings)
    path = stand_in.write_catalogue(root / "candidates.parquet", IDS, TAGS, YEARS)
    folders = stand_in.save_both_models(root, trained, K, 8, POOL, path)
    return {kind: load_served(folder) for kind, folder in zip(KINDS, folders, strict=True)}


@pytest.fixture(scope="module")
def filters(tmp_path_factory):
    path = stand_in.write_catalogue(tmp_path_factory.mktemp("filters") / "candidates.parquet", IDS, TAGS, YEARS)
    return AttributeFilters.of(Catalogue(path), list(ATTRIBUTES))


def ask(model, name, rows):
    signature = model.signatures[name]
    answer = signature(**signature_inputs(signature.structured_input_signature[1], rows))
    return answer["ids"].numpy().astype(str), answer["scores"].numpy(), answer["count"].numpy()


def passing(row):
    tags = Rule(any=tuple(filter(None, row["filter_any_tags"])), none=tuple(filter(None, row["filter_none_tags"])))
    year = Rule(min=row["filter_min_year"], max=row["filter_max_year"])
    return matches({"tags": tags, "year": year}, ATTRIBUTES, SIZE)


def check(answer, rows, all_scores, eligible):
    """Asserts the promises of an answer: the best of the eligible, each once, ties in order, no padding in between."""
    ids, scores, counts = answer
    width = min(max([K, *(row["k"] for row in rows)]), POOL)
    assert ids.shape == scores.shape == (len(rows), width)
    for line, row in enumerate(rows):
        left = np.flatnonzero(eligible[line])
        count = min(max(row["k"], 0), width, len(left))
        assert counts[line] == count
        assert (ids[line, count:] == "").all()
        assert (scores[line, count:] == LOWEST).all()
        found = [IDS.index(item) for item in ids[line, :count]]
        order = left[np.lexsort((left, -all_scores[line, left].round(5)))]
        assert set(found) <= set(left)
        np.testing.assert_allclose(scores[line, :count], all_scores[line, order[:count]], rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(found, order[:count])


@hypothesis.settings(max_examples=60)
@hypothesis.given(st.lists(one_query, min_size=1, max_size=3))
def test_the_best_that_pass_are_found_and_the_exact_copy_agrees(models, rows):
    trained = models["brute_force"].trained
    signature = models["brute_force"].signatures["query_embedding"]
    embeddings = signature(**signature_inputs(signature.structured_input_signature[1], rows))["embedding"].numpy()
    all_scores = embeddings @ trained.candidate_embeddings.numpy().T
    eligible = np.array([passing(row) & ~np.isin(IDS, row["exclude"]) for row in rows])
    for line, row in enumerate(rows):
        if any(row["allow"]):
            eligible[line] &= np.isin(IDS, row["allow"])
    answers = [ask(models[kind], "recommend_filtered", rows) for kind in KINDS]
    for answer in answers:
        check(answer, rows, all_scores, eligible)
    for one, other in zip(*answers, strict=True):
        np.testing.assert_array_equal(one, other)


@hypothesis.settings(max_examples=40)
@hypothesis.given(st.lists(one_similar, min_size=1, max_size=3))
def test_similar_candidates_are_the_nearest_by_cosine_without_the_given_ones(models, rows):
    embeddings = models["brute_force"].trained.candidate_embeddings.numpy()
    units = embeddings / np.maximum(np.linalg.norm(embeddings, axis=1, keepdims=True), 1e-12)
    known = [[IDS.index(item) for item in row["candidate_ids"] if item in IDS] for row in rows]
    means = np.array([units[line].sum(axis=0) if line else np.zeros(units.shape[1]) for line in known])
    lengths = np.linalg.norm(means, axis=1, keepdims=True)
    cosines = np.divide(means, lengths, out=np.zeros_like(means), where=lengths > 1e-6) @ units.T
    eligible = np.array(
        [
            passing(row) & ~np.isin(IDS, row["exclude"]) & ~np.isin(IDS, row["candidate_ids"]) & bool(line)
            for row, line in zip(rows, known, strict=True)
        ]
    )
    for kind in KINDS:
        check(ask(models[kind], "similar", rows), rows, cosines, eligible)


def test_without_rules_an_answer_is_that_of_recommend(models):
    rows = [{"query_id": "user-3", "k": K, "exclude": IDS[:3]}, {"query_id": "user-4", "k": 2}]
    for kind in KINDS:
        for one, other in zip(
            ask(models[kind], "recommend_filtered", rows), ask(models[kind], "recommend", rows), strict=True
        ):
            np.testing.assert_array_equal(one, other)


def test_an_empty_batch_has_an_empty_answer(models):
    for kind in KINDS:
        for name in ("recommend_filtered", "similar"):
            specs = models[kind].signatures[name].structured_input_signature[1]
            empty = {key: tf.zeros([0, 1][: spec.shape.rank], spec.dtype) for key, spec in specs.items()}
            assert models[kind].signatures[name](**empty)["count"].shape == (0,)


@pytest.mark.parametrize("gathered", [0.0, 1.0])
def test_both_ways_of_exact_search_are_the_same(gathered, monkeypatch):
    monkeypatch.setattr(filtered, "_MAX_GATHERED", gathered)
    generator = np.random.default_rng(1)
    candidates = generator.normal(size=(50, 4)).astype(np.float32)
    candidates[25:] = candidates[:25]
    mask = generator.random(50) < 0.5
    query = generator.normal(size=4).astype(np.float32)
    scores, rows = filtered.search_masked(
        tf.constant(query), tf.constant(candidates), tf.constant(mask), tf.constant(40)
    )
    expected = sorted(np.flatnonzero(mask), key=lambda row: (-(candidates[row % 25] @ query).round(5), row))
    assert rows.numpy()[: len(expected)].tolist() == expected
    assert (rows.numpy()[len(expected) :] == -1).all()
    assert (scores.numpy()[len(expected) :] == LOWEST).all()


# Of all 40 rows none, six or 39; the number 40 says that no condition can be listed.
LISTED_SHARES = [0.0, 0.15, 0.99]


@pytest.fixture(scope="module")
def searches(filters):
    """Candidates in equal pairs, and a graph of exact search per share of the corpus that may be listed."""
    candidates = np.random.default_rng(3).normal(size=(SIZE, 4)).astype(np.float32)
    candidates[20:] = candidates[:20]
    search = filtered.FilteredSearch(ExactIndex(k=K), tf.constant(candidates), filters, K)

    def trace():
        specs = [tf.TensorSpec([1, 4], tf.float32), tf.TensorSpec([1, None], tf.int32), dict(filters.specs)]
        function = graph_function(lambda *it: search.search(*it, tf.constant([POOL]), tf.constant(POOL)))
        return function.get_concrete_function(*specs)

    traced = []
    with pytest.MonkeyPatch.context() as patch:
        for share in LISTED_SHARES:
            patch.setattr(filtered, "_MAX_LISTED", share)
            traced.append(trace())
    return candidates, traced


@hypothesis.settings(max_examples=60)
@hypothesis.given(st.fixed_dictionaries({**rules, "exclude": some_ids}))
def test_listed_rows_give_the_answer_of_a_mask(filters, searches, row):
    candidates, traced = searches
    query = np.array([[1.0, -2.0, 0.5, 3.0]], np.float32)
    eligible = np.flatnonzero(passing(row) & ~np.isin(IDS, row["exclude"]))
    expected = sorted(eligible, key=lambda it: (-(candidates[it % 20] @ query[0]).round(5), it))[:POOL]
    excluded = np.array([[IDS.index(item) for item in row["exclude"] if item in IDS]], np.int32)
    inputs = signature_inputs(filters.specs, [row])
    for search in traced:
        scores, rows = search(tf.constant(query), tf.constant(excluded), inputs)
        assert rows.numpy()[0, : len(expected)].tolist() == expected
        assert (rows.numpy()[0, len(expected) :] == -1).all()
        np.testing.assert_allclose(scores[0, : len(expected)], candidates[expected] @ query[0], rtol=1e-5)


@pytest.mark.parametrize(
    ("rule", "tags", "year"),
    [
        ({"filter_any_tags": ["rare"]}, 1, SIZE),
        ({"filter_any_tags": ["unknown"]}, 0, SIZE),
        # The rows of two values may repeat.
        ({"filter_any_tags": ["rare", "a"]}, SIZE, SIZE),
        ({"filter_none_tags": ["a"]}, SIZE, SIZE),
        # Years are 1990 + row % 10, and every sixth row has none: rows 2, 3, 13, 22, 23, 32, 33 remain of eight.
        ({"filter_min_year": 1992.0, "filter_max_year": 1993.0}, SIZE, 7),
        ({"filter_min_year": 1993.0, "filter_max_year": 1992.0}, SIZE, 0),
        ({"filter_any_tags": ["rare"], "filter_max_year": 1993.0}, 1, 13),
        ({}, SIZE, SIZE),
    ],
)
def test_an_attribute_says_how_many_rows_it_can_list(filters, rule, tags, year):
    # The other query of the batch has no condition.
    inputs = signature_inputs(filters.specs, [rule, {}])
    _, listed = filters.shares(inputs, 2)
    assert (listed.numpy() * SIZE).round(4).tolist() == [[tags, year], [SIZE, SIZE]]


def test_a_filter_against_the_scores_is_searched_exactly(tmp_path):
    # Only the candidates with a negative score pass, half of them: the share says that 15 candidates are enough.
    generator = np.random.default_rng(2)
    candidates = generator.normal(size=(400, 8)).astype(np.float32)
    query = np.eye(1, 8, dtype=np.float32)
    passes = candidates[:, 0] < 0
    path = stand_in.write_catalogue(
        tmp_path / "candidates.parquet",
        stand_in.candidate_ids(400),
        [["yes"] if it else ["no"] for it in passes],
        [None] * 400,
    )
    params = ScannParams(num_leaves=20, leaves_to_search=4, dimensions_per_block=2, reorder=100)
    index = ScannIndex(params, 5, 5).index(tf.Variable(candidates)).with_params(params, {10.0: params})
    filters = AttributeFilters.of(Catalogue(path), ["tags"])
    search = filtered.FilteredSearch(index, index._candidates, filters, 5)
    rules = {"filter_any_tags": tf.constant([["yes"]]), "filter_none_tags": tf.constant([[""]])}
    nothing = tf.constant([[-1]])
    _, rows = search.search(tf.constant(query), nothing, rules, tf.constant([5]), tf.constant(5))
    expected = sorted(np.flatnonzero(passes), key=lambda row: -candidates[row, 0])[:5]
    assert rows.numpy().tolist() == [expected]


def test_the_number_to_fetch_allows_for_chance():
    search = filtered.FilteredSearch(ExactIndex(k=100), tf.zeros([10, 2]), AttributeFilters(), 100)
    # 100 wanted, half pass: 200 on average, with a standard deviation of sqrt(100 * 0.5) / 0.5 = 14.1.
    # 500 wanted and all pass: five answers. 10 wanted: one answer is enough.
    scale = search._scale(tf.constant([100.0, 500.0, 10.0]), tf.constant([0.5, 1.0, 1.0]))
    np.testing.assert_allclose(scale, [2.283, 5.0, 1.0], atol=1e-3)
