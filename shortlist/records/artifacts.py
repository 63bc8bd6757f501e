"""Typed readers of nodes' records; every field has a default, because older versions recorded less."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Protocol

from shortlist.records import properties
from shortlist.verdicts import GateResult


class HasProperties(Protocol):
    """An artifact or an execution of any ML Metadata store."""

    @property
    def properties(self) -> Mapping[str, Any]:
        """Properties and custom properties by name."""


def json_object(value: object) -> dict[str, Any]:
    """Returns the JSON object of a property; an empty one if the property is absent or different."""
    found = _parsed(value)
    return found if isinstance(found, dict) else {}


def json_list(value: object) -> list[Any]:
    """Returns the JSON list of a property; an empty one if the property is absent or different."""
    found = _parsed(value)
    return found if isinstance(found, list) else []


def sentences(owner: HasProperties | None, name: str) -> list[str]:
    """Returns a property that is a JSON list of sentences; an empty list for an absent artifact."""
    return [str(sentence) for sentence in json_list(_property(owner, name))]


@dataclasses.dataclass(frozen=True)
class Blessing:
    """A verdict of the Evaluator, the Refit, the Indexer or the ServingCheck."""

    blessed: bool
    reasons: list[str]
    warnings: list[str]
    status: str
    """Empty for a verdict of the Evaluator."""
    figures: dict[str, Any]
    """Measurements of the ServingCheck; empty for the other nodes."""
    model_id: int | None
    """Artifact id of the model."""
    gates: list[GateResult] = dataclasses.field(default_factory=list)
    """Results of the Evaluator's gates; empty for the other nodes and in records of older versions."""

    @classmethod
    def of(cls, artifact: HasProperties | None) -> Blessing | None:
        """Returns the verdict of an artifact; None for an absent one."""
        if artifact is None:
            return None
        found = artifact.properties
        return cls(
            blessed=found.get(properties.BLESSED) == 1,
            reasons=sentences(artifact, properties.REASONS),
            warnings=sentences(artifact, properties.WARNINGS),
            gates=_gates(artifact),
            status=str(found.get(properties.STATUS, "")),
            figures=json_object(found.get(properties.FIGURES)),
            model_id=whole_number(found.get(properties.CURRENT_MODEL_ID)),
        )


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Measurements of the Evaluator."""

    metrics: dict[str, float]
    """Over all test rows; empty if an older version wrote them only to files."""
    slices: list[dict[str, Any]] | None
    """Entries {"slice": {feature: value}, "metrics": {...}}; None if an older version did not record them."""
    baseline: dict[str, float]
    """Metrics of the earlier model on the same rows; empty without one."""

    @classmethod
    def of(cls, artifact: HasProperties | None) -> Evaluation | None:
        """Returns the evaluation of an artifact; None for an absent one."""
        if artifact is None:
            return None
        found = artifact.properties
        slices = None
        if properties.SLICES in found:
            slices = json_list(found[properties.SLICES])
        return cls(
            metrics=json_object(found.get(properties.METRICS)),
            slices=slices,
            baseline=json_object(found.get(properties.BASELINE_METRICS)),
        )


@dataclasses.dataclass(frozen=True)
class PushedModel:
    """Result of the Pusher, a rollback or a forced push."""

    pushed: bool
    version: int | None
    destination: str
    """Folder of the version; empty if nothing was pushed."""
    reasons: list[str]
    """Reasons for not pushing."""

    @classmethod
    def of(cls, artifact: HasProperties | None) -> PushedModel | None:
        """Returns the push of an artifact; None for an absent one."""
        if artifact is None:
            return None
        found = artifact.properties
        pushed = found.get(properties.PUSHED) == 1
        version = None
        if pushed:
            version = whole_number(found.get(properties.PUSHED_VERSION))
        return cls(
            pushed=pushed,
            version=version,
            destination=str(found.get(properties.PUSHED_DESTINATION, "")),
            reasons=sentences(artifact, properties.REASONS),
        )

    @staticmethod
    def properties_of(version: int, destination: str) -> dict[str, str | int]:
        """Returns the properties of a pushed version, in the format of TFX's Pusher."""
        return {
            properties.PUSHED: 1,
            properties.PUSHED_VERSION: str(version),
            properties.PUSHED_DESTINATION: destination,
        }


