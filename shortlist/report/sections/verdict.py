"""What became of the run, why, and the figures that everybody asks for."""

from __future__ import annotations

from shortlist.metrics import names
from shortlist.report import format
from shortlist.report.blocks import Block, Notes, PageSection, Tile, Tiles
from shortlist.report.facts import Facts

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
    """Returns how the run ended in words, and whether that is `good`, `held` or `bad`."""
    return _OUTCOMES.get(facts.record.status, (facts.record.status, "held"))


def subtitle(facts: Facts) -> str:
    """Returns when it ran and for how long."""
    started, summary = facts.record.started, facts.summary
    told = [f"started {started:%Y-%m-%d %H:%M:%S} UTC"] if started else []
    if summary is not None:
        told.append(f"took {format.seconds(summary.seconds.total)}")
        if summary.cached:
            told.append(f"{len(summary.cached)} steps came from the cache, with the figures of the run that did them")
    return ", ".join(told)


def reasons(facts: Facts) -> list[str]:
    """Returns what the gates said, or what stopped the run."""
    summary = facts.summary
    blessing = summary.blessing if summary else None
    word = "blessed" if blessing and blessing.blessed else "not blessed"
    said = [f"{word}: {reason}" for reason in blessing.reasons] if blessing else []
    known = set(blessing.reasons) if blessing else set()
    return [reason for reason in facts.record.reasons if reason and reason not in known] + said


def section(facts: Facts) -> PageSection | None:
    """Returns the tiles, and what the run itself warns of and advises."""
    summary = facts.summary
    tiles = [*_metric_tiles(facts), *_other_tiles(facts)]
    blocks: list[Block] = [Tiles(tiles)] if tiles else []
    if summary is not None and summary.warnings:
        blocks.append(Notes("warning", summary.warnings))
    if summary is not None and summary.advice:
        blocks.append(Notes("advice", summary.advice))
    return PageSection("verdict", "At a glance", "", blocks) if blocks else None


def gate_k(facts: Facts) -> int:
    """Returns the K that the gates look at."""
    found = facts.config.get("evaluate.gate_k")
    return found if isinstance(found, int) else 10


def _metric_tiles(facts: Facts) -> list[Tile]:
    measured = facts.measured
    name = names.top_k(gate_k(facts), with_seen=facts.with_seen)
    if measured is None or name not in measured.overall:
        return []
    label = f"top_{gate_k(facts)}{' with seen' * facts.with_seen}"
    value, popular = measured.overall[name], measured.popularity.get(name)
    rows = measured.all_rows if facts.with_seen else measured.rows
    found = [Tile(f"{label}, model", format.share(value), f"{format.interval(value, rows)}, of {rows:,.0f} test rows")]
    if popular is not None:
        lift = f"the model has {value / popular:.2f} times that" if popular else "it had no hit"
        found.append(Tile(f"{label}, most popular", format.share(popular), lift))
    if measured.latest_blessed and name in measured.latest_blessed:
        latest = measured.latest_blessed[name]
        found.append(Tile(f"{label}, latest blessed", format.share(latest), f"the model is {value - latest:+.4f}"))
    return found


def _other_tiles(facts: Facts) -> list[Tile]:
    index, summary = facts.index, facts.summary
    found = []
    if "recall_at_k" in index:
        queries = f"{index['test_queries']:,} test rows" if "test_queries" in index else "test rows"
        found.append(
            Tile(f"recall@{index.get('k')}", format.share(index["recall_at_k"]), f"{index['kind']}, {queries}")
        )
    if "p99_ms" in index:
        found.append(
            Tile("p99 a query", f"{index['p99_ms']:.2f} ms", f"p50 {index.get('p50_ms', 0):.2f} ms, one at a time")
        )
    if summary is not None and summary.pushed:
        found.append(Tile("version", str(summary.pushed.version), "is what this run pushed"))
    return found
