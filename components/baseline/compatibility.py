"""Whether two trained models can be compared on the same test rows."""

from __future__ import annotations

from typing import Any

# Keys of shortlist.json that must be equal, and what people are told. Hits are comparable only on the same rows, and
# both models must read these rows' features. Ranks are comparable only in the same corpus, which a model can be given.
_MUST_MATCH = {
    "contract_version": "contract version differs",
    "split_fingerprint": "split differs",
    "features_sha256": "features differ",
}
_CATALOGUE = "catalogue_sha256"
_MAX_HISTORY = "max_history"


def incomparable_reason(candidate: dict[str, Any], baseline: dict[str, Any]) -> str | None:
    """Returns why the models cannot be compared, "its split differs: ...", or None if they can.

    Args:
      candidate: The candidate's shortlist.json.
      baseline: The earlier model's.

    Raises:
      KeyError: The candidate's lacks a key.
    """
    differences = [
        f"its {told}: {_short(baseline.get(key))}, not {_short(candidate[key])}"
        for key, told in _MUST_MATCH.items()
        if baseline.get(key) != candidate[key]
    ]
    longest, shorter = baseline.get(_MAX_HISTORY, 0), candidate.get(_MAX_HISTORY, 0)
    if longest > shorter:
        differences.append(
            f"it reads the latest {longest} items of a history, and today's test rows hold {shorter} "
            "(data.windows.max_history)"
        )
    return "; ".join(differences) or None


def same_catalogue(candidate: dict[str, Any], baseline: dict[str, Any]) -> bool:
    """Returns whether both models' candidates, with all their features, are the same.

    Args:
      candidate: The candidate's shortlist.json.
      baseline: The earlier model's.
    """
    return bool(baseline.get(_CATALOGUE) == candidate[_CATALOGUE])


def _short(value: Any) -> str:
    """Returns enough of a hash to tell two apart."""
    return "unknown" if value is None else str(value)[:12]