@dataclasses.dataclass(frozen=True)
class WindowsRecord:
    """Counts of the Windows node."""

    stats: dict[str, Any]
    split_fingerprint: str | None
    warnings: list[str]
    cuts: dict[str, str]
    """The times of `properties.CUTS` as text; empty with other splits than temporal."""

    @classmethod
    def of(cls, artifact: HasProperties | None) -> WindowsRecord | None:
        """Returns the record of a Windows node's examples; None for absent ones."""
        if artifact is None:
            return None
        fingerprint = artifact.properties.get(properties.SPLIT_FINGERPRINT)
        return cls(
            stats=json_object(artifact.properties.get(properties.STATS)),
            split_fingerprint=str(fingerprint) if fingerprint else None,
            warnings=sentences(artifact, properties.WARNINGS),
            cuts={name: str(artifact.properties[name]) for name in properties.CUTS if name in artifact.properties},
        )


@dataclasses.dataclass(frozen=True)
class TableRecord:
    """Counts of a node that reads a table."""

    rows: int | None
    """None if an older version did not record it."""
    dropped: dict[str, int]
    """Number of dropped rows by the reasons in `properties.DROPPED`."""
    spans: tuple[str, str] | None
    """First and last date of dated spans."""

    @classmethod
    def of(cls, artifact: HasProperties | None) -> TableRecord | None:
        """Returns the record of flat examples; None for absent ones."""
        if artifact is None:
            return None
        found = artifact.properties
        spans = None
        if properties.FIRST_SPAN in found:
            spans = str(found[properties.FIRST_SPAN]), str(found[properties.LAST_SPAN])
        return cls(
            rows=whole_number(found.get(properties.ROWS)),
            dropped={reason: int(found.get(properties.dropped(reason), 0)) for reason in properties.DROPPED},
            spans=spans,
        )


@dataclasses.dataclass(frozen=True)
class BaselineRecord:
    """Result of the Baseline node."""

    skipped: bool
    reason: str
    """Reason for skipping the comparison."""
    catalogue_changed: str
    """Difference of today's catalogue from the earlier model's; empty if there is none."""
    features_changed: str
    """Features of today's model that the earlier one does not read, as a clause; empty if there are none."""

    @classmethod
    def of(cls, artifact: HasProperties | None) -> BaselineRecord | None:
        """Returns the record of a Baseline node's model; None for an absent one."""
        if artifact is None:
            return None
        found = artifact.properties
        return cls(
            skipped=found.get(properties.SKIPPED) == 1,
            reason=str(found.get(properties.REASON, "")),
            catalogue_changed=str(found.get(properties.CATALOGUE_CHANGED, "")),
            features_changed=str(found.get(properties.FEATURES_CHANGED, "")),
        )


def index_of(model: HasProperties | None) -> dict[str, Any]:
    """Returns kind, parameters and measurements of a served model's index; empty if there is no index."""
    return json_object(_property(model, properties.INDEX))


def refit_of(model: HasProperties | None) -> dict[str, Any]:
    """Returns `steps`, `targets`, `seconds` and `metrics_of` of a refitted model; empty for any other."""
    return json_object(_property(model, properties.REFIT))


def warm_start_of(model: HasProperties | None) -> dict[str, Any]:
    """Returns the record of a model's warm start, see `properties.WARM_START`; empty without `train.warm_start`."""
    return json_object(_property(model, properties.WARM_START))


def refresh_of(model: HasProperties | None) -> dict[str, Any]:
    """Returns `candidates`, `known`, `new`, `removed` and `refresh_of` of a refreshed model; empty for any other."""
    return json_object(_property(model, properties.REFRESH))


def tuned_values_of(best: HasProperties | None) -> dict[str, Any]:
    """Returns the best values of a search by dotted name; empty without a search."""
    return json_object(_property(best, properties.TUNED_VALUES))


def _gates(blessing: HasProperties) -> list[GateResult]:
    try:
        return [GateResult(**gate) for gate in json_list(blessing.properties.get(properties.GATES))]
    except (TypeError, ValueError):
        # A later version may have other gates.
        return []


def whole_number(value: Any) -> int | None:
    """Returns a property as an int; None for an absent one."""
    return None if value is None else int(value)


def _property(owner: HasProperties | None, name: str) -> object:
    return None if owner is None else owner.properties.get(name)


def _parsed(value: object) -> object:
    try:
        return json.loads(str(value))
    except ValueError:
        return None
