"""A run's verdict for a terminal: the headline, and one line per gate with its sign first."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

from cli.output import consoles
from shortlist.sanitize import plain
from shortlist.verdicts import GATE_NAMES, GateResult, Headline, Result, explanation

_MOODS = {"good": "bold green", "held": "bold yellow", "bad": "bold red"}
_SIGNS = {Result.PASSED: "green", Result.WARNED: "yellow", Result.FAILED: "bold red", Result.NOT_JUDGED: "dim"}
_SIGN_WIDTH = 9
_NAME_WIDTH = max(map(len, GATE_NAMES.values())) + 3


def print_verdict(headline: Headline, gates: Sequence[GateResult], console: Console) -> None:
    """Prints a verdict; the sentences of gates have a hanging indent.

    Args:
      headline: The first line.
      gates: One result per gate, in the fixed order; may be empty.
      console: Console for the output.
    """
    console.print(Text.assemble((headline.word, _MOODS[headline.mood]), str(headline).removeprefix(headline.word)))
    for gate in gates:
        sign = Text(f"  {gate.result.sign}".ljust(_SIGN_WIDTH), _SIGNS[gate.result])
        mark = Text.assemble(sign, gate.name.ljust(_NAME_WIDTH))
        consoles.print_marked(console, mark, plain(gate.sentence))
    if explained := explanation(gates):
        console.print(f"  {explained}", style="dim")
