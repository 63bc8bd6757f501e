"""Hit rate @K beside "most popular" and the latest blessed model, by slice, with and without seen items."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sequence

from shortlist.lineage.measurements import Measurements, Slice
from shortlist.metrics import names
from shortlist.metrics.intervals import wilson
from shortlist.report import format, plots, protocol
from shortlist.report.blocks import Block, Figure, Notes, PageSection, TableBlock, TableColumn
from shortlist.report.facts import Facts
from shortlist.report.sections.verdict import gate_k, gates
from shortlist.verdicts import explanation

_TOP_K = re.compile(rf"{names.MODEL_FAMILY}/top_(\d+)_categorical_accuracy")
NDCG = f"NDCG@{names.NDCG_K}"
_MOST_VALUES = 8
_INDEPENDENT = "Intervals are Wilson's 95% intervals, which treat rows as independent"


def ks(metrics: Mapping[str, float]) -> list[int]:
    """Returns all K with a top_K in the metrics, sorted."""
    return sorted(int(match[1]) for name in metrics if (match := _TOP_K.fullmatch(name)))


def overall(facts: Facts) -> PageSection | None:
    """Returns the model's metrics beside those of the models that it must beat, on the same rows."""
    measurements = facts.measurements
    if measurements is None or not ks(measurements.overall):
        return None
    blocks: list[Block] = [_overall_figure(measurements, facts.with_seen)]
    seen_figure = _seen_figure(measurements)
    if seen_figure is not None:
        blocks.append(seen_figure)
    notes = [
        *_protocol_details(facts),
        f"{_INDEPENDENT}{_cluster_note(facts)}; all models were tested on the same rows.",
    ]
    if measurements.latest_blessed is None:
        notes.append("There is no comparison with a previous model; its gate has the reason.")
    blocks.append(Notes("plain", notes))
    rows = f"{_rows(measurements, facts.with_seen):,.0f} test rows"
    lead = f"HR@K of the model and of its baselines on the same {rows}, {_seen(facts.with_seen)}."
    if not explanation(gates(facts)):
        lead += " HR@K is the share of rows whose target is among the first K of the whole corpus."
    return PageSection("accuracy", "Hit rate @K", lead, blocks)


def _protocol_details(facts: Facts) -> list[str]:
    summary = facts.summary
    if summary is None or summary.protocol is None or summary.data is None:
        return []
    found = protocol.details(summary.protocol, summary.data)
    if summary.refit is not None:
        found.append(f"{protocol.refit_sentence(summary.refit)}.")
    return found


def hit_rate(k: int) -> str:
    """Returns `HR@10` and the like."""
    return f"HR@{k}"


def contenders(measurements: Measurements) -> list[tuple[str, Mapping[str, float]]]:
    """Returns the metrics of the model, of "most popular" and of the latest blessed model, if there are any."""
    models: list[tuple[str, Mapping[str, float]]] = [("model", measurements.overall)]
    if measurements.popularity:
        models.append(("most popular", measurements.popularity))
    if measurements.latest_blessed:
        models.append(("previous model", measurements.latest_blessed))
    return models


def _rows(measurements: Measurements, with_seen: bool) -> float:
    return measurements.all_rows if with_seen else measurements.rows


def _seen(with_seen: bool) -> str:
    return "seen items among the candidates" if with_seen else "seen items excluded"


def _overall_figure(measurements: Measurements, with_seen: bool) -> Figure:
    models, rows = contenders(measurements), _rows(measurements, with_seen)
    all_ks = ks(measurements.overall)
    columns = [TableColumn("metric", numeric=False)]
    for name, _ in models:
        columns += [TableColumn(name), TableColumn("95% interval")]
    lines = []
    for k in all_ks:
        values = [metrics.get(_top_k(k, with_seen)) for _, metrics in models]
        lines.append([hit_rate(k), *_with_intervals(values, rows)])
    ndcg = [metrics.get(names.ndcg(with_seen=with_seen)) for _, metrics in models]
    if any(value is not None for value in ndcg):
        pairs = ((format.share(value), format.NOTHING) for value in ndcg)
        lines.append([NDCG, *itertools.chain.from_iterable(pairs)])
    series = [share_series(name, [metrics.get(_top_k(k, with_seen)) for k in all_ks], rows) for name, metrics in models]
    return Figure(
        "HR@K of the model and of the baselines",
        "For each K, the share of test rows with the target among the first K, with its 95% interval.",
        lambda: [plots.dots([f"@{k}" for k in all_ks], series, f"HR@K, of {rows:,.0f} test rows")],
        TableBlock(f"Share of {rows:,.0f} test rows, {_seen(with_seen)}", columns, lines),
    )


def share_series(name: str, values: Sequence[float | None], rows: float | Sequence[float]) -> plots.Series:
    """Returns a series of shares with their confidence intervals.

    Args:
      name: Name of the series.
      values: The shares.
      rows: The denominator of all shares, or one denominator per share.
    """
    counts = rows if isinstance(rows, Sequence) else [rows] * len(values)
    return plots.Series(name, values, list(map(_bounds, values, counts)))


