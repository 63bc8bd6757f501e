"""What all sections of a config share."""

from __future__ import annotations

import re

import pydantic

from shortlist.config import secrets

HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-fA-F:]*:[0-9a-fA-F:.]*")
"""A host's name or address, alone."""


class Section(pydantic.BaseModel):
    """Base of all sections: frozen, typed, no unknown keys."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)


def without_credentials(address: str) -> str:
    """Returns an address; it goes into logs, config dumps and ML Metadata, where no credentials belong."""
    what = secrets.secrets_in(address)
    if what:
        raise ValueError(
            f"expected an address without credentials, got {what}; put them where the store's own client reads them"
        )
    return address
