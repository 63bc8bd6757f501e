"""The causes of a caught exception, also behind Beam and its workers, which wrap exceptions."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shortlist.secrets import redacted

# TensorFlow's messages can have thousands of characters.
_MOST_CHARACTERS = 500
# Beam appends the name of its step to a message.
_STEP = re.compile(r" \[while running .*\]$", re.DOTALL)
# If a runner's worker is another process, the runner raises a RuntimeError with the worker's whole traceback as its
# message. Job servers escape the line ends.
_QUOTED = re.compile(
    r"(?:^|(?<!\\)\\n)(?P<kind>(?:\w+\.)*\w*(?:Error|Exception|Interrupt|Exit)): "
    r"(?P<message>.+?)(?= \[while running|$)",
    re.MULTILINE,
)
# TensorFlow's messages begin with a location in the graph; the fault follows.
_PREAMBLE = re.compile(r"\s|$|File |<|Graph execution error|Detected at node|\d+ root error|\(\d+\) ")


def chain(error: BaseException, *, with_handled: bool = True) -> Iterator[BaseException]:
    """Yields an exception and its causes, the outermost first, each once.

    Args:
      error: The caught exception.
      with_handled: Whether to continue from an exception without a `__cause__` to its `__context__`, which was being
        handled when it was raised. False continues only if Beam raised the context again with its step: the type is
        the same, and the message contains the context's.
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
    """Returns a message without the step that Beam appends."""
    return _STEP.sub("", message)


def quoted_exceptions(message: str) -> Iterator[tuple[str, str]]:
    """Yields the dotted type and the message of each exception in a traceback, in its order, without Beam's steps."""
    for match in _QUOTED.finditer(message):
        yield match["kind"], match["message"]


def first_cause(error: BaseException) -> str:
    """Returns the type and the message of the root cause, in one line, without credentials."""
    *_, root = chain(error, with_handled=False)
    message = without_step(str(root)).strip()
    kind, line = type(root).__name__, _informative_line(message)
    if "Traceback (most recent call last)" in message:
        # The worker's traceback prints the root cause first and the outermost exception last.
        quoted_kind, line = next(quoted_exceptions(message), (kind, line))
        kind = quoted_kind.rpartition(".")[2]
    if not line:
        return kind
    return f"{kind}: {redacted(line)[:_MOST_CHARACTERS]}"


def _is_copy(error: BaseException) -> bool:
    """Returns whether an exception repeats its context, as Beam does to append its step."""
    context = error.__context__
    return context is not None and type(context) is type(error) and str(context) in str(error)


def _informative_line(message: str) -> str:
    lines = message.splitlines() or [""]
    return next((line for line in lines if not _PREAMBLE.match(line)), lines[0])
