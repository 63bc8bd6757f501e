"""Answers for all queries, and similar items for all candidates, by Beam, recorded in ML Metadata."""

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

from components import shards
from components.bulk import beam, files, requests, similar, vectors
from components.bulk.answers import Answerer
from components.bulk.ruled import RuledAnswerer
from components.table_example_gen import beam as table_beam
from shortlist import fingerprints, model_files
from shortlist.config.config import Config
from shortlist.config.table import Interactions, Table
from shortlist.engines.arguments import beam_args
from shortlist.errors import DataError
from shortlist.lineage import journal
from shortlist.lineage.store import Store
from shortlist.lineage.trace import pushed_models
from shortlist.records import nodes, properties
from shortlist.serving import client, filtered, versions
from shortlist.tables import as_of, content, inputs
from shortlist.tables.input_table import InputTable
from shortlist.tables.spec import Unit, table_spec
from shortlist.workspace import Workspace

_DONE = ".done"
_STAGING = ".part"


@dataclasses.dataclass(frozen=True)
class BulkOptions:
    """Options of one bulk command."""

    k: int
    form: files.Format
    shards: int
    exclude_seen: bool | None = None
    """Whether to leave the history out; by default as the gates do."""
    queries: tuple[str, ...] | None = None
    """Ids to answer for; all by default."""
    at: str | None = None
    """Time of the requests, see `as_of.read_time`."""
    rules: dict[str, Any] | None = None
    """Filter, diversity, boosts and promotions of all requests, see `shortlist.serving.filtered.parse`."""


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


def bulk_answers(
    config: Config,
    workspace: Workspace,
    data_root: pathlib.Path,
    options: BulkOptions,
    report: Callable[[str], None],
) -> BulkResult:
    """Answers all queries of the log and of the table of queries with the served model.

    The caller holds the workspace. A killed command is continued by the same command: finished shards are not repeated.

    Args:
      config: The checked config.
      workspace: The pipeline's workspace.
      data_root: Start of relative data paths.
      options: See the class.
      report: Called with a line of text at each step.

    Raises:
      BadInputError: No model is served, k exceeds the model's, or a table cannot be read.
    """
    served = _Served.of(workspace)
    if options.rules is None:
        client.check_k(options.k, served.index)
    else:
        filtered.parse(served.folder, options.k, **options.rules)
    exclude_seen = options.exclude_seen
    if exclude_seen is None:
        exclude_seen = bool(served.index.get("exclude_seen", True))
    tables: dict[str, Table] = {"interactions": config.data.interactions}
    if config.data.queries:
        tables["queries"] = config.data.queries
    sha256 = content.tables_sha256(tables, data_root)  # type: ignore[arg-type]
    settings = {**dataclasses.asdict(options), "exclude_seen": exclude_seen, "data": sha256}
    job = _Job.of(config, workspace, nodes.BULK, served, settings)
    log = InputTable.of("interactions", config.data.interactions, data_root)
    requests_dir = job.folder / "requests"
    done = requests_dir.with_suffix(_DONE)
    if not done.exists():
        report("Reading the log ...")
        flat = {name: job.read_table(name, table, data_root, log.unit) for name, table in tables.items()}
        _write_requests(config, job, served, flat, options, log, requests_dir)
        done.touch()
    answerer: Callable[[], Answerer | RuledAnswerer] = functools.partial(
        Answerer, str(served.folder), served.index["kind"] != "scann", options.k, exclude_seen
    )
    if options.rules is not None:
        answerer = functools.partial(RuledAnswerer, str(served.folder), options.k, exclude_seen, options.rules)
    return job.finish(
        lambda root, waiting, path_of: beam.build_answers(
            root, waiting, answerer, str(requests_dir), path_of, str(job.staging)
        ),
        report,
    )


def similar_items(
    config: Config, workspace: Workspace, options: BulkOptions, report: Callable[[str], None]
) -> BulkResult:
    """Finds the similar items of all candidates of the served model; see `bulk_answers`."""
    served = _Served.of(workspace)
    job = _Job.of(config, workspace, nodes.SIMILAR_ITEMS, served, dataclasses.asdict(options))
    neighbours = functools.partial(similar.Neighbours, str(served.exact_folder), options.k)
    return job.finish(
        lambda root, waiting, path_of: beam.build_similar(
            root, waiting, options.shards, neighbours, path_of, str(job.staging)
        ),
        report,
    )


@dataclasses.dataclass(frozen=True)
class _Served:
    """The served version."""

    version: int
    folder: pathlib.Path
    exact_folder: pathlib.Path
    index: dict[str, Any]

    @classmethod
    def of(cls, workspace: Workspace) -> _Served:
        folder = client.version_path(workspace.serving_dir)
        exact = versions.exact_dir(workspace.serving_dir) / folder.name
        return cls(int(folder.name), folder, exact if exact.is_dir() else folder, client.index_of(folder))


@dataclasses.dataclass(frozen=True)
class _Job:
    """One command with its unfinished files, which the same command finds again."""

    node: str
    workspace: Workspace
    served: _Served
    settings: dict[str, Any]
    folder: pathlib.Path
    args: list[str]

    @classmethod
    def of(cls, config: Config, workspace: Workspace, node: str, served: _Served, settings: dict[str, Any]) -> _Job:
        described = {
            **settings,
            "version": served.version,
            "config": config.data.model_dump(mode="json"),
            "code": fingerprints.code_sha256("components.bulk.beam"),
        }
        text = json.dumps([node, described], sort_keys=True)
        folder = workspace.root / "bulk" / hashlib.sha256(text.encode()).hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
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
        done = folder.with_suffix(_DONE)
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


def _write_requests(
    config: Config,
    job: _Job,
    served: _Served,
    flat: dict[str, str],
    options: BulkOptions,
    log: InputTable,
    requests_dir: pathlib.Path,
) -> None:
    ids_path = str(job.folder / "ids" / "candidates.gz")
    shards.write(vectors.read_vectors(served.exact_folder).ids, ids_path, str(job.staging))
    data = config.data
    given = None
    if options.at is not None:
        given = as_of.given_as_of(options.at, log.unit, "--at", job.now, data.interactions.timestamp_format).time
    of_items, _ = model_files.interaction_features(served.folder)
    settings = requests.RequestSettings(
        repeats=data.interactions.repeats,
        max_interactions=data.max_interactions_per_query,
        has_times=data.interactions.timestamp is not None,
        unit=log.unit,
        as_of=given,
        now=job.now,
        num_shards=options.shards,
        history_features=tuple(
            (name, feature) for name, feature in sorted(data.interactions.features.items()) if name in of_items
        ),
    )
    wanted = None
    if options.queries is not None:
        wanted = tuple(query.encode() for query in options.queries)
    pattern = {name: shards.beam_pattern(folder) for name, folder in flat.items()}
    job.run(
        lambda root: requests.build(
            root,
            pattern["interactions"],
            pattern.get("queries"),
            ids_path,
            wanted,
            settings,
            str(requests_dir),
            str(job.staging),
        )
    )
