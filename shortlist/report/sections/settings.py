"""What the run went by: settings, and fingerprints of what went in."""

from __future__ import annotations

from shortlist.report import format
from shortlist.report.blocks import Block, PageSection, TableBlock, TableColumn
from shortlist.report.facts import Facts


def section(facts: Facts) -> PageSection | None:
    """Returns the config and the fingerprints; None where the run left neither."""
    blocks: list[Block] = []
    texts = [TableColumn("what", numeric=False), TableColumn("value", numeric=False)]
    if facts.summary is not None:
        prints = facts.summary.fingerprints
        told = [(f"data, {table}", sha256) for table, sha256 in prints.data.items()]
        told += [("config", prints.config), ("code", prints.code)]
        blocks.append(TableBlock("Fingerprints (SHA-256)", texts, [[name, value] for name, value in told if value]))
    if facts.config:
        rows = [[name, format.setting(value)] for name, value in facts.config.items() if value is not None]
        blocks.append(TableBlock("Settings", texts, rows, folded=True))
    return PageSection("settings", "What it went by", "", blocks) if blocks else None
