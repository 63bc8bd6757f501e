"""The locks agree with their inputs and with each other, and name no registry."""

import pathlib
import re

import pytest
import tomli

REQUIREMENTS = pathlib.Path(__file__).parent.parent / "requirements"
TOOLS = ("api-fuzz", "audit", "flink", "manifests", "s3")
PEERS = ("bench-implicit", "bench-rectools", "bench-index", "bench-plot")
SERVER = "server"
LOCKS = (SERVER, "runtime", "kubeflow", "dev", "build", "uv", *TOOLS, *PEERS)
PINNED = re.compile(r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)(?: \\\n {4}--hash=sha256:[0-9a-f]{64})+$", re.M)


def _canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _inputs(name: str) -> set[str]:
    if name == SERVER:
        return {_canonical(re.split(r"[^\w.-]", line)[0]) for line in _server_dependencies()}
    lines = (REQUIREMENTS / f"{name}.in").read_text().splitlines()
    return {_canonical(re.split(r"[^\w.-]", line)[0]) for line in lines if line and not line.startswith("#")}


def _server_dependencies() -> list[str]:
    content = tomli.loads((REQUIREMENTS.parent / "server" / "pyproject.toml").read_text())
    return list(content["project"]["dependencies"])


def _lock(name: str) -> dict[str, str]:
    text = (REQUIREMENTS / f"{name}.txt").read_text()
    return {match["name"]: match["version"] for match in PINNED.finditer(text)}


@pytest.mark.parametrize("name", LOCKS)
def test_every_line_of_a_lock_is_a_pin_with_hashes_or_a_comment(name):
    text = (REQUIREMENTS / f"{name}.txt").read_text()
    rest = PINNED.sub("", text)
    assert [line for line in rest.splitlines() if line and not line.startswith("#")] == []


@pytest.mark.parametrize("name", LOCKS)
def test_no_lock_names_a_registry(name):
    text = (REQUIREMENTS / f"{name}.txt").read_text()
    assert re.findall(r"https?:|--(?:extra-)?index|--find-links|file:", text) == []


@pytest.mark.parametrize("name", LOCKS)
def test_every_input_is_locked(name):
    assert _inputs(name) - _lock(name).keys() == set()


def test_an_exact_pin_of_an_input_is_the_locked_version():
    text = (REQUIREMENTS / "runtime.in").read_text()
    exact = dict(re.findall(r"^([a-z0-9-]+)(?:\[\w+\])?==(\S+)$", text, flags=re.M))
    assert exact.items() <= _lock("runtime").items()


@pytest.mark.parametrize("wider", ["kubeflow", "dev"])
def test_wider_locks_hold_the_runtime_lock_at_the_same_versions(wider):
    assert _lock("runtime").items() <= _lock(wider).items()


def test_dev_and_kubeflow_locks_agree():
    assert _lock("kubeflow").items() <= _lock("dev").items()


@pytest.mark.parametrize("wider", ["kubeflow", "dev"])
def test_what_only_wider_inputs_need_stays_out_of_the_runtime_lock(wider):
    assert _inputs(wider) & _lock("runtime").keys() == set()


def test_the_server_is_locked_at_the_versions_that_its_tests_have():
    wanted = set((REQUIREMENTS / "runtime.in").read_text().splitlines())
    assert set(_server_dependencies()) <= wanted
    assert _lock(SERVER).items() <= _lock("runtime").items()
    assert _lock(SERVER).keys().isdisjoint({"tfx", "apache-beam", "ml-metadata", "pandas"})
