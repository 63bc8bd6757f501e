"""What a model says where train says nothing: of candidates that train never met, and to queries without a past."""

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
"""Written into the evaluation's folder: what `ColdStartFindings` has."""

K = 100
"""How many candidates the figures look at."""

_UNSEEN_REMEDY = (
    "raise model.candidate_tower.id_dropout, set train.loss.mask_unseen_candidates: true, or name more "
    "data.candidates.features"
)
_NEWCOMER_REMEDY = "raise model.query_tower.cold_start_fraction, or model.query_tower.dropout of the features tower"


@dataclasses.dataclass(frozen=True)
class ColdStartScores:
    """How a model answers a query of which nothing is known."""

    scores: np.ndarray
    """[corpus] of all candidates."""
    counts: np.ndarray
    """[corpus], how often each candidate is a train target."""
    candidates_have_features: bool = True
    """Whether the model can tell candidates apart that train never met."""

    @property
    def k(self) -> int:
        """How many answers are looked at: K, or as many candidates as are train targets at all where they are fewer."""
        return min(K, int(np.count_nonzero(self.counts)))

    @property
    def popular(self) -> np.ndarray:
        """[corpus], which candidates count as the `k` most popular.

        All that are as popular as the k-th are among them: which ones of equals come first says nothing.
        """
        return self.counts >= (np.sort(self.counts)[-self.k] if self.k else np.inf)

    def popular_share(self) -> float:
        """Returns how many of the best `k` are popular, as a share of `k`; 0 where train has no targets."""
        answer = np.argsort(-self.scores, kind="stable")[: self.k]
        return float(self.popular[answer].mean()) if self.k else 0.0


@dataclasses.dataclass(frozen=True)
class ColdStartFindings:
    """The figures, and what the gates say of them."""

    metrics: dict[str, float] = dataclasses.field(default_factory=dict)
    """By name; what could not be measured is not among them."""
    failed: list[str] = dataclasses.field(default_factory=list)
    """A sentence for each gate that says no."""
    warned: list[str] = dataclasses.field(default_factory=list)
    """A sentence for each that would, and is only to warn."""
    passed: list[str] = dataclasses.field(default_factory=list)
    """A sentence for each gate that passed, and for each that could not be applied, why."""

    def judge(self, floor: Floor, value: float, said: str, remedy: str) -> None:
        """Files what is said of a figure under what its gate makes of it."""
        if floor.action == "ignore":
            return
        if value >= floor.threshold:
            self.passed.append(said)
        else:
            (self.failed if floor.action == "error" else self.warned).append(f"{said}: {remedy}")

    def skip(self, floor: Floor, why: str) -> None:
        """Says why a gate was not applied, unless nobody asked for it."""
        if floor.action != "ignore":
            self.passed.append(f"not gated: {why}")


def assess(of_slices: Sequence[Mapping[str, Any]], newcomer: ColdStartScores, settings: ColdStart) -> ColdStartFindings:
    """Returns the figures of a model and what the two gates say of them.

    Args:
      of_slices: The evaluation's slices, as `verdict.read_evaluation` returns them.
      newcomer: What the model answers.
      settings: The gates' floors.
    """
    findings = ColdStartFindings()
    _assess_unseen(of_slices, newcomer, settings, findings)
    _assess_newcomer(newcomer, settings.empty_history, findings)
    return findings


def _assess_unseen(
    of_slices: Sequence[Mapping[str, Any]], newcomer: ColdStartScores, settings: ColdStart, findings: ColdStartFindings
) -> None:
    floor = settings.unseen_candidates
    wanted = {keys.TARGET_POPULARITY: names.UNSEEN}
    found = next((entry["metrics"] for entry in of_slices if entry["slice"] == wanted), None)
    if found is None:
        findings.skip(floor, "no test row has a target that train never met")
        return
    rows, accuracy = int(found[names.EXAMPLE_COUNT]), found[names.top_k(K)]
    corpus_size = len(newcomer.counts)
    chance = min(1.0, K / max(corpus_size, 1))
    findings.metrics[names.UNSEEN_LIFT] = accuracy / chance
    low, high = (bound / chance for bound in wilson(accuracy, rows))
    said = (
        f"top_{K}_categorical_accuracy {accuracy:.4g} of the {rows:,} test rows whose target train never met is "
        f"{accuracy / chance:.3g} times chance, {K} of {corpus_size:,} (95% interval {low:.2g} to {high:.2g})"
    )
    if rows < settings.min_rows:
        findings.skip(floor, f"{said}; evaluate.cold_start.min_rows is {settings.min_rows:,}")
    elif floor.threshold * chance > 1.0:
        findings.skip(floor, f"{said}; {floor.threshold:g} times is more than all")
    elif not newcomer.candidates_have_features:
        findings.skip(floor, f"{said}; without data.candidates.features nothing is known of them")
    else:
        findings.judge(floor, accuracy / chance, f"{said}; at least {floor.threshold:g} is required", _UNSEEN_REMEDY)


def _assess_newcomer(newcomer: ColdStartScores, floor: Floor, findings: ColdStartFindings) -> None:
    share, corpus_size = newcomer.popular_share(), len(newcomer.counts)
    findings.metrics[names.POPULAR_SHARE] = share
    said = f"an empty history is answered with {share:.0%} of the {newcomer.k:,} most popular candidates"
    popular = int(newcomer.popular.sum())
    if 0.0 < corpus_size * floor.threshold <= popular:
        findings.skip(
            floor,
            f"{said}, and so would any {newcomer.k:,} of {corpus_size:,} on average: {popular:,} are as popular as the "
            f"{newcomer.k:,}th",
        )
    else:
        findings.judge(floor, share, f"{said}; at least {floor.threshold:.0%} is required", _NEWCOMER_REMEDY)


def write(findings: ColdStartFindings, evaluation_uri: str) -> None:
    """Writes what was found into the folder of an evaluation."""
    import tensorflow as tf

    with tf.io.gfile.GFile(os.path.join(evaluation_uri, FILE), "w") as file:
        file.write(json.dumps(dataclasses.asdict(findings), indent=2, sort_keys=True))


def read(evaluation_uri: str) -> ColdStartFindings:
    """Returns what was found; nothing where an older version evaluated."""
    import tensorflow as tf

    path = os.path.join(evaluation_uri, FILE)
    if not tf.io.gfile.exists(path):
        return ColdStartFindings()
    with tf.io.gfile.GFile(path, "r") as file:
        return ColdStartFindings(**json.loads(file.read()))


def score_empty_query(model_dir: str) -> ColdStartScores | None:
    """Returns what a trained model answers to a query of which nothing is known; None where it has no such signature.

    A model that follows the time is asked at moments evenly spaced over train, and its scores are averaged: what is
    compared with is popular over all of train.

    Args:
      model_dir: The Trainer's SavedModel.
    """
    import tensorflow as tf

    model = tf.saved_model.load(model_dir)
    if names.COLD_START_SIGNATURE not in model.signatures:
        return None
    embeddings = model.signatures[names.COLD_START_SIGNATURE]()[keys.EMBEDDING].numpy()
    scores = embeddings.astype(np.float64) @ model.candidate_embeddings.numpy().astype(np.float64).T
    with tf.io.gfile.GFile(os.path.join(model_dir, TRAINED_FILE), "r") as file:
        trained = json.loads(file.read())
    features = trained["config"]["data"]["candidate_features"]
    return ColdStartScores(scores.mean(axis=0), model.candidate_counts.numpy(), bool(features))
