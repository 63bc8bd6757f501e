"""Records a workspace of four runs of the installed version.

    SHORTLIST_DATA_DIR=FOLDER python tests/compatibility/make_workspace.py FOLDER ARCHIVE.tar.xz

The log is made up: 60 queries walk round a circle of 48 candidates. The runs are one that pushes, the same from the
cache, one that is not blessed, and one that pushes again.
`tests/compatibility/test_recorded_workspace.py` restores the archive and opens it with the code of today.
"""

from __future__ import annotations

import json
import pathlib
import random
import shutil
import subprocess
import sys
import tarfile

QUERIES, CANDIDATES, INTERACTIONS = 60, 48, 14
HISTORY = "i3,i4,i6,i7"

_CONFIG = """\
name: circle
workspace: workspace
data:
  schemas: schemas
  interactions: {path: interactions.csv, query_id: user, candidate_id: item, timestamp: time}
  candidates: {path: candidates.csv, candidate_id: item, title: name, features: {name: text, colour: category}}
model: {embedding_dim: 8, query_tower: {kind: history, blocks: 1}}
train: {loss: {kind: corpus}, epochs: 6, eval_every_epochs: 3, batch_size: 16, learning_rate: 0.01}
evaluate:
  ks: [1, 10]
  min_lift_over_popularity: 0.0
  max_drop_from_baseline: 1.0
  cold_start: {empty_history: {threshold: 0.0, action: ignore}}
index: {k: 10}
"""


def make_data(folder: pathlib.Path) -> None:
    """Writes the tables, their schemas and the config."""
    generator = random.Random(7)
    rows = ["user,item,time"]
    for query in range(QUERIES):
        place = generator.randrange(CANDIDATES)
        for step in range(INTERACTIONS):
            rows.append(f"u{query},i{place},{1_700_000_000 + 3600 * step + query}")
            place = (place + generator.choice((1, 2))) % CANDIDATES
    (folder / "interactions.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    colours = ("red", "green", "blue")
    catalogue = [f"i{item},Thing {item},{colours[item % 3]}" for item in range(CANDIDATES)]
    (folder / "candidates.csv").write_text("item,name,colour\n" + "\n".join(catalogue) + "\n", encoding="utf-8")
    (folder / "schemas").mkdir()
    for table, columns in {
        "interactions": {"query_id": "BYTES", "candidate_id": "BYTES", "timestamp": "INT"},
        "candidates": {"candidate_id": "BYTES", "name": "BYTES", "colour": "BYTES"},
    }.items():
        features = "".join(
            f'feature {{ name: "{name}" type: {kind} presence {{ min_fraction: 1.0 }} }}\n'
            for name, kind in columns.items()
        )
        (folder / "schemas" / f"{table}.pbtxt").write_text(features, encoding="utf-8")
    (folder / "circle.yaml").write_text(_CONFIG, encoding="utf-8")


def record(folder: pathlib.Path) -> None:
    """Runs the pipeline four times in a folder, which its paths will name, and asks what was pushed."""
    answers = {}
    for settings, code in (
        ([], 0),
        ([], 0),
        (["train.seed=2", "evaluate.min_lift_over_popularity=1000"], 3),
        (["train.seed=3"], 0),
    ):
        _shortlist(folder, "run", *(part for setting in settings for part in ("--set", setting)), code=code)
        version = max(path.name for path in (folder / "workspace/serving/circle").iterdir() if path.is_dir())
        answers[version] = json.loads(_shortlist(folder, "recommend", "--history", HISTORY, "-k", "5", "--json"))
    (folder / "answers.json").write_text(json.dumps(answers, indent=1), encoding="utf-8")


def _shortlist(folder: pathlib.Path, command: str, *arguments: str, code: int = 0) -> str:
    typed = [sys.executable, "-m", "pipeline_runner", command, "--config", "circle.yaml", *arguments]
    ended = subprocess.run(typed, cwd=folder, check=False, stdout=subprocess.PIPE, text=True)
    if ended.returncode != code:
        raise SystemExit(f"{' '.join(typed)}: expected exit code {code}, got {ended.returncode}")
    return ended.stdout


def pack(folder: pathlib.Path, archive: pathlib.Path) -> None:
    """Writes the folder, and its own path, as `RECORDED_AT`, into an archive.

    Logs stay out: they name the Python environment that recorded them.
    """
    (folder / "RECORDED_AT").write_text(str(folder), encoding="utf-8")
    with tarfile.open(archive, "w:xz") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, path.name, filter=lambda member: None if member.name.endswith(".log") else member)


if __name__ == "__main__":
    root = pathlib.Path(sys.argv[1])
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir(parents=True)
    make_data(root)
    record(root)
    pack(root, pathlib.Path(sys.argv[2]))
