"""Typed readers of what nodes recorded; older versions wrote less, so that every field has a default."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Protocol

from shortlist.records import properties


class HasProperties(Protocol):
    """An artifact or an execution of any ML Metadata store."""

    @property
    def properties(self) -> Mapping[str, Any]:
        """Its properties and custom properties by name."""


def json_object(value: object) -> dict[str, Any]:
    """Returns the object that a property holds as JSON; an empty one where it holds none."""
    found = _parsed(value)
    return found if isinstance(found, dict) else {}


def json_list(value: object) -> list[Any]:
    """Returns the list that a property holds as JSON; an empty one where it holds none."""
    found = _parsed(value)
    return found if isinstance(found, list) else []


def sentences(recorded: HasProperties | None, name: str) -> list[str]:
    """Returns a property that is a JSON list of sentences; none of an absent artifact."""
    return [str(sentence) for sentence in json_list(recorded.properties.get(name))] if recorded else []


@dataclasses.dataclass(frozen=True)
class Blessing:
    """A verdict of the Evaluator, the Refit, the Indexer or the ServingCheck."""

    blessed: bool
    reasons: list[str]
    warnings: list[str]
    status: str
    """Empty where the Evaluator gave it."""
    figures: dict[str, Any]
    """What the ServingCheck measured; empty for the others."""
    model_id: int | None
    """Artifact id of the model that it is about."""

    @classmethod
    def of(cls, artifact: HasProperties | None) -> Blessing | None:
        """Returns the verdict of an artifact; None where there is none."""
        if artifact is None:
            return None
        found = artifact.properties
        return cls(
            blessed=found.get(properties.BLESSED) == 1,
            reasons=sentences(artifact, properties.REASONS),
            warnings=sentences(artifact, properties.WARNINGS),
            status=str(found.get(properties.STATUS, "")),
            figures=json_object(found.get(properties.FIGURES)),
            model_id=int(found[properties.CURRENT_MODEL_ID]) if properties.CURRENT_MODEL_ID in found else None,
        )


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What the Evaluator measured."""

    metrics: dict[str, float]
    """Over all test rows; empty where an older version left them in files alone."""
    slices: list[dict[str, Any]] | None
    """{"slice": {feature: value}, "metrics": {...}} each; None where an older version did not record them."""
    baseline: dict[str, float]
    """Of the earlier model on the same rows; empty without one."""

    @classmethod
    def of(cls, artifact: HasProperties | None) -> Evaluation | None:
        """Returns the evaluation of an artifact; None where there is none."""
        if artifact is None:
            return None
        found = artifact.properties
        recorded = properties.SLICES in found
        return cls(
            metrics=json_object(found.get(properties.METRICS)),
            slices=json_list(found.get(properties.SLICES)) if recorded else None,
            baseline=json_object(found.get(properties.BASELINE_METRICS)),
        )


@dataclasses.dataclass(frozen=True)
class PushedModel:
    """What the Pusher, a rollback or a forced push did."""

    pushed: bool
    version: int | None
    destination: str
    """Folder of the version; empty where nothing was pushed."""
    reasons: list[str]
    """Why nothing was pushed."""

    @classmethod
    def of(cls, artifact: HasProperties | None) -> PushedModel | None:
        """Returns the push of an artifact; None where there is none."""
        if artifact is None:
            return None
        found = artifact.properties
        pushed = found.get(properties.PUSHED) == 1
        return cls(
            pushed=pushed,
            version=int(found[properties.PUSHED_VERSION]) if pushed and properties.PUSHED_VERSION in found else None,
            destination=str(found.get(properties.PUSHED_DESTINATION, "")),
            reasons=sentences(artifact, properties.REASONS),
        )

    @staticmethod
    def properties_of(version: int, destination: str) -> dict[str, str | int]:
        """Returns the properties of a version that was pushed, as TFX's Pusher writes them."""
        return {
            properties.PUSHED: 1,
            properties.PUSHED_VERSION: str(version),
            properties.PUSHED_DESTINATION: destination,
        }


@dataclasses.dataclass(frozen=True)
class WindowsRecord:
    """What the Windows node counted."""

    stats: dict[str, Any]
    split_fingerprint: str | None
    warnings: list[str]

    @classmethod
    def of(cls, artifact: HasProperties | None) -> WindowsRecord | None:
        """Returns the record of a Windows node's examples; None where there are none."""
        if artifact is None:
            return None
        fingerprint = artifact.properties.get(properties.SPLIT_FINGERPRINT)
        return cls(
            stats=json_object(artifact.properties.get(properties.STATS)),
            split_fingerprint=None if not fingerprint else str(fingerprint),
            warnings=sentences(artifact, properties.WARNINGS),
        )


@dataclasses.dataclass(frozen=True)
class TableRecord:
    """What a node that reads a table counted."""

    rows: int | None
    """None where an older version did not record it."""
    dropped: dict[str, int]
    """Rows by the reasons `properties.DROPPED`."""
    spans: tuple[str, str] | None
    """First and last date of dated spans."""

    @classmethod
    def of(cls, artifact: HasProperties | None) -> TableRecord | None:
        """Returns the record of flat examples; None where there are none."""
        if artifact is None:
            return None
        found = artifact.properties
        counts = {reason: int(found.get(properties.dropped(reason), 0)) for reason in properties.DROPPED}
        has_spans = properties.FIRST_SPAN in found
        return cls(
            rows=int(found[properties.ROWS]) if properties.ROWS in found else None,
            dropped=counts,
            spans=(str(found[properties.FIRST_SPAN]), str(found[properties.LAST_SPAN])) if has_spans else None,
        )


@dataclasses.dataclass(frozen=True)
class BaselineRecord:
    """What the Baseline node found to compare with."""

    skipped: bool
    reason: str
    """Why it was skipped."""
    catalogue_changed: str
    """How today's catalogue differs from the earlier model's; empty where it does not."""

    @classmethod
    def of(cls, artifact: HasProperties | None) -> BaselineRecord | None:
        """Returns the record of a Baseline node's model; None where there is none."""
        if artifact is None:
            return None
        found = artifact.properties
        return cls(
            skipped=found.get(properties.SKIPPED) == 1,
            reason=str(found.get(properties.REASON, "")),
            catalogue_changed=str(found.get(properties.CATALOGUE_CHANGED, "")),
        )


def index_of(model: HasProperties | None) -> dict[str, Any]:
    """Returns what an Indexer or a forced push built and measured; empty where it built none."""
    return json_object(model.properties.get(properties.INDEX)) if model else {}


def refit_of(model: HasProperties | None) -> dict[str, Any]:
    """Returns `steps`, `targets`, `seconds` and `metrics_of` of a refitted model; empty for any other."""
    return json_object(model.properties.get(properties.REFIT)) if model else {}


def tuned_values_of(best: HasProperties | None) -> dict[str, Any]:
    """Returns the values by dotted name that a search found best; empty without a search."""
    return json_object(best.properties.get(properties.TUNED_VALUES)) if best else {}


def _parsed(value: object) -> object:
    try:
        return json.loads(str(value))
    except ValueError:
        return None
