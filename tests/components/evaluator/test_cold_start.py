"""Cold-start gates, with numbers derived by hand."""

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


def empty_query(scores, counts, features=True):
    return ColdStartScores(np.array(scores, float), np.array(counts), features)


def unseen(rows, accuracy):
    """The slice of targets without train interactions, among others."""
    return [
        {"slice": {"target_popularity": "head"}, "metrics": {"example_count": 9.0, TOP_100: 1.0}},
        {"slice": {"target_popularity": "unseen in train"}, "metrics": {"example_count": rows, TOP_100: accuracy}},
    ]


def assess(slices, corpus=2_000, share=1.0, features=True, **settings):
    # The top 100 hold `share` of the 100 popular candidates, which are the last ones; the rest are the first ones.
    scores = np.zeros(corpus)
    scores[-100:][: round(share * 100)] = 2
    scores[: 100 - round(share * 100)] = 1
    return cold_start.assess(slices, empty_query(scores, range(corpus), features), ColdStart(**settings))


def _outcomes(found, sentence):
    """Whether a sentence is among those of passed gates, and, with a remedy, among those of failed ones."""
    return sentence in found.passed, any(failed.startswith(f"{sentence}: ") for failed in found.failed)


def test_the_popular_share_by_hand():
    counts = np.arange(300)
    assert empty_query(counts, counts).popular_share() == 1.0
    # The best candidates are 0 to 99, the popular ones are 200 to 299.
    assert empty_query(-counts, counts).popular_share() == 0.0
    # The best candidates are 150 to 249.
    assert empty_query(-np.abs(counts - 199.4), counts).popular_share() == 0.5


def test_ties_with_the_hundredth_candidate_count_as_popular():
    # Three have two train interactions; all others have one, and thus all count as popular.
    counts = np.array([2, 2, 2] + [1] * 197)
    assert empty_query(np.arange(200), counts).popular_share() == 1.0


def test_the_gate_is_not_applied_if_a_random_list_would_pass():
    # 40 of 2,000 candidates have two train interactions and 1,000 have one, so that 1,040 count as popular.
    counts = np.array([2] * 40 + [1] * 1_000 + [0] * 960)
    found = cold_start.assess([], empty_query(np.arange(2_000) == 1_500, counts), ColdStart())
    assert found.failed == []
    assert "random list would pass too, since 1,040 of 2,000 candidates are as popular as the 100th" in found.passed[-1]
    # With 940 popular candidates, the gate applies.
    fewer = np.array([2] * 40 + [1] * 900 + [0] * 1_060)
    assert len(cold_start.assess([], empty_query(-fewer, fewer), ColdStart()).failed) == 1


def test_popular_share_in_a_small_corpus():
    # Only two candidates have train interactions; one of them is among the best two.
    assert empty_query([1, 2, 3], [3, 0, 1]).popular_share() == 0.5
    assert empty_query([1, 2], [0, 0]).popular_share() == 0.0


@pytest.mark.parametrize(("accuracy", "passed"), [(0.25, True), (0.245, False)])
def test_unseen_candidates_are_measured_against_chance(accuracy, passed):
    # Chance is 100 / 2,000 = 0.05; five times that is 0.25.
    found = assess(unseen(200.0, accuracy))
    assert found.metrics[names.UNSEEN_LIFT] == pytest.approx(accuracy / 0.05)
    # Wilson's 95% interval of 0.25 on 200 rows is 0.195 to 0.314, of 0.245 it is 0.191 to 0.309.
    interval = "3.9 to 6.3" if passed else "3.8 to 6.2"
    sentence = (
        f"top_100_categorical_accuracy is {accuracy} on 200 test rows whose target has no train interactions, "
        f"{accuracy / 0.05:.3g} times chance, 100 of 2,000 (95% confidence interval {interval}); "
        "at least 5 is required"
    )
    assert _outcomes(found, sentence) == (passed, not passed)


@pytest.mark.parametrize(
    ("slices", "given", "why"),
    [
        (unseen(99.0, 0.0), {}, "(95% confidence interval 0 to 0.75); evaluate.cold_start.min_rows is 100"),
        (unseen(200.0, 0.0), {"corpus": 400}, "5 times chance is more than 100%"),
        (
            unseen(200.0, 0.0),
            {"features": False},
            "without data.candidates.features, new candidates are indistinguishable",
        ),
        ([], {}, "no test row has a target without train interactions"),
        ([], {"corpus": 200, "share": 0.0}, "a random list would pass too"),
    ],
)
def test_a_gate_that_is_not_applied_records_the_reason(slices, given, why):
    found = assess(slices, **given)
    assert found.failed == []
    [said] = [said for said in found.passed if why in said]
    assert said.startswith("not gated: ")


