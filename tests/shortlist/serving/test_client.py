"""The client of a pushed model, on an exported stand-in."""

import json
import shutil

import pytest

from shortlist.errors import BadInputError
from shortlist.model_files import TRAINED_FILE
from shortlist.serving.client import Recommender
from tests.components.indexer import stand_in

SIZE = 30
K = 10


@pytest.fixture(scope="module")
def serving_dir(tmp_path_factory):
    """A folder of versions in the Pusher's layout."""
    root = tmp_path_factory.mktemp("recommend")
    trained = stand_in.save_stand_in(root / "trained", SIZE)
    scann_dir, exact_dir = stand_in.save_both_models(root, trained, K, 5)
    shutil.copytree(exact_dir, root / "serving" / "1")
    shutil.copytree(scann_dir, root / "serving" / "12")
    return root / "serving"


@pytest.fixture(scope="module")
def recommender(serving_dir):
    return Recommender(serving_dir)


def ids(answer):
    return [item.id for item in answer]


def test_the_newest_version_is_asked(serving_dir, recommender):
    assert recommender.path == serving_dir / "12"
    assert Recommender(serving_dir / "1").path == serving_dir / "1"


def test_an_answer_is_ranked_and_as_long_as_asked(recommender):
    answer = recommender.recommend("user-1", k=4)
    assert [item.rank for item in answer] == [1, 2, 3, 4]
    assert [item.score for item in answer] == sorted((item.score for item in answer), reverse=True)
    assert [item.title for item in answer] == [None] * 4
    assert len(recommender.recommend("user-1")) == 10


def test_seen_items_are_excluded_by_default(recommender):
    seen = ids(recommender.recommend("user-1", k=3))
    assert not set(ids(recommender.recommend("user-1", history=seen, k=K))) & set(seen)
    assert set(ids(recommender.recommend("user-1", history=seen, k=K, exclude_seen=False))) >= set(seen)


def test_model_of_repeat_consumption_answers_with_seen_items_by_default(serving_dir):
    recommender = Recommender(serving_dir)
    recommender.index = {**recommender.index, "exclude_seen": False}
    seen = ids(recommender.recommend("user-1", k=3))
    assert set(ids(recommender.recommend("user-1", history=seen, k=K))) >= set(seen)
    assert not set(ids(recommender.recommend("user-1", history=seen, k=K, exclude_seen=True))) & set(seen)
    assert set(ids(recommender.recommend("user-1", history=seen, k=K, exclude_seen=False))) & set(seen)


def test_a_history_of_everything_leaves_nothing(recommender):
    assert recommender.recommend("user-1", history=stand_in.candidate_ids(SIZE)) == []
    rest = stand_in.candidate_ids(SIZE)[3:]
    assert set(ids(recommender.recommend("user-1", history=rest))) == set(stand_in.candidate_ids(SIZE)[:3])


def test_a_stranger_is_answered_from_the_history(recommender):
    history = ["item-3", "item-unknown"]
    assert len(recommender.recommend(None, history, k=5)) == 5
    assert ids(recommender.recommend("nobody", history, k=5)) == ids(recommender.recommend("nobody", ["item-3"], k=5))


def test_times_go_with_the_history_and_none_is_missing(recommender):
    timed = recommender.recommend("user-1", [("item-3", 5), ("item-4", 7)])
    assert timed == recommender.recommend("user-1", [("item-3", 5), ("item-4", 7)], query_time=0)
    assert timed != recommender.recommend("user-1", [("item-3", 5), ("item-4", 7)], query_time=7)
    assert timed != recommender.recommend("user-1", ["item-3", "item-4"])


@pytest.mark.parametrize("k", [0, -1, K + 1])
def test_k_beyond_the_export_is_refused_with_the_key_that_sets_it(recommender, k):
    with pytest.raises(BadInputError, match=rf"k must be 1 to {K}, which is index\.k .*got {k}"):
        recommender.recommend("user-1", k=k)


