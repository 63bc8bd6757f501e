"""Refusal of credentials in a config's addresses.

A config's values end up in logs, in the run's copy of the config and in ML Metadata, where everybody can read them.
"""

from __future__ import annotations

from shortlist.errors import BadInputError
from shortlist.secrets import secrets_in

_REMEDY = "put them where the store's own client reads them"


def without_credentials(address: str) -> str:
    """Returns an address unchanged; refuses one with credentials.

    Raises:
      ValueError: The address contains credentials; names their place without repeating them.
    """
    place = secrets_in(address)
    if place:
        raise ValueError(f"expected an address without credentials, got {place}; {_REMEDY}")
    return address


def check_no_credentials(option: str, address: str) -> None:
    """Refuses an address of the command line with credentials.

    Args:
      option: Name of the option, for the error.
      address: Its value.

    Raises:
      BadInputError: The address contains credentials; names their place without repeating them.
    """
    place = secrets_in(address)
    if place:
        raise BadInputError.from_parts(option, "an address without credentials", place, _REMEDY)
