"""Row filters: conditions on one row's columns, in a small and safe subset of Python.

    rating >= 4
    country in ("UK", "FR") and not note.startswith("test")
    CustomerID is not None and matches(StockCode, "[0-9]{5}.*")
    col("Unit Price") > 0 and InvoiceDate >= "2011-01-01"

A name is a column of the file. `col("...")` is for names that are not Python identifiers. A blank cell is `None`: it
passes `is None` and fails every comparison. The constant decides the comparison: numbers compare as numbers, texts as
texts. With `<`, `<=`, `>` and `>=`, a text must be an ISO 8601 date or time, and times are compared. Nothing is ever
evaluated as code.
"""

from __future__ import annotations

import ast
import dataclasses
import decimal
import functools
import operator
import warnings
from collections.abc import Callable, Mapping
from typing import Any

from shortlist.config import filter_cells
from shortlist.config.filter_cells import Row, text_in
from shortlist.config.linear_regex import LinearRegex
from shortlist.scalars import BadCell, iso_seconds, number_of, short_repr

_Test = Callable[[Row], bool]

_ORDER: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_MIRRORED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.Gt,
    ast.LtE: ast.GtE,
    ast.Gt: ast.Lt,
    ast.GtE: ast.LtE,
    ast.Eq: ast.Eq,
    ast.NotEq: ast.NotEq,
}
_METHODS: dict[str, Callable[[str, str], bool]] = {"startswith": str.startswith, "endswith": str.endswith}
_HELP = 'write it like `rating >= 4 and country in ("UK", "FR")`'
# Compiling and testing are recursive, and Python allows about 1,000 frames.
_MAX_DEPTH = 50
_MAX_CHARACTERS = 100_000
# Larger numbers may not fit a float, which comparisons with float cells need.
_MAX_NUMBER = 1e300


@dataclasses.dataclass(frozen=True)
class RowFilter:
    """A parsed filter."""

    text: str
    """The filter as written in the config."""

    columns: tuple[str, ...]
    """The file's columns in the filter, each once."""

    text_columns: frozenset[str]
    """The columns that are compared with texts, other than by `<`, `<=`, `>` and `>=`."""

    _test: _Test = dataclasses.field(repr=False, compare=False)

    def keeps(self, row: Row) -> bool:
        """Returns whether a row passes.

        Args:
          row: Cells by column name, at least those of `columns`.

        Raises:
          FilterCellError: A cell is not a number or time, but is compared with one.
        """
        return self._test(row)


