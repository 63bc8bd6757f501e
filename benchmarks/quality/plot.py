"""Plot of quality against training time, with a panel per data set: `plot.py quality.json quality.svg`.

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
    "popularity": ("#000000", "x", "most popular"),
    "recent_popularity": ("#000000", "+", "most popular recently"),
    "popularity_around": ("#000000", "1", "most popular around"),
    "item_knn": ("#56B4E9", "^", "item kNN"),
    "ease": ("#009E73", "s", "EASE"),
    "ials": ("#E69F00", "D", "iALS"),
    "bpr": ("#CC79A7", "v", "BPR"),
    "tfrs_tutorial": ("#999999", "P", "TFRS tutorial"),
    "sasrec": ("#0072B2", "o", "SASRec (RecTools)"),
    "esasrec": ("#0072B2", "<", "eSASRec (RecTools)"),
    "hstu": ("#0072B2", ">", "HSTU (RecTools)"),
    "shortlist_short": ("#D55E00", "p", "Shortlist, short"),
    "shortlist_untimed": ("#D55E00", "h", "Shortlist, no times"),
    "shortlist": ("#D55E00", "*", "Shortlist"),
}
# Markers that matplotlib cannot fill.
_LINES = ("x", "+", "1")
# Popularity takes 0 s, and a logarithmic axis has no zero.
_MIN_SECONDS = 0.01


def main(source: pathlib.Path, target: pathlib.Path) -> None:
    """Writes the plot. Equal results give equal bytes."""
    records = json.loads(source.read_text())["records"]
    names = list(dict.fromkeys(record["data"] for record in records))
    pyplot.rcParams.update({"svg.hashsalt": "shortlist", "svg.fonttype": "none", "font.size": 10})
    figure, panels = pyplot.subplots(1, len(names), figsize=(1.5 + 5.2 * len(names), 4.6), squeeze=False)
    for panel, name in zip(panels[0], names, strict=True):
        draw(panel, [record for record in records if record["data"] == name])
        panel.set_title(name)
    panels[0][0].set_ylabel("top_10, seen items excluded")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="center right", frameon=False)
    figure.tight_layout(rect=(0, 0, 1 - 1.7 / figure.get_figwidth(), 1))
    figure.savefig(target, metadata={"Date": None})


def draw(panel: Any, records: list[dict[str, Any]]) -> None:
    """Draws a point per seed, with one legend entry per contender."""
    for model, (colour, marker, label) in _LOOKS.items():
        trials = [record for record in records if record["model"] == model]
        colours: dict[str, Any] = {"facecolors": colour}
        if marker not in _LINES:
            # Hollow if other processes slowed the training down.
            faces = ["none" if record["machine"]["busy"] else colour for record in trials]
            colours = {"facecolors": faces, "edgecolors": colour}
        panel.scatter(
            [max(record["train_seconds"], _MIN_SECONDS) for record in trials],
            [record["top_10"] for record in trials],
            s=150 if marker == "*" else 60,
            **colours,
            marker=marker,
            label=label,
            zorder=3,
        )
    panel.set_xscale("log")
    panel.set_ylim(bottom=0)
    panel.set_xlabel("training, seconds (log)")
    panel.grid(alpha=0.3)


if __name__ == "__main__":
    main(*map(pathlib.Path, sys.argv[1:]))
