"""Start of a training from an earlier model: its checks, and the new model's first weights."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from components.trainer.bundle import ModelBundle
from components.trainer.settings import Settings
from components.trainer.warm_start import rows, source, tables
from components.trainer.warm_start.rows import SplitRows
from components.trainer.warm_start.settings import check_same_shapes
from components.trainer.warm_start.source import Source
from components.trainer.warm_start.weights import CANDIDATE_IDS, ModelWeights, initial_values
from shortlist.errors import DataError

# Queries with two interactions are train only in split leave_last_out. With a third one, the second is an eval row.
# A daily run has few of these; a split that moved has many, and then eval says nothing.
_MOST_LEFT_OUT = 0.1


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """Files of the windows that the source must not have been trained on."""

    eval: Sequence[str]
    test: Sequence[str]


@dataclasses.dataclass(frozen=True)
class Start:
    """The beginning of a training."""

    record: dict[str, Any]
    """For `shortlist.json`: `reason`, why the training starts from scratch; empty if it does not. Then there are also
    `known_candidates` and `new_candidates`, numbers of candidates with and without a row in the source's table, and
    `left_out`, the number of eval rows that early stopping leaves out."""
    left_out: tuple[int, ...] = ()
    """Content hashes of these eval rows."""
    earlier_rows: np.ndarray = dataclasses.field(default_factory=lambda: np.array([], np.int64))
    """Fingerprints of the rows behind the source's weights."""

    @property
    def is_warm(self) -> bool:
        """Whether the training starts from an earlier model."""
        return not self.record["reason"]


def from_scratch(reason: str) -> Start:
    """Returns the start of a training that has no model to start from."""
    return Start({"reason": reason})


def start(bundle: ModelBundle, train_rows: SplitRows, held_out: HeldOut, source_uri: str) -> Start:
    """Checks the source and sets the weights of a new model to its weights.

    Args:
      bundle: The new model.
      train_rows: Its train rows.
      held_out: Windows that it is evaluated on.
      source_uri: Folder of the artifact of the earlier model.

    Raises:
      ConfigError: The settings of the models differ in the shapes of their weights.
      DataError: The source was trained on today's test rows, or on too many of today's eval rows.
    """
    reason = source.unreadable_reason(source_uri)
    if reason is not None:
        return from_scratch(reason)
    earlier = source.read(source_uri)
    try:
        settings = Settings.from_json(earlier.trained["config"])
    except (KeyError, ValueError) as error:
        # Pydantic's text has a line per key and a URL.
        return from_scratch(f"another version of Shortlist saved it with other settings ({type(error).__name__})")
    check_same_shapes(bundle.settings, settings)
    left_out = check_held_out(earlier.train_rows, train_rows, held_out)
    own = ModelWeights.of(bundle)
    reason = _copy(bundle, own, earlier, train_rows.span)
    if reason is not None:
        return from_scratch(reason)
    known = 0
    ids = own.vocabularies.get(CANDIDATE_IDS, ())
    if ids:
        known = int(np.count_nonzero(tables.match_rows(earlier.vocabularies.get(CANDIDATE_IDS, ()), ids) >= 0))
    record = {
        "reason": "",
        "known_candidates": known,
        "new_candidates": len(ids) - known,
        "left_out": len(left_out),
    }
    return Start(record, left_out, earlier.train_rows)


def check_held_out(earlier: np.ndarray, train_rows: SplitRows, held_out: HeldOut) -> tuple[int, ...]:
    """Returns the content hashes of the eval rows that the source was trained on.

    Args:
      earlier: Sorted fingerprints of the rows behind the source's weights.
      train_rows: Today's train rows.
      held_out: Today's eval and test windows.

    Raises:
      DataError: The source was trained on test rows, or on more than a tenth of the eval rows.
    """
    eval_rows, test_rows = rows.read_rows(held_out.eval), rows.read_rows(held_out.test)
    of_eval = rows.trained_on(earlier, train_rows.fingerprints, eval_rows.fingerprints)
    before_test = np.concatenate([train_rows.fingerprints, eval_rows.fingerprints])
    of_test = rows.trained_on(earlier, before_test, test_rows.fingerprints)
    if of_test.any():
        _refuse("test", int(of_test.sum()), len(of_test))
    if of_eval.sum() > _MOST_LEFT_OUT * len(of_eval):
        _refuse("eval", int(of_eval.sum()), len(of_eval))
    return tuple(sorted(set(eval_rows.windows[of_eval].tolist())))


def _refuse(split: str, number: int, of: int) -> None:
    limit = "none" if split == "test" else f"at most {_MOST_LEFT_OUT:.0%}"
    raise DataError.from_parts(
        "train.warm_start",
        f"{limit} of today's {split} rows among the train rows of the latest blessed model",
        f"{number:,} of {of:,}",
        "hold out later rows than that model did (data.split), or train this run from scratch with "
        "train.warm_start: null",
    )


def _copy(bundle: ModelBundle, own: ModelWeights, earlier: Source, span: tuple[int, int]) -> str | None:
    """Sets the weights; returns the reason if the source does not have them all, and then changes nothing."""
    settings = bundle.settings
    # The gradient of a normalised zero vector has no bound, and Adam would remember it for thousands of steps.
    random_ids = settings.model.normalize and not settings.candidate_features
    try:
        values = initial_values(own, earlier.weights, earlier.vocabularies, (earlier.span, span), random_ids)
    except (KeyError, ValueError) as error:
        # Equal settings give other weights only in another version.
        return f"another version of Shortlist saved it with other weights ({error.args[0]})"
    for weight in own.weights:
        weight.variable.assign(values[weight.name])
    return None
