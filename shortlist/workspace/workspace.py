"""Where a pipeline keeps what it writes: one folder, nothing outside it."""

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
"""In a run's folder: its config with the values that its search found."""


@dataclasses.dataclass(frozen=True)
class Workspace:
    """The folders of one pipeline's workspace.

    workspace.json              whose it is, and which version of this layout
    metadata/mlmd.sqlite        ML Metadata: the lineage; or, where a server has it,
    metadata/server.json        by what the server knows this workspace
    pipeline_root/<node>/...    every artifact
    serving/<name>/<version>/   what is served, in TF Serving's layout
    runs/<run id>/              report.html, summary.json, run.log and the config of each run
    runs/latest                 link to the newest of them
    ablations/<key>/            what a training of `shortlist ablate` came to
    """

    root: pathlib.Path
    name: str
    metadata_server: Server | None = None
    """Where ML Metadata is; None: in `metadata_path`."""

    @classmethod
    def of(cls, config: Config) -> Workspace:
        """Returns the workspace that a config names; relative to the working directory."""
        server = None if config.metadata.kind == "sqlite" else config.metadata
        return cls(pathlib.Path(config.workspace).absolute(), config.name, server)

    @property
    def metadata_path(self) -> pathlib.Path:
        """The sqlite file of ML Metadata."""
        return self.root / "metadata" / "mlmd.sqlite"

    @property
    def claim_path(self) -> pathlib.Path:
        """What the first run with a server leaves; holds the id by which the server knows this workspace."""
        return self.root / "metadata" / "server.json"

    @property
    def has_metadata(self) -> bool:
        """Whether a run began to write to ML Metadata; asks no server."""
        return (self.claim_path if self.metadata_server else self.metadata_path).exists()

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

    @contextlib.contextmanager
    def opened(self, command: str, must_exist: bool = False) -> Iterator[lock.Holder | None]:
        """Keeps the workspace for one command that writes; yields the holder that died in it, if one did.

        Args:
          command: What this process is at, for whoever is refused meanwhile.
          must_exist: Refuse rather than make the folder.

        Raises:
          ConfigError: The folder is another pipeline's, a newer Shortlist's, no workspace, or cannot be written.
          BadInputError: Another command holds it; names the process. Or nothing was run in it yet.
          ResourceError: The disk is full, now or while the command was at work.
        """
        layout.check(self.root, self.name)
        if must_exist and not self.has_metadata:
            raise BadInputError(f"{self.root}: nothing was run here yet; `shortlist run` makes a model and pushes it")
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
        """Whether a command that writes is at work in it now."""
        return lock.is_held(self.root / layout.LOCK_FILE)

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
