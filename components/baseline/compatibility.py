"""Checks that two trained models can be compared on the same test rows."""

from __future__ import annotations

from typing import Any

# Keys of shortlist.json that must be equal, and the message if they are not. Hits are comparable only on the same rows,
# and both models must read these rows' features. Ranks are comparable only in the same corpus; the Baseline node can
# give the earlier model another corpus, so the catalogue is not listed here.
_MUST_MATCH = {
    "contract_version": "contract version differs",
    "split_fingerprint": "split differs",
    "features_sha256": "features differ",
}
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
    longest, shorter = baseline.get(_MAX_HISTORY, 0), candidate.get(_MAX_HISTORY, 0)
    if longest > shorter:
        differences.append(
            f"it reads the latest {longest} items of a history, but today's test rows hold {shorter} "
            "(data.windows.max_history)"
        )
    return "; ".join(differences) or None


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
