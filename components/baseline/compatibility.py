"""Whether two trained models can be compared on the same test rows."""

from __future__ import annotations

from typing import Any

SKIPPED = "skipped"
"""Custom property of the Baseline node's model, int: 1 where there is nothing to compare with."""

REASON = "reason"
"""Custom property of the Baseline node's model, str: why it was skipped."""

# Keys of shortlist.json that must be equal, and what people call them. Ranks are comparable only
# in the same corpus, hits only on the same rows, and both models must read these rows' features.
_MUST_MATCH = {
    "contract_version": "contract version",
    "split_fingerprint": "split",
    "catalogue_sha256": "catalogue",
    "features_sha256": "features",
}


def why_incomparable(candidate: dict[str, Any], baseline: dict[str, Any]) -> str | None:
    """Returns why the models cannot be compared, "its catalogue differs: ...", or None if they can.

    Args:
      candidate: The candidate's shortlist.json.
      baseline: The earlier model's.

    Raises:
      KeyError: The candidate's lacks a key.
    """
    differences = [
        f"its {called} differs: {_short(baseline.get(key))}, not {_short(candidate[key])}"
        for key, called in _MUST_MATCH.items()
        if baseline.get(key) != candidate[key]
    ]
    return "; ".join(differences) or None


def _short(value: Any) -> str:
    """Returns enough of a hash to tell two apart."""
    return "unknown" if value is None else str(value)[:12]
