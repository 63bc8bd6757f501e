"""Re-ranking of a pool: relevance against difference, factors, and minimum numbers of places."""

import math
import subprocess
import sys

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from shortlist.errors import BadInputError
from shortlist.serving.rerank import Boost, Condition, Pool, Promotion, Rerank, parse, rerank
from shortlist.serving.rules import Rule

_KINDS = {"genres": "multi_category", "year": "numeric"}
# a and b point in one direction, c is orthogonal to both, d is between.
_POOL = Pool(
    ids=["a", "b", "c", "d"],
    scores=np.array([3.0, 2.9, 2.0, 1.0], np.float32),
    embeddings=np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 5.0], [1.0, 1.0]], np.float32),
    attributes={"genres": [["x"], ["x"], ["y"], []], "year": [1.0, 2.0, 3.0, None]},
)


def genre(*values):
    return Condition({"genres": Rule(any=values)})


def ids(request, k=4, pool=_POOL):
    return [pool.ids[place.row] for place in rerank(pool, request, k)]


def test_without_rules_the_pool_stays_as_it_is():
    assert ids(Rerank()) == ["a", "b", "c", "d"]
    assert ids(Rerank(), k=2) == ["a", "b"]
    assert ids(Rerank(), k=9) == ["a", "b", "c", "d"]
    assert Rerank().is_empty
    assert all(place.boost == 1.0 and not place.is_promoted for place in rerank(_POOL, Rerank(), 4))


def test_diversity_prefers_what_differs_from_the_list_so_far():
    # Relevance 1, .95, .5, 0. After a, at .5: b has .5 * .95 - .5 * 1 = -.025, c .25, d 0 - .5 * .707.
    assert ids(Rerank(diversity=0.5)) == ["a", "c", "b", "d"]
    # At .3: b has .7 * .95 - .3 = .365, c .35.
    assert ids(Rerank(diversity=0.3)) == ["a", "b", "c", "d"]
    # At 1 relevance decides the first place alone: then c (cosine 0), d (.707), b (1).
    assert ids(Rerank(diversity=1.0)) == ["a", "c", "d", "b"]


def test_lengths_and_a_vector_of_zeros_do_not_matter():
    scaled = Pool(_POOL.ids, _POOL.scores, _POOL.embeddings * np.array([[9.0], [0.1], [1.0], [0.0]], np.float32))
    # d has cosine 0 with all: .5 * 0 - .5 * 0 = 0 is more than b's -.025.
    assert ids(Rerank(diversity=0.5), pool=scaled) == ["a", "c", "d", "b"]


def test_a_factor_is_one_of_odds():
    # ln 3 = 1.0986: c has 3.0986, more than a. The odds exp(2) * 3 against exp(3).
    request = Rerank(boosts=(Boost(genre("y"), 3.0),))
    assert ids(request) == ["c", "a", "b", "d"]
    assert [place.boost for place in rerank(_POOL, request, 2)] == [3.0, 1.0]
    # At temperature .5 logits are twice the scores, and the factor weighs half: 2.549.
    cold = Pool(_POOL.ids, _POOL.scores, attributes=_POOL.attributes, temperature=0.5)
    assert ids(request, pool=cold) == ["a", "b", "c", "d"]
    # Factors multiply: 3 / 3 leaves c in its place; both a and b are buried below it by 1/3 and 1/3 * 1/2.
    both = Rerank(boosts=(Boost(genre("x"), 1 / 3), Boost(Condition(ids=frozenset({"b"})), 0.5)))
    assert ids(both) == ["c", "a", "b", "d"]
    assert rerank(_POOL, both, 4)[2].boost == pytest.approx(1 / 6)


def test_a_promotion_takes_the_last_places_that_it_needs():
    request = Rerank(promotions=(Promotion(genre("y"), 1),))
    assert ids(request, k=2) == ["a", "c"]
    assert [place.is_promoted for place in rerank(_POOL, request, 2)] == [False, True]
    # Among the best three it is without a promotion.
    assert ids(request, k=3) == ["a", "b", "c"]
    assert not any(place.is_promoted for place in rerank(_POOL, request, 3))
    # The pool has one such candidate only; the rest of the list is as before.
    assert ids(Rerank(promotions=(Promotion(genre("y"), 3),)), k=3) == ["a", "b", "c"]
    # Two promotions at once.
    two = Rerank(promotions=(Promotion(genre("y"), 1), Promotion(Condition(ids=frozenset({"d"})), 1)))
    assert ids(two, k=2) == ["c", "d"]
    assert ids(two, k=3) == ["a", "c", "d"]


def test_extra_candidates_are_for_promotions_alone():
    pool = Pool(_POOL.ids, _POOL.scores, _POOL.embeddings, _POOL.attributes, num_extra=2)
    assert ids(Rerank(), pool=pool) == ["a", "b"]
    assert ids(Rerank(promotions=(Promotion(genre("y"), 1),)), pool=pool) == ["a", "b", "c"]
    # They do not change the others' relevance, which is 1 and 0 without them.
    assert ids(Rerank(diversity=0.9), pool=pool) == ["a", "b"]


