"""A run of the smoke preset, repeated twice; all end-to-end tests share it."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib

import pytest

from shortlist import datasets
from shortlist.config.config import Config
from shortlist.config.load import load_config
from shortlist.errors import DataError
from shortlist.summary import Summary
from shortlist.tables import input_table
from shortlist.workspace import Workspace
from tests import ports

ROOT = pathlib.Path(__file__).parents[2]


class RecordingListener:
    """Records the events of a run."""

    def __init__(self) -> None:
        self.started: list[str] = []
        self.cached: dict[str, bool] = {}
        self.failed: list[str] = []

    def node_started(self, node_id: str, index: int, total: int) -> None:
        self.started.append(node_id)

    def node_finished(self, result) -> None:
        self.cached[result.node_id] = result.cached

    def node_failed(self, node_id: str, seconds: float) -> None:
        self.failed.append(node_id)


@dataclasses.dataclass(frozen=True)
class Run:
    """A finished run."""

    summary: Summary
    listener: RecordingListener
    ports: frozenset[str]


@dataclasses.dataclass(frozen=True)
class Smoke:
    """The smoke pipeline after three runs of the same thing."""

    config: Config
    config_path: pathlib.Path
    workspace: Workspace
    data_root: pathlib.Path
    first: Run
    second: Run
    third: Run


@pytest.fixture(scope="session")
def data_root() -> pathlib.Path:
    """Folder of real data, fetched once; skips the test if it cannot be fetched."""
    root = datasets.default_data_dir().absolute()
    try:
        datasets.fetch("smoke", root)
    except DataError as error:
        pytest.skip(f"no data: {error}")
    return root


@pytest.fixture(scope="session")
def run_smoke(data_root):
    """Returns a function that runs a config in a workspace."""

    def run(config: Config, workspace: Workspace) -> Run:
        from pipeline.run import run_pipeline

        listener = RecordingListener()
        run_id = workspace.start_run(datetime.datetime.now(datetime.timezone.utc))
        unit = input_table.timestamp_unit(config.data.interactions, data_root)
        with ports.listening_addresses() as found:
            summary = run_pipeline(config, workspace, run_id, data_root, listener, unit)
        return Run(summary, listener, frozenset(found))

    return run


@pytest.fixture(scope="session")
def smoke(tmp_path_factory, data_root, run_smoke) -> Smoke:
    """Runs the smoke preset three times in a workspace of its own."""
    root = tmp_path_factory.mktemp("smoke")
    text = (ROOT / "configs" / "smoke.yaml").read_text(encoding="utf-8")
    text = text.replace("workspaces/movielens-100k-smoke", str(root))
    text = text.replace("schemas: schemas/", f"schemas: {ROOT}/schemas/")
    config_path = tmp_path_factory.mktemp("config") / "smoke.yaml"
    config_path.write_text(text, encoding="utf-8")
    config = load_config(config_path)
    workspace = Workspace(root, config.name)
    first = run_smoke(config, workspace)
    second = run_smoke(config, workspace)
    third = run_smoke(config, workspace)
    return Smoke(config, config_path, workspace, data_root, first, second, third)
