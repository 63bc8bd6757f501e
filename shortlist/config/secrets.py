"""Refusal of credentials in a config's addresses.

A config's values end up in logs, in the run's copy of the config and in ML Metadata, where everybody can read them.
"""

from __future__ import annotations

from shortlist.secrets import secrets_in


def without_credentials(address: str) -> str:
    """Returns an address unchanged; refuses one with credentials.

    Raises:
      ValueError: The address contains credentials; names their place without repeating them.
    """
    place = secrets_in(address)
    if place:
        raise ValueError(
            f"expected an address without credentials, got {place}; put them where the store's own client reads them"
        )
    return address
