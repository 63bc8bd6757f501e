"""The first real cause of an exception, under all that caught it and raised another."""

from __future__ import annotations

import re

_MOST_CHARACTERS = 500
# Beam adds to a message which step it came from.
_RUNNING = re.compile(r" \[while running .*\]$", re.DOTALL)
# Where a runner's worker is another process, its whole traceback is quoted in a RuntimeError.
_QUOTED = re.compile(r"^(?P<kind>(?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit)): (?P<message>.+)$", re.MULTILINE)
# TensorFlow tells where in the graph it was before it tells what went wrong.
_PREAMBLE = re.compile(r"\s|$|File |<|Graph execution error|Detected at node|\d+ root error|\(\d+\) ")


def first_cause(error: BaseException) -> str:
    """Returns the kind and the message of the exception that others were raised from, in one line."""
    root = error
    seen = {id(root)}
    while (below := _below(root)) is not None and id(below) not in seen:
        root = below
        seen.add(id(root))
    message = _RUNNING.sub("", str(root)).strip()
    quoted = list(_QUOTED.finditer(message)) if "Traceback (most recent call last)" in message else []
    if quoted:
        # The worker's own chain ends with what was raised last, which quotes what it was raised from first.
        found = quoted[0]
        kind, message = found["kind"].rpartition(".")[2], _RUNNING.sub("", found["message"])
    else:
        kind, message = type(root).__name__, _telling_line(message)
    return f"{kind}: {message[:_MOST_CHARACTERS]}" if message else kind


def _below(error: BaseException) -> BaseException | None:
    """What was raised in so many words from another, and what Beam only adds a step to; never what was handled."""
    if error.__cause__ is not None:
        return error.__cause__
    context = error.__context__
    is_wrapped = context is not None and type(context) is type(error) and str(context) in str(error)
    return context if is_wrapped else None


def _telling_line(message: str) -> str:
    lines = message.splitlines()
    if lines and not _PREAMBLE.match(lines[0]):
        return lines[0]
    return next((line for line in lines if not _PREAMBLE.match(line)), lines[0] if lines else "")
