"""Records of runs, from their summaries, or from ML Metadata if there is no summary."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import re
from typing import Any

import yaml

from shortlist.config.renamed import RENAMED
from shortlist.errors import BadInputError
from shortlist.lineage.settings import flat
from shortlist.lineage.store import Store
from shortlist.lineage.why import judge
from shortlist.records import nodes
from shortlist.summary import Kind, Summary, read_summary
from shortlist.workspace import Workspace

_ID = re.compile(r"(\d{8}T\d{6}Z)(-\d+)?")
_MAX_NAMED = 3
# Limit of the summaries that `measured_until` reads, for workspaces with thousands of cached runs.
_MOST_READ = 200
# The whole pipeline has neither.
_REINDEX_NODES = (nodes.SERVED_MODEL, nodes.REFRESH)
# libyaml, if PyYAML was built with it, reads a thousand configs in one second instead of ten.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclasses.dataclass(frozen=True)
class Record:
    """One run."""

    run_id: str
    status: str
    """The summary's status, or `killed` or `running`, which no summary has."""
    reasons: list[str]
    summary: Summary | None = dataclasses.field(repr=False)
    """None if the process died before it wrote one, or if a newer version wrote it."""
    folder: pathlib.Path
    """Folder with the run's log, config and summary."""
    kind: str = Kind.RUN.value
    """`run` or `reindex`."""

    @property
    def started(self) -> datetime.datetime | None:
        """Start time from the run's id; None for an id of another orchestrator."""
        found = _ID.fullmatch(self.run_id)
        if found is None:
            return None
        return datetime.datetime.strptime(found[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)

    @property
    def metrics(self) -> dict[str, float]:
        """Metrics over all test rows, by TFMA's names; empty if the run measured no model."""
        measured = self.summary.metrics if self.summary else None
        return measured.overall if measured else {}

    @property
    def unchanged(self) -> bool:
        """Whether the run found its push in the cache: an earlier run pushed the version."""
        return self.summary is not None and nodes.PUSHER in self.summary.cached

    def config(self) -> dict[str, Any]:
        """Returns the run's settings by dotted name; empty if there is no config."""
        try:
            text = (self.folder / "config.yaml").read_text(encoding="utf-8")
            config = yaml.load(text, Loader=_LOADER)  # noqa: S506  both loaders are safe
        except (OSError, ValueError, LookupError, AttributeError, RecursionError, yaml.YAMLError):
            # PyYAML lets through whatever the conversion of a value raises, such as KeyError for `!!bool abc`.
            return {}
        settings = flat(config) if isinstance(config, dict) else {}
        # A config of an older version has old names of keys, which filters and diffs must find by their new ones.
        return {RENAMED.get(name, name): value for name, value in settings.items()}


def records(workspace: Workspace) -> list[Record]:
    """Returns all runs, the latest first.

    Raises:
      BadInputError: There is no run yet.
    """
    store = _store(workspace)
    in_store = _run_ids(store)
    in_folder = [path.name for path in workspace.runs_dir.glob("[0-9]*") if _ID.fullmatch(path.name)]
    run_ids = sorted({*in_store, *in_folder}, key=_order, reverse=True)
    if not run_ids:
        raise BadInputError(f"{workspace.root}: there is no run here yet; `shortlist run` makes the first")
    is_open = workspace.is_open
    return [_record(workspace, store, run_id, is_open and run_id == run_ids[0]) for run_id in run_ids]


def one(workspace: Workspace, run_id: str) -> Record:
    """Returns one run without reading the others; `latest` stands for the newest run that ended.

    Raises:
      BadInputError: There is no such run.
    """
    if run_id == "latest":
        run_id = (workspace.runs_dir / "latest").resolve().name
    store = _store(workspace)
    in_store = _run_ids(store)
    in_folder = _ID.fullmatch(run_id) is not None and workspace.run_dir(run_id).is_dir()
    if run_id not in in_store and not in_folder:
        # `find` raises the error, which names the latest runs.
        return find(records(workspace), [run_id])[0]
    newest = max([*in_store, *(path.name for path in workspace.runs_dir.glob("[0-9]*"))], key=_order)
    return _record(workspace, store, run_id, workspace.is_open and run_id == newest)


def measured_until(workspace: Workspace, run_id: str, number: int) -> list[Record]:
    """Returns the latest runs up to one, the oldest first, that measured a model and have a summary.

    A run that took its evaluation from the cache measured nothing.

    Args:
      workspace: The workspace of the run.
      run_id: Id of the last run.
      number: The maximum number of runs.
    """
    names = (path.name for path in workspace.runs_dir.glob("[0-9]*") if _ID.fullmatch(path.name))
    found: list[Record] = []
    for name in sorted((name for name in names if _order(name) <= _order(run_id)), key=_order)[-_MOST_READ:][::-1]:
        if len(found) == number:
            break
        try:
            summary = read_summary(workspace.run_dir(name) / "summary.json")
        except (OSError, ValueError):
            continue
        if summary.metrics is not None and nodes.EVALUATOR not in summary.cached:
            found.append(Record(name, summary.status.value, summary.reasons, summary, workspace.run_dir(name)))
    return found[::-1]


def find(runs: list[Record], run_ids: list[str]) -> list[Record]:
    """Returns the runs with these ids, in this order; `latest` is also an id.

    Raises:
      BadInputError: There is no such run.
    """
    by_id = {record.run_id: record for record in runs} | {"latest": runs[0]}
    for run_id in run_ids:
        if run_id not in by_id:
            latest = ", ".join(record.run_id for record in runs[:_MAX_NAMED])
            raise BadInputError(f"there is no run {run_id!r}; the latest are {latest}; `shortlist runs` lists all")
    return [by_id[run_id] for run_id in run_ids]


def _order(run_id: str) -> tuple[str, int]:
    """Returns the sort key of a run: its time, then its number within the second (`...Z-2`, `...Z-10`)."""
    match = _ID.fullmatch(run_id)
    if match is None:
        return run_id, 0
    number = match[2] or "-1"
    return match[1], int(number[1:])


def _store(workspace: Workspace) -> Store | None:
    return Store.of(workspace) if workspace.has_metadata else None


def _run_ids(store: Store | None) -> list[str]:
    return store.run_ids() if store else []


def _record(workspace: Workspace, store: Store | None, run_id: str, at_work: bool) -> Record:
    folder = workspace.run_dir(run_id)
    try:
        summary = read_summary(folder / "summary.json")
    except (OSError, ValueError):
        executions = store.run_executions(run_id) if store else []
        kind = Kind.REINDEX if any(execution.node in _REINDEX_NODES for execution in executions) else Kind.RUN
        if not executions and at_work:
            return Record(run_id, "running", ["its first node has not started yet"], None, folder)
        if not executions:
            return Record(run_id, "killed", ["its process died before its first node"], None, folder)
        verdict = judge(run_id, executions, at_work)
        return Record(run_id, verdict.outcome.value, verdict.reasons, None, folder, kind.value)
    return Record(run_id, summary.status.value, summary.reasons, summary, folder, summary.kind.value)
