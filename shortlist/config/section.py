"""Base class of the config's sections."""

from __future__ import annotations

import re

import pydantic

HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-fA-F:]*:[0-9a-fA-F:.]*")
"""A host name or an IP address, without a port."""


class Section(pydantic.BaseModel):
    """Base of all sections: frozen, typed, and without unknown keys."""

    # Attribute docstrings become field descriptions, from which docs/configuration.md is made.
    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)
