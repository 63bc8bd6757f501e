"""A small pipeline's data, schemas and config, right until a test spoils something."""

from __future__ import annotations

import pathlib
from typing import Any

import pytest

from shortlist.config.config import Config
from shortlist.config.load import parse_config
from shortlist.errors import BadInputError, DataError, ExitCode
from shortlist.tables import preflight, schemas
from shortlist.tables.spec import TableSpec, table_spec

LOG = "user_id,item_id,timestamp\n" + "".join(f"u{u},i{i},{u + i}\n" for u in range(3) for i in range(4))
ITEMS = "item_id,title\ni0,Zero\ni1,One\ni2,Two\ni3,Three\n"
USERS = "user_id,age\nu0,7\nu1,\nu2,9\n"


def fitting_schema(spec: TableSpec) -> str:
    """Returns a schema that has the columns that a run reads, without any rule."""
    columns = {column.name: schemas.type_of(column) for column in spec.columns}
    return "".join(f'feature {{ name: "{name}" type: {kind} }}\n' for name, kind in columns.items())


class Project:
    """A data root, schemas and a config that pass the preflight until something is changed."""

    def __init__(self, root: pathlib.Path):
        self.root = root
        self.data = root / "data"
        self.data.mkdir(exist_ok=True)
        (root / "schemas").mkdir(exist_ok=True)
        self.own_schemas: set[str] = set()
        self.write(log=LOG, items=ITEMS, users=USERS)
        self.raw: dict[str, Any] = {
            "name": "x",
            "workspace": str(root / "workspaces" / "x"),
            "data": {
                "schemas": str(root / "schemas"),
                "interactions": {"path": "log.csv", "query_id": "user_id", "candidate_id": "item_id"},
                "candidates": {"path": "items.csv", "candidate_id": "item_id", "features": {"title": "text"}},
                "queries": {"path": "users.csv", "query_id": "user_id", "features": {"age": "numeric"}},
            },
        }

    def write(self, **tables: str | bytes) -> Project:
        """Writes CSV files: `log`, `items`, `users`."""
        for name, content in tables.items():
            self.file(f"{name}.csv", content)
        return self

    def file(self, name: str, content: str | bytes) -> Project:
        """Writes any file below the data root."""
        path = self.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return self

    def schema(self, table: str, text: str | None) -> Project:
        """Writes a schema of the test's own, or deletes it."""
        self.own_schemas.add(table)
        path = self.root / "schemas" / f"{table}.pbtxt"
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text, encoding="utf-8")
        return self

    def set(self, **data: Any) -> Project:
        """Changes the config's section `data`; sections within it are updated."""
        for key, value in data.items():
            if isinstance(value, dict) and key != "split":
                self.raw["data"].setdefault(key, {}).update(value)
            else:
                self.raw["data"][key] = value
        return self

    def without_queries(self) -> Project:
        """Takes the optional table out."""
        self.raw["data"]["queries"] = None
        return self

    def check(self) -> preflight.PreflightReport:
        """Runs the preflight, with schemas that fit the config where the test wrote none."""
        config = parse_config(self.raw, "x.yaml")
        self.write_schemas(config)
        return preflight.check(config, self.data)

    def write_schemas(self, config: Config) -> None:
        """Writes schemas that fit a config, except for those that the test wrote."""
        for kind, table in config.data.tables.items():
            path = schemas.path_of(config.data, kind)
            if kind not in self.own_schemas and path.parent.is_dir():
                path.write_text(fitting_schema(table_spec(kind, table)), encoding="utf-8")

    def refusal(self, error: type[BadInputError] = DataError) -> str:
        """Returns the one sentence that the preflight refuses with; it leaves nothing behind."""
        with pytest.raises(error) as refused:
            self.check()
        assert refused.value.exit_code == ExitCode.BAD_INPUT
        assert "\n" not in str(refused.value)
        return str(refused.value)
