"""Checks of this machine's requirements, each with a remedy.

TensorFlow and ScaNN are loaded in a separate process, `python -m cli.doctor_checks`.
A package that was built for another TensorFlow may kill that process by a signal.
`doctor` then reports a failed check.
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

from shortlist.quoting import short_repr

_GIB = 2**30
# MovieLens 100K needs 2.1 GiB of memory.
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
"""The packages that need the same TensorFlow, with their versions in `requirements/runtime.in`."""


@dataclasses.dataclass(frozen=True)
class EnvironmentCheck:
    """The result of one check.

    Attributes:
      name: Name of the check.
      ok: Whether the check passed.
      detail: The finding.
      remedy: Advice to the user; empty if the check passed.
    """

    name: str
    ok: bool
    detail: str
    remedy: str = ""


@dataclasses.dataclass(frozen=True)
class EnvironmentProbe:
    """Output and end of the process that loaded the packages.

    Attributes:
      findings: Finding by name of the probe (`keras`, `scann`); a probe is missing if the process ended before it.
      failure: The reason of an early end; empty if the process finished.
    """

    findings: Mapping[str, str]
    failure: str


def run_checks(workspace: pathlib.Path) -> list[EnvironmentCheck]:
    """Returns all checks of this machine, for a pipeline that writes to `workspace`."""
    probe = run_probe([sys.executable, "-m", "cli.doctor_checks"])
    return [
        check_platform(sys.version_info[:2], sys.maxsize > 2**32, platform.system(), platform.machine()),
        *check_packages({name: installed_version(name) for name in PINNED}),
        check_keras(probe),
        check_scann(probe),
        check_devices(probe),
        check_disk(workspace),
        check_memory(available_memory_bytes()),
    ]


def check_platform(python: tuple[int, int], is_64_bit: bool, system: str, machine: str) -> EnvironmentCheck:
    """Checks for Python 3.10 on 64-bit Linux, x86-64: the pinned packages exist for no other platform."""
    ok = python == (3, 10) and is_64_bit and system == "Linux" and machine in ("x86_64", "AMD64")
    bits = 64 if is_64_bit else 32
    detail = f"Python {python[0]}.{python[1]}, {bits} bit, {system} {machine}"
    remedy = "use Python 3.10 on 64-bit Linux (x86-64); the packages exist for no other platform"
    return _check("platform", ok, detail, remedy)


def installed_version(name: str) -> str | None:
    """Returns the installed version of a distribution without importing it; None if it is not installed."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def check_packages(installed: Mapping[str, str | None]) -> list[EnvironmentCheck]:
    """Returns one check per pinned package: its version must be the pinned one.

    Args:
      installed: Version by name; None if the package is not installed.
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
        return _check("keras", False, f"TensorFlow did not load: {probe.failure}", _REINSTALL)
    # shortlist/environment.py sets TF_USE_LEGACY_KERAS by default, so that a wrong value is the user's own.
    remedy = "unset TF_USE_LEGACY_KERAS, or set it to 1"
    return _check("keras", found.startswith("tf_keras 2."), f"tf.keras is {found}", remedy)


def check_scann(probe: EnvironmentProbe) -> EnvironmentCheck:
    """Checks that ScaNN's ops load into this TensorFlow and agree with exact search."""
    found = probe.findings.get("scann")
    if found is None:
        remedy = f"they need tensorflow {PINNED['tensorflow']}: {_REINSTALL}"
        return _check("scann ops", False, f"ScaNN's ops did not load or answer: {probe.failure}", remedy)
    return _check("scann ops", found == _AGREES, found, _REINSTALL)


def check_devices(probe: EnvironmentProbe) -> EnvironmentCheck:
    """Names the devices that training uses. A machine without a GPU passes: the presets are measured on processors."""
    found = probe.findings.get("devices")
    if found is None:
        return _check("devices", False, f"TensorFlow did not load: {probe.failure}", _REINSTALL)
    return _check("devices", True, found)


def check_disk(workspace: pathlib.Path) -> EnvironmentCheck:
    """Checks that the workspace, or its nearest existing parent, is writable and has enough space."""
    folder = workspace.absolute()
    try:
        while not folder.exists():
            folder = folder.parent
    except OSError as error:
        # Such as a name of over 255 bytes.
        detail = f"{short_repr(str(workspace))} is not a folder's name: {error.strerror}"
        return _check("disk", False, detail, "set `workspace` to a writable folder")
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        return _check("disk", False, f"{folder} is not a writable folder", "set `workspace` to a writable folder")
    free = shutil.disk_usage(folder).free
    remedy = f"free {_MIN_DISK_BYTES // _GIB} GiB there, or set `workspace` to another disk"
    return _check("disk", free >= _MIN_DISK_BYTES, f"{free / _GIB:.1f} GiB free in {folder}", remedy)


