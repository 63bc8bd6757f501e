r"""Regular expressions in linear time: no pattern runs for ever on a text.

Python's engine tries one alternative after another, which takes exponential time for pairs such as `(a+)+b` and a text
of many `a`. Here all alternatives advance together (Thompson 1968, https://swtch.com/~rsc/regexp/regexp1.html), and
known steps are remembered. Syntax and meaning are Python's, from its own parser. Look-around, back-references and
conditions on groups are refused, because they have no such construction.
"""

from __future__ import annotations

import re
import sre_compile
import sre_parse
from collections.abc import Callable, Iterable
from typing import Any

MAX_STATES = 2_000
"""Largest compiled pattern; `.{1,500}` takes 1,000."""

# About 10 MB.
_MAX_REMEMBERED = 200_000
_TYPE_FLAGS = re.ASCII | re.LOCALE | re.UNICODE
_CHARACTERS = frozenset({sre_parse.LITERAL, sre_parse.NOT_LITERAL, sre_parse.ANY, sre_parse.IN})
_REPEATS = frozenset({sre_parse.MAX_REPEAT, sre_parse.MIN_REPEAT})
_NOUNS = {
    sre_parse.ASSERT: "look-around",
    sre_parse.ASSERT_NOT: "look-around",
    sre_parse.GROUPREF: "references to groups",
    sre_parse.GROUPREF_EXISTS: "references to groups",
}
_MATCH = 0

_Anchor = Callable[[str, int], bool]


class _State:
    """One step of a pattern: a character to read, an anchor to check, or a choice."""

    __slots__ = ("anchor", "reads", "targets")

    def __init__(self, targets: list[int], reads: re.Pattern[str] | None = None, anchor: int | None = None):
        self.targets = targets
        self.reads = reads
        self.anchor = anchor


class _Set:
    """States that a text can be in at the same time, with the steps to other sets that were taken."""

    __slots__ = ("here", "states", "steps")

    def __init__(self, states: frozenset[int]):
        self.states = states
        self.here: dict[tuple[bool, ...], tuple[tuple[_State, ...], bool]] = {}
        self.steps: dict[tuple[str, tuple[bool, ...]], _Set] = {}


