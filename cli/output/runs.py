"""Runs as tables for a terminal."""

from __future__ import annotations

import collections
import json
import re
from collections.abc import Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from cli.output import consoles
from shortlist.metrics import names
from shortlist.metrics.intervals import standard_error
from shortlist.runs.prune import PrunePlan
from shortlist.runs.record import Record
from shortlist.sanitize import plain
from shortlist.text_tables import TextColumn, print_table
from shortlist.verdicts import hit_rate

_GATED = names.top_k(10)
_TOP_K = re.compile(r"factorized_top_k/top_(\d+)_categorical_accuracy")
_STYLES = {"pushed": "green", "not_blessed": "yellow", "index_rejected": "yellow", "check_failed": "yellow"}
_NOTHING = "-"


def print_list(name: str, records: Sequence[Record], limit: int) -> None:
    """Prints the latest runs of a pipeline, one line per run."""
    columns = [
        TextColumn("run", right=False),
        TextColumn("kind", right=False, drop=1),
        TextColumn("status", right=False),
        TextColumn("HR@10"),
        TextColumn("popular", drop=1),
        TextColumn("version", drop=2),
        TextColumn("seconds", drop=3),
        TextColumn("GiB", drop=4),
    ]
    # Versions that trainings began from, if any did.
    with_start = any(record.summary and record.summary.warm_start for record in records[:limit])
    if with_start:
        columns.append(TextColumn("began from", drop=2))
    rows: list[list[str | Text]] = [
        [
            record.run_id,
            record.kind,
            Text("unchanged" if record.unchanged else plain(record.status), _STYLES.get(record.status, "red")),
            _metric(record, _GATED),
            _popular(record),
            _version(record),
            _seconds(record),
            _peak(record),
            *([_beginning(record)] if with_start else []),
        ]
        for record in records[:limit]
    ]
    console = consoles.console()
    console.print(f"Runs of {name}")
    if records:
        print_table(console, columns, rows)
    else:
        console.print("no run matches; leave a filter out")
    if len(records) > limit:
        console.print(f"and {len(records) - limit:,} older ones; --limit shows more", style="dim")


def print_comparison(name: str, records: Sequence[Record]) -> None:
    """Prints runs of a pipeline side by side, one column per run; as many in one table as fit."""
    console = consoles.console()
    console.print(f"Runs of {name}")
    rows = [(plain(title), [plain(cell) for cell in cells]) for title, cells in _rows(records)]
    per_table = _columns_per_table(console.width, rows, [record.run_id for record in records])
    for start in range(0, len(records), per_table):
        chosen = slice(start, start + per_table)
        columns = [TextColumn("", right=False, wraps=True)]
        columns += [TextColumn(record.run_id, wraps=True) for record in records[chosen]]
        print_table(console, columns, [[title, *cells[chosen]] for title, cells in rows])
        console.print()
    console.print("± is the standard error over the test rows; seen items excluded", style="dim")


