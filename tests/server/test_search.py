"""Search under rules beside exact search of what passes today."""

from __future__ import annotations

import json

import numpy as np
import pytest

from server.attributes import Attributes, Categories, Overrides
from server.corpus import Corpus
from server.question import Question
from server.search import RuledSearch
from shortlist import keys
from shortlist.model_files import INDEX_FILE
from shortlist.serving import input_tensors, rerank, rules, served_model
from shortlist.serving.catalogue import Catalogue
from tests.components.indexer import stand_in

SIZE, K, POOL = 4_000, 10, 100
IDS = stand_in.candidate_ids(SIZE)
ROW = {item: row for row, item in enumerate(IDS)}
HISTORY = ["item-3", "item-40"]


class Counted:
    """A signature that counts the rows of its calls."""

    def __init__(self, signature):
        self._signature = signature
        self.structured_input_signature = signature.structured_input_signature
        self.rows = 0

    def __call__(self, **inputs):
        self.rows += len(inputs[keys.HISTORY_IDS])
        return self._signature(**inputs)


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    root = tmp_path_factory.mktemp("search")
    trained = stand_in.save_stand_in(root / "trained", SIZE)
    # At the push, the first half had the tag `old`, and the year of a row was 0 to 9.
    tags = [["old"] if row < SIZE // 2 else ["new"] for row in range(SIZE)]
    path = stand_in.write_catalogue(root / "c.parquet", IDS, tags, [float(row % 10) for row in range(SIZE)])
    folders = stand_in.save_both_models(root, trained, K, 100, POOL, path)
    return {
        name: served_model.load_served(folder) for name, folder in zip(("scann", "exact"), folders, strict=True)
    }, root


@pytest.fixture(params=["scann", "exact"])
def setting(served, request):
    models, root = served
    model = models[request.param]
    signatures = {name: Counted(model.signatures[name]) for name in ("recommend_filtered", "query_embedding")}
    catalogue = Catalogue(root / "c.parquet")
    corpus = Corpus(model.trained, catalogue)
    folder = root / ("scann" if request.param == "scann" else "brute_force")
    search = RuledSearch(signatures, corpus, json.loads((folder / INDEX_FILE).read_text()), 1.0)
    return request.param, search, signatures, Attributes.of_version(catalogue, SIZE)


def today(attributes, share):
    """Attributes in which a share of the candidates is in stock, and all that were `old` are `new` and vice versa."""
    in_stock = np.random.default_rng(1).permutation(SIZE) < share * SIZE
    swapped = Categories([["new"] if row < SIZE // 2 else ["old"] for row in range(SIZE)])
    return attributes.overridden(Overrides(IDS, {"in_stock": in_stock.astype(float), "tags": swapped}), ROW)


def question(wanted, kinds, k=K, exclude=(), ranking=None):
    row = {keys.QUERY_ID: "user-1", keys.HISTORY_IDS: HISTORY, keys.EXCLUDE: [*HISTORY, *exclude]}
    return Question(row, tuple(HISTORY), k, rules.parse_filter(wanted, kinds), ranking or rerank.Rerank())


def exact(served, passed):
    """Returns the rows that pass, best first."""
    model = served[0]["exact"]
    signature = model.signatures["query_embedding"]
    row = {keys.QUERY_ID: "user-1", keys.HISTORY_IDS: HISTORY}
    inputs = input_tensors.signature_inputs(signature.structured_input_signature[1], [row])
    embedding = signature(**inputs)["embedding"].numpy()[0]
    scores = (model.trained.candidate_embeddings.numpy() @ embedding).round(4)
    passed = passed & ~np.isin(IDS, HISTORY)
    return [row for row in np.lexsort((np.arange(SIZE), -scores)).tolist() if passed[row]], scores


def check(served, found, passed, k=K):
    """Asserts that an answer has the best of what passes: k of them whenever k pass."""
    expected, scores = exact(served, passed)
    assert len(found.rows) == len(set(found.rows)) == min(k, len(expected))
    assert set(found.rows) <= set(expected)
    assert found.scores == pytest.approx(scores[expected[:k]], abs=1e-3)


@pytest.mark.parametrize("share", [0.0, 0.001, 0.0025, 0.01, 0.1, 0.5, 1.0])
def test_what_passes_today_is_answered_in_full(served, setting, share):
    kind, search, signatures, attributes = setting
    attributes = today(attributes, share)
    years = np.arange(SIZE) % 10
    in_stock = attributes.of_rows(["in_stock"], np.arange(SIZE))["in_stock"] == 1
    was_new = np.arange(SIZE) >= SIZE // 2
    cases = [
        ({"in_stock": {"min": 1}}, in_stock),
        # `new` today is what the model has as `old`.
        ({"in_stock": {"min": 1}, "tags": {"any": ["new"]}}, in_stock & ~was_new),
        ({"in_stock": {"min": 1}, "year": {"max": 4}}, in_stock & (years <= 4)),
        ({"in_stock": {"max": 0}, "year": {"min": 9}, "tags": {"none": ["new"]}}, ~in_stock & (years == 9) & was_new),
    ]
    questions = [question(wanted, attributes.kinds) for wanted, _ in cases]
    for found, (_, passed) in zip(search.search(questions, attributes), cases, strict=True):
        check(served, found, passed)
    if kind == "scann" and share == 0.5:
        # 50%, 25%, 25% and 2.5% of the corpus pass. For the last, the index would have to find the best 400.
        assert (signatures["recommend_filtered"].rows, signatures["query_embedding"].rows) == (3, 1)


def test_the_index_answers_what_the_model_can_filter(served, setting):
    kind, search, signatures, attributes = setting
    years = np.arange(SIZE) % 10
    asked = [question({"year": {"max": 1}}, attributes.kinds), question({"tags": {"any": ["old"]}}, attributes.kinds)]
    first, second = search.search(asked, attributes)
    check(served, first, years <= 1)
    check(served, second, np.arange(SIZE) < SIZE // 2)
    assert signatures["query_embedding"].rows == (0 if kind == "scann" else 2)
    # Without a column of its own, an attribute of today's table is still the model's.
    [found] = search.search([question({"year": {"min": 9}}, attributes.kinds, k=5)], today(attributes, 0.5))
    check(served, found, years == 9, k=5)
    assert signatures["recommend_filtered"].rows == (3 if kind == "scann" else 0)


def test_the_pool_of_a_ranking_is_the_index_s(served, setting):
    kind, search, signatures, attributes = setting
    [found] = search.search([question({}, attributes.kinds, ranking=rerank.Rerank(diversity=1e-9))], attributes)
    check(served, found, np.ones(SIZE, bool))
    assert signatures["query_embedding"].rows == (0 if kind == "scann" else 1)


def test_fetched_candidates_that_do_not_pass_today_are_made_up_for(served, setting):
    _, search, _, attributes = setting
    # The best 200 candidates of this query have sold out: none of what the index fetches passes.
    best, _ = exact(served, np.ones(SIZE, bool))
    in_stock = np.ones(SIZE)
    in_stock[best[:200]] = 0
    attributes = attributes.overridden(Overrides(IDS, {"in_stock": in_stock}), ROW)
    [found] = search.search([question({"in_stock": {"min": 1}}, attributes.kinds)], attributes)
    check(served, found, in_stock == 1)


def test_each_promotion_gets_its_places(served, setting):
    _, search, _, attributes = setting
    order, _ = exact(served, np.ones(SIZE, bool))
    # Beyond the pool, all of the first promotion are better than those of the second.
    first, second = [IDS[row] for row in order[200:220]], [IDS[row] for row in order[-2:]]
    promotions = [{"ids": first, "at_least": 2}, {"ids": second, "at_least": 1}]
    ranking = rerank.parse(None, None, promotions, attributes.kinds, K)
    [found] = search.search([question({}, attributes.kinds, ranking=ranking)], attributes)
    assert found.rows == [*order[:7], *order[200:202], order[-2]]
    assert [place.is_promoted for place in found.places] == [False] * 7 + [True] * 3


def test_a_bound_means_the_same_number_as_in_the_model():
    # 0.1 is 0.10000000149 in float32, the type of the model's numbers.
    values = np.array([0.1, 0.2], np.float32)
    attributes = Attributes({"price": values, "today": np.array([0.1, 0.2])}, 2)
    for name in ("price", "today"):
        for bounds, expected in (({"max": 0.1}, [True, False]), ({"min": 0.1}, [True, True])):
            conditions = rules.parse_filter({name: bounds}, attributes.kinds)
            columns = attributes.of_rows([name], np.arange(2))
            assert attributes.mask(conditions).tolist() == expected
            assert rules.matches(conditions, columns, 2).tolist() == expected
