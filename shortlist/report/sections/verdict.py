"""The run's outcome with its reasons, and its key figures."""

from __future__ import annotations

from shortlist.metrics import names
from shortlist.report import format
from shortlist.report.blocks import Block, Notes, PageSection, Tile, Tiles
from shortlist.report.facts import Facts
from shortlist.report.sections.index import test_rows

_OUTCOMES = {
    "pushed": ("pushed", "good"),
    "not_blessed": ("not blessed, nothing pushed", "held"),
    "index_rejected": ("index rejected, nothing pushed", "held"),
    "check_failed": ("serving check failed, nothing pushed", "held"),
    "refused": ("data refused", "bad"),
    "failed": ("failed", "bad"),
    "killed": ("killed", "bad"),
    "running": ("running", "held"),
}


def outcome(facts: Facts) -> tuple[str, str]:
    """Returns the run's outcome in words, and its mood: `good`, `held` or `bad`."""
    return _OUTCOMES.get(facts.record.status, (facts.record.status, "held"))


def subtitle(facts: Facts) -> str:
    """Returns the run's start, its duration and its number of cached steps."""
    started, summary = facts.record.started, facts.summary
    parts = []
    if started is not None:
        parts.append(f"started {started:%Y-%m-%d %H:%M:%S} UTC")
    if summary is not None:
        parts.append(f"took {format.seconds(summary.seconds.total)}")
        if summary.cached:
            parts.append(f"{len(summary.cached)} steps came from the cache, with the results of an earlier run")
    return ", ".join(parts)


def reasons(facts: Facts) -> list[str]:
    """Returns the error that stopped the run, and the gates' reasons."""
    summary = facts.summary
    blessing = summary.blessing if summary else None
    if blessing is None:
        return [reason for reason in facts.record.reasons if reason]
    # A run that was not blessed records the blessing's reasons as its own, too.
    others = [reason for reason in facts.record.reasons if reason and reason not in blessing.reasons]
    return others + [f"{blessing.verdict}: {reason}" for reason in blessing.reasons]


def section(facts: Facts) -> PageSection | None:
    """Returns the key figures, and the run's own warnings and advice."""
    summary = facts.summary
    tiles = [*_metric_tiles(facts), *_other_tiles(facts)]
    blocks: list[Block] = []
    if tiles:
        blocks.append(Tiles(tiles))
    if summary is not None and summary.warnings:
        blocks.append(Notes("warning", summary.warnings))
    if summary is not None and summary.advice:
        blocks.append(Notes("advice", summary.advice))
    if not blocks:
        return None
    return PageSection("verdict", "Key figures", "", blocks)


def gate_k(facts: Facts) -> int:
    """Returns the K of the gates."""
    k = facts.config.get("evaluate.gate_k")
    return k if isinstance(k, int) else 10


def _metric_tiles(facts: Facts) -> list[Tile]:
    measurements = facts.measurements
    name = names.top_k(gate_k(facts), with_seen=facts.with_seen)
    if measurements is None or name not in measurements.overall:
        return []
    label = f"top_{gate_k(facts)}{' with seen' * facts.with_seen}"
    value, popular = measurements.overall[name], measurements.popularity.get(name)
    rows = measurements.all_rows if facts.with_seen else measurements.rows
    tiles = [Tile(f"{label}, model", format.share(value), f"{format.interval(value, rows)}, of {rows:,.0f} test rows")]
    if popular is not None:
        lift = "no hits"
        if popular:
            lift = f"the model has {value / popular:.2f} times as much"
        tiles.append(Tile(f"{label}, most popular", format.share(popular), lift))
    if measurements.latest_blessed and name in measurements.latest_blessed:
        latest = measurements.latest_blessed[name]
        tiles.append(Tile(f"{label}, latest blessed", format.share(latest), f"the model has {value - latest:+.4f}"))
    return tiles


def _other_tiles(facts: Facts) -> list[Tile]:
    index, summary = facts.index, facts.summary
    tiles = []
    if "recall_at_k" in index:
        queries = test_rows(index)
        tiles.append(
            Tile(f"recall@{index.get('k')}", format.share(index["recall_at_k"]), f"{index['kind']}, {queries}")
        )
    if "p99_ms" in index:
        tiles.append(
            Tile("p99 per query", f"{index['p99_ms']:.2f} ms", f"p50 {index.get('p50_ms', 0):.2f} ms, one at a time")
        )
    if summary is not None and summary.pushed:
        tiles.append(Tile("version", str(summary.pushed.version), "pushed by this run"))
    return tiles
