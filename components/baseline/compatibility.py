"""Checks that two trained models can be compared on the same test rows."""

from __future__ import annotations

from typing import Any

from components.baseline.inputs import compare_inputs

# Keys of shortlist.json that must be equal, and the message if they are not. Hits are comparable only on the same rows.
# Ranks are comparable only in the same corpus; the Baseline node can give the earlier model another corpus, so the
# catalogue is not listed here.
_MUST_MATCH = {
    "contract_version": "contract version differs",
    "split_fingerprint": "split differs",
}
_FEATURES = "features_sha256"
_TEST_FROM = "test_from"
_CATALOGUE = "catalogue_sha256"
_MAX_HISTORY = "max_history"
_RANKS = "ranks_version"


def incomparable_reason(candidate: dict[str, Any], baseline: dict[str, Any]) -> str | None:
    """Returns the reason why the models cannot be compared, "its split differs: ...", or None if they can.

    Args:
      candidate: The candidate's shortlist.json.
      baseline: The earlier model's shortlist.json.

    Raises:
      KeyError: The candidate's file lacks a key.
    """
    differences = [
        f"its {message}: {_short(baseline.get(key))}, not {_short(candidate[key])}"
        for key, message in _MUST_MATCH.items()
        if baseline.get(key) != candidate[key]
    ]
    features = _unreadable_features(candidate, baseline)
    if features is not None:
        differences.append(features)
    today, earlier = candidate.get(_TEST_FROM), baseline.get(_TEST_FROM)
    if today is not None and earlier is not None and earlier > today:
        differences.append(
            "it may have been trained on today's test rows: its own test rows begin later, because the log was longer "
            "then"
        )
    longest, shorter = baseline.get(_MAX_HISTORY, 0), candidate.get(_MAX_HISTORY, 0)
    if longest > shorter:
        differences.append(
            f"it reads the latest {longest} items of a history, but today's test rows hold {shorter} "
            "(data.windows.max_history)"
        )
    return "; ".join(differences) or None


def _unreadable_features(candidate: dict[str, Any], baseline: dict[str, Any]) -> str | None:
    """Returns the reason why the earlier model cannot read today's rows; None if it can.

    Features that were added since do not matter: the earlier model reads its own.
    """
    if baseline.get(_FEATURES) == candidate[_FEATURES]:
        return None
    change = compare_inputs(candidate, baseline)
    if change is None:
        return f"its features differ: {_short(baseline.get(_FEATURES))}, not {_short(candidate[_FEATURES])}"
    return change.reason


def features_note(candidate: dict[str, Any], baseline: dict[str, Any]) -> str:
    """Returns a clause on features of the candidate that the earlier model does not read; empty without any."""
    change = compare_inputs(candidate, baseline)
    return change.note if change else ""


def same_catalogue(candidate: dict[str, Any], baseline: dict[str, Any]) -> bool:
    """Returns whether both models have the same candidates with the same features.

    Args:
      candidate: The candidate's shortlist.json.
      baseline: The earlier model's shortlist.json.
    """
    return bool(baseline.get(_CATALOGUE) == candidate[_CATALOGUE])


def same_ranks(candidate: dict[str, Any], baseline: dict[str, Any]) -> bool:
    """Returns whether both models' signature `evaluation` defines a rank alike.

    Args:
      candidate: The candidate's shortlist.json.
      baseline: The earlier model's.
    """
    return bool(baseline.get(_RANKS, 1) == candidate.get(_RANKS, 1))


def _short(value: Any) -> str:
    """Returns the start of a hash, long enough to distinguish two."""
    return "unknown" if value is None else str(value)[:12]
