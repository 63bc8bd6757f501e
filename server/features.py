"""Features in requests: their names, and the inputs of the model that they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from server.known import Known, Misfit
from server.requests import Event
from server.stored_values import StoredValues
from shortlist import keys
from shortlist.errors import BadInputError
from shortlist.serving.input_tensors import FIXED_INPUTS
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

    def misfits_of_queries(self, values: StoredValues) -> list[Misfit]:
        """Returns the columns of queries' features that the model cannot read."""
        specs = {name: self._specs[key] for name, key in self._context.items()}
        return [Misfit(name, False, error) for name, error in values.misfits(specs).items()]

    def misfits_of_events(self, values: StoredValues) -> list[Misfit]:
        """Returns the columns of interactions' features that the model cannot read."""
        specs = {name: self._specs[key].entry for name, key in self._events.items()}
        return [Misfit(name, True, error) for name, error in values.misfits(specs).items()]

    def inputs(self, known: Known, context: Mapping[str, Any], events: Sequence[Event]) -> dict[str, Any]:
        """Returns values by input for a request.

        Args:
          known: What is known of the query. Features that the model does not have are left out. The values are not
            checked: a version takes traffic only if it can read them, see `Histories.misfits`.
          context: Features of the query and of the request, which count before those that are known.
          events: The request's events, which come after the known ones.

        Raises:
          BadInputError: The model has no such feature, or a value of the request has a wrong type.
        """
        found = {self._context[name]: value for name, value in known.features.items() if name in self._context}
        found |= self.context_inputs(context)
        of_known = [
            {name: value for name, value in event.features.items() if name in self._events} for event in known.events
        ]
        of_request = [event.features or {} for event in events]
        if not any(of_known) and not any(of_request):
            return found
        return found | self.event_inputs([*of_known, *of_request], num_known=len(of_known))

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

    def event_inputs(self, rows: Sequence[Mapping[str, Any]], num_known: int = 0) -> dict[str, list[Any]]:
        """Returns lists by input for features of the history's interactions, one value per interaction.

        Args:
          rows: Value by feature of each interaction.
          num_known: Number of interactions, the first ones, that are the server's own and need no check.

        Raises:
          BadInputError: The model has no such feature, or a value has a wrong type.
        """
        columns: dict[str, list[Any]] = {}
        for position, row in enumerate(rows):
            for name, value in row.items():
                if name not in self._events:
                    raise BadInputError(f"the model has no feature {name!r} of interactions; it has {self.of_events}")
                key = self._events[name]
                if position >= num_known:
                    check_value(name, self._specs[key].entry, value)
                column = columns.setdefault(key, [None] * len(rows))
                column[position] = value
        return columns
