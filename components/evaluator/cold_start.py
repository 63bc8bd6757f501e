"""Cold-start metrics and gates: candidates without train interactions, and queries without a history."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from shortlist import keys
from shortlist.config.evaluate import ColdStart, Floor
from shortlist.metrics import names
from shortlist.metrics.intervals import wilson
from shortlist.model_files import TRAINED_FILE

FILE = "cold_start.json"
"""File with the fields of `ColdStartFindings`, in the evaluation's folder."""
# The file's key for `ColdStartFindings.passed`; files keep their keys.
_PASSED_KEY = "told"

K = 100
"""Length of the list of recommendations behind both metrics."""

_UNSEEN_REMEDY = (
    "raise model.candidate_tower.id_dropout, set train.loss.mask_unseen_candidates: true, or add "
    "data.candidates.features"
)
_EMPTY_HISTORY_REMEDY = (
    "raise model.query_tower.cold_start_fraction, or model.query_tower.dropout of the features tower"
)


@dataclasses.dataclass(frozen=True)
class ColdStartScores:
    """A model's scores for a query without id, features and history."""

    scores: np.ndarray
    """[corpus] The score of each candidate."""
    counts: np.ndarray
    """[corpus] The number of times that each candidate is a train target."""
    candidates_have_features: bool = True
    """Whether candidates have features; without them, candidates without train interactions all look the same."""

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
    """The cold-start metrics and the outcome of their gates."""

    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    """Metrics by name; metrics that cannot be computed are absent."""
    failed: list[str] = dataclasses.field(default_factory=list)
    """A sentence for each gate that failed with action `error`."""
    warned: list[str] = dataclasses.field(default_factory=list)
    """A sentence for each gate that failed with action `warn`."""
    passed: list[str] = dataclasses.field(default_factory=list)
    """A sentence for each gate that passed, and a reason for each gate that was not applied."""

    def judge(self, floor: Floor, value: float, sentence: str, remedy: str) -> None:
        """Adds the sentence on a metric to `passed`, or together with the remedy to `failed` or `warned`."""
        if floor.action == "ignore":
            return
        if value >= floor.threshold:
            self.passed.append(sentence)
        elif floor.action == "error":
            self.failed.append(f"{sentence}: {remedy}")
        else:
            self.warned.append(f"{sentence}: {remedy}")

    def skip(self, floor: Floor, reason: str) -> None:
        """Records the reason why a gate is not applied; nothing if its action is `ignore`."""
        if floor.action != "ignore":
            self.passed.append(f"not gated: {reason}")


def assess(slices: Sequence[Mapping[str, Any]], scores: ColdStartScores, settings: ColdStart) -> ColdStartFindings:
    """Returns the cold-start metrics of a model and the outcome of the two gates.

    Args:
      slices: The evaluation's slices, as `verdict.read_evaluation` returns them.
      scores: The model's scores for an empty query.
      settings: The section `evaluate.cold_start`.
    """
    findings = ColdStartFindings()
    _assess_unseen(slices, scores, settings, findings)
    _assess_empty_history(scores, settings.empty_history, findings)
    return findings


def _assess_unseen(
    slices: Sequence[Mapping[str, Any]], scores: ColdStartScores, settings: ColdStart, findings: ColdStartFindings
) -> None:
    floor = settings.unseen_candidates
    unseen = {keys.TARGET_POPULARITY: names.UNSEEN}
    metrics = next((entry["metrics"] for entry in slices if entry["slice"] == unseen), None)
    if metrics is None or names.top_k(K) not in metrics:
        findings.skip(floor, "no test row has a target without train interactions")
        return
    rows, accuracy = int(names.counted_rows(metrics)), metrics[names.top_k(K)]
    corpus_size = len(scores.counts)
    chance = min(1.0, K / max(corpus_size, 1))
    findings.metrics[names.UNSEEN_LIFT] = accuracy / chance
    # On few rows the interval is wide: with 100 rows at 5 times a chance of 0.05, it is about 3.5 to 6.9 times chance.
    low, high = (bound / chance for bound in wilson(accuracy, rows))
    result = (
        f"top_{K}_categorical_accuracy is {accuracy:.4g} on {rows:,} test rows whose target has no train interactions, "
        f"{accuracy / chance:.3g} times chance, {K} of {corpus_size:,} "
        f"(95% confidence interval {low:.2g} to {high:.2g})"
    )
    if rows < settings.min_rows:
        findings.skip(floor, f"{result}; evaluate.cold_start.min_rows is {settings.min_rows:,}")
    elif floor.threshold * chance > 1.0:
        findings.skip(floor, f"{result}; {floor.threshold:g} times chance is more than 100%")
    elif not scores.candidates_have_features:
        findings.skip(floor, f"{result}; without data.candidates.features, new candidates are indistinguishable")
    else:
        findings.judge(floor, accuracy / chance, f"{result}; at least {floor.threshold:g} is required", _UNSEEN_REMEDY)


def _assess_empty_history(scores: ColdStartScores, floor: Floor, findings: ColdStartFindings) -> None:
    share, corpus_size = scores.popular_share(), len(scores.counts)
    findings.metrics[names.POPULAR_SHARE] = share
    result = f"recommendations for an empty history include {share:.0%} of the {scores.k:,} most popular candidates"
    popular = int(scores.popular.sum())
    # With this many ties, a random list passes on average.
    if 0.0 < corpus_size * floor.threshold <= popular:
        findings.skip(
            floor,
            f"{result}; a random list would pass too, since {popular:,} of {corpus_size:,} candidates are as popular "
            f"as the {scores.k:,}th",
        )
    else:
        findings.judge(floor, share, f"{result}; at least {floor.threshold:.0%} is required", _EMPTY_HISTORY_REMEDY)


def write(findings: ColdStartFindings, evaluation_uri: str) -> None:
    """Writes the findings into the folder of an evaluation."""
    import tensorflow as tf

    with tf.io.gfile.GFile(os.path.join(evaluation_uri, FILE), "w") as file:
        found = dataclasses.asdict(findings)
        found[_PASSED_KEY] = found.pop("passed")
        file.write(json.dumps(found, indent=2, sort_keys=True))


def read(evaluation_uri: str) -> ColdStartFindings:
    """Returns the findings of an evaluation; empty ones if an older version of Shortlist made it."""
    import tensorflow as tf

    path = os.path.join(evaluation_uri, FILE)
    if not tf.io.gfile.exists(path):
        return ColdStartFindings()
    with tf.io.gfile.GFile(path, "r") as file:
        found = json.loads(file.read())
        found["passed"] = found.pop(_PASSED_KEY)
        return ColdStartFindings(**found)


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
    features = trained["config"]["data"]["candidate_features"]
    return ColdStartScores(scores.mean(axis=0), model.candidate_counts.numpy(), bool(features))
