"""Where a pipeline keeps what it writes: one folder, nothing outside it."""

from __future__ import annotations

import dataclasses
import datetime
import os
import pathlib


@dataclasses.dataclass(frozen=True)
class Workspace:
    """The folders of one pipeline's workspace.

    metadata/mlmd.sqlite        ML Metadata: the lineage
    pipeline_root/<node>/...    every artifact
    serving/<name>/<version>/   what is served, in TF Serving's layout
    runs/<run id>/              summary.json, run.log and the config of each run
    runs/latest                 link to the newest of them
    """

    root: pathlib.Path
    name: str

    @property
    def metadata_path(self) -> pathlib.Path:
        """The sqlite file of ML Metadata."""
        return self.root / "metadata" / "mlmd.sqlite"

    @property
    def pipeline_root(self) -> pathlib.Path:
        """Where TFX keeps artifacts."""
        return self.root / "pipeline_root"

    @property
    def serving_dir(self) -> pathlib.Path:
        """Where versions of the pushed model stand."""
        return self.root / "serving" / self.name

    @property
    def runs_dir(self) -> pathlib.Path:
        """One folder a run."""
        return self.root / "runs"

    def run_dir(self, run_id: str) -> pathlib.Path:
        """The folder of one run."""
        return self.runs_dir / run_id

    def start_run(self, now: datetime.datetime) -> str:
        """Makes the folder of a new run and returns the run's id, a UTC time."""
        base = now.astimezone(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        run_id, attempt = base, 1
        while True:
            try:
                self.run_dir(run_id).mkdir(parents=True)
                return run_id
            except FileExistsError:
                attempt += 1
                run_id = f"{base}-{attempt}"

    def point_latest_at(self, run_id: str) -> None:
        """Makes `runs/latest` a link to this run, in one step."""
        link = self.runs_dir / ".latest.part"
        link.unlink(missing_ok=True)
        link.symlink_to(run_id, target_is_directory=True)
        os.replace(link, self.runs_dir / "latest")
