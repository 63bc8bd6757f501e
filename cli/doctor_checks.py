"""Does this machine have what a run needs: one check a line, each with what to do.

The TensorFlow stack is loaded in a process of its own (`python -m cli.doctor_checks`
is that process): a package built for another TensorFlow may end it by a signal,
which is then a failed check and not the end of `doctor`.
"""

from __future__ import annotations

import dataclasses
import importlib.metadata
import json
import os
import pathlib
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping

_GIB = 2**30
_MIN_DISK_BYTES = 2 * _GIB
_MIN_MEMORY_BYTES = 4 * _GIB
_PROBE_TIMEOUT_SECONDS = 300
_AGREES = "agrees with exact search"
_REINSTALL = "`make clean run`, or install requirements/runtime.txt into this Python"

PINNED = {
    "tfx": "1.16.0",
    "tensorflow": "2.16.2",
    "tensorflow-recommenders": "0.7.7",
    "scann": "1.3.2",
    "apache-beam": "2.60.0",
    "ml-metadata": "1.16.0",
    "tf-keras": "2.16.0",
    "protobuf": "3.20.3",
}
"""The packages that must agree on one TensorFlow, as `requirements/runtime.in` pins them."""


@dataclasses.dataclass(frozen=True)
class EnvironmentCheck:
    """What was looked at, whether it is as it must be, and what was found.

    Attributes:
      remedy: What to do; empty where there is nothing to do.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""


@dataclasses.dataclass(frozen=True)
class EnvironmentProbe:
    """What the process that loaded the stack said, and how it ended.

    Attributes:
      findings: Name of a probe (`keras`, `scann`) to what it found; absent where the process ended before.
      ended: Why the process said no more; empty if it came to its end.
    """

    findings: Mapping[str, str]
    ended: str


def run_checks(workspace: pathlib.Path) -> list[EnvironmentCheck]:
    """Returns all checks of this machine, for a pipeline that writes to `workspace`."""
    probe = run_probe([sys.executable, "-m", "cli.doctor_checks"])
    return [
        check_platform(sys.version_info[:2], sys.maxsize > 2**32, platform.system(), platform.machine()),
        *check_packages({name: installed_version(name) for name in PINNED}),
        check_keras(probe),
        check_scann(probe),
        check_disk(workspace),
        check_memory(available_memory_bytes()),
    ]


def check_platform(python: tuple[int, int], is_64_bit: bool, system: str, machine: str) -> EnvironmentCheck:
    """Checks for what the stack has packages for: Python 3.10 on 64-bit Linux, x86-64."""
    ok = python == (3, 10) and is_64_bit and system == "Linux" and machine in ("x86_64", "AMD64")
    detail = f"Python {python[0]}.{python[1]}, {64 if is_64_bit else 32} bit, {system} {machine}"
    return _check("platform", ok, detail, "use Python 3.10 on 64-bit Linux (x86-64); the stack is built for no other")


def installed_version(name: str) -> str | None:
    """Returns the installed version of a distribution, or None; imports nothing of it."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def check_packages(installed: Mapping[str, str | None]) -> list[EnvironmentCheck]:
    """Returns one check a pinned package: is the version the one that agrees with the others?

    Args:
      installed: Version by name; None where the package is not installed.
    """
    checks = []
    for name, pinned in PINNED.items():
        found = installed[name]
        detail = pinned if found == pinned else f"{found or 'not installed'}, expected {pinned}"
        checks.append(_check(name, found == pinned, detail, _REINSTALL))
    return checks


def check_keras(probe: EnvironmentProbe) -> EnvironmentCheck:
    """Checks that `tf.keras` is Keras 2, which tensorflow-recommenders needs."""
    found = probe.findings.get("keras")
    if found is None:
        return _check("keras", False, f"TensorFlow did not load: {probe.ended}", _REINSTALL)
    # `shortlist` sets the variable where nobody has: only a value of the user's own gets here.
    remedy = "unset TF_USE_LEGACY_KERAS, or set it to 1"
    return _check("keras", found.startswith("tf_keras 2."), f"tf.keras is {found}", remedy)


