"""Values of a request's features: the check of their types, and values from the command line."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from shortlist.errors import BadInputError
from shortlist.quoting import short_repr
from shortlist.scalars import BadCell, iso_seconds

if TYPE_CHECKING:
    import tensorflow as tf

MAX_INT64 = 2**63 - 1
"""The greatest whole number of an input."""
MAX_FLOAT32 = float.fromhex("0x1.fffffep+127")
"""The greatest number of an input."""
_NUMBERS, _WHOLE_NUMBERS = "numbers", "whole numbers"


class ValueSpec(NamedTuple):
    """Values that an input takes per request."""

    kind: str
    """`numbers`, `whole numbers` or `strings`."""
    is_list: bool
    """Whether there are several."""
    width: int | None = None
    """Number of values of a vector; None for other inputs."""

    @classmethod
    def of(cls, spec: tf.TensorSpec) -> ValueSpec:
        """Returns the values of an input, whose first dimension is the batch."""
        is_list = spec.shape.rank > 1
        return cls(kind_and_missing(spec)[0], is_list, spec.shape[1] if is_list else None)

    @property
    def entry(self) -> ValueSpec:
        """One value of a list."""
        return ValueSpec(self.kind, is_list=False)


def kind_and_missing(spec: tf.TensorSpec) -> tuple[str, Any]:
    """Returns the kind of values for messages, and the value that stands for "missing"."""
    if spec.dtype.is_floating:
        return _NUMBERS, float("nan")
    if spec.dtype.is_integer:
        return _WHOLE_NUMBERS, 0
    return "strings", ""


class Fault(NamedTuple):
    """A value that does not fit its input."""

    expected: str
    got: str


def check_value(name: str, spec: ValueSpec, value: Any) -> None:
    """Refuses a feature's value that does not fit its input, see `find_fault`.

    Args:
      name: The name for messages.
      spec: Values that the input takes.
      value: One value, a list, or None for a missing one.

    Raises:
      BadInputError: The value has a wrong type or number of entries, or is not finite.
    """
    fault = find_fault(spec, value)
    if fault is not None:
        raise BadInputError(f"{name} takes {fault.expected}; got {fault.got}")


def find_fault(spec: ValueSpec, value: Any) -> Fault | None:
    """Returns why a feature's value does not fit its input; None if it does.

    A model that got it would answer without the feature, or with numbers that are none.

    Args:
      spec: Values that the input takes.
      value: One value, a list, or None for a missing one.
    """
    if value is None:
        return None
    if isinstance(value, str | bytes | numbers.Number):
        entries = [value]
    # The entries of a mapping would be its keys.
    elif isinstance(value, Mapping) or not isinstance(value, Iterable):
        return Fault(spec.kind, short_repr(value))
    else:
        entries = list(value)
    if not spec.is_list and len(entries) > 1:
        return Fault("one value", f"the list {short_repr(value)}")
    if spec.width is not None and len(entries) not in (0, spec.width):
        return Fault(f"{spec.width:,} numbers, or none", f"{len(entries):,}")
    for position, entry in enumerate(entries):
        # A vector is missing as a whole; entries of other lists are missing one by one.
        if spec.width is None and (entry is None or (isinstance(entry, float) and math.isnan(entry))):
            continue
        if not _fits(spec.kind, entry):
            where = f" at position {position}, counted from 0" if len(entries) > 1 else ""
            finite = "finite " if spec.kind == _NUMBERS and isinstance(entry, float) else ""
            return Fault(f"{finite}{spec.kind}", f"{short_repr(entry)}{where}")
    return None


def check_values(specs: Mapping[str, tf.TensorSpec], row: Mapping[str, Any]) -> None:
    """Refuses values of features by input name, see `check_value`; names without a spec are not looked at."""
    for name, value in row.items():
        if name in specs:
            check_value(name, ValueSpec.of(specs[name]), value)


def parse_value(name: str, spec: tf.TensorSpec, text: str) -> str | float | int | None:
    """Returns the value of a feature that a user typed; None for an empty text, which is a missing value.

    Raises:
      BadInputError: The text is no number, or no time, where the model reads one.
    """
    if not text.strip():
        return None
    if spec.dtype.is_floating:
        return _number(name, text)
    if spec.dtype.is_integer:
        return _seconds(name, text)
    return text


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not abs(number) <= MAX_FLOAT32:
        raise BadInputError.from_parts(name, "a finite number", short_repr(text), "write it with a decimal point")
    return number


def _seconds(name: str, text: str) -> int:
    try:
        seconds = int(text)
    except ValueError:
        try:
            seconds = int(iso_seconds(text) // 1)
        except BadCell:
            expected = "seconds since 1970 or an ISO 8601 time"
            raise BadInputError.from_parts(name, expected, short_repr(text), "such as 2011-12-09T12:50:00Z") from None
    if abs(seconds) > MAX_INT64:
        raise BadInputError.from_parts(name, "a whole number of at most 64 bits", short_repr(text))
    return seconds


def _fits(kind: str, entry: Any) -> bool:
    if isinstance(entry, bool):
        return False
    if kind == _NUMBERS:
        # The bound also refuses infinity and NaN; float() of a large whole number would raise an error.
        return isinstance(entry, numbers.Real) and abs(entry) <= MAX_FLOAT32  # type: ignore[operator]
    if kind == _WHOLE_NUMBERS:
        return isinstance(entry, numbers.Integral) and abs(int(entry)) <= MAX_INT64
    return isinstance(entry, str | bytes)
