"""Plot of the trade of diversity: `plot.py rules.json rules.svg`.

It runs in an environment with matplotlib alone, and therefore imports no other module of the benchmark.
"""

from __future__ import annotations

import json
import pathlib
import sys

import matplotlib

matplotlib.use("svg")
from matplotlib import pyplot

_PANELS = (("intra_list_similarity", "intra-list similarity"), ("coverage_at_10", "coverage@10"))


def main(source: pathlib.Path, target: pathlib.Path) -> None:
    """Writes the plot. Equal results give equal bytes."""
    records = json.loads(source.read_text())["diversity"]
    pyplot.rcParams.update({"svg.hashsalt": "shortlist", "svg.fonttype": "none", "font.size": 9})
    figure, panels = pyplot.subplots(1, 2, figsize=(9, 3.6), sharey=True)
    for panel, (name, title) in zip(panels, _PANELS, strict=True):
        panel.plot([it[name] for it in records], [it["hr_at_10"] for it in records], marker="o", color="#3b6ea5")
        for number, record in enumerate(records):
            if number % 2:
                continue
            # On the outer side of the curve, where it goes back to the left as well.
            is_rightmost = record[name] >= max(it[name] for it in records[: number + 1])
            panel.annotate(
                f"{record['diversity']:g}",
                (record[name], record["hr_at_10"]),
                textcoords="offset points",
                xytext=(6 if is_rightmost else -6, 5),
                ha="left" if is_rightmost else "right",
            )
        panel.margins(x=0.08)
        panel.set_xlabel(title)
    panels[0].set_ylabel("HR@10")
    panels[0].set_ylim(0.0, 1.15 * max(it["hr_at_10"] for it in records))
    figure.suptitle("HR@10 for diversity 0 to 1")
    figure.tight_layout()
    figure.savefig(target, metadata={"Date": None})


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2]))
