"""Comparison of several runs on one page: outcomes, metrics, costs, and the settings that differ."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from shortlist.lineage.measurements import Measurements
from shortlist.metrics import names
from shortlist.report import format, plots
from shortlist.report.blocks import Figure, Notes, Page, PageSection, TableBlock, TableColumn
from shortlist.report.facts import Facts
from shortlist.report.sections import accuracy, training, verdict

_POPULARITIES = ("head", "middle", "tail", "unseen in train")


def comparison_page(facts: Sequence[Facts]) -> Page:
    """Returns the comparison of two or more runs of one pipeline, in the given order."""
    chapters = (chapter(facts) for chapter in (_outcomes, _accuracy, _model, _costs, _settings))
    outcomes = {run.record.status for run in facts}
    status = f"{len(outcomes)} kinds of outcome"
    if len(outcomes) == 1:
        status = f"all {verdict.outcome_word(facts[0].record.status)}"
    return Page(
        title=f"{facts[0].name}: {len(facts)} runs",
        subtitle=", ".join(run.run_id for run in facts),
        status=status,
        mood="good" if all(verdict.outcome(run)[1] == "good" for run in facts) else "held",
        gates=[],
        reasons=[],
        protocol="",
        sections=[section for section in chapters if section is not None],
    )


def _columns(facts: Sequence[Facts], first: str) -> list[TableColumn]:
    return [TableColumn(first, numeric=False), *(TableColumn(run.run_id) for run in facts)]


def _outcomes(facts: Sequence[Facts]) -> PageSection:
    titles = ("run", "outcome", "why", "version", "index", "recall", "p99, ms")
    rows = [
        [
            run.run_id,
            verdict.outcome_word(run.record.status),
            "; ".join(verdict.reasons(run)) or format.NOTHING,
            _version(run),
            str(run.index.get("kind", format.NOTHING)),
            format.share(run.index.get("recall_at_k")),
            format.number(run.index.get("p99_ms")),
        ]
        for run in facts
    ]
    table = TableBlock(
        "Outcomes", [TableColumn(title, numeric=title in ("recall", "p99, ms")) for title in titles], rows
    )
    return PageSection("verdict", "Outcomes", "", [table, _comparability(facts)])


def _version(facts: Facts) -> str:
    if facts.summary is None or facts.summary.pushed is None:
        return format.NOTHING
    return str(facts.summary.pushed.version)


def _comparability(facts: Sequence[Facts]) -> Notes:
    """Returns a note on whether the metrics of the runs can be compared."""
    rows = [run.test_rows for run in facts]
    if None in rows:
        return Notes("warning", ["it is not known whether all runs were tested on the same rows"])
    if len(set(rows)) > 1:
        return Notes(
            "warning",
            ["the runs were not tested on the same rows, as data or split differ: metrics are hard to compare"],
        )
    return Notes(
        "plain", ["All runs were tested on the same rows: differences are less noisy than the intervals suggest."]
    )


def _accuracy(facts: Sequence[Facts]) -> PageSection | None:
    all_ks = sorted({k for run in facts if run.measurements for k in accuracy.ks(run.measurements.overall)})
    if not all_ks:
        return None
    series = [
        accuracy.share_series(run.run_id, [_overall(run, _top_k(run, k)) for k in all_ks], _rows(run)) for run in facts
    ]
    lines = [[accuracy.hit_rate(k), *(_with_interval(run, _top_k(run, k)) for run in facts)] for k in all_ks]
    lines.append([accuracy.NDCG, *(format.share(_overall(run, names.ndcg(with_seen=run.with_seen))) for run in facts)])
    lines.append(["test rows", *(format.count(_rows(run)) for run in facts)])
    k = verdict.gate_k(facts[0])
    popular = [_measurements(run).popularity.get(_top_k(run, k)) for run in facts]
    lines.append([f"{accuracy.hit_rate(k)}, most popular", *map(format.share, popular)])
    figure = Figure(
        "HR@K by run",
        "For each K, the share of test rows with the target among the first K, with its 95% interval. Each run has a "
        "colour.",
        lambda: [plots.dots([f"@{k}" for k in all_ks], series, "HR@K, share of the test rows")],
        TableBlock("Share of the test rows; Wilson's 95% intervals", _columns(facts, "metric"), lines),
    )
    return PageSection("accuracy", "Hit rate @K", "", [figure, *_slices(facts)])


def _overall(facts: Facts, name: str) -> float | None:
    return _measurements(facts).overall.get(name)


def _rows(facts: Facts) -> float:
    measurements = _measurements(facts)
    return measurements.all_rows if facts.with_seen else measurements.rows


def _top_k(facts: Facts, k: int) -> str:
    return names.top_k(k, with_seen=facts.with_seen)


def _with_interval(facts: Facts, name: str) -> str:
    value = _overall(facts, name)
    if value is None:
        return format.NOTHING
    return f"{format.share(value)} ({format.interval(value, _rows(facts))})"


def _of_rows(metrics: Mapping[str, float], name: str, with_seen: bool) -> str:
    rows = names.rows_of(metrics, with_seen)
    return f"{format.share(metrics.get(name))} of {format.count(rows or None)}"


def _slices(facts: Sequence[Facts]) -> list[Figure]:
    k = verdict.gate_k(facts[0])
    with_seen = facts[0].with_seen
    name = names.top_k(k, with_seen=with_seen)
    by_run = [{(item.name, item.value): item.metrics for item in _measurements(run).slices} for run in facts]
    families = accuracy.group_by_family([item for run in facts if run.measurements for item in run.measurements.slices])
    figures = []
    for family in families:
        values = list(dict.fromkeys(item.value for item in families[family]))
        if len(values) < 2:
            continue
        cells = [[metrics.get((family, value), {}) for value in values] for metrics in by_run]
        series = [
            accuracy.share_series(
                run.run_id,
                [metrics.get(name) for metrics in of_run],
                [names.rows_of(metrics, with_seen) for metrics in of_run],
            )
            for run, of_run in zip(facts, cells, strict=True)
        ]
        lines = [
            [value, *(_of_rows(metrics, name, with_seen) for metrics in of_value)]
            for value, *of_value in zip(values, *cells, strict=True)
        ]
        figures.append(
            Figure(
                f"{accuracy.hit_rate(k)} by {family.replace('_', ' ')}",
                "Share of the rows of each slice, with 95% intervals. Each run has a colour.",
                # Defaults bind the loop's values now: the plot is drawn after the loop.
                lambda values=values, series=series: [
                    plots.rows(values, series, f"{accuracy.hit_rate(k)}, share of the rows")
                ],  # type: ignore[misc]
                TableBlock(f"{accuracy.hit_rate(k)} by {family}, and number of rows", _columns(facts, family), lines),
            )
        )
    return figures


def _measurements(facts: Facts) -> Measurements:
    return facts.measurements or Measurements({}, {}, None, [])


def _model(facts: Sequence[Facts]) -> PageSection | None:
    figures = [figure for figure in (_training(facts), _answers(facts)) if figure]
    if not figures:
        return None
    return PageSection("model", "Training and recommendations", "", figures)


def _training(facts: Sequence[Facts]) -> Figure | None:
    trained_runs = [run for run in facts if any(line.get("ndcg_at_10") is not None for line in run.training)]
    if not trained_runs:
        return None
    lines = [training.line(run.training, "ndcg_at_10", run.run_id) for run in trained_runs]
    rows = [[run.run_id, format.count(run.training[-1].get("epoch")), *_best(run)] for run in trained_runs]
    titles = ("run", "epochs", "best epoch", "its NDCG@10", "seconds")
    return Figure(
        "NDCG@10 by epoch",
        "NDCG@10 on the eval rows by epoch; a ring marks each run's best epoch.",
        lambda: [plots.lines(lines, "epoch", "NDCG@10 on eval rows")],
        TableBlock("Trainings", [TableColumn(title, numeric=title != "run") for title in titles], rows),
    )


def _best(facts: Facts) -> list[str]:
    best = training.best_position(facts.training)
    line: dict[str, Any] = {}
    if best is not None:
        line = facts.training[best]
    return [
        format.count(line.get("epoch")),
        format.share(line.get("ndcg_at_10")),
        format.number(facts.training[-1].get("seconds")),
    ]


def _answers(facts: Sequence[Facts]) -> Figure | None:
    answered_runs = [run for run in facts if run.answers]
    if not answered_runs:
        return None
    counts = [
        [sum(row["answers"] for row in run.answers["popularity"] if row["bucket"] == bucket) for run in answered_runs]
        for bucket in _POPULARITIES
    ]
    totals = [max(sum(column), 1) for column in zip(*counts, strict=True)]
    parts = [
        (bucket, [value / total for value, total in zip(of_bucket, totals, strict=True)])
        for bucket, of_bucket in zip(_POPULARITIES, counts, strict=True)
        if any(of_bucket)
    ]
    lines = [
        ["queries", *(format.count(run.answers["queries"]) for run in answered_runs)],
        ["coverage", *(format.percent(run.answers["coverage_at_10"]) for run in answered_runs)],
        ["overlap of two queries", *(format.percent(run.answers["overlap_at_10"]) for run in answered_runs)],
        [
            "never recommended",
            *(f"{run.answers['never']:,} of {run.answers['corpus_size']:,}" for run in answered_runs),
        ],
        *([f"recommendations from {bucket}", *map(format.percent, values)] for bucket, values in parts),
    ]
    return Figure(
        "Popularity of the recommendations",
        "Shares of head, middle and tail among the first 10 recommendations.",
        lambda: [plots.stacks([run.run_id for run in answered_runs], parts)],
        TableBlock("The first 10 recommendations for the test queries", _columns(answered_runs, "figure"), lines),
    )


def _costs(facts: Sequence[Facts]) -> PageSection | None:
    timed_runs = [run for run in facts if run.summary]
    if not timed_runs:
        return None
    nodes = list(dict.fromkeys(node for run in timed_runs if run.summary for node in run.summary.seconds.components))
    lines = [["whole run, s", *(f"{run.summary.seconds.total:,.1f}" for run in timed_runs if run.summary)]]
    lines.append(["peak memory, MB", *(format.count(run.summary.peak_rss_mb) for run in timed_runs if run.summary)])
    for node in nodes:
        lines.append([node, *(_seconds(run, node) for run in timed_runs)])
    return PageSection(
        "costs",
        "Time and memory",
        "",
        [TableBlock('Seconds per step; "cache" marks results from the cache', _columns(timed_runs, "step"), lines)],
    )


def _seconds(facts: Facts, node: str) -> str:
    summary = facts.summary
    if summary is None or node not in summary.seconds.components:
        return format.NOTHING
    if node in summary.cached:
        return "cache"
    return f"{summary.seconds.components[node]:.1f}"


def _settings(facts: Sequence[Facts]) -> PageSection | None:
    configs = [run.config for run in facts]
    lines = []
    for name in sorted({name for config in configs for name in config}):
        values = [json.dumps(config[name], default=str) if name in config else format.NOTHING for config in configs]
        if len(set(values)) > 1:
            lines.append([name, *values])
    tables = sorted({table for run in facts if run.summary for table in run.summary.fingerprints.data})
    for name in tables:
        prints = [_fingerprint(run, name) for run in facts]
        if len(set(prints)) > 1:
            lines.append([f"sha256 of {name}", *prints])
    if not lines:
        return PageSection("settings", "Differences", "Settings and data are the same.", [])
    table = TableBlock("Settings and data that differ", _columns(facts, "setting"), lines)
    return PageSection("settings", "Differences", "", [table])


def _fingerprint(facts: Facts, table: str) -> str:
    if facts.summary is None:
        return ""
    return facts.summary.fingerprints.data.get(table, "")[:12]
