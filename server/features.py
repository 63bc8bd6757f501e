"""Features in requests: their names, and the inputs of the model that they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shortlist import keys
from shortlist.errors import BadInputError
from shortlist.serving.client import FIXED_INPUTS, kind_and_missing

_MAX_INT64 = 2**63
_MAX_MESSAGE = 300


class Features:
    """The features that a model reads."""

    def __init__(self, specs: Mapping[str, Any]) -> None:
        """Takes the inputs of `recommend`.

        Args:
          specs: Input name to its spec.
        """
        free = {name: spec for name, spec in specs.items() if name not in FIXED_INPUTS}
        self._events = {
            name.removeprefix(keys.HISTORY_FEATURE): name for name in free if name.startswith(keys.HISTORY_FEATURE)
        }
        self._context = {
            name.removeprefix(keys.CONTEXT_FEATURE): name for name in free if not name.startswith(keys.HISTORY_FEATURE)
        }
        # Not the specs: to read these, another process would import TensorFlow.
        self._kinds = {name: _kind(spec) for name, spec in free.items()}

    @property
    def of_context(self) -> list[str]:
        """Names of the query's and the request's features."""
        return sorted(self._context)

    @property
    def of_events(self) -> list[str]:
        """Names of the features of the history's interactions."""
        return sorted(self._events)

    def context_inputs(self, context: Mapping[str, Any]) -> dict[str, Any]:
        """Returns values by input for features of the query and of the request.

        Raises:
          BadInputError: The model has no such feature, or a value has a wrong type.
        """
        found = {}
        for name, value in context.items():
            if name not in self._context:
                raise BadInputError(f"the model has no feature {name!r}; it has {self.of_context}")
            key = self._context[name]
            found[key] = _checked(name, self._kinds[key], value)
        return found

    def event_inputs(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
        """Returns lists by input for features of the history's interactions, one value per interaction.

        Raises:
          BadInputError: The model has no such feature, or a value has a wrong type.
        """
        columns: dict[str, list[Any]] = {}
        for position, row in enumerate(rows):
            for name, value in row.items():
                if name not in self._events:
                    raise BadInputError(f"the model has no feature {name!r} of interactions; it has {self.of_events}")
                key = self._events[name]
                column = columns.setdefault(key, [None] * len(rows))
                column[position] = _checked(name, self._kinds[key], value)
        return columns


def _kind(spec: Any) -> tuple[str, str]:
    """Returns `float`, `integer` or `text`, and the kind for messages."""
    plain = "float" if spec.dtype.is_floating else "integer" if spec.dtype.is_integer else "text"
    return plain, kind_and_missing(spec)[0]


def _checked(name: str, kind: tuple[str, str], value: Any) -> Any:
    """Returns a value if its type fits the input.

    It is checked per request, since in a batch it would spoil the answers of others.

    Raises:
      BadInputError: It does not fit.
    """
    values = value if isinstance(value, list) else [value]
    if kind[0] == "float":
        fits = all(isinstance(item, float | int) and not isinstance(item, bool) for item in values)
    elif kind[0] == "integer":
        fits = all(isinstance(item, int) and not isinstance(item, bool) and abs(item) < _MAX_INT64 for item in values)
    else:
        fits = all(isinstance(item, str) for item in values)
    if value is not None and not fits:
        raise BadInputError(f"{name} takes {kind[1]}; got {value!r}"[:_MAX_MESSAGE])
    return value
