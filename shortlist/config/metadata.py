"""The section `metadata`: the database for ML Metadata."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Union

import pydantic

from shortlist.config.secrets import VariableName
from shortlist.config.section import HOST, Section, Whole
from shortlist.quoting import short_repr

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")
_IDENTIFIER_RULE = "1 to 63 of a-z, A-Z, 0-9 and _, starting with a letter or _"


# Four pipelines of 40 nodes each ran at the same time without a lock error (docs/metadata.md).
class SqliteMetadata(Section):
    """ML Metadata in a file of the workspace, for one machine."""

    kind: Literal["sqlite"] = "sqlite"
    """A SQLite file."""


class MetadataServer(Section):
    """ML Metadata in an existing database. The first run creates the tables. Several pipelines may share them."""

    host: str
    """Host name or address of the server."""

    database: str
    """Name of an existing database; the user needs the right to create tables in it."""

    user: str
    """User of the database."""

    password_env: VariableName | None = None
    """Name of the environment variable with the password. The password itself is never stored. `null`: no password."""

    @pydantic.field_validator("host")
    @classmethod
    def _check_host(cls, host: str) -> str:
        if len(host) > 253 or not HOST.fullmatch(host):
            raise ValueError("expected only a host name or address, without a scheme, a user, a port or a path")
        return host

    @pydantic.field_validator("user")
    @classmethod
    def _check_user(cls, user: str) -> str:
        # The value is not repeated: people write USER:PASSWORD here.
        if not _IDENTIFIER.fullmatch(user):
            raise ValueError(f"expected {_IDENTIFIER_RULE}; the password comes from the variable in password_env")
        return user

    @pydantic.field_validator("database")
    @classmethod
    def _check_identifier(cls, value: str) -> str:
        # ML Metadata writes the database's name into SQL without quotes.
        if not _IDENTIFIER.fullmatch(value):
            raise ValueError(f"{short_repr(value)} must be {_IDENTIFIER_RULE}")
        return value


class MySqlMetadata(MetadataServer):
    """ML Metadata on a MySQL or MariaDB server; the user must log in by `mysql_native_password`."""

    kind: Literal["mysql"] = "mysql"
    """A MySQL or MariaDB server."""

    port: Whole = pydantic.Field(3306, ge=1, le=65535)
    """Port of the server."""


class PostgreSqlMetadata(MetadataServer):
    """ML Metadata on a PostgreSQL server."""

    kind: Literal["postgresql"] = "postgresql"
    """A PostgreSQL server."""

    port: Whole = pydantic.Field(5432, ge=1, le=65535)
    """Port of the server."""


Metadata = Annotated[Union[SqliteMetadata, MySqlMetadata, PostgreSqlMetadata], pydantic.Field(discriminator="kind")]

Server = MySqlMetadata | PostgreSqlMetadata
"""The kinds that are servers."""
