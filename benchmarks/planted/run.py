"""Runs the whole pipeline on planted logs: seconds and peak memory of each node by size, and quality.

    python -m benchmarks.planted.run --sizes 100000:20000 1000000:200000
    python -m benchmarks.planted.run --sizes 100000:20000 --set train.epochs=4

A size is `interactions:candidates`. The config is what `schema infer` proposes for the log, and `--set` changes it.
With `--keep FOLDER`, log and workspace remain there: the same command continues a run that failed, and the seconds of
a node are those of the run that did the work. Baselines are measured on the same test rows, and `ceiling` is the
planted truth's own score. The figures of a size replace earlier ones of the same size in `scale.json`; `scale.md` and
`scale.svg` are drawn from all of them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from benchmarks.direct_runner import machine
from benchmarks.planted import baselines, log
from benchmarks.quality import environments

RESULTS = environments.ROOT / "benchmarks" / "results"
EVAL_ROWS = 10_000
_NAME = "planted"
_DONE, _NOTHING_PUSHED = 0, 3
_METRICS = ("top_10", "ndcg_at_10", "top_100")


def main(argv: Sequence[str] | None = None) -> None:
    """Measures each size and writes the results after each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="+", type=_size, default=[(100_000, 20_000)], metavar="ROWS:CANDIDATES")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="changes a config value")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--note", default="", help="a remark on the machine, such as what else was running")
    parser.add_argument("--keep", type=pathlib.Path, help="folder for logs and workspaces, by default a temporary one")
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS, help="folder of the figures")
    args = parser.parse_args(argv)
    for interactions, candidates in args.sizes:
        with _folder(args.keep, f"{interactions}-{candidates}-{args.seed}") as folder:
            record = measure(folder, interactions, candidates, args.seed, args.set)
        record |= {"machine": machine(), "note": args.note}
        print(json.dumps(record, indent=2), flush=True)
        write(args.results, record)


def measure(folder: pathlib.Path, interactions: int, candidates: int, seed: int, changes: list[str]) -> dict[str, Any]:
    """Writes a log into a folder, measures the baselines and runs the pipeline there.

    A folder that this function has used for the same log before is continued.
    """
    planted = _log(folder, interactions, candidates, seed)
    start = time.monotonic()
    quality: dict[str, Any] = baselines.measure(folder)
    quality["ceiling"] = {name: planted[f"ceiling_{name}"] for name in _METRICS}
    record: dict[str, Any] = {
        "interactions": interactions,
        "candidates": candidates,
        "log": planted,
        "set": changes,
        "quality": quality,
        "baseline_seconds": round(time.monotonic() - start, 1),
    }
    tables = [f"{table}.parquet" for table in log.TABLES]
    options = [item for name, path in zip(log.TABLES[1:], tables[1:], strict=True) for item in (f"--{name}", path)]
    if not (folder / "configs" / f"{_NAME}.yaml").exists():
        _shortlist(folder, "schema", "infer", tables[0], *options, "--name", _NAME)
    settings = [item for change in (f"train.eval_rows={EVAL_ROWS}", *changes) for item in ("--set", change)]
    code, seconds, peak_mb = _shortlist(folder, "run", "--config", f"configs/{_NAME}.yaml", *settings, may_fail=True)
    summaries = _summaries(folder / "workspaces" / _NAME / "runs")
    if code not in (_DONE, _NOTHING_PUSHED) or not summaries:
        return record | {"failed": f"exit code {code}", "output": (folder / "output").read_text()[-2000:]}
    return record | figures(summaries) | {"process_seconds": seconds, "process_peak_mb": peak_mb}


@contextlib.contextmanager
def _folder(keep: pathlib.Path | None, name: str) -> Iterator[pathlib.Path]:
    """Yields a folder of a name that remains, or a temporary one."""
    if keep is not None:
        yield keep.absolute() / name
        return
    with tempfile.TemporaryDirectory() as folder:
        yield pathlib.Path(folder)


def _log(folder: pathlib.Path, interactions: int, candidates: int, seed: int) -> dict[str, Any]:
    """Writes the log, if the folder does not have it, and returns its truth."""
    # It is written last.
    path = folder / log.TRUTH_FILE
    if path.exists():
        return dict(json.loads(path.read_text()))
    return log.write(folder, interactions, candidates, seed)


