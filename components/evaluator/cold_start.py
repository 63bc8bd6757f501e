"""Cold-start metrics and gates: candidates without train interactions, and queries without a history."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from components.evaluator import remedies
from components.evaluator.remedies import NEW_ITEMS_KEY, NEW_USERS_KEY, TrainedSettings
from shortlist import keys
from shortlist.config.evaluate import ColdStart, Floor
from shortlist.metrics import names
from shortlist.metrics.intervals import wilson
from shortlist.model_files import TRAINED_FILE
from shortlist.verdicts import Gate, GateResult, Result, beside, hit_rate, short_share

FILE = "cold_start.json"
"""File with the fields of `ColdStartFindings`, in the evaluation's folder."""

K = 100
"""Length of the list of recommendations behind both metrics."""

_MIN_HITS = 10.0
"""Hits that a model at the threshold has on average: with fewer, chance decides. With 10, the standard error is a third
of the threshold. In 200,000 candidates, 680 rows at 5 times chance have 1.7 hits (decision 14)."""


@dataclasses.dataclass(frozen=True)
class ColdStartScores:
    """A model's scores for a query without id, features and history."""

    scores: np.ndarray
    """[corpus] The score of each candidate."""
    counts: np.ndarray
    """[corpus] The number of times that each candidate is a train target."""
    settings: TrainedSettings = dataclasses.field(default_factory=TrainedSettings)
    """Settings of the model. Without features, candidates without train interactions all look the same."""

    @property
    def k(self) -> int:
        """Length of the compared lists: K, or the number of candidates with train interactions if that is smaller."""
        return min(K, int(np.count_nonzero(self.counts)))

    @property
    def popular(self) -> np.ndarray:
        """[corpus] Whether each candidate counts as one of the `k` most popular.

        Every candidate that is as popular as the k-th counts, since the order among equals is arbitrary.
        """
        if not self.k:
            return np.zeros(len(self.counts), bool)
        return self.counts >= np.sort(self.counts)[-self.k]

    def popular_share(self) -> float:
        """Returns the share of popular candidates among the best `k`; 0 without train targets."""
        if not self.k:
            return 0.0
        best = np.argsort(-self.scores, kind="stable")[: self.k]
        return float(self.popular[best].mean())


@dataclasses.dataclass(frozen=True)
class ColdStartFindings:
    """The cold-start metrics and the results of their gates."""

    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    """Metrics by name; metrics that cannot be computed are absent."""
    gates: list[GateResult] = dataclasses.field(default_factory=list)


def assess(slices: Sequence[Mapping[str, Any]], scores: ColdStartScores, settings: ColdStart) -> ColdStartFindings:
    """Returns the cold-start metrics of a model and the results of the two gates.

    Args:
      slices: The evaluation's slices, as `verdict.read_evaluation` returns them.
      scores: The model's scores for an empty query.
      settings: The section `evaluate.cold_start`.
    """
    share = scores.popular_share()
    metrics = {names.POPULAR_SHARE: share}
    gates = [_judge_new_users(share, scores, settings.empty_history)]
    unseen = {keys.TARGET_POPULARITY: names.UNSEEN}
    of_unseen = next((entry["metrics"] for entry in slices if entry["slice"] == unseen), None)
    if of_unseen is None or names.top_k(K) not in of_unseen:
        gates.append(_not_judged(Gate.NEW_ITEMS, "no test row has a target without train interactions"))
    else:
        metrics[names.UNSEEN_LIFT] = of_unseen[names.top_k(K)] / _chance(scores)
        gates.append(_judge_new_items(of_unseen, scores, settings))
    return ColdStartFindings(metrics, gates)


def _chance(scores: ColdStartScores) -> float:
    return min(1.0, K / max(len(scores.counts), 1))


def _judge_new_users(share: float, scores: ColdStartScores, floor: Floor) -> GateResult:
    gate, k, corpus_size = Gate.NEW_USERS, scores.k, len(scores.counts)
    popular = int(scores.popular.sum())
    if floor.action == "ignore":
        return _not_judged(gate, f"{NEW_USERS_KEY}.action is ignore")
    # With this many ties, a random list passes on average.
    if 0.0 < corpus_size * floor.threshold <= popular:
        return _not_judged(
            gate,
            f"a random list would pass too, since {popular:,} of {corpus_size:,} candidates are as popular as the "
            f"{k:,}th",
        )
    sentence = (
        f"{round(share * k):,} of their {k:,} answers are among the {k:,} most popular; "
        f"required {floor.threshold * k:g}"
    )
    return _judged(gate, floor, share, sentence, remedies.new_users(scores.settings))


