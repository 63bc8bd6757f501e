"""Answers for all queries, and similar items for all candidates, by Beam, recorded in ML Metadata."""

from __future__ import annotations

import dataclasses
import functools
import pathlib
from collections.abc import Callable
from typing import Any

from components import shards
from components.bulk import beam, files, requests, similar, vectors
from components.bulk.answers import Answerer
from components.bulk.ruled import RuledAnswerer
from pipeline.bulk_job import DONE, BulkJob, BulkResult, ServedVersion
from shortlist import model_files
from shortlist.config.config import Config
from shortlist.config.table import Table
from shortlist.records import nodes
from shortlist.serving import filtered, served_model
from shortlist.tables import as_of, content
from shortlist.tables.input_table import InputTable
from shortlist.workspace import Workspace


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
    served = ServedVersion.of(workspace)
    if options.rules is None:
        served_model.check_k(options.k, served.index)
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
    job = BulkJob.of(config, workspace, nodes.BULK, served, settings)
    log = InputTable.of("interactions", config.data.interactions, data_root)
    requests_dir = job.folder / "requests"
    done = requests_dir.with_suffix(DONE)
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
    served = ServedVersion.of(workspace)
    job = BulkJob.of(config, workspace, nodes.SIMILAR_ITEMS, served, dataclasses.asdict(options))
    neighbours = functools.partial(similar.Neighbours, str(served.exact_folder), options.k)
    return job.finish(
        lambda root, waiting, path_of: beam.build_similar(
            root, waiting, options.shards, neighbours, path_of, str(job.staging)
        ),
        report,
    )


def _write_requests(
    config: Config,
    job: BulkJob,
    served: ServedVersion,
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
