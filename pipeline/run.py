"""Runs a config's pipeline on this machine and leaves a summary, whatever happens."""

from __future__ import annotations

import logging
import os
import pathlib
import re
import resource
import shutil
import time

import yaml

from pipeline import collect
from pipeline.create_pipeline import Sources, create_pipeline
from pipeline.local_runner import Listener, LocalRunner, NodeResult
from shortlist import fingerprints, preflight
from shortlist.config import types
from shortlist.errors import BadInputError, DataError, ShortlistError
from shortlist.summary import Status, Summary, write_summary
from shortlist.workspace import Workspace

# Beam adds to a message which step it came from.
_RUNNING = re.compile(r" \[while running .*\]$", re.DOTALL)
# Some of its runners raise a RuntimeError that quotes the worker's traceback instead.
_QUOTED_BAD_INPUT = re.compile(r"shortlist\.errors\.(?:Data|Config|BadInput)Error: (.+?)(?: \[while running|\n|$)")


class RunFailed(ShortlistError):
    """A node raised something that no user input explains."""


def run_pipeline(
    config: types.Config,
    workspace: Workspace,
    run_id: str,
    data_root: pathlib.Path,
    listener: Listener,
) -> Summary:
    """Runs every node and returns the summary, which is also written to the run's folder.

    Args:
      config: A checked config, past the preflight.
      workspace: Where everything is written.
      run_id: The run's folder exists already, see `Workspace.start_run`.
      data_root: Where relative data paths start.
      listener: Hears of every node.

    Raises:
      DataError: A node refused the data; the summary says `refused`.
      RunFailed: A node failed otherwise; the summary says `failed`.
      KeyboardInterrupt: Goes on; the summary says `failed`.
    """
    start = time.monotonic()
    timed = _Timed(listener)
    sources = Sources(data_root, _content_sha256(config, data_root), _stage_schemas(config, workspace))
    _write_config(config, workspace.run_dir(run_id))
    workspace.metadata_path.parent.mkdir(parents=True, exist_ok=True)

    def summarise(status: Status | None, reason: str | None = None) -> Summary:
        summary = collect.collect(
            config=config,
            workspace=workspace,
            run_id=run_id,
            data_sha256=sources.content_sha256,
            seconds=timed.seconds,
            total_seconds=time.monotonic() - start,
            peak_rss_mb=_peak_rss_mb(),
        )
        if status is not None:
            summary = summary.model_copy(update={"status": status, "reasons": [reason or ""]})
        write_summary(summary, workspace.run_dir(run_id))
        workspace.point_latest_at(run_id)
        return summary

    try:
        LocalRunner(run_id, timed).run(create_pipeline(config, sources, workspace))
    except KeyboardInterrupt:
        summarise(Status.FAILED, "interrupted")
        raise
    except Exception as error:
        refusal = find_bad_input(error)
        if refusal is not None:
            summarise(Status.REFUSED, str(refusal))
            raise refusal from error
        logging.getLogger(__name__).exception("%s failed", timed.current)
        cause = f"{timed.current}: {type(error).__name__}: {_first_line(error)}"
        summarise(Status.FAILED, cause)
        raise RunFailed(cause) from error
    return summarise(None)


def find_bad_input(error: BaseException) -> BadInputError | None:
    """Returns the `BadInputError` that an exception comes from, through Beam's wrapping too."""
    link: BaseException | None = error
    while link is not None:
        if isinstance(link, BadInputError):
            return type(link)(_RUNNING.sub("", str(link)))
        quoted = _QUOTED_BAD_INPUT.search(str(link))
        if quoted:
            return DataError(quoted.group(1))
        link = link.__cause__ or link.__context__
    return None


class _Timed(Listener):
    """Passes a run's events on and keeps each node's seconds."""

    def __init__(self, listener: Listener):
        self._listener = listener
        self.seconds: dict[str, float] = {}
        self.current = ""

    def node_started(self, node_id: str, index: int, total: int) -> None:
        self.current = node_id
        self._listener.node_started(node_id, index, total)

    def node_finished(self, result: NodeResult) -> None:
        self.seconds[result.node_id] = round(result.seconds, 3)
        self._listener.node_finished(result)

    def node_failed(self, node_id: str, seconds: float) -> None:
        self.seconds[node_id] = round(seconds, 3)
        self._listener.node_failed(node_id, seconds)


def _content_sha256(config: types.Config, data_root: pathlib.Path) -> dict[str, str]:
    return {
        name: fingerprints.content_sha256(preflight.resolve(table.path, data_root))
        for name, table in config.data.tables.items()
    }


def _stage_schemas(config: types.Config, workspace: Workspace) -> dict[str, pathlib.Path]:
    """Copies each schema to a path named by its content: ImportSchemaGen's cache key is the path alone."""
    staged: dict[str, pathlib.Path] = {}
    for name in config.data.tables:
        source = pathlib.Path(config.data.schemas) / f"{name}.pbtxt"
        folder = workspace.root / "schemas" / fingerprints.content_sha256(source)[:16]
        folder.mkdir(parents=True, exist_ok=True)
        staged[name] = folder / source.name
        # In one step: a half-written copy would be taken for the schema ever after.
        partial = staged[name].with_suffix(".part")
        shutil.copyfile(source, partial)
        os.replace(partial, staged[name])
    return staged


def _write_config(config: types.Config, run_dir: pathlib.Path) -> None:
    text = yaml.safe_dump(config.model_dump(mode="json"), sort_keys=False, allow_unicode=True)
    (run_dir / "config.yaml").write_text(text, encoding="utf-8")


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:500] if lines else ""


def _peak_rss_mb() -> float:
    """Peak resident memory of this process, in MB; Linux counts in KiB."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)