def _summaries(folder: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the summaries of a workspace's runs, the latest one last. Names of runs begin with their time."""
    paths = sorted(path for path in folder.glob("*/summary.json") if not path.parent.is_symlink())
    return [json.loads(path.read_text()) for path in paths]


def figures(summaries: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Returns the figures of the last of some runs; those of cached nodes are from the run that did the work.

    Args:
      summaries: The summaries of a workspace's runs, the oldest one first.
    """
    summary = summaries[-1]
    seconds, peaks = dict[str, float](), dict[str, float]()
    for node in summary["seconds"]["components"]:
        worker = next((run for run in reversed(summaries) if _did(run, node)), summary)
        seconds[node] = worker["seconds"]["components"][node]
        peaks[node] = worker["node_peaks_mb"].get(node, 0.0)
    overall = summary["metrics"]["overall"] if summary["metrics"] else {}
    shortlist = {name: round(overall[key], 4) for name, key in _metric_keys(overall).items()}
    return {
        "status": summary["status"],
        "shortlist": shortlist,
        "seconds": seconds,
        "total_seconds": round(sum(seconds.values()), 1) if summary["cached"] else summary["seconds"]["total"],
        "continued": bool(summary["cached"]),
        "peak_mb": peaks,
        "peak_rss_mb": max([summary["peak_rss_mb"], *peaks.values()]),
        "training": summary["training"],
        "index": summary["index"],
    }


def _did(run: Mapping[str, Any], node: str) -> bool:
    return node in run["seconds"]["components"] and node not in run["cached"]


def write(results: pathlib.Path, record: Mapping[str, Any]) -> None:
    """Adds a record to `scale.json`, in place of an earlier one of its size, and draws table and plot."""
    path = results / "scale.json"
    earlier = json.loads(path.read_text())["records"] if path.exists() else []
    size = _size_of(record)
    records = sorted([*(other for other in earlier if _size_of(other) != size), record], key=_size_of)
    results.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"records": records}, indent=2) + "\n")
    (results / "scale.md").write_text(text(records))
    script = environments.ROOT / "benchmarks" / "planted" / "plot.py"
    command = [str(environments.python_of("bench-plot")), str(script), str(path), str(results / "scale.svg")]
    subprocess.run(command, check=True)


def text(records: Sequence[Mapping[str, Any]]) -> str:
    """Returns the figures as Markdown: seconds and memory of each node by size, and quality."""
    done = [record for record in records if "failed" not in record]
    titles = [f"{record['interactions']:,} rows, {record['candidates']:,} candidates" for record in done]
    nodes = list(dict.fromkeys(node for record in done for node in record["seconds"]))
    lines = ["Seconds and peak memory (MiB) of each node on planted logs.", "", *_header(["node", *titles])]
    for node in nodes:
        lines.append(_row([node, *(_node_cell(record, node) for record in done)]))
    totals = (f"{record['total_seconds']:,.0f} s, {record['peak_rss_mb']:,.0f} MiB" for record in done)
    lines.append(_row(["**all**", *totals]))
    lines += ["", "Test rows, seen items excluded: top_10 / NDCG@10 / top_100.", "", *_header(["model", *titles])]
    for name in ("popularity", "item_knn", "shortlist", "ceiling"):
        cells = (record["shortlist"] if name == "shortlist" else record["quality"][name] for record in done)
        lines.append(_row([name, *(" / ".join(f"{cell.get(metric, 0):.3f}" for metric in _METRICS) for cell in cells)]))
    lines.append(_row(["status", *(record["status"] for record in done)]))
    failed = [record for record in records if "failed" in record]
    lines += [
        f"\n{record['interactions']:,} rows, {record['candidates']:,} candidates: {record['failed']}."
        for record in failed
    ]
    for title, record in zip(titles, done, strict=True):
        place = record["machine"]
        parts = [title, f"{place['cores']} cores ({place['cpu']}), {place['memory_gb']} GB"]
        parts += [*(record["set"]), *filter(None, [record["note"]])]
        lines.append(f"\n{'; '.join(parts)}.")
    return "\n".join(lines) + "\n"


def _node_cell(record: Mapping[str, Any], node: str) -> str:
    if node not in record["seconds"]:
        return ""
    return f"{record['seconds'][node]:,.0f} s, {record['peak_mb'].get(node, 0):,.0f}"


def _header(cells: Sequence[str]) -> list[str]:
    return [_row(cells), "|---|" + "---:|" * (len(cells) - 1)]


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _metric_keys(overall: Mapping[str, float]) -> dict[str, str]:
    """Returns the key of each of `_METRICS` among TFMA's names."""
    names = {"ndcg_at_10": "ndcg_at_10"} | {
        f"top_{k}": f"factorized_top_k/top_{k}_categorical_accuracy" for k in baselines.CUTOFFS
    }
    return {name: key for name, key in names.items() if key in overall}


def _shortlist(folder: pathlib.Path, *arguments: str, may_fail: bool = False) -> tuple[int, float, int]:
    """Runs a command of the product in a folder.

    Returns:
      Its exit code, its seconds, and its peak memory in MiB.
    """
    variables = os.environ | {"SHORTLIST_DATA_DIR": str(folder), "PYTHONPATH": str(environments.ROOT)}
    command = [sys.executable, str(environments.ROOT / "pipeline_runner.py"), *arguments]
    start = time.monotonic()
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode and not may_fail:
        raise SystemExit(f"{' '.join(arguments)} ended with {process.returncode}:\n{(folder / 'output').read_text()}")
    return process.returncode, round(time.monotonic() - start, 1), usage.ru_maxrss // 1024


def _size(value: str) -> tuple[int, int]:
    rows, _, candidates = value.partition(":")
    return int(rows), int(candidates)


def _size_of(record: Mapping[str, Any]) -> tuple[int, int]:
    return record["interactions"], record["candidates"]


if __name__ == "__main__":
    main()
