"""Refusal of credentials in a config's addresses.

A config's values end up in logs, in the run's copy of the config and in ML Metadata, where everybody can read them.
"""

from __future__ import annotations

import re
from typing import Annotated

import pydantic

from shortlist.errors import BadInputError
from shortlist.secrets import secrets_in

_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


def _check_variable(name: str) -> str:
    # The value is not repeated: people write the secret itself here.
    if not _VARIABLE.fullmatch(name):
        raise ValueError("expected the name of an environment variable (A-Z, 0-9 and _), not its value")
    return name


VariableName = Annotated[str, pydantic.AfterValidator(_check_variable)]
"""Name of an environment variable with a secret. The secret itself is never stored."""

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
