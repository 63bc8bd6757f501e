"""Runs as tables for a terminal."""

from __future__ import annotations

import collections
import json
import re
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.output import consoles
from shortlist.metrics import names
from shortlist.metrics.intervals import standard_error
from shortlist.runs.prune import PrunePlan
from shortlist.runs.record import Record
from shortlist.sanitize import plain

_GATED = names.top_k(10)
_TOP_K = re.compile(r"factorized_top_k/top_(\d+)_categorical_accuracy")
_STYLES = {"pushed": "green", "not_blessed": "yellow", "index_rejected": "yellow", "check_failed": "yellow"}
_NOTHING = "-"


def print_list(records: Sequence[Record], limit: int) -> None:
    """Prints the latest runs, one line per run."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("run")
    table.add_column("status")
    for title in ("top_10", "popular", "version", "seconds", "GiB"):
        table.add_column(title, justify="right")
    for record in records[:limit]:
        table.add_row(
            plain(record.run_id),
            Text(plain(record.status), _STYLES.get(record.status, "red")),
            _metric(record, _GATED),
            _popular(record),
            _version(record),
            _seconds(record),
            _peak(record),
        )
    console = consoles.wide()
    console.print(table)
    if len(records) > limit:
        console.print(f"and {len(records) - limit:,} older ones; --limit shows more", style="dim")
    elif not records:
        console.print("no run matches; leave a filter out")


def print_comparison(records: Sequence[Record]) -> None:
    """Prints runs side by side, one column per run."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("")
    for record in records:
        table.add_column(plain(record.run_id), justify="right", overflow="fold")
    for title, cells in _rows(records):
        table.add_row(plain(title), *(plain(cell) for cell in cells))
    console = consoles.wide(26 + 20 * len(records))
    console.print(table)
    console.print("± is the standard error over the test rows; seen items excluded", style="dim")


def _rows(records: Sequence[Record]) -> list[tuple[str, list[str]]]:
    rows = [("status", [record.status for record in records]), ("version", [_version(record) for record in records])]
    metrics = {name for record in records for name in _overall(record) if not name.endswith("_with_seen")}
    for name in sorted(metrics - {names.EXAMPLE_COUNT, names.NEW_TARGET_COUNT}, key=_metric_order):
        rows.append((name.removeprefix("factorized_top_k/"), [_metric(record, name, noise=True) for record in records]))
    rows.append(("test rows", [_format(names.counted_rows(_overall(record)) or None, ",.0f") for record in records]))
    rows.append(("most popular top_10", [_popular(record) for record in records]))
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


def print_plan(plan: PrunePlan, failures: Sequence[str], deleted: bool, console: Console) -> None:
    """Prints the artifacts that were or would be deleted, and those that stay."""
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
