"""What is known of a run: its own summary, and ML Metadata where it left none."""

from __future__ import annotations

import dataclasses
import datetime
import pathlib
import re
from typing import Any

import yaml

from shortlist.config.renamed import RENAMED
from shortlist.errors import BadInputError
from shortlist.lineage.facts import flat
from shortlist.lineage.store import Store
from shortlist.lineage.why import judge
from shortlist.summary import Summary, read_summary
from shortlist.workspace import Workspace

_ID = re.compile(r"(\d{8}T\d{6}Z)(-\d+)?")
_MOST_NAMED = 3
# libyaml, where PyYAML has it, reads a thousand configs in a second instead of ten.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclasses.dataclass(frozen=True)
class Record:
    """One run."""

    run_id: str
    status: str
    """The summary's, or `killed` and `running`, which no summary can say."""
    reasons: list[str]
    summary: Summary | None
    """None where the run died before it wrote one, or a newer version wrote it."""
    folder: pathlib.Path
    """What the run left for people: log, config, summary."""

    @property
    def started(self) -> datetime.datetime | None:
        """When it was typed; None if its id does not tell, as of a run that another orchestrator started."""
        found = _ID.fullmatch(self.run_id)
        if found is None:
            return None
        return datetime.datetime.strptime(found[1], "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.timezone.utc)

    def config(self) -> dict[str, Any]:
        """Returns the settings that it went by, by dotted name; none if it left no config."""
        try:
            text = (self.folder / "config.yaml").read_text(encoding="utf-8")
            found = yaml.load(text, Loader=_LOADER)  # noqa: S506  a safe loader, whichever it is
        except (OSError, ValueError, yaml.YAMLError):
            return {}
        settings = flat(found) if isinstance(found, dict) else {}
        return {RENAMED.get(name, name): value for name, value in settings.items()}


def records(workspace: Workspace) -> list[Record]:
    """Returns every run, the latest first.

    Raises:
      BadInputError: Nothing was run yet.
    """
    store = Store.of(workspace) if workspace.has_metadata else None
    in_store = store.run_ids() if store else []
    in_folder = [path.name for path in workspace.runs_dir.glob("[0-9]*") if _ID.fullmatch(path.name)]
    run_ids = sorted({*in_store, *in_folder}, key=_order, reverse=True)
    if not run_ids:
        raise BadInputError(f"{workspace.root}: nothing was run here yet; `shortlist run` makes the first run")
    at_work = workspace.is_open
    return [_record(workspace, store, run_id, at_work and run_id == run_ids[0]) for run_id in run_ids]


def one(workspace: Workspace, run_id: str) -> Record:
    """Returns one run without reading the others; `latest` is the newest that ended.

    Raises:
      BadInputError: There is no such run.
    """
    if run_id == "latest":
        run_id = (workspace.runs_dir / "latest").resolve().name
    store = Store.of(workspace) if workspace.has_metadata else None
    in_store = store.run_ids() if store else []
    in_folder = _ID.fullmatch(run_id) is not None and workspace.run_dir(run_id).is_dir()
    if run_id not in in_store and not in_folder:
        # It names those that there are.
        return find(records(workspace), [run_id])[0]
    newest = max([*in_store, *(path.name for path in workspace.runs_dir.glob("[0-9]*"))], key=_order)
    return _record(workspace, store, run_id, workspace.is_open and run_id == newest)


def find(known: list[Record], run_ids: list[str]) -> list[Record]:
    """Returns the runs of these ids in this order; `latest` is one.

    Raises:
      BadInputError: There is no such run.
    """
    by_id = {record.run_id: record for record in known} | {"latest": known[0]}
    for run_id in run_ids:
        if run_id not in by_id:
            latest = ", ".join(record.run_id for record in known[:_MOST_NAMED])
            raise BadInputError(f"there is no run {run_id!r}; the latest are {latest}; `shortlist runs` lists all")
    return [by_id[run_id] for run_id in run_ids]


def _order(run_id: str) -> tuple[str, int]:
    """The second run of one second is called `...Z-2`, the tenth `...Z-10`."""
    found = _ID.fullmatch(run_id)
    return (found[1], int((found[2] or "-1")[1:])) if found else (run_id, 0)


def _record(workspace: Workspace, store: Store | None, run_id: str, at_work: bool) -> Record:
    folder = workspace.run_dir(run_id)
    try:
        summary = read_summary(folder / "summary.json")
    except (OSError, ValueError):
        executions = store.run_executions(run_id) if store else []
        if not executions:
            said = "it is at its beginning" if at_work else "its process died before its first node"
            return Record(run_id, "running" if at_work else "killed", [said], None, folder)
        verdict = judge(run_id, executions, at_work)
        return Record(run_id, verdict.outcome.value, verdict.reasons, None, folder)
    return Record(run_id, summary.status.value, summary.reasons, summary, folder)
