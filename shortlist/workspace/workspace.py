"""The folders and files of a workspace; a pipeline writes nothing outside it."""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import os
import pathlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from shortlist.errors import BadInputError, ConfigError
from shortlist.process import resources
from shortlist.workspace import layout, lock

if TYPE_CHECKING:
    from shortlist.config.config import Config
    from shortlist.config.metadata import Server

TUNED_FILE = "tuned.yaml"
"""File in a run's folder: its config with the best values of the hyperparameter search."""


@dataclasses.dataclass(frozen=True)
class Workspace:
    """The folders of one pipeline's workspace.

    workspace.json              its pipeline, and the version of this layout
    metadata/mlmd.sqlite        ML Metadata, the lineage
    metadata/server.json        with a server for ML Metadata: the server's id of this workspace
    pipeline_root/<node>/...    all artifacts
    serving/<name>/<version>/   pushed models, in TF Serving's layout
    runs/<run id>/              report.html, summary.json, run.log and the config of each run
    runs/latest                 link to the newest run's folder
    ablations/<key>/            result of one training of `shortlist ablate`
    """

    root: pathlib.Path
    name: str
    metadata_server: Server | None = None
    """The server of ML Metadata; None if it is the file `metadata_path`."""

    @classmethod
    def of(cls, config: Config) -> Workspace:
        """Returns the workspace that a config names, relative to the working directory."""
        server = None if config.metadata.kind == "sqlite" else config.metadata
        return cls(pathlib.Path(config.workspace).absolute(), config.name, server)

    @property
    def metadata_path(self) -> pathlib.Path:
        """The sqlite file of ML Metadata."""
        return self.root / "metadata" / "mlmd.sqlite"

    @property
    def claim_path(self) -> pathlib.Path:
        """The file that the first run with a server writes; it has the server's id of this workspace."""
        return self.root / "metadata" / "server.json"

    @property
    def has_metadata(self) -> bool:
        """Whether a run has begun to write to ML Metadata; does not contact a server."""
        if self.metadata_server:
            return self.claim_path.exists()
        try:
            # A run that dies at once leaves an empty file.
            return self.metadata_path.stat().st_size > 0
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            # The database itself reports the reason.
            return True

    @property
    def pipeline_root(self) -> pathlib.Path:
        """TFX's folder for artifacts."""
        return self.root / "pipeline_root"

    @property
    def serving_dir(self) -> pathlib.Path:
        """The folder with the versions of the pushed model."""
        return self.root / "serving" / self.name

    @property
    def runs_dir(self) -> pathlib.Path:
        """The folder with one folder per run."""
        return self.root / "runs"

    def run_dir(self, run_id: str) -> pathlib.Path:
        """Returns the folder of one run."""
        return self.runs_dir / run_id

    @contextlib.contextmanager
    def reserve(self, command: str, must_exist: bool = False) -> Iterator[lock.Holder | None]:
        """Reserves the workspace for a command that writes. Yields the previous command if it died, else None.

        Args:
          command: The command of this process, for the error message of others.
          must_exist: Raise an error instead of creating the folder.

        Raises:
          ConfigError: The folder belongs to another pipeline or to a newer Shortlist, has other files in it, or cannot
            be written.
          BadInputError: Another command holds the workspace; the message names its process. Or `must_exist` is set
            and the workspace has no run.
          ResourceError: The disk is full, now or within the body.
        """
        layout.check(self.root, self.name)
        if must_exist and not self.has_metadata:
            raise BadInputError(f"{self.root}: there is no run here yet; `shortlist run` trains a model and pushes it")
        try:
            self.root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigError.from_reason("workspace", f"a folder at {self.root}", error.strerror) from None
        with (
            lock.hold(self.root / layout.LOCK_FILE, command) as previous_holder,
            resources.raises_resource_error(self.root),
        ):
            layout.claim(self.root, self.name)
            yield previous_holder

    @property
    def is_open(self) -> bool:
        """Whether a command that writes is running in it now."""
        return lock.is_held(self.root / layout.LOCK_FILE)

    def start_run(self, now: datetime.datetime) -> str:
        """Creates the folder of a new run and returns the run's id, a UTC time."""
        base = now.astimezone(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        run_id, attempt = base, 1
        while True:
            try:
                self.run_dir(run_id).mkdir(parents=True)
                return run_id
            except FileExistsError:
                # Two runs within one second.
                attempt += 1
                run_id = f"{base}-{attempt}"

    def point_latest_at(self, run_id: str) -> None:
        """Makes `runs/latest` a link to this run, atomically."""
        # A link cannot be overwritten; renaming a new one over it is atomic.
        link = self.runs_dir / ".latest.part"
        link.unlink(missing_ok=True)
        link.symlink_to(run_id, target_is_directory=True)
        os.replace(link, self.runs_dir / "latest")
