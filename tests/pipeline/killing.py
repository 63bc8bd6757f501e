"""Kills `shortlist run` within a chosen node, reads the served versions during that, and checks the remains."""

from __future__ import annotations

import collections
import contextlib
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from shortlist.lineage.executions import Execution
from shortlist.lineage.store import Store
from shortlist.records import properties
from shortlist.serving import versions
from shortlist.summary import Summary
from shortlist.workspace import Workspace

ROOT = pathlib.Path(__file__).parents[2]
RESOLVERS = {"BlessedStatistics", "BlessedModel"}
_POLL_SECONDS = 0.002
_LATEST = metadata_store.ListOptions(limit=1, order_by=metadata_store.OrderByField.ID, is_asc=False)


def write_config(path: pathlib.Path, workspace: pathlib.Path) -> pathlib.Path:
    """Writes the smoke preset for a workspace and returns the config's path."""
    text = (ROOT / "configs" / "smoke.yaml").read_text(encoding="utf-8")
    text = text.replace("workspaces/movielens-100k-smoke", str(workspace))
    path.write_text(text.replace("schemas: schemas/", f"schemas: {ROOT}/schemas/"), encoding="utf-8")
    return path


class Victim:
    """`shortlist run` in its own process group, which is killed at the end of a `with`."""

    def __init__(self, config_path: pathlib.Path, workspace: Workspace, data_root: pathlib.Path, *arguments: str):
        self._workspace = workspace
        self._store: metadata_store.MetadataStore | None = None
        self._before = self._latest_execution()
        self._output = config_path.with_suffix(".out")
        with self._output.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, str(ROOT / "pipeline_runner.py"), "run", "--config", str(config_path), *arguments],
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "SHORTLIST_DATA_DIR": str(data_root)},
                start_new_session=True,
                # A shell that starts pytest in the background has it ignore Ctrl-C.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )

    def __enter__(self) -> Victim:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def wait_until_at(self, *nodes: str) -> bool:
        """Waits until one of the nodes runs; returns false if the run ended first."""
        while self.process.poll() is None:
            execution = self._latest_execution()
            if execution is not None and execution != self._before and self._is_at(nodes, execution):
                return True
            time.sleep(_POLL_SECONDS)
        return False

    def kill_in(self, nodes: Sequence[str], seconds: float) -> bool:
        """Kills the run some time after the first of the nodes has started; returns false if it ended before, well.

        That node may be done sooner than expected, or be over before anyone could look: then the kill hits one of the
        others, which come after it.
        """
        if self.wait_until_at(*nodes):
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.kill()
        code = self.process.wait()
        assert code in (0, -signal.SIGKILL), self.output
        return code != 0

    def kill(self) -> None:
        """Sends SIGKILL to the run and all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def output(self) -> str:
        """The run's output so far."""
        return self._output.read_text(encoding="utf-8")

    def _latest_execution(self) -> pb.Execution | None:
        # The database may be locked just now, or have no tables yet.
        with contextlib.suppress(Exception):
            if self._store is None:
                config = pb.ConnectionConfig()
                config.sqlite.filename_uri = str(self._workspace.metadata_path)
                config.sqlite.connection_mode = pb.SqliteMetadataSourceConfig.READONLY
                self._store = metadata_store.MetadataStore(config)
            return next(iter(self._store.get_executions(_LATEST)), None)
        return None

    def _is_at(self, nodes: Sequence[str], execution: pb.Execution) -> bool:
        with contextlib.suppress(Exception):
            assert self._store is not None
            contexts = self._store.get_contexts_by_execution(execution.id)
            wanted = {f"{self._workspace.name}.{node}" for node in nodes}
            here = any(context.name in wanted for context in contexts)
            return here and execution.last_known_state == pb.Execution.RUNNING
        return False


class Reader:
    """A reader that loads the served versions as often as it can; `problems` are incomplete ones."""

    def __init__(self, serving_dir: pathlib.Path):
        self._folders = (serving_dir, versions.exact_dir(serving_dir))
        self.problems: set[str] = set()
        self.seen: set[int] = set()
        self.looks = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Reader:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _read(self) -> None:
        while not self._stop.is_set():
            for version in versions.versions(self._folders[0]):
                self.seen.add(version)
                missing = [f"{d.name}/{version}/{m}" for d in self._folders for m in _missing(d / str(version))]
                # A version may be deleted while it is looked at; it never comes back.
                if (self._folders[0] / str(version)).is_dir():
                    self.problems.update(missing)
            self.looks += 1
            time.sleep(0.001)


