"""Settings of the run, and fingerprints of its inputs."""

from __future__ import annotations

from shortlist.report import format
from shortlist.report.blocks import Block, PageSection, TableBlock, TableColumn
from shortlist.report.facts import Facts


def section(facts: Facts) -> PageSection | None:
    """Returns the config and the fingerprints; None if the run wrote neither."""
    blocks: list[Block] = []
    texts = [TableColumn("name", numeric=False), TableColumn("value", numeric=False)]
    if facts.summary is not None:
        prints = facts.summary.fingerprints
        pairs = [(f"data, {table}", sha256) for table, sha256 in prints.data.items()]
        pairs += [("config", prints.config), ("code", prints.code)]
        rows = [[name, value] for name, value in pairs if value]
        blocks.append(TableBlock("Fingerprints (SHA-256)", texts, rows))
    if facts.config:
        rows = [[name, format.setting(value)] for name, value in facts.config.items() if value is not None]
        blocks.append(TableBlock("Config", texts, rows, folded=True))
    if not blocks:
        return None
    return PageSection("settings", "Config and fingerprints", "", blocks)
