"""The versions that take traffic, as a request of TF Serving's API names them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from server.requests import RefusedRequest
from shortlist.config.serve import LATEST

_MAX_SHOWN = 100
# TF Serving's usual label.
_STABLE = "stable"


@dataclasses.dataclass(frozen=True)
class Directory:
    """Names of a model and its versions."""

    name: str
    """Name of the model."""

    newest: str | None
    """The newest version that takes traffic; None if none is loaded."""

    active: tuple[str, ...]
    """All that take traffic."""

    refused: Mapping[str, str]
    """The reasons of refused versions, by number."""

    def find(self, name: str, version: str | None, label: str | None) -> str:
        """Returns the version that a request names; the newest without a version and a label.

        Raises:
          RefusedRequest: There is no such model, version or label.
        """
        if name != self.name:
            raise RefusedRequest(404, f"There is no model {name[:_MAX_SHOWN]!r}.")
        if self.newest is None:
            raise RefusedRequest(503, "No version is loaded yet.", {"retry-after": "5"})
        found = self.newest if version is None else version
        if found not in self.active or label not in (None, LATEST, _STABLE):
            wanted = version or label or LATEST
            raise RefusedRequest(404, f"The model has no version {wanted[:_MAX_SHOWN]!r} in memory.")
        return found
