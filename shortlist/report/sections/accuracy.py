"""FactorizedTopK: against "most popular" and the latest blessed model, by slice, with and without seen items."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence

from shortlist.lineage.measurements import Measurements, Slice
from shortlist.metrics import names
from shortlist.metrics.intervals import wilson
from shortlist.report import format, plots
from shortlist.report.blocks import Block, Figure, Notes, PageSection, TableBlock, TableColumn
from shortlist.report.facts import Facts
from shortlist.report.sections.verdict import gate_k

_TOP_K = re.compile(rf"{names.MODEL_FAMILY}/top_(\d+)_categorical_accuracy")
_MOST_VALUES = 8
_INDEPENDENT = "Intervals are Wilson's for 95%, with rows taken as independent"


def ks(metrics: Mapping[str, float]) -> list[int]:
    """Returns the K that were asked for, in order."""
    return sorted(int(found[1]) for name in metrics if (found := _TOP_K.fullmatch(name)))


def overall(facts: Facts) -> PageSection | None:
    """Returns the model beside what it must beat, on the same rows."""
    measured = facts.measured
    if measured is None or not ks(measured.overall):
        return None
    blocks: list[Block] = [_overall_figure(measured, facts.with_seen)]
    seen = _seen_figure(measured)
    if seen is not None:
        blocks.append(seen)
    notes = [f"{_INDEPENDENT}{_clustered(facts)}; all contenders answered the same rows."]
    if measured.latest_blessed is None:
        notes.append("No earlier blessed model stands beside it; the reason is among those of the verdict.")
    blocks.append(Notes("plain", notes))
    return PageSection(
        "accuracy",
        "How often the target is among the first K",
        f"FactorizedTopK: the share of {_rows(measured, facts.with_seen):,.0f} held-out test rows whose target is "
        f"among the first K of the whole corpus, {_seen(facts.with_seen)}.",
        blocks,
    )


def contenders(measured: Measurements) -> list[tuple[str, Mapping[str, float]]]:
    """Returns the model, "most popular" and the latest blessed model, as far as there are figures of them."""
    found: list[tuple[str, Mapping[str, float]]] = [("model", measured.overall)]
    if measured.popularity:
        found.append(("most popular", measured.popularity))
    if measured.latest_blessed:
        found.append(("latest blessed", measured.latest_blessed))
    return found


def _rows(measured: Measurements, with_seen: bool) -> float:
    return measured.all_rows if with_seen else measured.rows


def _seen(with_seen: bool) -> str:
    return "seen items among the candidates" if with_seen else "seen items excluded"


def _overall_figure(measured: Measurements, with_seen: bool) -> Figure:
    found, rows = contenders(measured), _rows(measured, with_seen)
    all_ks = ks(measured.overall)
    columns = [TableColumn("metric", numeric=False)]
    for name, _ in found:
        columns += [TableColumn(name), TableColumn("95% interval")]
    lines = []
    for k in all_ks:
        values = [metrics.get(_top_k(k, with_seen)) for _, metrics in found]
        lines.append([f"top_{k}", *_with_intervals(values, rows)])
    ndcg = [metrics.get(names.ndcg(with_seen=with_seen)) for _, metrics in found]
    if any(value is not None for value in ndcg):
        pairs = ((format.share(value), format.NOTHING) for value in ndcg)
        lines.append([names.ndcg(), *itertools.chain.from_iterable(pairs)])
    series = [share_series(name, [metrics.get(_top_k(k, with_seen)) for k in all_ks], rows) for name, metrics in found]
    return Figure(
        "Model and contenders",
        "For each K, the share of test rows whose target is among the first K, with its 95% interval.",
        lambda: [plots.dots([f"top {k}" for k in all_ks], series, f"share of {rows:,.0f} test rows")],
        TableBlock(f"Share of {rows:,.0f} test rows, {_seen(with_seen)}", columns, lines),
    )


def share_series(name: str, values: Sequence[float | None], rows: float | Sequence[float]) -> plots.Series:
    """Returns a series of shares with their intervals; `rows` is their denominator, or one for each."""
    counts = rows if isinstance(rows, Sequence) else [rows] * len(values)
    bounds = [
        wilson(value, count) if value is not None and count else None
        for value, count in zip(values, counts, strict=True)
    ]
    return plots.Series(name, values, bounds)


def _with_intervals(values: Sequence[float | None], rows: float) -> list[str]:
    return [text for value in values for text in (format.share(value), format.interval(value, rows))]


def _clustered(facts: Facts) -> str:
    data = facts.summary.data if facts.summary else None
    if data is None or data.rows.get("test", 0) <= data.queries.get("test", 0):
        return ""
    return (
        f" (a query has {data.rows['test'] / max(data.queries['test'], 1):.1f} of them on average, "
        "so that the truth is wider)"
    )


def _seen_figure(measured: Measurements) -> Figure | None:
    """Returns the same with a query's past left among the candidates."""
    all_ks = [k for k in ks(measured.overall) if names.top_k(k, with_seen=True) in measured.overall]
    if not all_ks:
        return None
    found, rows = contenders(measured), {False: measured.rows, True: measured.all_rows}
    columns = [TableColumn("metric", numeric=False)]
    for name, _ in found:
        columns += [TableColumn(f"{name}, without seen"), TableColumn("with seen")]
    lines = [
        [f"top_{k}", *(format.share(values.get(_top_k(k, seen))) for _, values in found for seen in (False, True))]
        for k in all_ks
    ]
    series = [
        share_series(
            f"{name}, {'with' if seen else 'without'}", [values.get(_top_k(k, seen)) for k in all_ks], rows[seen]
        )
        for name, values in found[:2]
        for seen in (False, True)
    ]
    counted = f"share of {rows[False]:,.0f} test rows"
    if rows[True] != rows[False]:
        counted += f"; with seen items of {rows[True]:,.0f}"
    return Figure(
        "With and without seen items",
        "The same twice: without what a query has seen among the candidates, and with it. Gates look at the first; "
        "where people come back to the same items, look at the second.",
        lambda: [plots.dots([f"top {k}" for k in all_ks], series, counted)],
        TableBlock(counted.capitalize(), columns, lines),
    )