def _judge_new_items(metrics: Mapping[str, float], scores: ColdStartScores, settings: ColdStart) -> GateResult:
    gate, floor, corpus_size = Gate.NEW_ITEMS, settings.unseen_candidates, len(scores.counts)
    rows, accuracy, chance = int(names.counted_rows(metrics)), metrics[names.top_k(K)], _chance(scores)
    if floor.action == "ignore":
        return _not_judged(gate, f"{NEW_ITEMS_KEY}.action is ignore")
    if rows < settings.min_rows:
        return _not_judged(gate, f"{rows:,} test rows; required {settings.min_rows:,}")
    if floor.threshold * chance > 1.0:
        return _not_judged(gate, f"{floor.threshold:g} times chance is more than 100%: {corpus_size:,} candidates")
    if not scores.settings.feature_types:
        return _not_judged(gate, "without data.candidates.features, new items are indistinguishable")
    required_hits = rows * floor.threshold * chance
    if 0.0 < required_hits < _MIN_HITS:
        return _not_judged(
            gate,
            f"{floor.threshold:g} times chance is {beside(required_hits, _MIN_HITS)} hits on {rows:,} test rows, the "
            f"model has {round(accuracy * rows):,}; required {_MIN_HITS:g} to judge",
        )
    # On few rows the interval is wide: with 100 rows at 5 times a chance of 0.05, it is about 3.5 to 6.9 times chance.
    low, high = (bound / chance for bound in wilson(accuracy, rows))
    sentence = (
        f"{hit_rate(names.top_k(K))} {short_share(accuracy)} on {rows:,} test rows: "
        f"{beside(accuracy / chance, floor.threshold)} times chance (95%: {low:.1f} to {high:.1f}); "
        f"required {floor.threshold:g}"
    )
    return _judged(gate, floor, accuracy / chance, sentence, remedies.new_items(scores.settings), names.top_k(K))


def _judged(gate: Gate, floor: Floor, value: float, sentence: str, remedy: str, metric: str = "") -> GateResult:
    result = Result.PASSED
    if value < floor.threshold:
        result = Result.FAILED if floor.action == "error" else Result.WARNED
        sentence = f"{sentence}; {remedy}"
    return GateResult(gate=gate, result=result, sentence=sentence, metric=metric, value=value, required=floor.threshold)


def _not_judged(gate: Gate, reason: str) -> GateResult:
    return GateResult(gate=gate, result=Result.NOT_JUDGED, sentence=f"not judged: {reason}")


def write(findings: ColdStartFindings, evaluation_uri: str) -> None:
    """Writes the findings into the folder of an evaluation."""
    import tensorflow as tf

    with tf.io.gfile.GFile(os.path.join(evaluation_uri, FILE), "w") as file:
        gates = [gate.model_dump(mode="json") for gate in findings.gates]
        file.write(json.dumps({"metrics": findings.metrics, "gates": gates}, indent=2, sort_keys=True))


def read(evaluation_uri: str) -> ColdStartFindings:
    """Returns the findings of an evaluation; empty ones if an older version of Shortlist made it."""
    import tensorflow as tf

    path = os.path.join(evaluation_uri, FILE)
    if not tf.io.gfile.exists(path):
        return ColdStartFindings()
    with tf.io.gfile.GFile(path, "r") as file:
        found = json.loads(file.read())
        # Older versions wrote sentences instead of results.
        return ColdStartFindings(found["metrics"], [GateResult(**gate) for gate in found.get("gates", [])])


def score_empty_query(model_dir: str) -> ColdStartScores | None:
    """Returns a trained model's scores for a query without id, features and history; None without such a signature.

    A model with `query_time` is evaluated at moments that are evenly spaced over train, and its scores are averaged.
    The comparison is with the popularity over all of train.

    Args:
      model_dir: Folder of the Trainer's SavedModel.
    """
    import tensorflow as tf

    model = tf.saved_model.load(model_dir)
    if names.COLD_START_SIGNATURE not in model.signatures:
        return None
    embeddings = model.signatures[names.COLD_START_SIGNATURE]()[keys.EMBEDDING].numpy()
    # In float64, for the reason that `ranks` gives.
    scores = embeddings.astype(np.float64) @ model.candidate_embeddings.numpy().astype(np.float64).T
    with tf.io.gfile.GFile(os.path.join(model_dir, TRAINED_FILE), "r") as file:
        trained = json.loads(file.read())
    settings = TrainedSettings.of(trained["config"])
    return ColdStartScores(scores.mean(axis=0), model.candidate_counts.numpy(), settings)