def check_scann(probe: EnvironmentProbe) -> EnvironmentCheck:
    """Checks that ScaNN's ops load into this TensorFlow and find what exact search finds."""
    found = probe.findings.get("scann")
    if found is None:
        remedy = f"they load on tensorflow {PINNED['tensorflow']} only: {_REINSTALL}"
        return _check("scann ops", False, f"ScaNN's ops did not load or answer: {probe.ended}", remedy)
    return _check("scann ops", found == _AGREES, found, _REINSTALL)


def check_disk(workspace: pathlib.Path) -> EnvironmentCheck:
    """Checks that the workspace, or the nearest folder that exists above it, can be written and has room."""
    folder = workspace.absolute()
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return _check("disk", False, f"{folder} is not a folder that can be written", "set `workspace` to one that can")
    free = shutil.disk_usage(folder).free
    remedy = f"free {_MIN_DISK_BYTES // _GIB} GiB there, or set `workspace` to another disk"
    return _check("disk", free >= _MIN_DISK_BYTES, f"{free / _GIB:.1f} GiB free in {folder}", remedy)


def check_memory(available_bytes: int) -> EnvironmentCheck:
    """Checks that TFX's processes fit into the memory that is free now."""
    remedy = f"close other programs or raise the container's limit: a run needs {_MIN_MEMORY_BYTES // _GIB} GiB"
    return _check("memory", available_bytes >= _MIN_MEMORY_BYTES, f"{available_bytes / _GIB:.1f} GiB available", remedy)


def _check(name: str, ok: bool, detail: str, remedy: str) -> EnvironmentCheck:
    return EnvironmentCheck(name, ok, detail, "" if ok else remedy)


def available_memory_bytes(
    meminfo: pathlib.Path = pathlib.Path("/proc/meminfo"),
    cgroup: pathlib.Path = pathlib.Path("/sys/fs/cgroup/memory.max"),
) -> int:
    """Returns what new processes may use: the kernel's own estimate, or the container's limit if that is less.

    Args:
      meminfo: proc(5)'s table, in KiB whatever its `kB` says.
      cgroup: The limit of cgroup v2, bytes or `max`; absent on other systems.
    """
    fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
    available = int(fields["MemAvailable"].split()[0]) * 1024
    limit = cgroup.read_text().strip() if cgroup.exists() else "max"
    return min(available, int(limit)) if limit.isdigit() else available


def run_probe(command: list[str], timeout_seconds: float = _PROBE_TIMEOUT_SECONDS) -> EnvironmentProbe:
    """Runs a process that prints one JSON object a line and returns what it found, however it ended."""
    root = str(pathlib.Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    try:
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return EnvironmentProbe({}, f"no answer within {timeout_seconds:.0f} s")
    findings: dict[str, str] = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            findings.update(json.loads(line))
    return EnvironmentProbe(findings, _how_it_ended(done.returncode, done.stderr))


def _how_it_ended(returncode: int, stderr: str) -> str:
    if returncode < 0:
        return f"the process was ended by {signal.Signals(-returncode).name}"
    lines = [line for line in stderr.splitlines() if line.strip()]
    return (lines[-1] if lines else f"exit code {returncode}") if returncode else ""


def _probe() -> None:
    """Loads the stack piece by piece and prints each finding before the next piece may end the process."""
    import tensorflow as tf
    import tf_keras

    is_legacy = tf.keras.Model is tf_keras.Model
    _say("keras", f"tf_keras {tf_keras.__version__}" if is_legacy else f"keras {tf.keras.__version__}")
    _say("scann", _scann_answer())


def _say(name: str, finding: str) -> None:
    print(json.dumps({name: finding}), flush=True)


def _scann_answer() -> str:
    """Builds an index of 64 unit vectors, searches all of its leaves and compares with exact search."""
    import numpy as np
    from scann.scann_ops.py import scann_ops

    points = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    builder = scann_ops.builder(points, 5, "dot_product").tree(num_leaves=4, num_leaves_to_search=4)
    found, _ = builder.score_ah(2).reorder(64).build().search_batched(points)
    exact = np.argsort(-points @ points.T, axis=1)[:, :5]
    wrong = int((found.numpy() != exact).any(axis=1).sum())
    return _AGREES if not wrong else f"{wrong} of 64 answers differ from exact search"


if __name__ == "__main__":
    _probe()
