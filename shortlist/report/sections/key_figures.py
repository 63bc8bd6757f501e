"""Key figures of a run: the gates' hit rate beside its baselines and the latest runs, and the index."""

from __future__ import annotations

from shortlist.metrics import names
from shortlist.records import nodes
from shortlist.report import format
from shortlist.report.blocks import Block, Notes, PageSection, Tile, Tiles
from shortlist.report.facts import Facts
from shortlist.report.sections import history
from shortlist.report.sections.index import test_rows
from shortlist.report.sections.verdict import gate_k


def section(facts: Facts) -> PageSection | None:
    """Returns the key figures, and the run's own warnings and advice."""
    summary = facts.summary
    tiles = [*_metric_tiles(facts), *_other_tiles(facts)]
    blocks: list[Block] = []
    if tiles:
        blocks.append(Tiles(tiles))
    figure = history.figure(facts)
    if figure is not None:
        blocks.append(figure)
    if summary is not None and summary.warnings:
        blocks.append(Notes("warning", summary.warnings))
    if summary is not None and summary.advice:
        blocks.append(Notes("advice", summary.advice))
    if not blocks:
        return None
    return PageSection("verdict", "Key figures", "", blocks)


def _metric_tiles(facts: Facts) -> list[Tile]:
    measurements = facts.measurements
    name = names.top_k(gate_k(facts), with_seen=facts.with_seen)
    if measurements is None or name not in measurements.overall:
        return []
    label = f"HR@{gate_k(facts)}{' with seen' * facts.with_seen}"
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
        tiles.append(Tile(f"{label}, previous model", format.share(latest), f"the model has {value - latest:+.4f}"))
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
        tiles.append(Tile("version", str(summary.pushed.version), _pushed_by(facts)))
    return tiles


def _pushed_by(facts: Facts) -> str:
    if facts.verdict is None or not facts.verdict.unchanged:
        return "pushed by this run"
    producer = facts.producers.get(nodes.PUSHER)
    return f"pushed by run {producer.run_id}" if producer else "pushed by an earlier run"
