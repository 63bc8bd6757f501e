"""Runs a config's pipeline on this machine and writes a summary, also of a run that fails."""

from __future__ import annotations

import contextlib
import logging
import os
import pathlib
import time
from collections.abc import Mapping

import yaml

from pipeline import collect, schemas, tuned, warm_start
from pipeline.bad_input import find_bad_input
from pipeline.checked_table import Sources
from pipeline.create_pipeline import create_pipeline
from pipeline.create_reindex import create_reindex
from pipeline.local_runner import LocalRunner, NodeResult, RunListener
from shortlist.config.config import Config
from shortlist.config.table import Table, TableName
from shortlist.engines import failures
from shortlist.errors import ResourceError, ShortlistError, StoreError
from shortlist.lineage import journal
from shortlist.lineage.database import database
from shortlist.lineage.served_model import ServedModel
from shortlist.process import memory, resources, stopping
from shortlist.process.causes import first_cause
from shortlist.records import nodes
from shortlist.report.write import write_report
from shortlist.summary import Status, Summary, write_summary
from shortlist.tables import content
from shortlist.tables.spec import Unit, table_spec
from shortlist.verdicts import refused
from shortlist.workspace import TUNED_FILE, Workspace


class RunFailed(ShortlistError):
    """A node failed for another reason than bad input."""


def run_pipeline(
    config: Config,
    workspace: Workspace,
    run_id: str,
    data_root: pathlib.Path,
    listener: RunListener,
    timestamp_unit: Unit,
    served: ServedModel | None = None,
) -> Summary:
    """Runs every node and returns the summary, which is also written to the run's folder.

    The caller holds the workspace (`Workspace.opened`): every unfinished execution in it counts as abandoned.

    Args:
      config: A checked config, after the preflight.
      workspace: Workspace for all that the run writes.
      run_id: The run's id; `Workspace.start_run` made its folder.
      data_root: Folder that relative data paths start from.
      listener: Receives the events of each node.
      timestamp_unit: Unit of the interactions' timestamp; the preflight detects it.
      served: The served model, to give it today's catalogue. By default, the run trains a model.

    Raises:
      DataError: A node refused the data; the summary's status is `refused`.
      ResourceError: Memory or disk ran out; the summary's status is `failed`, if there was room to write one.
      StoreError: ML Metadata's file cannot be used; no node was started.
      RunFailed: A node failed for another reason; the summary's status is `failed`, if ML Metadata can be read.
      KeyboardInterrupt, SystemExit: The run was stopped; the summary's status is `failed`.
    """
    start = time.monotonic()
    timed = _TimingListener(listener)
    tables = config.data.tables
    if served is not None:
        tables = {"candidates": config.data.candidates}
    sources = pinned_sources(config, workspace, data_root, timestamp_unit, tables)
    _write_config(config, workspace.run_dir(run_id) / "config.yaml")
    metadata = database(workspace)
    metadata.begin_run(run_id)
    _close_abandoned(workspace, "its process died")
    runner = LocalRunner(run_id, timed, metadata.connection())

    def summarise(status: Status | None, reason: str | None = None) -> Summary:
        executions = collect.nodes_of(workspace, run_id)
        summary = collect.collect(
            config=config,
            executions=executions,
            run_id=run_id,
            data_sha256={name: str(sha256) for name, sha256 in sources.content_sha256.items()},
            seconds=timed.seconds,
            total_seconds=time.monotonic() - start,
            peak_rss_mb=timed.memory.highest_mb(),
            node_peaks_mb=timed.peaks_mb,
            reindexed=served,
            warm_start=warm_start.summarize(workspace, collect.output(executions, nodes.TRAINER, "model")),
        )
        summary = summary.model_copy(update={"warnings": [*runner.warnings, *summary.warnings]})
        if status is not None:
            summary = summary.model_copy(update={"status": status, "reasons": [reason or ""]})
        if status is Status.REFUSED:
            summary = summary.model_copy(update={"gates": refused(reason or "")})
        write_summary(summary, workspace.run_dir(run_id))
        if summary.tuning is not None:
            best = tuned.with_values(config, summary.tuning.winner.values)
            _write_config(best, workspace.run_dir(run_id) / TUNED_FILE)
        workspace.point_latest_at(run_id)
        _report(workspace, run_id)
        return summary

    try:
        with stopping.reraise_stop(writing=True), resources.raises_resource_error(workspace.root):
            if served is None:
                runner.run(create_pipeline(config, sources, workspace))
            else:
                runner.run(create_reindex(config, sources, workspace, served.artifact_ids))
    except (KeyboardInterrupt, SystemExit):
        _close_abandoned(workspace, "interrupted")
        if workspace.has_metadata:
            journal.Journal(workspace).mark_stopped(run_id, "interrupted")
        summarise(Status.FAILED, "interrupted")
        raise
    except ResourceError as shortage:
        logging.getLogger(__name__).exception("%s failed", timed.current)
        # Writing the summary needs room too, and may fail.
        with contextlib.suppress(Exception):
            summarise(Status.FAILED, f"{timed.current}: {shortage}")
        raise
    except StoreError as error:
        # The summary is made from the store.
        with contextlib.suppress(Exception):
            summarise(Status.FAILED, f"{timed.current}: {error}")
        raise RunFailed(f"{timed.current}: {error}") from error
    except Exception as error:
        # Beam and TFX wrap the exceptions of nodes: a refusal of the user's data may be the cause of a cause.
        refusal = find_bad_input(error)
        if refusal is not None:
            summarise(Status.REFUSED, str(refusal))
            raise refusal from error
        logging.getLogger(__name__).exception("%s failed", timed.current)
        advice = failures.remedy(config.beam, error, workspace.root)
        cause = f"{timed.current}: {first_cause(error)}{advice and f'; {advice}'}"
        summarise(Status.FAILED, cause)
        raise RunFailed(cause) from error
    return summarise(None)