def _top_k(k: int, with_seen: bool) -> str:
    return names.top_k(k, with_seen=with_seen)


def slices(facts: Facts) -> PageSection | None:
    """Returns where the model is good and where not."""
    measured, k = facts.measured, gate_k(facts)
    with_seen = facts.with_seen
    name, popular = _top_k(k, with_seen), names.top_k(k, names.POPULARITY_FAMILY, with_seen)
    families = group_by_family([item for item in measured.slices if name in item.metrics]) if measured else {}
    if not families:
        return None
    blocks: list[Block] = []
    for family, found in families.items():
        told = found[:_MOST_VALUES]
        labels = [item.value for item in told]
        counts = [names.rows_of(item.metrics, with_seen) for item in told]
        series = [
            share_series("model", [item.metrics.get(name) for item in told], counts),
            share_series("most popular", [item.metrics.get(popular) for item in told], counts),
        ]
        blocks.append(_slices_figure(family, labels, counts, series, k, len(found) - len(told)))
    blocks.append(Notes("plain", [f"{_INDEPENDENT}; a slice of few rows has a wide one."]))
    return PageSection(
        "slices",
        "Where it is good, and where not",
        f"top_{k} of rows that have something in common, {_seen(with_seen)}. Head are the most popular candidates "
        "that together have a third of the train targets, middle those of the second third, tail the others.",
        blocks,
    )


def _slices_figure(
    family: str,
    labels: Sequence[str],
    counts: Sequence[float],
    series: Sequence[plots.Series],
    k: int,
    left_out: int,
) -> Figure:
    titles = ("value", "rows", *(text for one in series for text in (one.name, "95% interval")))
    lines = []
    for place, (label, rows) in enumerate(zip(labels, counts, strict=True)):
        cells = [
            text
            for one in series
            for text in (format.share(one.values[place]), format.interval(one.values[place], rows))
        ]
        lines.append([label, format.count(rows), *cells])
    more = f"; {left_out} smaller ones are left out" if left_out else ""
    shown_labels = [f"{label} ({rows:,.0f})" for label, rows in zip(labels, counts, strict=True)]
    return Figure(
        family.replace("_", " "),
        f"top_{k} by {family}: a dot for the model and for most popular, with their 95% intervals; rows in brackets.",
        lambda: [plots.rows(shown_labels, series, f"top_{k}, share of the rows in brackets")],
        TableBlock(
            f"top_{k} by {family}, share of the rows of the slice{more}",
            [TableColumn(title, numeric=place > 0) for place, title in enumerate(titles)],
            lines,
        ),
    )


def group_by_family(found: Sequence[Slice]) -> dict[str, list[Slice]]:
    """Returns slices by what they have in common, those of many values by size; only where there are two or more."""
    families: dict[str, list[Slice]] = {}
    for item in found:
        families.setdefault(item.name, []).append(item)
    for items in families.values():
        if len(items) > _MOST_VALUES:
            items.sort(key=lambda item: -names.counted_rows(item.metrics))
    return {name: items for name, items in families.items() if len(items) > 1}
