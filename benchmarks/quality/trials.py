"""Trials: one contender on one data set with one seed, run in a process of its own or found in the cache.

A trial's key covers the rows, the settings, the seed, the locked versions and the code. A changed preset or peer
therefore runs again, and all others come from the cache. The cache has the ranks but not the scores, which are large.
An interrupted trial with checkpoints goes on after its last complete epoch.
"""

from __future__ import annotations

import ast
import dataclasses
import datetime
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from benchmarks import direct_runner
from benchmarks.quality import contenders, environments, evaluate, exchange
from benchmarks.quality import split as splits
from components.evaluator import rank_metrics
from shortlist import environment, fingerprints
from shortlist.config.config import Config

# Modules of the product that determine a trained model.
_PRODUCT_MODULES = (
    "components.trainer.run_fn",
    "components.trainer.executor",
    "components.transform.preprocessing",
    "components.windows.executor",
    "components.table_example_gen.executor",
)
# Modules that determine the inputs and the ranks of all contenders.
_SHARED = tuple(pathlib.Path(str(module.__file__)) for module in (exchange, evaluate, rank_metrics))
# If other processes take a larger share of all cores, the seconds of a training are marked as unreliable.
BUSY = 0.1
_CHOSEN_BY = f"ndcg_{evaluate.NDCG_K}"
_TEST_RANKS = "test"


class TrialFailedError(Exception):
    """The contender's process ended in an error."""


@dataclasses.dataclass(frozen=True)
class Bench:
    """One data set, ready for its contenders."""

    name: str
    config: Config
    data_dir: pathlib.Path
    labelled: splits.LabelledSplit
    folder: pathlib.Path
    """Folder of the data set's cache."""
    inputs: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """Table name to the SHA-256 of its files, and that of the schemas. Shortlist reads more of them than the rows."""
    note: str | None = None
    """A sentence on what the data set's files lack."""
    grids: Mapping[str, list[exchange.Setting]] = dataclasses.field(default_factory=dict)
    """Contender to the settings to try instead of its own."""

    def grid(self, model: str) -> list[exchange.Setting]:
        """Returns the settings that a contender tries."""
        return self.grids.get(model) or contenders.CONTENDERS[model].grid(self.config)

    @property
    def split_folder(self) -> pathlib.Path:
        """Folder of the split for the peers."""
        rows, times = self.labelled.rows_sha256[:12], self.labelled.times_sha256[:12]
        return self.folder / "-".join(["split", rows, *([times] if times else [])])

    def write_split(self) -> None:
        """Writes the split for the peers, unless it is there."""
        if (self.split_folder / "facts.json").exists():
            return
        self.split_folder.mkdir(parents=True, exist_ok=True)
        for name in ("query", "candidate"):
            ids = getattr(self.labelled, f"{name}_ids")
            (self.split_folder / f"{name}_ids.txt").write_text("\n".join(ids), encoding="utf-8")
        exchange.write_split(self.split_folder, self.labelled.split)


def recipe(bench: Bench, model: str) -> str:
    """Returns the SHA-256 of all inputs, settings, code and versions of a contender on a data set, except the seed."""
    contender = contenders.CONTENDERS[model]
    grid = bench.grid(model)
    script = environments.ROOT / "benchmarks/quality" / f"{contender.script.replace('.', '/')}.py"
    parts: dict[str, Any] = {
        "rows": bench.labelled.rows_sha256,
        "grid": grid,
        "lock": environments.lock_of(contender.environment),
        "code": [_code(path) for path in (script, *_SHARED)],
    }
    if contender.reads_times and bench.labelled.times_sha256:
        parts["times"] = bench.labelled.times_sha256
    if contender.script == contenders.SHORTLIST:
        # The product's code and settings count in place of all locked versions, and without gates and index.
        del parts["lock"]
        parts["grid"] = [{name: setting[name] for name in ("data", "model", "train")} for setting in grid]
        parts["inputs"] = dict(bench.inputs)
        parts["product"] = fingerprints.code_sha256(*_PRODUCT_MODULES)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _code(path: pathlib.Path) -> str:
    """Returns a script's syntax tree as text, which has no comments and no layout."""
    return ast.dump(ast.parse(path.read_text(encoding="utf-8")))


def trial_folder(bench: Bench, model: str, seed: int, recipe_sha256: str) -> pathlib.Path:
    """Returns the folder of a trial."""
    return bench.folder / f"{model}-seed{seed}-{recipe_sha256[:12]}"


def find(bench: Bench, model: str, seed: int) -> tuple[dict[str, Any], np.ndarray] | None:
    """Returns (record, ranks of the test rows) of a trial in the cache, None if it is not there."""
    folder = trial_folder(bench, model, seed, recipe(bench, model))
    if not (folder / "facts.json").exists():
        return None
    arrays, record = exchange.read(folder)
    return record, np.array(arrays[_TEST_RANKS])


