"""Files of bulk commands in the workspace."""

import os

from pipeline import bulk_job


def test_the_files_of_old_unfinished_commands_are_removed(tmp_path):
    own = tmp_path / "own"
    for age, name in enumerate(("new", "newer", "old", "older")):
        (tmp_path / name / "flat").mkdir(parents=True)
        os.utime(tmp_path / name, (1_000 - age, 1_000 - age))
    own.mkdir()
    # The oldest of all, but it is the command that goes on.
    os.utime(own, (1, 1))
    bulk_job.remove_unfinished(own)
    assert bulk_job.MAX_UNFINISHED == 2
    assert sorted(os.listdir(tmp_path)) == ["new", "newer", "own"]
