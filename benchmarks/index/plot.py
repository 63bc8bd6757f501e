"""Plot of recall against latency, with a panel per number of candidates: `plot.py index.json index.svg`.

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

# Okabe and Ito's palette, whose colours colour-blind people can distinguish. The markers also work without colours.
_LOOKS = {
    "shortlist scann": ("#D55E00", "*"),
    "shortlist scann, 3 searchers": ("#D55E00", "<"),
    "shortlist exact": ("#D55E00", "h"),
    "scann binding": ("#0072B2", "o"),
    "scann newest": ("#56B4E9", "s"),
    "tfrs scann": ("#999999", "P"),
    "tfrs brute force": ("#999999", "X"),
    "hnswlib": ("#009E73", "^"),
    "usearch": ("#CC79A7", "v"),
    "faiss ivf flat": ("#E69F00", "D"),
    "faiss flat": ("#E69F00", "p"),
}
_MIN_RECALL = 0.9


def main(source: pathlib.Path, target: pathlib.Path) -> None:
    """Writes the plot. Equal results give equal bytes."""
    records = json.loads(source.read_text())["records"]
    singles = [it for it in records if it["batch"] == 1 and not it["exclusions"]]
    sizes = sorted({record["candidates"] for record in singles})
    pyplot.rcParams.update({"svg.hashsalt": "shortlist", "svg.fonttype": "none", "font.size": 10})
    figure, panels = pyplot.subplots(1, len(sizes), figsize=(1.5 + 4.2 * len(sizes), 4.4), squeeze=False)
    for panel, size in zip(panels[0], sizes, strict=True):
        draw(panel, [record for record in singles if record["candidates"] == size])
        panel.set_title(f"{size:,} candidates")
        panel.set_xlabel("recall@100")
    panels[0][0].set_ylabel("latency of a single query, p50 in µs")
    handles, labels = panels[0][-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="center right", frameon=False)
    figure.tight_layout(rect=(0, 0, 1 - 1.7 / figure.get_figwidth(), 1))
    figure.savefig(target, metadata={"Date": None})


def draw(panel: Any, records: list[dict[str, Any]]) -> None:
    """Draws a line per engine."""
    panel.set_yscale("log")
    for engine, (colour, marker) in _LOOKS.items():
        points = sorted((it["recall"], it["p50_us"]) for it in records if it["engine"] == engine)
        points = [point for point in points if point[0] >= _MIN_RECALL]
        if points:
            panel.plot(*zip(*points, strict=True), color=colour, marker=marker, label=engine, linewidth=1)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
