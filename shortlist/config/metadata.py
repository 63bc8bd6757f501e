"""The section `metadata`: where ML Metadata is."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Union

import pydantic

from shortlist.config.section import HOST, Section

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_VARIABLE = re.compile(r"[A-Z_][A-Z0-9_]*")


class SqliteMetadata(Section):
    """ML Metadata in a file of the workspace: for one machine."""

    kind: Literal["sqlite"] = "sqlite"


class MetadataServer(Section):
    """ML Metadata in a database that exists already; the first run makes the tables, other pipelines may share it."""

    host: str
    """Name or address of the server's machine."""

    database: str
    """The database, in which the user may make tables."""

    user: str

    password_env: str | None = None
    """Name of the environment variable that holds the password, which stands nowhere else; none: no password."""

    @pydantic.field_validator("host")
    @classmethod
    def _host(cls, host: str) -> str:
        if not HOST.fullmatch(host):
            raise ValueError("expected a host's name or address alone, without a scheme, a user, a port or a path")
        return host

    @pydantic.field_validator("database", "user")
    @classmethod
    def _identifier(cls, value: str) -> str:
        # ML Metadata writes the database's name into SQL as it is.
        if not _IDENTIFIER.fullmatch(value):
            raise ValueError(f"{value!r} must be 1 to 63 of a-z, A-Z, 0-9 and _, starting with a letter or _")
        return value

    @pydantic.field_validator("password_env")
    @classmethod
    def _variable(cls, name: str | None) -> str | None:
        # What does not look like a name may be the password itself: it is not repeated.
        if name is not None and not _VARIABLE.fullmatch(name):
            raise ValueError("expected the name of an environment variable (A-Z, 0-9 and _), not what it holds")
        return name


class MySqlMetadata(MetadataServer):
    """ML Metadata on a MySQL or MariaDB server; the user logs in by `mysql_native_password`."""

    kind: Literal["mysql"] = "mysql"

    port: int = pydantic.Field(3306, ge=1, le=65535)


class PostgreSqlMetadata(MetadataServer):
    """ML Metadata on a PostgreSQL server."""

    kind: Literal["postgresql"] = "postgresql"

    port: int = pydantic.Field(5432, ge=1, le=65535)


Metadata = Annotated[Union[SqliteMetadata, MySqlMetadata, PostgreSqlMetadata], pydantic.Field(discriminator="kind")]

Server = MySqlMetadata | PostgreSqlMetadata
"""A kind that is a server."""