def _report(workspace: Workspace, run_id: str) -> None:
    """Writes the report. A failure is logged only: the run itself has ended and its model may be served."""
    try:
        write_report(workspace, run_id)
    except Exception:
        logging.getLogger(__name__).exception("no report could be written")


def _close_abandoned(workspace: Workspace, reason: str) -> None:
    """Marks interrupted executions as failed in ML Metadata and deletes their partial outputs."""
    if workspace.has_metadata:
        for node in journal.Journal(workspace).close_abandoned(reason):
            logging.getLogger(__name__).warning("%s was cut off: %s", node, reason)


class _TimingListener(RunListener):
    """Forwards a run's events and records each node's seconds and peak memory."""

    def __init__(self, listener: RunListener):
        self._listener = listener
        self.seconds: dict[str, float] = {}
        self.peaks_mb: dict[str, float] = {}
        self.memory = memory.Meter()
        self.current = ""

    def node_started(self, node_id: str, index: int, total: int) -> None:
        self.current = node_id
        self.memory.start()
        self._listener.node_started(node_id, index, total)

    def node_finished(self, result: NodeResult) -> None:
        self._record(result.node_id, result.seconds)
        self._listener.node_finished(result)

    def node_failed(self, node_id: str, seconds: float) -> None:
        self._record(node_id, seconds)
        self._listener.node_failed(node_id, seconds)

    def _record(self, node_id: str, seconds: float) -> None:
        self.seconds[node_id] = round(seconds, 3)
        peak = self.memory.peak_mb()
        if peak is not None:
            self.peaks_mb[node_id] = peak


def pinned_sources(
    config: Config,
    workspace: Workspace,
    data_root: str | os.PathLike[str],
    timestamp_unit: Unit,
    tables: Mapping[TableName, Table] | None = None,
) -> Sources:
    """Returns the inputs of a run, with the fingerprints of the tables and staged copies of the schemas.

    Args:
      config: The checked config.
      workspace: The workspace, for the copies.
      data_root: Start of relative data paths.
      timestamp_unit: Unit of the interactions' timestamp.
      tables: The tables that the run reads; by default all of the config.
    """
    tables = config.data.tables if tables is None else tables
    schema_files: dict[TableName, pathlib.Path] = {}
    for name, table in tables.items():
        spec = table_spec(name, table, timestamp_unit)
        schema_files[name] = schemas.stage(spec, config.data.schemas, workspace.root / "schemas")
    content_sha256 = content.tables_sha256(tables, data_root)
    return Sources(os.fspath(data_root), content_sha256, schema_files, timestamp_unit)


def _write_config(config: Config, path: pathlib.Path) -> None:
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    path.write_text(text, encoding="utf-8")
