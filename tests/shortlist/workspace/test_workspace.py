import datetime
import json

from shortlist.summary import Status, Summary, read_summary, write_summary
from shortlist.workspace import Workspace

_NOW = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.timezone.utc)


def test_two_runs_of_one_second_get_folders_of_their_own(tmp_path):
    workspace = Workspace(tmp_path, "shop")
    assert [workspace.start_run(_NOW) for _ in range(3)] == [
        "20260102T030405Z",
        "20260102T030405Z-2",
        "20260102T030405Z-3",
    ]


def test_latest_points_at_the_newest_run(tmp_path):
    workspace = Workspace(tmp_path, "shop")
    for run_id in (workspace.start_run(_NOW), workspace.start_run(_NOW)):
        workspace.point_latest_at(run_id)
    assert (workspace.runs_dir / "latest").resolve().name == "20260102T030405Z-2"


def test_a_summary_is_read_as_it_was_written(tmp_path):
    summary = Summary.model_validate(
        {
            "run_id": "r",
            "pipeline": "shop",
            "status": "refused",
            "reasons": ["no"],
            "seconds": {"total": 1.5, "components": {"Windows": 1.0}},
            "peak_rss_mb": 1.0,
            "fingerprints": {"data": {}, "config": "c", "code": "d"},
        }
    )
    path = write_summary(summary, tmp_path)
    assert read_summary(path) == summary
    assert json.loads(path.read_text())["status"] == Status.REFUSED.value
    assert [item.name for item in tmp_path.iterdir()] == ["summary.json"]