def test_features_are_those_of_the_model(recommender):
    assert recommender.query_features == sorted(stand_in.FEATURES)
    with pytest.raises(BadInputError, match=r"no query feature 'height'; it has \['age', 'gender'"):
        recommender.recommend("user-1", query_features={"age": 30, "height": 180})


def test_features_change_scores_and_absent_ones_are_missing(recommender):
    plain = recommender.recommend("user-1")
    assert recommender.recommend("user-1", query_features={"age": None, "tags": []}) == plain
    for features in ({"age": 80}, {"gender": "F"}, {"tags": ["a", "b"]}, {"joined": 3}):
        assert recommender.recommend("user-1", query_features=features) != plain


def test_one_string_is_one_value_of_a_multi_category_feature(recommender):
    one = recommender.recommend("user-1", query_features={"tags": "abc"})
    assert one == recommender.recommend("user-1", query_features={"tags": ["abc"]})


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"age": "old"}, "age takes numbers; got 'old'"),
        ({"gender": 3}, "gender takes strings; got 3"),
        ({"joined": "yesterday"}, "joined takes whole numbers; got 'yesterday'"),
        ({"joined": 2**70}, "joined takes whole numbers"),
        ({"tags": [1]}, "tags takes strings; got 1"),
        ({"age": [30, 31]}, r"age takes one value; got the list \[30, 31\]"),
    ],
)
def test_a_value_of_a_wrong_type_is_refused_by_name(recommender, features, expected):
    with pytest.raises(BadInputError, match=expected):
        recommender.recommend("user-1", query_features=features)


def test_titles_are_shown_where_there_is_one(recommender):
    best = ids(recommender.recommend("user-1", k=2))
    answer = recommender.recommend("user-1", k=2, candidates_titles={best[0]: "Fargo (1996)", best[1]: None})
    assert [item.title for item in answer] == ["Fargo (1996)", None]


def test_an_empty_folder_is_refused(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(BadInputError, match="no model was pushed yet"):
            Recommender(folder)


def test_a_model_of_another_program_is_refused(tmp_path):
    (tmp_path / "saved_model.pb").touch()
    with pytest.raises(BadInputError, match=r"not a model that Shortlist pushed.*index\.json"):
        Recommender(tmp_path)


def test_embeddings_give_the_scores(recommender):
    row = {"query_id": "user-1", "history_ids": ["item-3"], "age": 30}
    [best, *_] = recommender.recommend("user-1", ["item-3"], query_features={"age": 30})
    query, candidate = recommender.embed_queries([row])[0], recommender.embed_candidates([best.id])[0]
    assert query @ candidate == pytest.approx(best.score, abs=1e-5)
    assert recommender.embed_candidates(["nope"]).tolist() == [[0.0] * 8]
    with pytest.raises(BadInputError, match="no query feature 'height'"):
        recommender.embed_queries([{"height": 1}])


def test_some_candidates_are_left_out_and_others_alone_allowed(recommender):
    best = ids(recommender.recommend("user-1", k=3))
    assert ids(recommender.recommend("user-1", k=2, exclude=best[:1])) == best[1:]
    assert ids(recommender.recommend("user-1", allow=best[1:])) == best[1:]


def test_candidates_that_the_model_lacks_are_found(recommender):
    assert recommender.unknown_candidates(["item-3", "item-new", "item-4", ""]) == ["item-new", ""]
    assert recommender.unknown_candidates([]) == []


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ({"query_time": None, "query_tower": {"kind": "history", "time_intervals": True}}, True),
        ({"query_time": {"knots": 2}, "query_tower": {"kind": "features"}}, True),
        ({"query_time": None, "query_tower": {"kind": "history", "time_intervals": False}}, False),
        ({"query_tower": {"kind": "features"}}, False),
        (None, True),
    ],
)
def test_a_model_records_whether_it_uses_times(serving_dir, tmp_path, model, expected):
    shutil.copytree(serving_dir / "1", tmp_path / "1")
    recorded = {"contract_version": 1} if model is None else {"config": {"model": model}}
    (tmp_path / "1" / TRAINED_FILE).write_text(json.dumps(recorded))
    assert Recommender(tmp_path / "1").uses_times == expected
