"""An answer of a model as Python and a notebook show it."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Sequence
from typing import TYPE_CHECKING, overload

from shortlist.sanitize import printable
from shortlist.serving.client import Recommendation

if TYPE_CHECKING:
    import pandas as pd

_COLUMNS = ("rank", "id", "score", "title", "near", "near_title", "boost", "promoted")


@dataclasses.dataclass(frozen=True, repr=False)
class Recommendations(Sequence[Recommendation]):
    """Candidates, best first, and what the answer was made from.

    It is a sequence of `Recommendation`; a notebook shows it as a table.
    """

    rows: tuple[Recommendation, ...]
    version: str
    """Name of the version's folder."""
    as_of: str | None = None
    """The time of the request in words; None for a model that does not use times."""
    notes: tuple[str, ...] = ()
    """Sentences about an unknown query, and about interactions that are left out."""

    @property
    def ids(self) -> list[str]:
        """Ids of the candidates, best first."""
        return [row.id for row in self.rows]

    def to_pandas(self) -> pd.DataFrame:
        """Returns a table with the columns rank, id, score, title, near, near_title, boost and promoted."""
        import pandas as pd

        return pd.DataFrame([dataclasses.asdict(row) for row in self.rows], columns=list(_COLUMNS))

    @overload
    def __getitem__(self, index: int) -> Recommendation: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Recommendation, ...]: ...

    def __getitem__(self, index: int | slice) -> Recommendation | tuple[Recommendation, ...]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __repr__(self) -> str:
        head, *cells = self._cells()
        widths = [max(len(line[column]) for line in (head, *cells)) for column in range(len(head))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in (head, *cells)
        ]
        return "\n".join([*(line.rstrip() for line in lines), *self._remarks()])

    def _repr_html_(self) -> str:
        head, *cells = ([html.escape(cell) for cell in line] for line in self._cells())
        titles = "".join(f"<th>{cell}</th>" for cell in head)
        lines = "".join("<tr>" + "".join(f"<td>{cell}</td>" for cell in line) + "</tr>" for line in cells)
        remarks = "".join(f"<p>{html.escape(remark)}</p>" for remark in self._remarks())
        return f"<table><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table>{remarks}"

    def _cells(self) -> list[list[str]]:
        """Returns the cells of the table line by line, the head first, without columns that are empty."""
        columns = {
            "rank": [str(row.rank) for row in self.rows],
            "id": [printable(row.id) for row in self.rows],
            "score": [f"{row.score:.3f}" for row in self.rows],
            "title": [printable(row.title or "") for row in self.rows],
            "near": [printable(row.near_title or row.near or "") for row in self.rows],
            "rule": [_rule(row) for row in self.rows],
        }
        shown = {name: cells for name, cells in columns.items() if name in ("rank", "id", "score") or any(cells)}
        return [list(shown), *map(list, zip(*shown.values(), strict=True))]

    def _remarks(self) -> list[str]:
        as_of = [] if self.as_of is None else [f"As of {self.as_of}."]
        return [*as_of, *self.notes]


def _rule(row: Recommendation) -> str:
    """Returns what the request's rules did to a candidate, in a few words."""
    parts = [f"boost {row.boost:g}"] if row.boost != 1.0 else []
    return ", ".join([*parts, *(["promoted"] if row.promoted else [])])
