"""Weights of an earlier model in the vocabularies of a new one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def match_rows(source_tokens: Sequence[bytes], tokens: Sequence[bytes]) -> np.ndarray:
    """Returns the row of each token in the source's table, int64 [tokens]; -1 for a token that is new."""
    rows = {token: row for row, token in enumerate(source_tokens)}
    return np.array([rows.get(token, -1) for token in tokens], np.int64)


def remap(source: np.ndarray, source_tokens: Sequence[bytes], tokens: Sequence[bytes], new: np.ndarray) -> np.ndarray:
    """Returns a table whose known tokens have the source's rows.

    Rows after those of the tokens are for values outside of the vocabulary. They are the source's too.

    Args:
      source: [source tokens + others, width], the source's table.
      source_tokens: The token of each row.
      tokens: The token of each row of the result.
      new: [tokens + others, width], the rows of new tokens.
    """
    table = np.array(new)
    rows = match_rows(source_tokens, tokens)
    known = np.flatnonzero(rows >= 0)
    table[known] = source[rows[known]]
    others = source[len(source_tokens) :]
    if len(others) == len(new) - len(tokens):
        table[len(tokens) :] = others
    return table


def resample(knots: np.ndarray, source_span: tuple[int, int], span: tuple[int, int]) -> np.ndarray:
    """Returns vectors at evenly spaced times of a span, interpolated between those of another span.

    A time outside of the other span has the vector of its nearest end, as `QueryTimeEmbedding` defines it.

    Args:
      knots: [knots, width], vectors at evenly spaced times of `source_span`.
      source_span: First and last time of the source's train targets, in seconds.
      span: First and last time of the new train targets.
    """
    (first, last), count = source_span, len(knots)
    if last <= first:
        return np.array(knots)
    times = np.linspace(span[0], span[1], count, dtype=np.float64)
    positions = np.clip((times - first) / (last - first), 0.0, 1.0) * (count - 1)
    below = np.minimum(positions.astype(np.int64), count - 2)
    share = (positions - below)[:, np.newaxis]
    return ((1.0 - share) * knots[below] + share * knots[below + 1]).astype(knots.dtype)
