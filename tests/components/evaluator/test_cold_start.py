"""Cold-start gates, with numbers derived by hand."""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from components.evaluator import cold_start, executor, remedies
from components.evaluator.cold_start import ColdStartFindings, ColdStartScores
from components.evaluator.remedies import TrainedSettings
from shortlist.config.evaluate import ColdStart
from shortlist.metrics import names
from shortlist.verdicts import Gate, Result

TOP_100 = names.top_k(100)


def empty_query(scores, counts, features=True):
    settings = TrainedSettings(id_dropout=0.2, feature_types={"title": "text"} if features else {})
    return ColdStartScores(np.array(scores, float), np.array(counts), settings)


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


def _gate(found, gate):
    [result] = [result for result in found.gates if result.gate is gate]
    return result.result, result.sentence


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
    assert _gate(found, Gate.NEW_USERS) == (
        Result.NOT_JUDGED,
        "not judged: a random list would pass too, since 1,040 of 2,000 candidates are as popular as the 100th",
    )
    # With 940 popular candidates, the gate applies.
    fewer = np.array([2] * 40 + [1] * 900 + [0] * 1_060)
    found = cold_start.assess([], empty_query(-fewer, fewer), ColdStart())
    assert _gate(found, Gate.NEW_USERS)[0] is Result.FAILED


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
        f"HR@100 {accuracy:.3f} on 200 test rows: {accuracy / 0.05:.1f} times chance (95%: {interval}); required 5"
    )
    if not passed:
        sentence += f"; {remedies.new_items(empty_query([], []).settings)}"
    assert _gate(found, Gate.NEW_ITEMS) == (Result.PASSED if passed else Result.FAILED, sentence)


def test_a_multiple_of_chance_is_not_rounded_up_to_the_bound():
    # 0.2495 / 0.05 is 4.99, which rounds to 5.0.
    _, sentence = _gate(assess(unseen(2_000.0, 0.2495)), Gate.NEW_ITEMS)
    assert ": 4.99 times chance" in sentence


@pytest.mark.parametrize(
    ("slices", "given", "why"),
    [
        (unseen(99.0, 0.0), {}, "99 test rows; required 100"),
        (unseen(200.0, 0.0), {"corpus": 400}, "5 times chance is more than 100%: 400 candidates"),
        (
            unseen(200.0, 0.0),
            {"features": False},
            "without data.candidates.features, new items are indistinguishable",
        ),
        ([], {}, "no test row has a target without train interactions"),
        # Chance is 100 / 20,000 = 0.005, and 5 times that 0.025.
        (
            unseen(399.0, 0.0),
            {"corpus": 20_000},
            "5 times chance is 9.97 hits on 399 test rows, the model has 0; required 10 to judge",
        ),
    ],
)
def test_a_gate_that_is_not_applied_records_the_reason(slices, given, why):
    assert _gate(assess(slices, **given), Gate.NEW_ITEMS) == (Result.NOT_JUDGED, f"not judged: {why}")


def test_gates_at_their_limits_are_applied():
    # With 500 candidates, five times chance is 100%, which is possible; 100 rows are enough.
    assert _gate(assess(unseen(100.0, 0.99), corpus=500), Gate.NEW_ITEMS)[0] is Result.FAILED
    assert _gate(assess(unseen(100.0, 1.0), corpus=500), Gate.NEW_ITEMS)[0] is Result.PASSED
    # 400 rows at 0.025 are 10 hits.
    assert _gate(assess(unseen(400.0, 0.0), corpus=20_000), Gate.NEW_ITEMS)[0] is Result.FAILED
    # A threshold of 0 always passes, and a random list is not mentioned.
    found = assess([], share=0.0, empty_history={"threshold": 0.0})
    expected = "0 of their 100 answers are among the 100 most popular; required 0"
    assert _gate(found, Gate.NEW_USERS) == (Result.PASSED, expected)


def test_chance_in_a_corpus_of_fewer_than_100_is_certainty():
    assert assess(unseen(200.0, 1.0), corpus=50, share=0.5).metrics[names.UNSEEN_LIFT] == 1.0


@pytest.mark.parametrize(("share", "passed"), [(0.5, True), (0.49, False)])
def test_an_empty_history_needs_popular_recommendations(share, passed):
    found = assess([], share=share)
    assert found.metrics[names.POPULAR_SHARE] == share
    sentence = f"{round(share * 100)} of their 100 answers are among the 100 most popular; required 50"
    if not passed:
        sentence += f"; {remedies.new_users(empty_query([], []).settings)}"
    assert _gate(found, Gate.NEW_USERS) == (Result.PASSED if passed else Result.FAILED, sentence)


@pytest.mark.parametrize(
    ("action", "result"),
    [("error", Result.FAILED), ("warn", Result.WARNED), ("ignore", Result.NOT_JUDGED)],
)
def test_the_action_decides_what_happens_below_a_floor(action, result):
    floors = {"unseen_candidates": {"threshold": 5, "action": action}, "empty_history": {"threshold": 0.5}}
    floors["empty_history"]["action"] = action
    found = assess(unseen(200.0, 0.1), share=0.1, **floors)
    assert [gate.result for gate in found.gates] == [result, result]
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
    assert found.settings.feature_types == {name: feature["type"] for name, feature in features.items()}


def test_a_model_of_an_older_version_has_no_scores(tmp_path):
    tf.saved_model.save(_Model(), str(tmp_path))
    assert cold_start.score_empty_query(str(tmp_path)) is None


def test_findings_survive_writing_and_reading(tmp_path):
    assert cold_start.read(str(tmp_path)) == ColdStartFindings()
    found = ColdStartFindings({"a": 0.5}, assess(unseen(200.0, 0.25)).gates)
    cold_start.write(found, str(tmp_path))
    assert cold_start.read(str(tmp_path)) == found
    # Version 0.1 wrote sentences.
    (tmp_path / cold_start.FILE).write_text('{"metrics": {"a": 0.5}, "failed": [], "warned": [], "told": ["passed"]}')
    assert cold_start.read(str(tmp_path)) == ColdStartFindings({"a": 0.5})


def test_a_blessing_is_revoked(tmp_path):
    blessing = standard_artifacts.ModelBlessing()
    blessing.uri = str(tmp_path)
    pathlib.Path(tmp_path, "BLESSED").touch()
    blessing.set_int_custom_property("blessed", 1)
    executor._refuse(blessing)
    assert blessing.get_int_custom_property("blessed") == 0
    assert [path.name for path in tmp_path.iterdir()] == ["NOT_BLESSED"]
