"""One bulk command with its unfinished files, which the same command finds again."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import os
import pathlib
import shutil
import time
from collections.abc import Callable, Iterable
from typing import Any

import apache_beam
from apache_beam.options.pipeline_options import PipelineOptions

from components.bulk import files
from components.table_example_gen import beam as table_beam
from shortlist import fingerprints
from shortlist.config.config import Config
from shortlist.config.table import Interactions, Table
from shortlist.engines.arguments import beam_args
from shortlist.errors import DataError
from shortlist.lineage import journal
from shortlist.lineage.store import Store
from shortlist.lineage.trace import pushed_models
from shortlist.records import properties
from shortlist.serving import served_model, versions
from shortlist.tables import inputs
from shortlist.tables.spec import Unit, table_spec
from shortlist.workspace import Workspace

MAX_UNFINISHED = 2
"""Unfinished commands whose files stay, beside those of the command that runs."""

DONE = ".done"
"""Suffix of the file that marks a finished folder."""
_STAGING = ".part"


@dataclasses.dataclass(frozen=True)
class BulkResult:
    """Finished files."""

    folder: str
    """Folder of the files."""
    rows: int
    """Number of queries or candidates."""
    version: int
    """The version that answered."""
    kind: str
    """Kind of its index."""
    resumed_shards: int
    """Number of shards that an interrupted command had finished."""
    seconds: float
    """Wall-clock seconds of the answers of this command, without reading the tables."""


@dataclasses.dataclass(frozen=True)
class ServedVersion:
    """The served version."""

    version: int
    folder: pathlib.Path
    exact_folder: pathlib.Path
    index: dict[str, Any]

    @classmethod
    def of(cls, workspace: Workspace) -> ServedVersion:
        """Returns the version that the workspace serves.

        Raises:
          BadInputError: No model was pushed.
        """
        folder = served_model.version_path(workspace.serving_dir)
        exact = versions.exact_dir(workspace.serving_dir) / folder.name
        return cls(int(folder.name), folder, exact if exact.is_dir() else folder, served_model.index_of(folder))


@dataclasses.dataclass(frozen=True)
class BulkJob:
    """One command with its unfinished files, which the same command finds again."""

    node: str
    workspace: Workspace
    served: ServedVersion
    settings: dict[str, Any]
    folder: pathlib.Path
    args: list[str]

    @classmethod
    def of(
        cls, config: Config, workspace: Workspace, node: str, served: ServedVersion, settings: dict[str, Any]
    ) -> BulkJob:
        """Returns the job of a command, whose folder is named by all that decides on its answers.

        Args:
          config: The checked config.
          workspace: The pipeline's workspace.
          node: Name of the execution in ML Metadata.
          served: The version that answers.
          settings: JSON types: the command's options, with `form` and `shards`.
        """
        described = {
            **settings,
            "version": served.version,
            "config": config.data.model_dump(mode="json"),
            "code": fingerprints.code_sha256("components.bulk.beam"),
        }
        text = json.dumps([node, described], sort_keys=True)
        folder = workspace.root / "bulk" / hashlib.sha256(text.encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        remove_unfinished(folder)
        return cls(node, workspace, served, settings, folder, beam_args(config.beam))

    @property
    def staging(self) -> pathlib.Path:
        """Folder of files that are being written."""
        return self.folder / _STAGING

    @property
    def now(self) -> int:
        """Seconds since 1970 when the command was first started, so that a resumed one makes the same requests."""
        path = self.folder / "now"
        if not path.exists():
            path.write_text(str(int(time.time())))
        return int(path.read_text())

    def run(self, build: Callable[[Any], None]) -> None:
        """Builds a Beam graph and runs it on the config's engine.

        Raises:
          RuntimeError: The pipeline did not succeed.
        """
        pipeline = apache_beam.Pipeline(options=PipelineOptions(flags=self.args))
        build(pipeline)
        result = pipeline.run()
        result.wait_until_finish()

    def read_table(self, name: str, table: Table, data_root: pathlib.Path, unit: Unit) -> str:
        """Writes a table's flat examples, as its ExampleGen does, and returns their folder."""
        folder = self.folder / "flat" / name
        # Beside the folder, whose files are all records.
        done = folder.with_suffix(DONE)
        if not done.exists():
            spec = table_spec(name, table, unit).located(data_root)  # type: ignore[arg-type]
            spans = table.last_spans if isinstance(table, Interactions) else None
            found = inputs.find(table.path, data_root, spans)
            if not found:
                raise DataError.from_parts(table.path, "a file", "none", "add the file, or correct the table's path")
            self.run(lambda root: table_beam.build(root, found, spec, str(folder), str(self.staging)))
            done.touch()
        return str(folder)

    def finish(
        self, build: Callable[[Any, list[int], Callable[[int], str]], None], report: Callable[[str], None]
    ) -> BulkResult:
        """Writes the missing shards, moves all of them to the output folder, and records the execution."""
        form, number = self.settings["form"], self.settings["shards"]
        folder = self.folder / "answers"
        path_of = functools.partial(_path_of, str(folder), number, form)
        book = journal.Journal(self.workspace)
        book.close_abandoned()
        pushed = pushed_models(Store.of(self.workspace)).get(self.served.version)
        facts: dict[str, str | int | float] = {
            "version": self.served.version,
            properties.BY: journal.user_at_host(),
            "settings": json.dumps({name: value for name, value in self.settings.items() if name != "queries"}),
        }
        with book.step(self.node, {"pushed_model": [pushed]} if pushed else {}, facts) as step:
            waiting = [shard for shard in range(number) if not os.path.exists(path_of(shard))]
            start = time.monotonic()
            if waiting:
                report(f"Answering {len(waiting):,} of {number:,} shards ...")
                self.run(lambda root: build(root, waiting, path_of))
            seconds = time.monotonic() - start
            rows = _count_rows([path_of(shard) for shard in range(number)])
            output = book.output_folder(self.node, "answers", step.id)
            step.announce("answers", "InferenceResult", str(output), {"rows": rows, "version": self.served.version})
            output.parent.mkdir(parents=True, exist_ok=True)
            # One rename: the folder has all files or does not exist.
            os.rename(folder, output)
        shutil.rmtree(self.folder, ignore_errors=True)
        return BulkResult(
            str(output), rows, self.served.version, self.served.index["kind"], number - len(waiting), seconds
        )


def _path_of(folder: str, num_shards: int, form: files.Format, shard: int) -> str:
    return files.answer_path(folder, shard, num_shards, form)


def _count_rows(paths: Iterable[str]) -> int:
    import pyarrow.parquet as pq
    import pyarrow_hotfix  # noqa: F401  Prevents the execution of a file's pickled types (CVE-2023-47248).

    total = 0
    for path in paths:
        if path.endswith(".parquet"):
            total += pq.ParquetFile(path).metadata.num_rows
        else:
            with open(path, "rb") as file:
                total += sum(chunk.count(b"\n") for chunk in iter(lambda: file.read(1 << 20), b""))
    return total


def remove_unfinished(own: pathlib.Path) -> None:
    """Removes the files of all but the latest `MAX_UNFINISHED` other commands that were killed or failed.

    Each has a copy of the log. A finished command has removed its own, and tomorrow's data make another command.

    Args:
      own: Folder of the command that runs, which holds the workspace.
    """
    others = [folder for folder in own.parent.iterdir() if folder.is_dir() and folder != own]
    for folder in sorted(others, key=lambda it: it.stat().st_mtime_ns, reverse=True)[MAX_UNFINISHED:]:
        shutil.rmtree(folder, ignore_errors=True)
