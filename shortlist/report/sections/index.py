"""The served index: recall against exact search, and latency."""

from __future__ import annotations

from typing import Any

from shortlist.lineage.facts import flat
from shortlist.records import nodes
from shortlist.records.artifacts import Blessing
from shortlist.report import format
from shortlist.report.blocks import PageSection, TableBlock, TableColumn
from shortlist.report.facts import Facts


def section(facts: Facts) -> PageSection | None:
    """Returns the measurements of the index; None if no index was built."""
    index = facts.index
    if not index:
        return None
    k = index.get("k")
    rows = [
        ("kind", str(index.get("kind")), index.get("reason") or "as configured and measured"),
        (f"recall@{k}", format.share(index.get("recall_at_k")), f"mean over {test_rows(index)}, exclusions applied"),
        (f"recall@{k} while tuning", format.share(index.get("eval_recall_at_k")), "mean over eval queries"),
        ("candidates", format.count(index.get("corpus_size")), "in the index"),
        (
            "p50",
            format.milliseconds(index.get("p50_ms")),
            "of 300 calls of the exported signature, one query at a time, this machine",
        ),
        ("p99", format.milliseconds(index.get("p99_ms")), "of the same calls"),
        *(
            (name.replace("_", " "), format.setting(value), "parameter")
            for name, value in sorted(flat(index.get("params") or {}).items())
        ),
    ]
    blocks = [
        TableBlock(
            "Index parameters, recall and latency",
            [TableColumn("figure", numeric=False), TableColumn("value"), TableColumn("basis", numeric=False)],
            [row for row in rows if row[1] != format.NOTHING],
        )
    ]
    check = _check(facts)
    if check is not None:
        blocks.append(check)
    return PageSection(
        "index",
        "Index",
        f"Recall of the {index.get('kind')} index against exact search, and its latency per query.",
        blocks,
    )


def _check(facts: Facts) -> TableBlock | None:
    """Returns the serving check's measurements of the export, from clean processes."""
    execution = facts.nodes.get(nodes.SERVING_CHECK)
    if execution is None:
        return None
    blessing = Blessing.of(execution.output("blessing"))
    if blessing is None:
        return None
    figures = flat(blessing.figures)
    rows = [
        [name.replace(".", ", ").replace("_", " "), format.number(value)]
        for name, value in figures.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    if not rows:
        return None
    return TableBlock(
        "Serving check: both exports in clean processes",
        [TableColumn("figure", numeric=False), TableColumn("value")],
        rows,
    )


def test_rows(index: dict[str, Any]) -> str:
    """Returns the number of test rows of the recall in words; older versions did not record the number."""
    if "test_queries" not in index:
        return "test rows"
    return f"{index['test_queries']:,} test rows"