def _columns_per_table(width: int, rows: Sequence[tuple[str, list[str]]], run_ids: Sequence[str]) -> int:
    """Returns the number of runs that fit beside the titles without breaking a word."""
    words = [word for _, cells in rows for cell in cells for word in cell.split()]
    widest = max(map(cell_len, (*words, *run_ids)))
    titles = max(cell_len(word) for title, _ in rows for word in title.split())
    return max(1, (width - titles) // (widest + 2))


def _rows(records: Sequence[Record]) -> list[tuple[str, list[str]]]:
    rows = [
        ("kind", [record.kind for record in records]),
        ("status", [record.status for record in records]),
        ("version", [_version(record) for record in records]),
    ]
    if any(record.summary and record.summary.warm_start for record in records):
        rows.append(("began from", [_beginning(record) for record in records]))
    metrics = {name for record in records for name in _overall(record) if not name.endswith("_with_seen")}
    for name in sorted(metrics - {names.EXAMPLE_COUNT, names.NEW_TARGET_COUNT}, key=_metric_order):
        rows.append(
            (
                hit_rate(name) if name != names.ndcg() else f"NDCG@{names.NDCG_K}",
                [_metric(record, name, noise=True) for record in records],
            )
        )
    rows.append(("test rows", [_format(names.counted_rows(_overall(record)) or None, ",.0f") for record in records]))
    rows.append(("most popular HR@10", [_popular(record) for record in records]))
    rows.append(("index recall", [_index(record, "recall_at_k", ".4f") for record in records]))
    rows.append(("index p99, ms", [_index(record, "p99_ms", ".2f") for record in records]))
    rows.append(("seconds", [_seconds(record) for record in records]))
    rows.append(("peak, GiB", [_peak(record) for record in records]))
    for table in sorted({name for record in records if record.summary for name in record.summary.fingerprints.data}):
        rows.append((f"sha256 {table}", [_fingerprint(record, table) for record in records]))
    configs = [record.config() for record in records]
    for name in sorted({name for config in configs for name in config}):
        values = [json.dumps(config[name]) if name in config else _NOTHING for config in configs]
        if len(set(values)) > 1:
            rows.append((name, values))
    return rows


def _title(metric: str) -> str:
    return f"NDCG@{names.NDCG_K}" if metric == names.ndcg() else hit_rate(metric)


def _metric_order(name: str) -> tuple[int, int, str]:
    top_k = _TOP_K.fullmatch(name)
    if top_k is None:
        return 1, 0, name
    # By K as a number: as text, top_100 would come before top_5.
    return 0, int(top_k[1]), name


def _overall(record: Record) -> dict[str, float]:
    if record.summary is None or record.summary.metrics is None:
        return {}
    return record.summary.metrics.overall


def _metric(record: Record, name: str, noise: bool = False) -> str:
    overall = _overall(record)
    if name not in overall:
        return _NOTHING
    value, rows = overall[name], names.counted_rows(overall)
    # The standard error formula holds for shares only, not for NDCG.
    if not noise or not rows or not _TOP_K.fullmatch(name):
        return f"{value:.4f}"
    return f"{value:.4f} ±{standard_error(value, rows):.4f}"


def _popular(record: Record) -> str:
    if record.summary is None or record.summary.baselines is None:
        return _NOTHING
    return _format(record.summary.baselines.popularity.get(_GATED), ".4f")


def _version(record: Record) -> str:
    if record.summary is None or record.summary.pushed is None:
        return _NOTHING
    return str(record.summary.pushed.version)


def _beginning(record: Record) -> str:
    """Returns the version from which a training began, its run if it pushed none, or `scratch`."""
    if record.summary is None or record.summary.metrics is None:
        return _NOTHING
    start = record.summary.warm_start
    if start is None or start.reason:
        return "scratch"
    return str(start.version or start.run_of)


def _seconds(record: Record) -> str:
    if record.summary is None:
        return _NOTHING
    return f"{record.summary.seconds.total:.0f}"


def _peak(record: Record) -> str:
    if record.summary is None:
        return _NOTHING
    return f"{record.summary.peak_rss_mb / 1024:.1f}"


def _format(value: float | None, form: str) -> str:
    return _NOTHING if value is None else format(value, form)


def _index(record: Record, name: str, form: str) -> str:
    if record.summary is None or record.summary.index is None:
        return _NOTHING
    return format(getattr(record.summary.index, name), form)


def _fingerprint(record: Record, table: str) -> str:
    if record.summary is None:
        return _NOTHING
    return record.summary.fingerprints.data.get(table, "")[:12] or _NOTHING


def print_plan(name: str, plan: PrunePlan, failures: Sequence[str], deleted: bool, console: Console) -> None:
    """Prints the artifacts of a pipeline that were or would be deleted, and those that stay."""
    console.print(f"Pipeline  {name}")
    title = "Deleted" if deleted else "To delete"
    console.print(f"{title:<10}{len(plan.artifacts):,} artifacts, {_size(plan.bytes)}")
    for kind, count in sorted(collections.Counter(artifact.type for artifact in plan.artifacts).items()):
        console.print(f"          {count:,} {kind}")
    versions = ", ".join(map(str, plan.kept_versions)) or "none"
    console.print(f"Kept      all of {len(plan.kept_runs):,} runs, and the lineage of the versions {versions}")
    console.print("          records, summaries, logs, statistics and verdicts of all runs")
    for line in failures:
        console.print(f"Failed    {plain(line)}")
    if not deleted and plan.artifacts:
        console.print("Next      the same command with --yes deletes them; nothing was deleted yet")


def _size(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:,.0f} {unit}"
        size /= 1024
    return f"{size:,.1f} GiB"
