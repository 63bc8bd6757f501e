"""Features in requests: their names, and the inputs of the model that they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from shortlist import keys
from shortlist.errors import BadInputError
from shortlist.serving.client import FIXED_INPUTS
from shortlist.serving.request_values import ValueSpec, check_value


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
        # Not the specs of TensorFlow: to read these, another process would import it.
        self._specs = {name: ValueSpec.of(spec) for name, spec in free.items()}

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
            # Per request, since in a batch a wrong value would spoil the answers of others.
            check_value(name, self._specs[key], value)
            found[key] = value
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
                check_value(name, self._specs[key].entry, value)
                column = columns.setdefault(key, [None] * len(rows))
                column[position] = value
        return columns
