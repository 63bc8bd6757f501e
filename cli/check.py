"""`shortlist check`: all that a run checks before its first node."""

from __future__ import annotations

import contextlib
import json
import os
from typing import TYPE_CHECKING, Any

from cli.invocation import Invocation
from cli.options import ConfigOption, JsonOption, SetOption
from cli.output import consoles
from cli.output.wrapping import print_command

if TYPE_CHECKING:
    from shortlist.config.config import Config
    from shortlist.tables.preflight import PreflightReport
    from shortlist.tables.table_checks import TableReport


def check(
    config: ConfigOption = None,
    set_: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check config, schemas, tables, folders and engines as `run` does, and run nothing.

    Tables are read as far as `run` reads them before its first node: all of a small
    table, the first rows of a large one. Exit code 2: `run` would refuse them.

    Example: shortlist check --config configs/movielens_100k.yaml
    """
    from components.trainer import checks as training
    from shortlist import datasets
    from shortlist.engines import checks
    from shortlist.lineage.database import database
    from shortlist.notify import channels
    from shortlist.process import limits
    from shortlist.tables import preflight
    from shortlist.workspace import Workspace

    invocation = Invocation.of(config, set_)
    checked_config = invocation.load()
    workspace = Workspace.of(checked_config)
    new_folders = [folder for folder in (workspace.root, *workspace.root.parents) if not folder.exists()]
    report = preflight.check(
        checked_config, datasets.default_data_dir(), invocation.command("schema", "infer", "--update")
    )
    limits.check_addresses()
    checks.check(checked_config.beam)
    channels.check(checked_config.notify, os.environ)
    training.check(checked_config.train)
    database(workspace).check()
    for folder in new_folders:
        # The check that files can be written there has made them.
        with contextlib.suppress(OSError):
            folder.rmdir()
    found = _plain(checked_config, report)
    if as_json:
        print(json.dumps(found, indent=2, ensure_ascii=False))
        return
    console = consoles.console()
    console.print(f"Pipeline  {checked_config.name}; {invocation.config}")
    for name, table in found["tables"].items():
        rows = "rows not counted" if table["rows"] is None else f"{table['rows']:,} rows"
        files = "1 file" if table["files"] == 1 else f"{table['files']:,} files"
        console.print(f"Table     {name}: {table['path']}, {files}, {rows}")
    console.print(f"Times     {found['timestamp_unit']}")
    if found["features_without_model"]:
        names = ", ".join(found["features_without_model"])
        console.print(f"Note      data.interactions.features ({names}): checked and profiled; no model reads them")
    for warning in report.warnings:
        consoles.warn(console, warning)
    console.print("Result    nothing stops a run before its first node")
    print_command(console, "Next", invocation.command("run"))


def _plain(config: Config, report: PreflightReport) -> dict[str, Any]:
    tables = {"interactions": report.interactions, "candidates": report.candidates, "queries": report.queries}
    return {
        "pipeline": config.name,
        "tables": {name: _table(table) for name, table in tables.items() if table is not None},
        "timestamp_unit": report.timestamp_unit,
        "features_without_model": config.unread_features,
        "warnings": list(report.warnings),
    }


def _table(table: TableReport) -> dict[str, Any]:
    return {"path": table.path, "files": len(table.files), "rows": table.rows}
