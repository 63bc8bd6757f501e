"""The results as Markdown."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from benchmarks.quality.contenders import CONTENDERS

METRICS = ("top_1", "top_10", "top_100", "ndcg_10")
_BUSY_NOTE = (
    "\\* Another process had more than a tenth of the cores during the training: its seconds and targets per second "
    "are too slow, by an unknown amount."
)


def document(results: Mapping[str, Any]) -> str:
    """Returns the text of quality.md: a table of results and tables of differences for each data set."""
    parts = [
        "<!-- Written by `make bench-quality`; docs/benchmarks.md explains it. -->",
        "Told the time: whether the contender reads the time of the target that it predicts.",
    ]
    for name, group in itertools.groupby(results["records"], key=lambda record: record["data"]):
        records = list(group)
        differences = [difference for difference in results["differences"] if difference["data"] == name]
        parts += [f"## {name}", f"{records[0]['protocol']}."]
        parts += sorted({f"Note: {record['note']}." for record in records if "note" in record})
        parts.append(table(records))
        if any(record["machine"]["busy"] for record in records):
            parts.append(_BUSY_NOTE)
        for of, of_one in itertools.groupby(differences, key=lambda difference: difference["of"]):
            parts.append(difference_table(of, of_one))
    return "\n\n".join(parts) + "\n"


def table(records: Sequence[Mapping[str, Any]]) -> str:
    """Returns a table with a line per contender, the means over its seeds; the best top_10 is last."""
    lines = [
        "| | told the time | seeds | top_1 | top_10 | top_100 | NDCG@10 | training s | targets per second "
        "| chosen on eval |",
        "|---|---|---:|---:|---:|---:|---:|---:|---:|---|",
    ]
    by_model = {
        model: [record for record in records if record["model"] == model]
        for model in sorted({record["model"] for record in records}, key=list(CONTENDERS).index)
    }
    for model, seeds in sorted(by_model.items(), key=lambda pair: _mean(pair[1], "top_10")):
        busy = "\\*" if any(record["machine"]["busy"] for record in seeds) else ""
        rates = [record["targets_per_second"] for record in seeds if record["targets_per_second"]]
        cells = [
            CONTENDERS[model].title,
            "yes" if seeds[0]["query_time"] else "no",
            str(len(seeds)),
            *(_accuracy(seeds, metric) for metric in METRICS),
            f"{_mean(seeds, 'train_seconds'):,.1f}{busy}",
            f"{statistics.mean(rates):,.0f}{busy}" if rates else "",
            _setting(seeds),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def difference_table(of: str, differences: Iterable[Mapping[str, Any]]) -> str:
    """Returns a table with a line per contender: the difference of the contender `of` to it."""
    lines = [f"| {CONTENDERS[of].title} less | seeds | top_10 (95%) | top_100 (95%) |", "|---|---:|---|---|"]
    for model, group in itertools.groupby(differences, key=lambda difference: difference["against"]):
        by_metric = {difference["metric"]: difference for difference in group}
        cells = [
            "{mean:+.4f} ({low:+.4f} to {high:+.4f})".format_map(by_metric[metric]) for metric in ("top_10", "top_100")
        ]
        seeds = "and".join(f" {len(by_metric['top_10']['seeds'][one])} " for one in (of, model)).strip()
        lines.append(f"| {CONTENDERS[model].title} | {seeds} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _mean(records: Sequence[Mapping[str, Any]], name: str) -> float:
    return statistics.mean(record[name] for record in records)


def _accuracy(records: Sequence[Mapping[str, Any]], metric: str) -> str:
    """Returns the mean, with the range over the seeds if there are several."""
    values = [record[metric] for record in records]
    mean = f"{statistics.mean(values):.4f}"
    if len(values) == 1:
        return mean
    return f"{mean} ({min(values):.4f} to {max(values):.4f})"


def _setting(records: Sequence[Mapping[str, Any]]) -> str:
    """Returns the chosen values of the settings that differ within the grid, for all seeds."""
    varied = set()
    for record in records:
        tried = [trial["setting"] for trial in record["tried"]]
        names = [name for name in tried[0] if len({str(setting.get(name)) for setting in tried}) > 1]
        names += [name for name in ("best_epoch",) if name in record["setting"]]
        varied.add(", ".join(f"{name} {record['setting'][name]}" for name in names))
    return "; ".join(sorted(varied))
