"""Gates on what train says nothing of, by hand."""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from components.evaluator import cold_start, executor
from components.evaluator.cold_start import ColdStartFindings, ColdStartScores
from shortlist.config.evaluate import ColdStart
from shortlist.metrics import names

TOP_100 = names.top_k(100)


def newcomer(scores, counts, features=True):
    return ColdStartScores(np.array(scores, float), np.array(counts), features)


def unseen(rows, accuracy):
    """A slice of targets that train never met, among others."""
    return [
        {"slice": {"target_popularity": "head"}, "metrics": {"example_count": 9.0, TOP_100: 1.0}},
        {"slice": {"target_popularity": "unseen in train"}, "metrics": {"example_count": rows, TOP_100: accuracy}},
    ]


def assess(of_slices, corpus=2_000, share=1.0, features=True, **settings):
    # The answer is a share of the 100 popular ones, which are the last, and then the first, which nobody wants.
    scores = np.zeros(corpus)
    scores[-100:][: round(share * 100)] = 2
    scores[: 100 - round(share * 100)] = 1
    return cold_start.assess(of_slices, newcomer(scores, range(corpus), features), ColdStart(**settings))


def _said(found, sentence):
    """Whether a sentence stands among those of gates that passed, and among those that failed, with the remedy."""
    return sentence in found.passed, any(failed.startswith(f"{sentence}: ") for failed in found.failed)


def test_the_popular_share_by_hand():
    counts = np.arange(300)
    assert newcomer(counts, counts).popular_share() == 1.0
    # The answer is 0 to 99, the popular ones are 200 to 299.
    assert newcomer(-counts, counts).popular_share() == 0.0
    # The answer is 150 to 249.
    assert newcomer(-np.abs(counts - 199.4), counts).popular_share() == 0.5


def test_candidates_as_popular_as_the_hundredth_are_popular_too():
    # Three are met twice; all others once, and each of these is as good as any.
    counts = np.array([2, 2, 2] + [1] * 197)
    assert newcomer(np.arange(200), counts).popular_share() == 1.0


def test_where_half_of_all_are_as_popular_as_the_hundredth_any_answer_would_pass():
    # Of 2,000 candidates 40 are met twice and 1,000 once: an answer of those is no better than any.
    counts = np.array([2] * 40 + [1] * 1_000 + [0] * 960)
    found = cold_start.assess([], newcomer(np.arange(2_000) == 1_500, counts), ColdStart())
    assert found.failed == []
    assert "so would any 100 of 2,000 on average: 1,040 are as popular as the 100th" in found.passed[-1]
    # With 900 of them it is a gate again.
    fewer = np.array([2] * 40 + [1] * 900 + [0] * 1_060)
    assert len(cold_start.assess([], newcomer(-fewer, fewer), ColdStart()).failed) == 1


def test_in_a_small_corpus_the_answer_is_all_of_it():
    # Two candidates are popular at all: one of the best two is.
    assert newcomer([1, 2, 3], [3, 0, 1]).popular_share() == 0.5
    assert newcomer([1, 2], [0, 0]).popular_share() == 0.0


@pytest.mark.parametrize(("accuracy", "passed"), [(0.25, True), (0.245, False)])
def test_unseen_candidates_are_measured_against_chance(accuracy, passed):
    # Chance is 100 / 2,000 = 0.05; five times that is 0.25.
    found = assess(unseen(200.0, accuracy))
    assert found.metrics[names.UNSEEN_LIFT] == pytest.approx(accuracy / 0.05)
    # Wilson's 95% interval of 0.25 on 200 rows is 0.195 to 0.314, of 0.245 it is 0.191 to 0.309.
    interval = "3.9 to 6.3" if passed else "3.8 to 6.2"
    sentence = (
        f"top_100_categorical_accuracy {accuracy} of the 200 test rows whose target train never met is "
        f"{accuracy / 0.05:.3g} times chance, 100 of 2,000 (95% interval {interval}); at least 5 is required"
    )
    assert _said(found, sentence) == (passed, not passed)


@pytest.mark.parametrize(
    ("of_slices", "given", "why"),
    [
        (unseen(99.0, 0.0), {}, "(95% interval 0 to 0.75); evaluate.cold_start.min_rows is 100"),
        (unseen(200.0, 0.0), {"corpus": 400}, "5 times is more than all"),
        (unseen(200.0, 0.0), {"features": False}, "without data.candidates.features nothing is known of them"),
        ([], {}, "no test row has a target that train never met"),
        ([], {"corpus": 200, "share": 0.0}, "so would any 100 of 200 on average"),
    ],
)
def test_a_gate_that_cannot_be_applied_says_so(of_slices, given, why):
    found = assess(of_slices, **given)
    assert found.failed == []
    [said] = [said for said in found.passed if why in said]
    assert said.startswith("not gated: ")


