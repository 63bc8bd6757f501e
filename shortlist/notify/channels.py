"""Checks of the section `notify` before a run, and the delivery of a message after it. No failure is raised."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping

from shortlist.config.notify import Notify
from shortlist.errors import ConfigError
from shortlist.notify import program, webhook
from shortlist.notify.message import Ending, Message

# A signal ends the process within ten seconds (`process.stopping`), in which the summary is written, too.
INTERRUPTED_SECONDS = 3.0


def check(section: Notify | None, environment: Mapping[str, str]) -> None:
    """Refuses a channel that cannot work. No message is sent.

    Args:
      section: The section `notify`.
      environment: Environment variables.

    Raises:
      ConfigError: The program is missing, or a variable is missing or has no valid address or header. The error names
        the variable and never its value.
    """
    if section is None:
        return
    if section.command is not None:
        name = section.command.argv[0]
        if shutil.which(name, path=environment.get("PATH")) is None:
            raise ConfigError.from_parts(
                "notify.command.argv",
                "an executable program",
                f"{name!r}, which was not found or is not executable",
                "give its path, or make it executable with chmod +x",
            )
    if section.webhook is not None:
        webhook.check(section.webhook, environment)


def deliver(section: Notify | None, message: Message, environment: Mapping[str, str]) -> dict[str, str]:
    """Sends a message and returns the result by channel: empty if it was delivered, else a sentence without secrets.

    Args:
      section: The section `notify`.
      message: The message.
      environment: Environment variables.
    """
    if section is None:
        return {}
    return dict(_results(section, message, environment))


def _results(section: Notify, message: Message, environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    body = message.model_dump_json().encode()
    limit = INTERRUPTED_SECONDS if message.status is Ending.INTERRUPTED else None
    if section.command is not None:
        command = section.command
        seconds = command.timeout_seconds if limit is None else min(command.timeout_seconds, limit)
        yield "command", program.run(command.argv, body, seconds)
    if section.webhook is not None:
        target = section.webhook
        if limit is not None:
            seconds = min(target.timeout_seconds, limit)
            target = target.model_copy(update={"attempts": 1, "timeout_seconds": seconds})
        yield "webhook", webhook.post(target, body, environment)
