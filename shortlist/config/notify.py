"""The section `notify`: who is told how a run ended."""

from __future__ import annotations

import re
from typing import Annotated

import pydantic

from shortlist.config.secrets import VariableName, without_credentials
from shortlist.config.section import Number, Section, Text, Whole

_HEADER = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,99}")


class NotifyCommand(Section):
    """A program that gets the message as JSON on its standard input."""

    argv: Annotated[tuple[Text, ...], pydantic.Field(max_length=100)]
    """The program and its arguments, without a shell: `[./tell.sh, ops]`. A relative path starts at the working
    directory. The program inherits the environment; its output is discarded."""

    timeout_seconds: Number = pydantic.Field(30.0, gt=0.0, le=600.0)
    """The program is killed after this time."""

    @pydantic.field_validator("argv")
    @classmethod
    def _check_argv(cls, argv: tuple[str, ...]) -> tuple[str, ...]:
        if not argv:
            raise ValueError("expected a program and its arguments, got an empty list")
        return tuple(without_credentials(word) for word in argv)


class NotifyWebhook(Section):
    """An address that gets the message as a POST with a JSON body. Redirects are not followed."""

    url_env: VariableName
    """Name of the environment variable with the address, http or https. The address itself is often a secret; it is
    never stored or shown."""

    headers_env: dict[str, VariableName] = {}
    """More headers: their names, and the environment variables with their values:
    `Authorization: SHORTLIST_WEBHOOK_TOKEN`."""

    timeout_seconds: Number = pydantic.Field(10.0, gt=0.0, le=60.0)
    """Time for one attempt."""

    attempts: Whole = pydantic.Field(3, ge=1, le=10)
    """Attempts in all. A further one follows a failed connection, no answer in time, status 429 or a status from
    500 on."""

    @pydantic.field_validator("headers_env")
    @classmethod
    def _check_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name in headers:
            if not _HEADER.fullmatch(name):
                raise ValueError("expected names of HTTP headers as keys: letters, digits and dashes")
        return headers


class Notify(Section):
    """Who is told how a run ended: pushed, unchanged, not blessed, refused, failed or interrupted."""

    command: NotifyCommand | None = None
    """A program on this machine."""

    webhook: NotifyWebhook | None = None
    """An address in the network."""

    @pydantic.model_validator(mode="after")
    def _check_any(self) -> Notify:
        if self.command is None and self.webhook is None:
            raise ValueError("expected the key command or webhook, got neither")
        return self