def test_equal_candidates_stay_in_order():
    pool = Pool(list("abcdef"), np.ones(6, np.float32), np.ones((6, 3), np.float32))
    for diversity in (0.0, 0.4, 1.0):
        assert ids(Rerank(diversity=diversity), k=6, pool=pool) == list("abcdef")


def test_an_empty_pool_gives_an_empty_list():
    pool = Pool([], np.zeros(0, np.float32), np.zeros((0, 2), np.float32), {"genres": []})
    assert ids(Rerank(0.5, (Boost(genre("y"), 2.0),), (Promotion(genre("y"), 1),)), pool=pool) == []


def test_a_pool_must_have_what_the_rules_need():
    bare = Pool(_POOL.ids, _POOL.scores)
    with pytest.raises(ValueError, match="lacks embeddings"):
        rerank(bare, Rerank(diversity=0.1), 2)
    with pytest.raises(ValueError, match="lacks \\['genres'\\]"):
        rerank(bare, Rerank(boosts=(Boost(genre("y"), 2.0),)), 2)


@given(st.data())
def test_any_list_keeps_the_promises(data):
    size = data.draw(st.integers(0, 12))
    generator = np.random.default_rng(data.draw(st.integers(0, 99)))
    # Few different values, so that ties are common.
    scores = np.sort(generator.integers(0, 4, size).astype(np.float32))[::-1]
    labels = [[str(value)] for value in generator.integers(0, 3, size)]
    extra = data.draw(st.integers(0, size))
    pool = Pool(
        [str(row) for row in range(size)],
        scores,
        generator.integers(-1, 2, (size, 2)).astype(np.float32),
        {"genres": labels},
        num_extra=extra,
    )
    k = data.draw(st.integers(1, 14))
    wanted = data.draw(st.integers(1, k))
    request = Rerank(
        data.draw(st.sampled_from([0.0, 0.3, 1.0])), (Boost(genre("1"), 0.25),), (Promotion(genre("2"), wanted),)
    )
    places = rerank(pool, request, k)
    rows = [place.row for place in places]
    assert rows == [place.row for place in rerank(pool, request, k)]
    assert len(set(rows)) == len(rows) <= k
    fitting = [row for row in range(size) if labels[row] == ["2"]]
    assert sum(row in fitting for row in rows) >= min(wanted, len(fitting))
    assert len(rows) >= min(k, size - extra)
    assert all(row < size - extra or place.is_promoted for row, place in zip(rows, places, strict=True))


def test_the_json_form_is_read():
    found = parse(
        0.25,
        [{"where": {"year": {"min": 1990}}, "factor": 2}, {"ids": ["a"], "factor": 0.5}],
        [{"where": {"genres": {"any": ["x"]}}, "ids": ["b", "c"], "at_least": 2}],
        _KINDS,
        10,
    )
    assert found == Rerank(
        0.25,
        (Boost(Condition({"year": Rule(min=1990.0)}), 2.0), Boost(Condition(ids=frozenset("a")), 0.5)),
        (Promotion(Condition({"genres": Rule(any=("x",))}, frozenset("bc")), 2),),
    )
    assert found.attributes == {"year", "genres"}
    assert parse(None, None, None, _KINDS, 10).is_empty


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"diversity": 1.1}, "diversity: expected a number from 0 to 1"),
        ({"diversity": math.nan}, "diversity: expected a number from 0 to 1"),
        ({"diversity": "1"}, "diversity: expected a number from 0 to 1"),
        ({"boost": {"factor": 2}}, "boost: expected a list"),
        ({"boost": [{"factor": 2}]}, "boost: expected objects with factor, and where or ids"),
        ({"boost": [{"ids": [], "factor": 2}]}, "boost[0]: expected a rule in where, or an id in ids, got neither"),
        ({"boost": [{"ids": ["a"], "factor": 0}]}, "boost[0].factor: expected a number from 0.000001 to 1000000"),
        ({"boost": [{"ids": "a", "factor": 2}]}, "boost[0].ids: expected a list of strings"),
        ({"boost": [{"ids": ["a"], "factor": 2, "to": 1}]}, "boost[0]: expected the keys where, ids and factor"),
        ({"boost": [{"where": {"age": {}}, "factor": 2}]}, "boost[0].where: expected one of the attributes"),
        ({"promote": [{"ids": ["a"], "at_least": 0}]}, "promote[0].at_least: expected a whole number of 1 or more"),
        ({"promote": [{"ids": ["a"], "at_least": 3}] * 2}, "promote: expected at most k=5 places in all, got 6"),
    ],
)
def test_another_form_is_refused_by_its_key(arguments, message):
    given_rules = {"diversity": None, "boost": None, "promote": None, **arguments}
    with pytest.raises(BadInputError) as refused:
        parse(**given_rules, kinds=_KINDS, k=5)
    assert str(refused.value).startswith(message)


def test_a_server_needs_numpy_alone():
    script = (
        "import sys, shortlist.serving.rerank\n"
        "heavy = {'tensorflow', 'pydantic', 'pandas', 'yaml', 'tfx', 'pyarrow'} & set(sys.modules)\n"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
