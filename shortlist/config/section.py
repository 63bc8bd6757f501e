"""What all sections of a config share."""

from __future__ import annotations

import re

import pydantic

HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-fA-F:]*:[0-9a-fA-F:.]*")
"""A host's name or address, alone."""


class Section(pydantic.BaseModel):
    """Base of all sections: frozen, typed, no unknown keys."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, allow_inf_nan=False)
