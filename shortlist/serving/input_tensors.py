"""The inputs of a served signature, as tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from shortlist import keys
from shortlist.errors import BadInputError
from shortlist.serving.request_values import kind_and_missing

if TYPE_CHECKING:
    import tensorflow as tf

_MAX_INT32 = 2**31 - 1
# All other inputs of `recommend` are features of the query.
FIXED_INPUTS = frozenset(
    {keys.QUERY_ID, keys.HISTORY_IDS, keys.HISTORY_TIMES, keys.QUERY_TIME, keys.K, keys.EXCLUDE, keys.ALLOW}
)
"""Inputs of `recommend` that are no features."""


def signature_inputs(specs: Mapping[str, tf.TensorSpec], rows: Sequence[Mapping[str, Any]]) -> dict[str, tf.Tensor]:
    """Returns the inputs of a served signature for a batch of queries.

    Args:
      specs: Input name to its spec; a list-valued input has rank 2.
      rows: Per query, the values by input name: a scalar, a list or None. Absent values are missing: in the tensors
        `""` for strings, NaN for numbers (0 is a number) and 0 for times. Without `k`, an answer has the model's full
        width. An empty `allow` allows the whole corpus; one with only unknown ids allows nothing.

    Returns:
      Input name to tensor, [num_rows] or [num_rows, longest list].

    Raises:
      BadInputError: The type of a value does not fit its input.
    """
    return {name: _input(name, spec, [row.get(name) for row in rows]) for name, spec in specs.items()}


def _input(name: str, spec: tf.TensorSpec, values: list[Any]) -> tf.Tensor:
    import tensorflow as tf

    kind, fill = kind_and_missing(spec)
    if name == keys.K:
        fill = _MAX_INT32
    padded: list[Any]
    if spec.shape.rank == 1:
        padded = [_first(value, fill) for value in values]
    else:
        lists = [_as_list(value) for value in values]
        # There is at least one column, because a tower that reads the last item needs a pad to read.
        width = max([1, *map(len, lists)])
        if spec.shape[1] is not None:
            width = spec.shape[1]
            wrong = next((len(items) for items in lists if len(items) not in (0, width)), None)
            if wrong is not None:
                raise BadInputError(f"{name} takes {width:,} numbers, or none; got {wrong:,}")
        # A list may have missing values: features pair with the items of a history.
        lists = [[fill if item is None else item for item in items] for items in lists]
        padded = [items + [fill] * (width - len(items)) for items in lists]
    try:
        return tf.constant(padded, spec.dtype)
    except (TypeError, ValueError, OverflowError) as error:
        got = values[0] if len(values) == 1 else values
        raise BadInputError(f"{name} takes {kind}; got {got!r}") from error


def _as_list(value: Any) -> list[Any]:
    if value is None:
        return []
    # A string is one value, although Python can iterate over its characters.
    return [value] if isinstance(value, str | bytes | int | float) else list(value)


def _first(value: Any, fill: Any) -> Any:
    if isinstance(value, list | tuple):
        value = next(iter(value), None)
    return fill if value is None else value
