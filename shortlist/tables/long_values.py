"""Warnings of texts and lists of which `max_tokens` leaves some values out."""

from __future__ import annotations

from collections.abc import Sequence

from shortlist.config.features import LISTS, FeatureType
from shortlist.config.table import Table, TableName
from shortlist.tables.input_table import ParsedRow


def long_value_warnings(kind: TableName, table: Table, rows: Sequence[ParsedRow]) -> list[str]:
    """Returns a warning per feature that has more values in some row than the model reads.

    Args:
      kind: The table's name in the config.
      table: The table's section.
      rows: The first rows.
    """
    warnings = []
    for name, feature in table.features.items():
        if feature.type not in LISTS:
            continue
        is_text = feature.type is FeatureType.TEXT
        counts = [_num_words(row[name]) if is_text else len(row[name]) for row in rows]
        cut = sum(count > feature.max_tokens for count in counts)
        if cut:
            unit = "words" if is_text else "values"
            warnings.append(
                f"{table.path}: {cut:,} of the first {len(rows):,} rows have more than {feature.max_tokens:,} {unit} "
                f"in {name}, {max(counts):,} at most; the model reads the first ones, see "
                f"data.{kind}.features.{name}.max_tokens"
            )
    return warnings


def _num_words(values: Sequence[object]) -> int:
    return sum(len(str(value).split()) for value in values)