def _bounds(value: float | None, rows: float) -> tuple[float, float] | None:
    if value is None or not rows:
        return None
    return wilson(value, rows)


def _with_intervals(values: Sequence[float | None], rows: float) -> list[str]:
    return [text for value in values for text in (format.share(value), format.interval(value, rows))]


def _cluster_note(facts: Facts) -> str:
    data = facts.data
    # With one row per query, rows are independent as far as queries are.
    if data is None or data.rows.get("test", 0) <= data.queries.get("test", 0):
        return ""
    return (
        f" (a query has {data.rows['test'] / max(data.queries['test'], 1):.1f} rows on average, "
        "so that the true intervals are wider)"
    )


def _seen_figure(measurements: Measurements) -> Figure | None:
    """Returns the metrics without and with a query's seen items among the candidates."""
    all_ks = [k for k in ks(measurements.overall) if names.top_k(k, with_seen=True) in measurements.overall]
    if not all_ks:
        return None
    models, rows = contenders(measurements), {False: measurements.rows, True: measurements.all_rows}
    columns = [TableColumn("metric", numeric=False)]
    for name, _ in models:
        columns += [TableColumn(f"{name}, without seen"), TableColumn("with seen")]
    lines = [
        [hit_rate(k), *(format.share(values.get(_top_k(k, seen))) for _, values in models for seen in (False, True))]
        for k in all_ks
    ]
    series = [
        share_series(f"{name}, {word}", [values.get(_top_k(k, seen)) for k in all_ks], rows[seen])
        for name, values in models[:2]
        for seen, word in ((False, "without"), (True, "with"))
    ]
    counted = f"share of {rows[False]:,.0f} test rows"
    if rows[True] != rows[False]:
        counted += f"; with seen items of {rows[True]:,.0f}"
    return Figure(
        "HR@K with and without seen items",
        "The metrics twice: without a query's seen items among the candidates, and with them. Gates use the first. "
        "The second matters if users come back to the same items.",
        lambda: [plots.dots([f"@{k}" for k in all_ks], series, counted)],
        TableBlock(counted.capitalize(), columns, lines),
    )


def _top_k(k: int, with_seen: bool) -> str:
    return names.top_k(k, with_seen=with_seen)


def slices(facts: Facts) -> PageSection | None:
    """Returns the accuracy by slice."""
    measurements, k = facts.measurements, gate_k(facts)
    if measurements is None:
        return None
    with_seen = facts.with_seen
    name, popular = _top_k(k, with_seen), names.top_k(k, names.POPULARITY_FAMILY, with_seen)
    families = group_by_family([item for item in measurements.slices if name in item.metrics])
    if not families:
        return None
    blocks: list[Block] = []
    for family, items in families.items():
        largest = items[:_MOST_VALUES]
        labels = [item.value for item in largest]
        counts = [names.rows_of(item.metrics, with_seen) for item in largest]
        series = [
            share_series("model", [item.metrics.get(name) for item in largest], counts),
            share_series("most popular", [item.metrics.get(popular) for item in largest], counts),
        ]
        blocks.append(_slices_figure(family, labels, counts, series, k, len(items) - len(largest)))
    blocks.append(Notes("plain", [f"{_INDEPENDENT}; slices with few rows have wide intervals."]))
    return PageSection(
        "slices",
        "Hit rate by slice",
        f"{hit_rate(k)} by groups of rows, {_seen(with_seen)}. Head: the most popular candidates, which together have "
        "a third of the train targets. Middle: those with the second third. Tail: the others.",
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
    titles = ("value", "rows", *(text for item in series for text in (item.name, "95% interval")))
    lines = []
    for position, (label, rows) in enumerate(zip(labels, counts, strict=True)):
        cells = [
            text
            for item in series
            for text in (format.share(item.values[position]), format.interval(item.values[position], rows))
        ]
        lines.append([label, format.count(rows), *cells])
    caption = f"{hit_rate(k)} by {family}, share of the rows of the slice"
    if left_out:
        caption += f"; {left_out} smaller slices are left out"
    plot_labels = [f"{label} ({rows:,.0f})" for label, rows in zip(labels, counts, strict=True)]
    return Figure(
        f"{hit_rate(k)} by {family.replace('_', ' ')}",
        "Share of the rows of each slice, of the model and of most popular, with 95% intervals. Brackets contain "
        "numbers of rows.",
        lambda: [plots.rows(plot_labels, series, f"{hit_rate(k)}, share of the rows in brackets")],
        TableBlock(
            caption,
            [TableColumn(title, numeric=title != "value") for title in titles],
            lines,
        ),
    )


def group_by_family(items: Sequence[Slice]) -> dict[str, list[Slice]]:
    """Returns slices by name. Names with one value are left out; slices of many values are sorted by size."""
    families: dict[str, list[Slice]] = {}
    for item in items:
        families.setdefault(item.name, []).append(item)
    for family in families.values():
        if len(family) > _MOST_VALUES:
            family.sort(key=lambda item: -names.counted_rows(item.metrics))
    return {name: family for name, family in families.items() if len(family) > 1}
