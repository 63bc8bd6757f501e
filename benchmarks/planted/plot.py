"""Plot of each node's seconds and memory by size: `plot.py scale.json scale.svg`.

It runs in an environment with matplotlib alone, and therefore imports no other module of the benchmark.
"""

from __future__ import annotations

import json
import pathlib
import sys
from typing import Any

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

# A node below this share of a run's seconds is drawn as part of "others".
_SHOWN_SHARE = 0.03
_OTHERS = "others"


def main(source: pathlib.Path, target: pathlib.Path) -> None:
    """Writes the plot. Equal results give equal bytes."""
    records = [record for record in json.loads(source.read_text())["records"] if "failed" not in record]
    pyplot.rcParams.update({"svg.hashsalt": "shortlist", "svg.fonttype": "none", "font.size": 9})
    figure, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.6))
    labels = [f"{record['interactions']:,}\n{record['candidates']:,}" for record in records]
    names = shown(records)
    colours = dict(zip(names, pyplot.get_cmap("tab20").colors, strict=False)) | {_OTHERS: "#bbbbbb"}
    for place, record in enumerate(records):
        bottom = 0.0
        for name, seconds in stacked(record, names).items():
            left.bar(place, seconds, bottom=bottom, width=0.6, color=colours[name], label=name if not place else None)
            bottom += seconds
        peaks = sorted(record["peak_mb"].items(), key=lambda item: item[1])[-8:]
        offsets = [place + (number - len(peaks) / 2) * 0.09 for number in range(len(peaks))]
        right.bar(offsets, [peak for _, peak in peaks], width=0.08, color=[colours.get(n, "#bbbbbb") for n, _ in peaks])
    for panel, title in ((left, "seconds"), (right, "peak memory, MiB: the eight highest nodes")):
        panel.set_xticks(range(len(records)), labels)
        panel.set_xlabel("interactions, candidates")
        panel.set_title(title)
    handles = [pyplot.Rectangle((0, 0), 1, 1, color=colours[name]) for name in (*names, _OTHERS)]
    figure.legend(handles, [*names, _OTHERS], loc="center right", frameon=False)
    figure.tight_layout(rect=(0, 0, 0.84, 1))
    figure.savefig(target, metadata={"Date": None})


def shown(records: list[dict[str, Any]]) -> list[str]:
    """Returns the nodes with a large share of some run's seconds, in the order of the pipeline."""
    large = {
        name
        for record in records
        for name, seconds in record["seconds"].items()
        if seconds > _SHOWN_SHARE * sum(record["seconds"].values())
    }
    return [name for name in dict.fromkeys(name for record in records for name in record["seconds"]) if name in large]


def stacked(record: dict[str, Any], names: list[str]) -> dict[str, float]:
    """Returns the seconds of the shown nodes and of all others."""
    seconds = {name: record["seconds"].get(name, 0.0) for name in names}
    return {**seconds, _OTHERS: sum(record["seconds"].values()) - sum(seconds.values())}


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
