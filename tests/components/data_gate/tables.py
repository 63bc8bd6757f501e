"""TFDV statistics of small flat tables, as the ExampleGens write them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import tensorflow_data_validation as tfdv
from tensorflow_metadata.proto.v0 import statistics_pb2

_DRAW = np.random.default_rng(1)


def statistics(columns: dict[str, object]) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Returns the statistics of columns; numeric features are float32, as the flat examples have them."""
    return tfdv.generate_statistics_from_dataframe(pd.DataFrame(columns))


def log(rows: int, first_row: int = 0, rating: float = 3.0, sale: float = 0.1, **columns: object) -> dict[str, object]:
    """Returns an interaction log of 20 queries and 30 candidates that goes on from `first_row`.

    Args:
      rows: How many.
      first_row: Moves times and rows on.
      rating: Mean of the numeric feature.
      sale: Share of the rows whose kind is `sale`; of the others, it is `view`.
      columns: Others, or None for one to leave out.
    """
    place = np.arange(first_row, first_row + rows)
    made: dict[str, object] = {
        "query_id": [f"q{number % 20}" for number in place],
        "candidate_id": [f"c{number % 30}" for number in place],
        "timestamp": 1_700_000_000 + 3_600 * place,
        "rating": _DRAW.normal(rating, 1.0, rows).astype(np.float32),
        "kind": np.where(np.arange(rows) < sale * rows, "sale", "view"),
        "source_path": [f"day-{first_row}.csv"] * rows,
        "source_row": place,
        **columns,
    }
    return {name: column for name, column in made.items() if column is not None}