class LinearRegex:
    """A compiled regular expression that answers whether it matches a whole text."""

    def __init__(self, expression: str):
        """Compiles an expression.

        Raises:
          ValueError: The expression is not valid, is too large, or needs more than linear time.
        """
        try:
            tree = sre_parse.parse(expression)
        except re.error as error:
            raise ValueError(f"not a regular expression ({error})") from None
        except (RecursionError, OverflowError):
            raise ValueError("not a regular expression (too large)") from None
        # The first state accepts.
        self._states = [_State([])]
        self._anchors: list[_Anchor] = []
        try:
            self._entry = self._sequence(tree.data, _MATCH, tree.state.flags)
        except RecursionError:
            raise ValueError("not a regular expression (too large)") from None
        self._forget()

    def fullmatch(self, text: str) -> bool:
        """Returns whether the whole text matches."""
        current, anchors = self._first, self._anchors
        holds: tuple[bool, ...] = ()
        for position, character in enumerate(text):
            if anchors:
                holds = tuple(anchor(text, position) for anchor in anchors)
            step = current.steps.get((character, holds))
            current = step if step is not None else self._step(current, character, holds)
            if not current.states:
                return False
        holds = tuple(anchor(text, len(text)) for anchor in anchors)
        return self._closure(current, holds)[1]

    def _forget(self) -> None:
        self._remembered = 0
        self._sets: dict[frozenset[int], _Set] = {}
        self._first = self._set({self._entry})

    def _set(self, states: Iterable[int]) -> _Set:
        key = frozenset(states)
        return self._sets.setdefault(key, _Set(key))

    def _step(self, current: _Set, character: str, holds: tuple[bool, ...]) -> _Set:
        # New dicts instead of cleared ones: other threads may be reading the old ones.
        if self._remembered > _MAX_REMEMBERED:
            self._forget()
        states, _ = self._closure(current, holds)
        following = self._set(
            target for state in states if state.reads and state.reads.match(character) for target in state.targets
        )
        self._remembered += 1 + len(following.states)
        current.steps[character, holds] = following
        return following

    def _closure(self, current: _Set, holds: tuple[bool, ...]) -> tuple[tuple[_State, ...], bool]:
        """Returns the states that read a character, and whether the text may end here."""
        known = current.here.get(holds)
        if known is not None:
            return known
        seen = set(current.states)
        left = list(seen)
        while left:
            state = self._states[left.pop()]
            if state.reads is not None or (state.anchor is not None and not holds[state.anchor]):
                continue
            new = [target for target in state.targets if target not in seen]
            seen.update(new)
            left += new
        readers = tuple(self._states[number] for number in sorted(seen) if self._states[number].reads is not None)
        current.here[holds] = (readers, _MATCH in seen)
        return current.here[holds]

    def _add(self, state: _State) -> int:
        if len(self._states) == MAX_STATES:
            raise ValueError(f"a regular expression of over {MAX_STATES:,} steps; shorten it or its {{n,m}}")
        self._states.append(state)
        return len(self._states) - 1

    def _sequence(self, items: Iterable[Any], after: int, flags: int) -> int:
        """Adds the states of a sequence, last item first. Returns the number of its first state."""
        for operation, argument in reversed(list(items)):
            after = self._item(operation, argument, after, flags)
        return after

    def _item(self, operation: Any, argument: Any, after: int, flags: int) -> int:
        if operation in _CHARACTERS:
            return self._add(_State([after], reads=_one_character(operation, argument, flags)))
        if operation in _REPEATS:
            lowest, highest, items = argument
            return self._repeat(lowest, highest, items, after, flags)
        if operation is sre_parse.BRANCH:
            return self._add(_State([self._sequence(branch, after, flags) for branch in argument[1]]))
        if operation is sre_parse.SUBPATTERN:
            _, added, removed, items = argument
            if added & _TYPE_FLAGS:
                flags &= ~_TYPE_FLAGS
            return self._sequence(items, after, (flags | added) & ~removed)
        if operation is sre_parse.AT:
            self._anchors.append(_anchor(argument, flags))
            return self._add(_State([after], anchor=len(self._anchors) - 1))
        noun = _NOUNS.get(operation, str(operation).lower())
        raise ValueError(
            f"a regular expression with {noun}, which can take for ever; combine conditions by and, or, not"
        )

    def _repeat(self, lowest: int, highest: Any, items: Any, after: int, flags: int) -> int:
        if highest is sre_parse.MAXREPEAT:
            loop = self._add(_State([]))
            self._states[loop].targets += [self._sequence(items, loop, flags), after]
            first = loop
        else:
            first = after
            for _ in range(highest - lowest):
                inner = self._sequence(items, first, flags)
                if inner == first:  # Repetitions of nothing: `(?:){1000000}`.
                    return after
                first = self._add(_State([inner, after]))
        for _ in range(lowest):
            inner = self._sequence(items, first, flags)
            if inner == first:
                break
            first = inner
        return first


def _one_character(operation: Any, argument: Any, flags: int) -> re.Pattern[str]:
    state = sre_parse.State()
    state.flags = flags
    return sre_compile.compile(sre_parse.SubPattern(state, [(operation, argument)]))


def _anchor(code: Any, flags: int) -> _Anchor:
    r"""Returns the test of `^`, `$`, `\A`, `\Z`, `\b` or `\B` at a position between two characters."""
    is_multiline = bool(flags & re.MULTILINE)
    if code in (sre_parse.AT_BEGINNING, sre_parse.AT_BEGINNING_STRING):
        each_line = is_multiline and code is sre_parse.AT_BEGINNING
        return lambda text, position: position == 0 or (each_line and text[position - 1] == "\n")
    if code is sre_parse.AT_END_STRING:
        return lambda text, position: position == len(text)
    if code is sre_parse.AT_END:
        return lambda text, position: (
            position == len(text) or (text[position] == "\n" and (is_multiline or position == len(text) - 1))
        )
    word = re.compile(r"\w", flags & _TYPE_FLAGS)
    is_boundary = code is sre_parse.AT_BOUNDARY

    def boundary(text: str, position: int) -> bool:
        before = position > 0 and word.match(text[position - 1]) is not None
        after = position < len(text) and word.match(text[position]) is not None
        # Python finds neither `\b` nor `\B` in an empty text.
        return bool(text) and (before != after) is is_boundary

    return boundary
