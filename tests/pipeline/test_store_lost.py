"""ML Metadata's file is damaged while a run uses it: the run ends with one sentence and exit code 1."""

from __future__ import annotations

import datetime
import os

import pytest

from shortlist.config.load import load_config
from shortlist.errors import ExitCode, StoreError
from shortlist.workspace import Workspace
from tests.pipeline import killing
from tests.pipeline.conftest import RecordingListener

pytestmark = pytest.mark.e2e


class _Damaging(RecordingListener):
    """Cuts the file when the second node starts."""

    def __init__(self, path):
        super().__init__()
        self._path = path

    def node_started(self, node_id, index, total):
        super().node_started(node_id, index, total)
        if index == 2:
            os.truncate(self._path, self._path.stat().st_size // 2)


def test_damaged_during_a_run(data_root, tmp_path):
    from pipeline.run import RunFailed, run_pipeline

    config = load_config(killing.write_config(tmp_path / "smoke.yaml", tmp_path / "workspace"))
    workspace = Workspace(tmp_path / "workspace", config.name)
    listener = _Damaging(workspace.metadata_path)

    def run():
        with workspace.reserve("run"):
            run_id = workspace.start_run(datetime.datetime.now(datetime.timezone.utc))
            run_pipeline(config, workspace, run_id, data_root, listener, "seconds")

    with pytest.raises(RunFailed) as raised:
        run()
    sentence = str(raised.value)
    first, second = listener.started
    assert sentence.startswith(f"{second}: {workspace.metadata_path}: expected an ML Metadata store, got a damaged one")
    assert "\n" not in sentence
    assert raised.value.exit_code == ExitCode.UNEXPECTED
    # The next run refuses before it starts a node.
    with pytest.raises(StoreError, match="got a damaged one"):
        run()
    assert listener.started == [first, second]
