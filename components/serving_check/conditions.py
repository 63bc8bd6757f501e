"""Conditions on a model's attributes, and who passes them, read from the model's own catalogue."""

from __future__ import annotations

import collections
import dataclasses
import math
import os
from collections.abc import Collection, Sequence
from typing import Any

from shortlist import keys
from shortlist.model_files import CANDIDATES_FILE

# Prefix of the file's columns, see `shortlist.serving.catalogue`, whose import would bring the config's packages along.
_ATTRIBUTE = "attribute_"


@dataclasses.dataclass(frozen=True)
class Conditions:
    """A condition on an attribute, and its opposite."""

    attribute: str
    inputs: tuple[dict[str, Any], dict[str, Any]]
    """Inputs of a signature, for either."""
    passing: tuple[Sequence[bytes], Sequence[bytes]]
    """Ids of the candidates that pass, for either."""


def of_attributes(model_dir: str, names: Collection[str], ids: Sequence[bytes]) -> list[Conditions]:
    """Returns conditions for each attribute that a signature filters by.

    Args:
      model_dir: Folder or URI of the model.
      names: The inputs of the signature.
      ids: [corpus_size] ids by row, which the catalogue has as text, where they are UTF-8 alone.
    """
    found = []
    for name in sorted(names):
        for kind, of_values in (("any_", _of_categories), ("min_", _of_numbers)):
            if name.startswith(keys.FILTER + kind):
                attribute = name.removeprefix(keys.FILTER + kind)
                found.append(of_values(attribute, ids, _read(model_dir, attribute)))
    return found


def _read(model_dir: str, attribute: str) -> list[Any]:
    """Returns the values of all candidates by row."""
    import pyarrow as pa
    import pyarrow.parquet as pq
    import pyarrow_hotfix  # noqa: F401  Prevents the execution of a file's pickled types (CVE-2023-47248).
    import tensorflow as tf

    with tf.io.gfile.GFile(os.path.join(model_dir, CANDIDATES_FILE), "rb") as file:
        table = pq.read_table(pa.BufferReader(file.read()), columns=[_ATTRIBUTE + attribute])
    return list(table.column(0).to_pylist())


def _of_categories(attribute: str, ids: Sequence[bytes], values: list[Any]) -> Conditions:
    counts = collections.Counter(value for line in values for value in set(line or ()) if value)
    # Of equally frequent values the first by name, so that both models are asked the same.
    common = min(counts, key=lambda value: (-counts[value], value), default="nothing")
    has = [common in (line or ()) for line in values]
    return Conditions(
        attribute,
        ({f"{keys.FILTER}any_{attribute}": [common]}, {f"{keys.FILTER}none_{attribute}": [common]}),
        (_where(ids, has), _where(ids, [not it for it in has])),
    )


def _of_numbers(attribute: str, ids: Sequence[bytes], values: list[Any]) -> Conditions:
    numbers = sorted(value for value in values if value is not None and not math.isnan(value))
    middle = numbers[len(numbers) // 2] if numbers else 0.0
    inputs: tuple[dict[str, Any], ...] = (
        {f"{keys.FILTER}min_{attribute}": middle},
        {f"{keys.FILTER}max_{attribute}": middle},
    )
    return Conditions(
        attribute,
        (inputs[0], inputs[1]),
        (
            _where(ids, [value is not None and value >= middle for value in values]),
            _where(ids, [value is not None and value <= middle for value in values]),
        ),
    )


def _where(ids: Sequence[bytes], is_set: Sequence[bool]) -> list[bytes]:
    return [item for item, passes in zip(ids, is_set, strict=True) if passes]
