"""Runs as tables for a terminal."""

from __future__ import annotations

import collections
import json
import re
from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from shortlist.metrics import names
from shortlist.metrics.intervals import standard_error
from shortlist.runs.prune import PrunePlan
from shortlist.runs.record import Record
from shortlist.sanitize import plain

_WIDTH = 100
_GATED = names.top_k(10)
_SHARE = re.compile(r"factorized_top_k/top_(\d+)_categorical_accuracy")
_STYLES = {"pushed": "green", "not_blessed": "yellow", "index_rejected": "yellow", "check_failed": "yellow"}
_NOTHING = "-"


def print_list(found: Sequence[Record], limit: int) -> None:
    """Prints the latest runs, a line each."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("run")
    table.add_column("status")
    for title in ("top_10", "popular", "version", "seconds", "GiB"):
        table.add_column(title, justify="right")
    for record in found[:limit]:
        table.add_row(
            escape(plain(record.run_id)),
            f"[{_STYLES.get(record.status, 'red')}]{record.status}[/]",
            _metric(record, _GATED),
            _popular(record),
            _version(record),
            _seconds(record),
            _peak(record),
        )
    console = _console()
    console.print(table)
    if len(found) > limit:
        console.print(f"[dim]and {len(found) - limit:,} older ones; --limit shows more[/]")
    elif not found:
        console.print("no run fits; leave a filter out")


def print_comparison(found: Sequence[Record]) -> None:
    """Prints runs side by side, a column each."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    for record in found:
        table.add_column(escape(plain(record.run_id)), justify="right", overflow="fold")
    for title, cells in _rows(found):
        table.add_row(escape(plain(title)), *(escape(plain(cell)) for cell in cells))
    console = _console(26 + 20 * len(found))
    console.print(table)
    console.print("[dim]± is the standard error of a share over the test rows; seen items excluded[/]")


def _rows(found: Sequence[Record]) -> list[tuple[str, list[str]]]:
    rows = [("status", [record.status for record in found]), ("version", [_version(record) for record in found])]
    metrics = {name for record in found for name in _overall(record) if not name.endswith("_with_seen")}
    for name in sorted(metrics - {names.EXAMPLE_COUNT, names.NEW_TARGET_COUNT}, key=_metric_order):
        rows.append((name.removeprefix("factorized_top_k/"), [_metric(record, name, noise=True) for record in found]))
    rows.append(("test rows", [_count(names.counted_rows(_overall(record)) or None) for record in found]))
    rows.append(("most popular top_10", [_popular(record) for record in found]))
    rows.append(("index recall", [_index(record, "recall_at_k", ".4f") for record in found]))
    rows.append(("index p99, ms", [_index(record, "p99_ms", ".2f") for record in found]))
    rows.append(("seconds", [_seconds(record) for record in found]))
    rows.append(("peak, GiB", [_peak(record) for record in found]))
    for table in sorted({name for record in found if record.summary for name in record.summary.fingerprints.data}):
        rows.append((f"sha256 {table}", [_fingerprint(record, table) for record in found]))
    configs = [record.config() for record in found]
    for name in sorted({name for config in configs for name in config}):
        values = [json.dumps(config[name]) if name in config else _NOTHING for config in configs]
        if len(set(values)) > 1:
            rows.append((name, values))
    return rows


def _metric_order(name: str) -> tuple[int, int, str]:
    share = _SHARE.fullmatch(name)
    return (0, int(share[1]), name) if share else (1, 0, name)


def _overall(record: Record) -> dict[str, float]:
    return record.summary.metrics.overall if record.summary and record.summary.metrics else {}


def _metric(record: Record, name: str, noise: bool = False) -> str:
    overall = _overall(record)
    if name not in overall:
        return _NOTHING
    value, rows = overall[name], names.counted_rows(overall)
    if not noise or not rows or not _SHARE.fullmatch(name):
        return f"{value:.4f}"
    return f"{value:.4f} ±{standard_error(value, rows):.4f}"


def _popular(record: Record) -> str:
    found = record.summary.baselines.popularity.get(_GATED) if record.summary and record.summary.baselines else None
    return _NOTHING if found is None else f"{found:.4f}"


def _version(record: Record) -> str:
    return str(record.summary.pushed.version) if record.summary and record.summary.pushed else _NOTHING


def _seconds(record: Record) -> str:
    return f"{record.summary.seconds.total:.0f}" if record.summary else _NOTHING


def _peak(record: Record) -> str:
    return f"{record.summary.peak_rss_mb / 1024:.1f}" if record.summary else _NOTHING


def _count(value: float | None) -> str:
    return _NOTHING if value is None else f"{int(value):,}"


def _index(record: Record, name: str, form: str) -> str:
    index = record.summary.index if record.summary else None
    return _NOTHING if index is None else format(getattr(index, name), form)


def _fingerprint(record: Record, table: str) -> str:
    found = record.summary.fingerprints.data.get(table) if record.summary else None
    return found[:12] if found else _NOTHING


def print_plan(plan: PrunePlan, resisted: Sequence[str], deleted: bool, console: Console) -> None:
    """Prints what goes or is gone, and what stays for what reason."""
    verb = "Deleted" if deleted else "Would go"
    console.print(f"{verb:<10}{len(plan.artifacts):,} artifacts, {_size(plan.bytes)}")
    for kind, count in sorted(collections.Counter(artifact.type for artifact in plan.artifacts).items()):
        console.print(f"          {count:,} {kind}")
    versions = ", ".join(map(str, plan.kept_versions)) or "none"
    console.print(f"Stay      all of {len(plan.kept_runs):,} runs, and the lineage of the versions {versions}")
    console.print("          records, summaries, logs, statistics and verdicts of all runs")
    for line in resisted:
        console.print(f"Resisted  {plain(line)}", markup=False)
    if not deleted and plan.artifacts:
        console.print("Delete    the same command with --yes; nothing was deleted yet")


def _size(size: float) -> str:
    for unit in ("bytes", "KiB", "MiB"):
        if size < 1024:
            return f"{size:,.0f} {unit}"
        size /= 1024
    return f"{size:,.1f} GiB"


def _console(least: int = _WIDTH) -> Console:
    # The table needs its columns, in a pipe too.
    console = Console(highlight=False)
    return Console(highlight=False, width=max(console.width, least, _WIDTH))