def _missing(folder: pathlib.Path) -> list[str]:
    try:
        return versions.missing_files(folder)
    except FileNotFoundError:
        return ["gone"]


def results(summary: Summary) -> dict[str, Any]:
    """Returns the results that must be equal for two equal runs: all but times, paths and ids."""
    fields = summary.model_dump(mode="json", include={"status", "protocol", "data", "metrics", "baselines", "blessing"})
    assert summary.index is not None
    index = {"kind": summary.index.kind, "k": summary.index.k}
    # ScaNN's clusters differ between builds, and recall with them by a few thousandths (decision 27); a gate bounds it.
    if summary.index.kind != "scann":
        index["recall_at_k"] = summary.index.recall_at_k
    training = {name: value for name, value in summary.training.items() if "seconds" not in name}
    return fields | {"index": index, "training": training, "fingerprints": summary.fingerprints.data}


def differences(ours: Any, theirs: Any, where: str = "") -> list[str]:
    """Returns the keys in which two results differ, for numbers by more than 1e-6."""
    if isinstance(ours, dict) and isinstance(theirs, dict) and ours.keys() == theirs.keys():
        return [line for key in ours for line in differences(ours[key], theirs[key], f"{where}.{key}")]
    if isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        return [
            line
            for row, pair in enumerate(zip(ours, theirs, strict=True))
            for line in differences(*pair, f"{where}[{row}]")
        ]
    if isinstance(ours, int | float) and isinstance(theirs, int | float) and abs(ours - theirs) <= 1e-6:
        return []
    return [] if ours == theirs else [f"{where}: {ours!r}, not {theirs!r}"]


def check_what_is_left(workspace: Workspace, undisturbed: list[Execution], kills: int) -> None:
    """Asserts that every node did its work once, and that killed executions are failed and without outputs.

    Args:
      workspace: Where runs were killed.
      undisturbed: The executions of the same run in peace.
      kills: How many runs were killed.
    """
    executions = Store(workspace.metadata_path).executions()
    states = collections.Counter(execution.state for execution in executions)
    assert set(states) <= {"COMPLETE", "CACHED", "FAILED"}
    killed = [execution for execution in executions if properties.KILLED in execution.properties]
    assert len(killed) == states["FAILED"] <= kills
    done = collections.Counter(execution.node for execution in executions if execution.state == "COMPLETE")
    # Resolvers have no cache.
    assert {node for node, times in done.items() if times > 1} <= RESOLVERS

    outputs = _outputs(executions)
    ours, theirs = _files(outputs), _files(_outputs(undisturbed))
    assert {name: ours.get(name, set()) ^ names for name, names in theirs.items()} == {name: set() for name in theirs}
    assert ours.keys() == theirs.keys()
    folders = {path for path in workspace.pipeline_root.glob("*/[!.]*/*") if path.name.isdigit()}
    assert folders == set(outputs), "folders that no finished node names"
    working = {path.name for path in workspace.pipeline_root.glob("*/.system/executor_execution/*")}
    assert working <= {str(execution.id) for execution in executions if execution.state == "COMPLETE"}


def _outputs(executions: list[Execution]) -> dict[pathlib.Path, str]:
    """Returns the folder of each output of a finished node, with the output's name."""
    return {
        pathlib.Path(artifact.uri): f"{execution.node}.{key}"
        for execution in executions
        if execution.state == "COMPLETE"
        for key, artifacts in execution.outputs.items()
        for artifact in artifacts
    }


def _files(outputs: dict[pathlib.Path, str]) -> dict[str, set[str]]:
    """Returns the names of the files in each output; numbers in them are times, hosts and processes."""
    return {
        name: {re.sub(r"\d+", "#", str(path.relative_to(folder))) for path in folder.rglob("*") if path.is_file()}
        for folder, name in outputs.items()
    }