def test_gates_at_their_limits_are_applied():
    # With 500 candidates, five times chance is 100%, which is possible; 100 rows are enough.
    found = assess(unseen(100.0, 0.99), corpus=500)
    assert [said.partition(";")[2] for said in found.failed] == [
        f" at least 5 is required: {cold_start._UNSEEN_REMEDY}"
    ]
    assert assess(unseen(100.0, 1.0), corpus=500).failed == []
    # A threshold of 0 always passes, and a random list is not mentioned.
    [_, said] = assess([], share=0.0, empty_history={"threshold": 0.0}).passed
    assert said.endswith("most popular candidates; at least 0% is required")


def test_chance_in_a_corpus_of_fewer_than_100_is_certainty():
    assert assess(unseen(200.0, 1.0), corpus=50, share=0.5).metrics[names.UNSEEN_LIFT] == 1.0


@pytest.mark.parametrize(("share", "passed"), [(0.5, True), (0.49, False)])
def test_an_empty_history_needs_popular_recommendations(share, passed):
    found = assess([], share=share)
    assert found.metrics[names.POPULAR_SHARE] == share
    sentence = (
        f"recommendations for an empty history include {share:.0%} of the 100 most popular candidates; "
        "at least 50% is required"
    )
    assert _outcomes(found, sentence) == (passed, not passed)


@pytest.mark.parametrize("action", ["error", "warn", "ignore"])
def test_the_action_decides_what_happens_below_a_floor(action):
    floors = {"unseen_candidates": {"threshold": 5, "action": action}, "empty_history": {"threshold": 0.5}}
    floors["empty_history"]["action"] = action
    found = assess(unseen(200.0, 0.1), share=0.1, **floors)
    by_action = {"error": (2, 0), "warn": (0, 2), "ignore": (0, 0)}
    assert (len(found.failed), len(found.warned)) == by_action[action]
    assert found.passed == []
    assert found.metrics == {names.UNSEEN_LIFT: pytest.approx(2.0), names.POPULAR_SHARE: 0.1}


class _Model(tf.Module):
    """A trained model with `query_time`, evaluated at two moments."""

    def __init__(self):
        super().__init__()
        self.candidate_embeddings = tf.Variable([[3.0, 0.0], [0.0, 1.0], [1.0, 1.0]])
        self.candidate_counts = tf.Variable([5, 0, 2], dtype=tf.int64)

    @tf.function(input_signature=[])
    def newcomer(self):
        return {"embedding": tf.constant([[1.0, 0.0], [0.0, 1.0]])}


@pytest.mark.parametrize("features", [{}, {"title": {"type": "text"}}])
def test_scores_are_averaged_over_moments(tmp_path, features):
    model = _Model()
    tf.saved_model.save(model, str(tmp_path), signatures={names.COLD_START_SIGNATURE: model.newcomer})
    (tmp_path / "assets.extra").mkdir()
    trained = {"config": {"data": {"candidate_features": features}}}
    (tmp_path / "assets.extra" / "shortlist.json").write_text(json.dumps(trained))
    found = cold_start.score_empty_query(str(tmp_path))
    # 3, 0 and 1 at one moment, 0, 1 and 1 at the other.
    assert found.scores.tolist() == [1.5, 0.5, 1.0]
    assert found.counts.tolist() == [5, 0, 2]
    assert found.candidates_have_features == bool(features)


def test_a_model_of_an_older_version_has_no_scores(tmp_path):
    tf.saved_model.save(_Model(), str(tmp_path))
    assert cold_start.score_empty_query(str(tmp_path)) is None


def test_findings_survive_writing_and_reading(tmp_path):
    assert cold_start.read(str(tmp_path)) == ColdStartFindings()
    found = ColdStartFindings({"a": 0.5}, ["failed"], ["warned"], ["passed"])
    cold_start.write(found, str(tmp_path))
    assert cold_start.read(str(tmp_path)) == found


def test_a_blessing_is_revoked(tmp_path):
    blessing = standard_artifacts.ModelBlessing()
    blessing.uri = str(tmp_path)
    pathlib.Path(tmp_path, "BLESSED").touch()
    blessing.set_int_custom_property("blessed", 1)
    executor._refuse(blessing)
    assert blessing.get_int_custom_property("blessed") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["NOT_BLESSED"]