def test_at_their_very_bounds_gates_are_applied():
    # Of 500 candidates five times chance is all of them, which is hard and not impossible; 100 rows are enough.
    found = assess(unseen(100.0, 0.99), corpus=500)
    assert [said.partition(";")[2] for said in found.failed] == [
        f" at least 5 is required: {cold_start._UNSEEN_REMEDY}"
    ]
    assert assess(unseen(100.0, 1.0), corpus=500).failed == []
    # Whoever asks for nothing is not told that chance would do.
    [_, said] = assess([], share=0.0, empty_history={"threshold": 0.0}).passed
    assert said.endswith("most popular candidates; at least 0% is required")


def test_chance_in_a_corpus_of_fewer_than_100_is_certainty():
    assert assess(unseen(200.0, 1.0), corpus=50, share=0.5).metrics[names.UNSEEN_LIFT] == 1.0


@pytest.mark.parametrize(("share", "passed"), [(0.5, True), (0.49, False)])
def test_an_empty_history_must_be_answered_with_popular_candidates(share, passed):
    found = assess([], share=share)
    assert found.metrics[names.POPULAR_SHARE] == share
    sentence = (
        f"an empty history is answered with {share:.0%} of the 100 most popular candidates; at least 50% is required"
    )
    assert _said(found, sentence) == (passed, not passed)


@pytest.mark.parametrize("action", ["error", "warn", "ignore"])
def test_what_happens_below_a_floor_is_the_action_s(action):
    floors = {"unseen_candidates": {"threshold": 5, "action": action}, "empty_history": {"threshold": 0.5}}
    floors["empty_history"]["action"] = action
    found = assess(unseen(200.0, 0.1), share=0.1, **floors)
    by_action = {"error": (2, 0), "warn": (0, 2), "ignore": (0, 0)}
    assert (len(found.failed), len(found.warned)) == by_action[action]
    assert found.passed == []
    assert found.metrics == {names.UNSEEN_LIFT: pytest.approx(2.0), names.POPULAR_SHARE: 0.1}


class _Asked(tf.Module):
    """A trained model that is asked at two moments."""

    def __init__(self):
        super().__init__()
        self.candidate_embeddings = tf.Variable([[3.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        self.candidate_counts = tf.Variable([5, 0, 2], dtype=tf.int64)

    @tf.function(input_signature=[])
    def newcomer(self):
        return {"embedding": tf.constant([[1.0, 0.0], [0.0, 1.0]])}


@pytest.mark.parametrize("features", [{}, {"title": {"type": "text"}}])
def test_a_model_is_asked_at_all_its_moments_and_for_its_features(tmp_path, features):
    asked = _Asked()
    tf.saved_model.save(asked, str(tmp_path), signatures={names.COLD_START_SIGNATURE: asked.newcomer})
    (tmp_path / "assets.extra").mkdir()
    trained = {"config": {"data": {"candidate_features": features}}}
    (tmp_path / "assets.extra" / "shortlist.json").write_text(json.dumps(trained))
    found = cold_start.score_empty_query(str(tmp_path))
    # 3, 0 and 1 at one moment, 0, 1 and 1 at the other.
    assert found.scores.tolist() == [1.5, 0.5, 1.0]
    assert found.counts.tolist() == [5, 0, 2]
    assert found.candidates_have_features == bool(features)


def test_a_model_of_an_older_version_cannot_be_asked(tmp_path):
    tf.saved_model.save(_Asked(), str(tmp_path))
    assert cold_start.score_empty_query(str(tmp_path)) is None


def test_what_was_found_is_read_back(tmp_path):
    assert cold_start.read(str(tmp_path)) == ColdStartFindings()
    found = ColdStartFindings({"a": 0.5}, ["failed"], ["warned"], ["told"])
    cold_start.write(found, str(tmp_path))
    assert cold_start.read(str(tmp_path)) == found


def test_a_blessing_is_taken_back(tmp_path):
    blessing = standard_artifacts.ModelBlessing()
    blessing.uri = str(tmp_path)
    pathlib.Path(tmp_path, "BLESSED").touch()
    blessing.set_int_custom_property("blessed", 1)
    executor._refuse(blessing)
    assert blessing.get_int_custom_property("blessed") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["NOT_BLESSED"]