def run(bench: Bench, model: str, seed: int) -> tuple[dict[str, Any], np.ndarray]:
    """Trains and ranks a contender, writes the trial and returns (record, ranks of the test rows).

    Raises:
      TrialFailedError: The contender's process failed; the message has the path of its log.
    """
    sha256 = recipe(bench, model)
    folder = trial_folder(bench, model, seed, sha256)
    scratch, checkpoints = folder.with_suffix(".scratch"), folder.with_suffix(".checkpoints")
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    bench.write_split()
    machine = _call(bench, model, seed, scratch, checkpoints)
    tried = [_read_model(variant) for variant in sorted(scratch.iterdir()) if variant.is_dir()]
    # The first of equals, so that the choice is the same in each run.
    best = max(range(len(tried)), key=lambda number: (tried[number][0]["eval"][_CHOSEN_BY], -number))
    chosen, ranks = tried[best]
    rate = None
    if chosen["targets"]:
        rate = round(chosen["targets"] / chosen["seconds"])
    record = {
        "data": bench.name,
        "model": model,
        "seed": seed,
        "protocol": splits.protocol(bench.config.data),
        "query_time": contenders.reads_query_time(model, bench.config),
        **evaluate.metrics(ranks),
        "train_seconds": round(chosen["seconds"], 3),
        "targets_per_second": rate,
        "versions": chosen["versions"],
        "machine": machine,
        "setting": chosen["setting"],
        "eval": chosen["eval"],
        "tried": [{name: facts[name] for name in ("setting", "seconds", "eval")} for facts, _ in tried],
        "rows_sha256": bench.labelled.rows_sha256,
        "recipe_sha256": sha256,
    }
    if bench.note:
        record["note"] = bench.note
    if "log" in chosen:
        record["log"] = chosen["log"]
    exchange.write(folder, {_TEST_RANKS: ranks}, record)
    for leftover in (scratch, checkpoints):
        shutil.rmtree(leftover, ignore_errors=True)
    return record, ranks


def _call(bench: Bench, model: str, seed: int, scratch: pathlib.Path, checkpoints: pathlib.Path) -> dict[str, Any]:
    """Runs a contender's script and returns the machine's load, peak memory and hardware during it."""
    contender = contenders.CONTENDERS[model]
    command = [
        str(environments.python_of(contender.environment)),
        "-m",
        f"benchmarks.quality.{contender.script}",
        str(bench.split_folder.absolute()),
        str(scratch.absolute()),
        f"--seed={seed}",
        f"--grid={json.dumps(bench.grid(model))}",
    ]
    # A peer runs with its own defaults of threads, not with the variables that suit Shortlist.
    env = environment.external_environment()
    if contender.script == contenders.SHORTLIST:
        command += [f"--data-dir={bench.data_dir.absolute()}", f"--workspace={(bench.folder / 'workspace').absolute()}"]
        env = dict(os.environ)
    else:
        command += ["--ranks", f"--checkpoints={checkpoints.absolute()}"]
    log_path = scratch / "log"
    started, load_before, start = datetime.datetime.now(datetime.timezone.utc), os.getloadavg()[0], time.monotonic()
    busy_before, stolen_before = _cpu_seconds()
    with log_path.open("w") as log:
        process = subprocess.Popen(command, cwd=environments.ROOT, env=env, stdout=log, stderr=subprocess.STDOUT)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        tail = log_path.read_text(errors="replace").strip().splitlines()[-5:]
        raise TrialFailedError("\n".join([f"exit code {process.returncode}; see {log_path}", *tail]))
    all_seconds = (time.monotonic() - start) * (os.cpu_count() or 1)
    busy_after, stolen_after = _cpu_seconds()
    others = (busy_after - busy_before - usage.ru_utime - usage.ru_stime) / all_seconds
    stolen = (stolen_after - stolen_before) / all_seconds
    return direct_runner.machine() | {
        "started": started.isoformat(timespec="seconds"),
        "load_average_before": round(load_before, 2),
        "others_cpu_share": round(max(others, 0.0), 3),
        "stolen_cpu_share": round(stolen, 3),
        "busy": others + stolen > BUSY,
        "peak_rss_mb": round(usage.ru_maxrss / 1024),
    }


def _cpu_seconds() -> tuple[float, float]:
    """Returns (busy seconds, stolen seconds) of all cores since boot; stolen time went to other virtual machines."""
    ticks = [int(field) for field in pathlib.Path("/proc/stat").read_text().split()[1:9]]
    user, nice, system, *_, steal = (tick / os.sysconf("SC_CLK_TCK") for tick in ticks)
    return user + nice + system, steal


def _read_model(folder: pathlib.Path) -> tuple[dict[str, Any], np.ndarray]:
    """Returns a contender's facts of one of its models, with eval metrics, and the model's test ranks."""
    arrays, facts = exchange.read(folder)
    ranks = {phase: np.array(arrays[f"{exchange.RANKS}.{phase}"]) for phase in ("eval", "test")}
    return facts | {"eval": evaluate.metrics(ranks["eval"])}, ranks["test"]
