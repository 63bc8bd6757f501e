"""The chain of exceptions under one that was caught, through the wrapping of Beam and its workers."""

from __future__ import annotations

import re
from collections.abc import Iterator

_MOST_CHARACTERS = 500
# Beam adds to a message which step it came from.
_STEP = re.compile(r" \[while running .*\]$", re.DOTALL)
# Where a runner's worker is another process, its whole traceback is quoted in a RuntimeError. Job servers escape the
# line ends.
_QUOTED = re.compile(
    r"(?:^|(?<!\\)\\n)(?P<kind>(?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit)): "
    r"(?P<message>.+?)(?= \[while running|$)",
    re.MULTILINE,
)
# TensorFlow's messages begin with a place in the graph; the fault comes after it.
_PREAMBLE = re.compile(r"\s|$|File |<|Graph execution error|Detected at node|\d+ root error|\(\d+\) ")


def chain(error: BaseException, *, with_handled: bool = True) -> Iterator[BaseException]:
    """Yields an exception and those under it, the outermost first, each once.

    Args:
      error: The exception that was caught.
      with_handled: Whether an exception without a cause is followed by the one that was being handled when it was
        raised. False follows that one only where Beam raised it anew with its step: same type, same message within.
    """
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        yield link
        seen.add(id(link))
        below = link.__cause__
        if below is None and (with_handled or _is_copy(link)):
            below = link.__context__
        link = below


def without_step(message: str) -> str:
    """Returns a message without the step that Beam adds to its end."""
    return _STEP.sub("", message)


def quoted_exceptions(message: str) -> Iterator[tuple[str, str]]:
    """Yields the dotted type and the message of each exception in a traceback, first to last, without Beam's steps."""
    for found in _QUOTED.finditer(message):
        yield found["kind"], found["message"]


def first_cause(error: BaseException) -> str:
    """Returns the kind and the message of the exception that others were raised from, in one line."""
    *_, root = chain(error, with_handled=False)
    message = without_step(str(root)).strip()
    kind, line = type(root).__name__, _informative_line(message)
    if "Traceback (most recent call last)" in message:
        # The worker's own chain ends with what was raised last, which quotes what it was raised from first.
        quoted_kind, line = next(quoted_exceptions(message), (kind, line))
        kind = quoted_kind.rpartition(".")[2]
    return f"{kind}: {line[:_MOST_CHARACTERS]}" if line else kind


def _is_copy(error: BaseException) -> bool:
    """Returns whether an exception repeats the one that was being handled, as Beam does to add its step."""
    context = error.__context__
    return context is not None and type(context) is type(error) and str(context) in str(error)


def _informative_line(message: str) -> str:
    lines = message.splitlines()
    if lines and not _PREAMBLE.match(lines[0]):
        return lines[0]
    return next((line for line in lines if not _PREAMBLE.match(line)), lines[0] if lines else "")
