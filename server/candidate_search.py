"""Search of candidates by title or id, without a pass over Python objects.

The folded texts are one string of bytes each, so that a search is some calls of `bytes.find`. A loop over 200,000
titles kept the answers of the same process waiting, because a Python loop holds the interpreter's lock.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

# UTF-8 has no such byte, so no search finds it, and it sorts behind every other.
_END = b"\xff"
# A call of `find` holds the interpreter's lock. Other threads get it after this number of bytes, about 0.5 ms.
_WINDOW = 1 << 20


class CandidateSearch:
    """The candidates by title and id. It is immutable and safe for several threads."""

    def __init__(self, ids: Sequence[str], titles: Sequence[str | None] | None) -> None:
        """Takes the candidates.

        Args:
          ids: Id per row.
          titles: Title per row, None for a row without one; None for a catalogue without titles.
        """
        self._size = len(ids)
        self._ids = _FoldedTexts(ids)
        self._titles = None if titles is None else _FoldedTexts(title or "" for title in titles)

    def rows(self, search: str, limit: int) -> list[int]:
        """Returns rows whose title or id begins with a text, then those whose title has it elsewhere.

        Both are in the order of the rows. Case does not matter.

        Args:
          search: The text. Empty: any candidate.
          limit: Longest answer.
        """
        wanted = _folded(search)
        if not wanted:
            return list(range(min(limit, self._size)))
        first = set(self._ids.beginning(wanted, limit))
        if self._titles is None:
            return sorted(first)
        first.update(self._titles.beginning(wanted, limit))
        if len(first) >= limit:
            return sorted(first)[:limit]
        # All that begin with the text are known here, so this many rows contain enough others.
        containing = self._titles.containing(wanted, limit)
        return [*sorted(first), *(row for row in containing if row not in first)][:limit]


class _FoldedTexts:
    """Texts of rows as one string of bytes, and their order."""

    def __init__(self, texts: Iterable[str]) -> None:
        folded = [_folded(text) for text in texts]
        self._joined = b"".join(text + _END for text in folded)
        sizes = np.fromiter((len(text) + 1 for text in folded), np.int64, len(folded))
        self._starts = np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
        """[num_rows + 1] where each row's text begins; the last one is the end."""
        # Rows with equal texts may come in any order.
        self._order: npt.NDArray[np.int32] = (
            pc.array_sort_indices(pa.array(folded, pa.large_binary())).to_numpy().astype(np.int32)
        )

    def beginning(self, wanted: bytes, limit: int) -> list[int]:
        """Returns the first rows whose text begins with another one, at most `limit`, in no order."""
        low = bisect.bisect_left(self._order, wanted, key=self._text)
        high = bisect.bisect_left(self._order, wanted + _END, lo=low, key=self._text)
        rows = self._order[low:high]
        if len(rows) > limit:
            rows = np.partition(rows, limit - 1)[:limit]
        found: list[int] = rows.tolist()
        return found

    def containing(self, wanted: bytes, limit: int) -> list[int]:
        """Returns the first rows whose text contains another one, at most `limit`, in their order."""
        found: list[int] = []
        start, size = 0, len(self._joined)
        while start < size and len(found) < limit:
            # At the end of a row, where no match is cut.
            stop = int(self._starts[np.searchsorted(self._starts, min(start + _WINDOW, size))])
            position = self._joined.find(wanted, start, stop)
            if position < 0:
                start = stop
                continue
            row = int(np.searchsorted(self._starts, position, side="right")) - 1
            found.append(row)
            start = int(self._starts[row + 1])
        return found

    def _text(self, row: int) -> bytes:
        return self._joined[self._starts[row] : self._starts[row + 1] - 1]


def _folded(text: str) -> bytes:
    """Returns a text without its case. A surrogate has no UTF-8, but must not fail a search either."""
    return text.casefold().encode("utf-8", "surrogatepass")