def check_memory(available_bytes: int) -> EnvironmentCheck:
    """Checks that TFX's processes fit into the available memory."""
    remedy = f"close other programs or raise the container's limit: a run needs {_MIN_MEMORY_BYTES // _GIB} GiB"
    return _check("memory", available_bytes >= _MIN_MEMORY_BYTES, f"{available_bytes / _GIB:.1f} GiB available", remedy)


def _check(name: str, ok: bool, detail: str, remedy: str = "") -> EnvironmentCheck:
    if ok:
        remedy = ""
    return EnvironmentCheck(name, ok, detail, remedy)


def available_memory_bytes(
    meminfo: pathlib.Path = pathlib.Path("/proc/meminfo"),
    cgroup: pathlib.Path = pathlib.Path("/sys/fs/cgroup/memory.max"),
) -> int:
    """Returns the memory for new processes: the kernel's own estimate, or the container's limit if that is less.

    Args:
      meminfo: proc(5)'s table. Its unit `kB` means KiB.
      cgroup: The limit of cgroup v2, bytes or `max`; absent on other systems.
    """
    fields = dict(line.split(":", 1) for line in meminfo.read_text().splitlines() if ":" in line)
    available = int(fields["MemAvailable"].split()[0]) * 1024
    if not cgroup.exists():
        return available
    limit = cgroup.read_text().strip()
    if not limit.isdigit():
        return available
    return min(available, int(limit))


def run_probe(command: list[str], timeout_seconds: float = _PROBE_TIMEOUT_SECONDS) -> EnvironmentProbe:
    """Runs a process that prints one JSON object per line, and returns its findings, also if it failed."""
    # The process must find this module also if the package is not installed.
    root = str(pathlib.Path(__file__).parents[1])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    try:
        process = subprocess.run(
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
    for line in process.stdout.splitlines():
        # Libraries may print other lines to stdout.
        if line.startswith("{"):
            findings.update(json.loads(line))
    return EnvironmentProbe(findings, _failure(process.returncode, process.stderr))


def _failure(returncode: int, stderr: str) -> str:
    if returncode == 0:
        return ""
    # subprocess reports a signal as its negative number.
    if returncode < 0:
        return f"the process was ended by {signal.Signals(-returncode).name}"
    *_, last = [f"exit code {returncode}", *filter(str.strip, stderr.splitlines())]
    return last


def _probe() -> None:
    """Loads one package after the other. Prints each finding at once, since the next package may kill the process."""
    import tensorflow as tf
    import tf_keras

    # tf_keras is Keras 2. A class that both modules share shows that tf.keras is Keras 2, too.
    if tf.keras.Model is tf_keras.Model:
        _print_finding("keras", f"tf_keras {tf_keras.__version__}")
    else:
        _print_finding("keras", f"keras {tf.keras.__version__}")
    _print_finding("devices", _devices(len(os.sched_getaffinity(0))))
    _print_finding("scann", _scann_answer())


def _devices(cores: int) -> str:
    """Returns the GPUs that TensorFlow uses, by name, or the number of processor cores."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return f"no GPU, {cores} processor cores"
    names = (tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in gpus)
    return f"{len(gpus)} GPU: {', '.join(names)}"


def _print_finding(name: str, finding: str) -> None:
    print(json.dumps({name: finding}), flush=True)


def _scann_answer() -> str:
    """Builds an index of 64 unit vectors, searches all of its leaves, and compares with exact search."""
    import numpy as np
    from scann.scann_ops.py import scann_ops

    points = np.random.default_rng(0).normal(size=(64, 8)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    # All 4 leaves are searched, so that the answers must equal those of exact search.
    builder = scann_ops.builder(points, 5, "dot_product").tree(num_leaves=4, num_leaves_to_search=4)
    neighbours, _ = builder.score_ah(2).reorder(64).build().search_batched(points)
    exact = np.argsort(-points @ points.T, axis=1)[:, :5]
    wrong = int((neighbours.numpy() != exact).any(axis=1).sum())
    if wrong:
        return f"{wrong} of 64 answers differ from exact search"
    return _AGREES


if __name__ == "__main__":
    _probe()
