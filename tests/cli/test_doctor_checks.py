"""Checks of `doctor`: each fails on its own fault, and all pass with the locked requirements."""

import pathlib
import re
import subprocess
import sys
import textwrap
import types

import pytest

from cli import doctor_checks
from cli.doctor_checks import EnvironmentProbe

ROOT = pathlib.Path(__file__).parents[2]
AGREES = EnvironmentProbe({"keras": "tf_keras 2.16.0", "scann": "agrees with exact search"}, "")


def _child(code: str) -> list[str]:
    return [sys.executable, "-c", textwrap.dedent(code)]


def test_pinned_versions_are_those_of_the_requirements():
    text = (ROOT / "requirements" / "runtime.in").read_text()
    exact = dict(re.findall(r"^([a-z0-9-]+)(?:\[\w+\])?==(\S+)$", text, flags=re.M))
    assert doctor_checks.PINNED.items() <= exact.items()


def test_this_environment_passes_every_check_without_loading_tensorflow_here(tmp_path):
    code = f"""
        import pathlib, sys
        from cli import doctor_checks
        for check in doctor_checks.run_checks(pathlib.Path({str(tmp_path)!r}, "workspace")):
            print(check.name, "ok" if check.ok else "FAILED", check.detail, sep=": ")
            assert not check.ok or not check.remedy
        assert "tensorflow" not in sys.modules
        """
    out = subprocess.run(_child(code), cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert [line for line in out.splitlines() if ": ok: " not in line] == []
    assert len(out.splitlines()) == 6 + len(doctor_checks.PINNED)


def test_devices_are_named(monkeypatch):
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: [])
    assert doctor_checks._devices(4) == "no GPU, 4 processor cores"
    gpus = [types.SimpleNamespace(name="/physical_device:GPU:0"), types.SimpleNamespace(name="/physical_device:GPU:1")]
    monkeypatch.setattr("tensorflow.config.list_physical_devices", lambda kind: gpus)
    details = {gpus[0].name: {"device_name": "NVIDIA L4"}, gpus[1].name: {}}
    monkeypatch.setattr("tensorflow.config.experimental.get_device_details", lambda gpu: details[gpu.name])
    assert doctor_checks._devices(4) == "2 GPU: NVIDIA L4, /physical_device:GPU:1"


def test_a_machine_without_tensorflow_has_no_devices():
    check = doctor_checks.check_devices(EnvironmentProbe({}, "exit code 1"))
    assert not check.ok
    assert "TensorFlow did not load: exit code 1" in check.detail


def test_legacy_keras_turned_off_is_found(monkeypatch):
    monkeypatch.setenv("TF_USE_LEGACY_KERAS", "0")
    check = doctor_checks.check_keras(doctor_checks.run_probe([sys.executable, "-m", "cli.doctor_checks"]))
    assert not check.ok
    assert check.detail.startswith("tf.keras is keras 3.")
    assert "TF_USE_LEGACY_KERAS" in check.remedy


def test_a_segfault_is_a_failed_check_and_findings_before_it_count():
    probe = doctor_checks.run_probe(
        _child("""
            import os, signal
            print('{"keras": "tf_keras 2.16.0"}', flush=True)
            os.kill(os.getpid(), signal.SIGSEGV)
            """)
    )
    assert doctor_checks.check_keras(probe).ok
    check = doctor_checks.check_scann(probe)
    assert not check.ok
    assert "SIGSEGV" in check.detail


def test_an_exception_is_a_failed_check_with_its_last_line():
    probe = doctor_checks.run_probe(_child("raise ImportError('undefined symbol: absl')"))
    for check in (doctor_checks.check_keras(probe), doctor_checks.check_scann(probe)):
        assert not check.ok
        assert "ImportError: undefined symbol: absl" in check.detail


def test_a_process_that_hangs_is_a_failed_check():
    probe = doctor_checks.run_probe(_child("import time; time.sleep(60)"), timeout_seconds=0.5)
    assert "no answer" in doctor_checks.check_scann(probe).detail


def test_wrong_neighbours_are_a_failed_check():
    check = doctor_checks.check_scann(EnvironmentProbe({"scann": "3 of 64 answers differ from exact search"}, ""))
    assert not check.ok
    assert "3 of 64" in check.detail


@pytest.mark.parametrize(
    "found",
    [
        ((3, 11), True, "Linux", "x86_64"),
        ((3, 10), False, "Linux", "x86_64"),
        ((3, 10), True, "Darwin", "x86_64"),
        ((3, 10), True, "Linux", "aarch64"),
    ],
)
def test_other_platforms_fail(found):
    assert doctor_checks.check_platform((3, 10), True, "Linux", "x86_64").ok
    assert not doctor_checks.check_platform(*found).ok


def test_a_package_of_another_version_or_missing_is_one_failed_line():
    installed = {**doctor_checks.PINNED, "scann": "1.4.2", "tfx": None}
    failed = {check.name: check.detail for check in doctor_checks.check_packages(installed) if not check.ok}
    assert failed == {"scann": "1.4.2, expected 1.3.2", "tfx": "not installed, expected 1.16.0"}


def test_disk_looks_at_the_nearest_folder_that_exists(tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda folder: types.SimpleNamespace(free=2**30))
    check = doctor_checks.check_disk(tmp_path / "not" / "yet")
    assert not check.ok
    assert check.detail == f"1.0 GiB free in {tmp_path}"


def test_a_workspace_below_a_file_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    check = doctor_checks.check_disk(tmp_path / "file" / "workspace")
    assert not check.ok
    assert "is not a writable folder" in check.detail


@pytest.mark.parametrize(
    ("limit", "expected_kib"),
    [
        ("max", 8_000_000),
        (str(1024 * 3_000_000), 3_000_000),  # a container's limit below the machine's memory
        (str(1024 * 9_000_000), 8_000_000),
        (None, 8_000_000),  # no cgroup v2
    ],
)
def test_memory_is_the_kernels_estimate_or_the_containers_limit(tmp_path, limit, expected_kib):
    meminfo, cgroup = tmp_path / "meminfo", tmp_path / "memory.max"
    meminfo.write_text("MemTotal:       9000000 kB\nMemAvailable:    8000000 kB\n")
    if limit is not None:
        cgroup.write_text(limit + "\n")
    available = doctor_checks.available_memory_bytes(meminfo, cgroup)
    assert available == 1024 * expected_kib
    assert doctor_checks.check_memory(available).ok == (expected_kib * 1024 >= 4 * 2**30)


def test_a_name_that_no_disk_takes():
    check = doctor_checks.check_disk(pathlib.Path("x" * 5000))
    assert not check.ok
    assert "is not a folder's name: File name too long" in check.detail
    assert len(check.detail) < 200
