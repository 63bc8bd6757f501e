"""Histories and features of a config's queries, for `shortlist serve`."""

from __future__ import annotations

import pathlib
from collections.abc import Iterator
from typing import Any

from server import histories
from server.known import Histories, Readable, WithFeatures, encoded
from server.parquet_tables import Row
from server.stored_values import StoredValues
from server.windows import WindowHistories
from shortlist import datasets, keys
from shortlist.config.config import Config
from shortlist.config.serve import Serve
from shortlist.errors import DataError
from shortlist.records import nodes
from shortlist.serving import versions
from shortlist.summary import read_summary
from shortlist.tables import lookup
from shortlist.workspace import Workspace

# 10 s of reading.
_MAX_BYTES = 64 * 2**20


def of_config(config: Config, settings: Serve) -> Histories | None:
    """Returns what is known of the queries: what the settings name, else what the config's tables have.

    A table of more than 64 MB would be read for longer than a start should take. Instead of a larger log, the windows
    of the run that pushed the version are read. Tables that are not there are left out: a model can be served without.

    Args:
      config: The config.
      settings: Its section `serve`, or one that replaces it.

    Raises:
      BadInputError: A file that the settings name cannot be read.
    """
    known = _of_config(config, settings)
    named_of = {True: settings.histories, False: settings.queries}
    unnamed = [of_events for of_events, named in named_of.items() if named is None]
    return None if known is None else Readable(known, unnamed)


def _of_config(config: Config, settings: Serve) -> Histories | None:
    workspace = Workspace.of(config)
    data_root = datasets.default_data_dir()
    memory_mb = settings.histories_memory_mb
    if settings.histories is not None:
        known = histories.of_settings(settings.model_copy(update={"queries": None}), workspace.serving_dir)
    else:
        known = _of_log(config, data_root) or _of_windows(workspace, memory_mb)
    if settings.queries is not None:
        return histories.with_queries(known, pathlib.Path(settings.queries), memory_mb)
    rows = _features(config, data_root)
    if rows is None or config.data.queries is None:
        return known
    keeps_first = config.data.queries.duplicates != "last"
    return WithFeatures(known, rows, memory_mb, keeps_first, config.data.queries.path)


def _of_log(config: Config, data_root: pathlib.Path) -> Histories | None:
    interactions = config.data.interactions
    try:
        log = lookup.Log(config.data, data_root)
        if log.size > _MAX_BYTES:
            return None
        stored = StoredValues(interactions.path)
        # As the node Windows makes them: without repeats, and of limited length.
        return histories.MemoryHistories(
            _rows(log, list(interactions.features), stored),
            stored,
            min(config.data.max_interactions_per_query, histories.MAX_EVENTS),
            interactions.repeats,
        )
    except DataError:
        return None


def _rows(log: lookup.Log, names: list[str], stored: StoredValues) -> Iterator[Row]:
    for number, (query_id, row) in enumerate(log.interactions()):
        features = dict(zip(names, row.features, strict=True))
        stored.add(features, lambda number=number: f"row {number} (from 0) after the filter")  # type: ignore[misc]
        if not row.is_target:
            features[keys.WEIGHT] = row.weight
        yield query_id, row.candidate_id.decode(), row.timestamp, row.nanos, encoded(features)


def _of_windows(workspace: Workspace, memory_mb: int) -> Histories | None:
    """Returns the windows of the run that pushed the served version; None if they are gone."""
    from shortlist.lineage.executions import output_of
    from shortlist.lineage.store import Store

    version = versions.served_version(workspace.serving_dir)
    for path in sorted(workspace.runs_dir.glob("*/summary.json")):
        try:
            summary = read_summary(path)
        except (OSError, ValueError):
            # A run that is under way, or one of another version of Shortlist.
            continue
        if summary.pushed is not None and summary.pushed.version == version:
            executions = {execution.node: execution for execution in Store.of(workspace).run_executions(summary.run_id)}
            windows = output_of(executions.get(nodes.WINDOWS), "examples")
            if windows is not None and WindowHistories.is_at(pathlib.Path(windows.uri)):
                return WindowHistories(pathlib.Path(windows.uri), memory_mb)
    return None


def _features(config: Config, data_root: pathlib.Path) -> Iterator[tuple[str, dict[str, Any]]] | None:
    """Returns the features in the queries table; None without one, or if it is large."""
    if config.data.queries is None:
        return None
    try:
        if lookup.size_of_queries(config.data.queries, data_root) > _MAX_BYTES:
            return None
        return iter(list(lookup.query_features(config.data.queries, data_root)))
    except DataError:
        return None
