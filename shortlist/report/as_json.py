"""A report as plain data, for `--json`: its chapters with their tables. `summary.json` has the exact numbers."""

from __future__ import annotations

import dataclasses
from typing import Any

from shortlist.report.blocks import Block, Examples, Figure, Graph, Notes, Page, TableBlock, Tiles


def report(page: Page) -> dict[str, Any]:
    """Returns a report as JSON-compatible data."""
    return {
        "title": page.title,
        "status": page.status,
        "gates": [gate.model_dump(mode="json") for gate in page.gates],
        "reasons": list(page.reasons),
        "protocol": page.protocol,
        "links": [dataclasses.asdict(link) for link in page.links],
        "chapters": [
            {
                "key": section.key,
                "title": section.title,
                "lead": section.lead,
                "blocks": [_block(block) for block in section.blocks],
            }
            for section in page.sections
        ],
    }


def _block(block: Block) -> dict[str, Any]:
    if isinstance(block, TableBlock):
        return {"table": _table(block)}
    if isinstance(block, Figure):
        return {"figure": block.title, "what": block.description, "table": _table(block.table)}
    if isinstance(block, Graph):
        return {"table": _table(block.table)}
    if isinstance(block, Notes):
        return {block.kind: list(block.sentences)}
    if isinstance(block, Tiles):
        return {"tiles": [dataclasses.asdict(tile) for tile in block.tiles]}
    assert isinstance(block, Examples)
    return {"examples": [dataclasses.asdict(example) for example in block.examples]}


def _table(table: TableBlock) -> dict[str, Any]:
    titles = [column.title for column in table.columns]
    return {"caption": table.caption, "columns": titles, "rows": [list(row) for row in table.rows]}