@functools.lru_cache(maxsize=64)
def parse(text: str, decimal_mark: str = ".", time_formats: tuple[tuple[str, str], ...] = ()) -> RowFilter:
    """Returns a parsed filter.

    Args:
      text: The filter.
      decimal_mark: Decimal mark of numbers in text cells; the filter's own numbers have a point.
      time_formats: (column, format for `strptime`) of times in other formats than ISO 8601.

    Raises:
      ValueError: The text is not an expression as above; quotes the wrong part.
    """
    if len(text) > _MAX_CHARACTERS:
        raise ValueError(f"expected a filter of at most {_MAX_CHARACTERS:,} characters, got {len(text):,}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # `\\d` of a regular expression in a plain string: invalid escape sequence.
            tree = ast.parse(text.strip(), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        reason = getattr(error, "msg", None) or str(error) or "nested too deeply"
        raise ValueError(f"filter {short_repr(text)} cannot be read ({reason}); {_HELP}") from None
    compiler = _Compiler(text, decimal_mark, dict(time_formats))
    test = compiler.test(tree.body)
    return RowFilter(text, tuple(dict.fromkeys(compiler.columns)), frozenset(compiler.text_columns), test)


class _Compiler:
    """Compiles a syntax tree to a function that tests a row."""

    def __init__(self, text: str, decimal_mark: str, time_formats: Mapping[str, str]):
        self._text = text
        self._number = number_of
        if decimal_mark == ",":
            self._number = filter_cells.number_with_comma
        self._time_formats = time_formats
        self.columns: list[str] = []
        self.text_columns: set[str] = set()

    def test(self, node: ast.expr, depth: int = 0) -> _Test:
        if depth > _MAX_DEPTH:
            raise ValueError(f"filter {short_repr(self._text)} is nested deeper than {_MAX_DEPTH} levels; {_HELP}")
        if isinstance(node, ast.BoolOp):
            tests = [self.test(value, depth + 1) for value in node.values]
            combine = all if isinstance(node.op, ast.And) else any
            return lambda row: combine(test(row) for test in tests)
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
            inner = self.test(node.operand, depth + 1)
            return lambda row: not inner(row)
        if isinstance(node, ast.Compare):
            return self._chain(node)
        if isinstance(node, ast.Call):
            return self._call(node)
        raise self._refused(node, "a comparison")

    def _chain(self, node: ast.Compare) -> _Test:
        sides = [node.left, *node.comparators]
        # `1 <= rating < 4` has two comparisons.
        tests = [self._comparison(*part) for part in zip(sides, node.ops, sides[1:], strict=False)]
        if len(tests) == 1:
            return tests[0]
        return lambda row: all(test(row) for test in tests)

    def _comparison(self, left: ast.expr, op: ast.cmpop, right: ast.expr) -> _Test:
        # `4 <= rating` becomes `rating >= 4`.
        if self._is_constant(left) and type(op) in _MIRRORED:
            left, op, right = right, _MIRRORED[type(op)](), left
        column = self._column(left)
        if isinstance(op, ast.Is | ast.IsNot):
            if not (isinstance(right, ast.Constant) and right.value is None):
                raise self._refused(right, "None after `is`")
            expected = isinstance(op, ast.Is)
            return lambda row: (text_in(row, column) is None) is expected
        if isinstance(op, ast.In | ast.NotIn):
            return self._membership(column, right, isinstance(op, ast.In))
        constant = self._constant(right)
        if isinstance(op, ast.Eq | ast.NotEq):
            self._note_text(column, constant)
            equal, expected = filter_cells.equals(column, constant, self._number), isinstance(op, ast.Eq)
            return lambda row: (same := equal(row)) is not None and same is expected
        return self._ordering(column, op, constant, right)

    def _ordering(self, column: str, op: ast.cmpop, constant: Any, node: ast.expr) -> _Test:
        compare = _ORDER[type(op)]
        read: Callable[[Any], Any] = self._number
        if isinstance(constant, str):
            try:
                constant = iso_seconds(constant)
            except BadCell:
                raise self._refused(node, "a number or an ISO 8601 date such as '2011-01-31'") from None
            read = functools.partial(filter_cells.seconds_of, time_format=self._time_formats.get(column))
        return filter_cells.compares(column, compare, constant, read)

    def _membership(self, column: str, node: ast.expr, expected: bool) -> _Test:
        if not isinstance(node, ast.Tuple | ast.List | ast.Set):
            raise self._refused(node, 'a list such as ("UK", "FR") after `in`')
        constants = [self._constant(element) for element in node.elts]
        self._note_text(column, *constants)
        texts = frozenset(constant for constant in constants if isinstance(constant, str))
        numbers = [
            filter_cells.equals(column, constant, self._number)
            for constant in constants
            if not isinstance(constant, str)
        ]

        def test(row: Row) -> bool:
            text = text_in(row, column)
            return text is not None and (text in texts or any(equal(row) for equal in numbers)) is expected

        return test

    def _call(self, node: ast.Call) -> _Test:
        if node.keywords:
            raise self._refused(node, "plain arguments")
        if isinstance(node.func, ast.Attribute) and node.func.attr in _METHODS and len(node.args) == 1:
            column, method = self._column(node.func.value), _METHODS[node.func.attr]
            affix = self._string(node.args[0])
            self._note_text(column, affix)
            return lambda row: (text := text_in(row, column)) is not None and method(text, affix)
        if isinstance(node.func, ast.Name) and node.func.id == "matches" and len(node.args) == 2:
            column, expression = self._column(node.args[0]), self._string(node.args[1])
            self._note_text(column, expression)
            try:
                pattern = LinearRegex(expression)
            except ValueError as error:
                raise ValueError(f"filter {short_repr(self._text)}: {error}") from None
            return lambda row: (text := text_in(row, column)) is not None and pattern.fullmatch(text)
        raise self._refused(node, 'matches(column, "regex"), column.startswith("...") or column.endswith("...")')

    def _note_text(self, column: str, *constants: Any) -> None:
        if any(isinstance(constant, str) for constant in constants):
            self.text_columns.add(column)

    def _column(self, node: ast.expr) -> str:
        if isinstance(node, ast.Name):
            self.columns.append(node.id)
            return node.id
        is_col = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "col"
        if is_col and len(node.args) == 1 and not node.keywords:  # type: ignore[attr-defined]
            name = self._string(node.args[0])  # type: ignore[attr-defined]
            self.columns.append(name)
            return name
        raise self._refused(node, 'a column, `rating` or `col("Unit Price")`')

    def _is_constant(self, node: ast.expr) -> bool:
        return isinstance(node, ast.Constant) or (isinstance(node, ast.UnaryOp) and not isinstance(node.op, ast.Not))

    def _constant(self, node: ast.expr) -> Any:
        """Returns a text or an exact number."""
        inner = node
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            inner = node.operand
        value: object = None
        if isinstance(inner, ast.Constant):
            value = inner.value
        if isinstance(value, str) and inner is node:
            return value
        if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= _MAX_NUMBER:
            # `0.1` is exactly a tenth, unlike the nearest double.
            number = value if isinstance(value, int) else decimal.Decimal(repr(value))
            return number if inner is node else -number
        raise self._refused(node, 'a number or a text in quotes (for a blank cell: "is None")')

    def _string(self, node: ast.expr) -> str:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            return node.value
        raise self._refused(node, "a text in quotes")

    def _refused(self, node: ast.expr, expected: str) -> ValueError:
        got = ast.get_source_segment(self._text.strip(), node) or type(node).__name__
        return ValueError(f"filter {short_repr(self._text)}: expected {expected}, got {short_repr(got)}; {_HELP}")
