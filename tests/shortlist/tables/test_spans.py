"""Spans of text files have the rows of the whole file, with the same numbers."""

from __future__ import annotations

import gzip
import io
import itertools
import json
import random

import pytest

from shortlist.config.features import Feature
from shortlist.config.table import Interactions
from shortlist.errors import DataError
from shortlist.tables import readers, spans
from shortlist.tables.spec import table_spec

_COLUMNS = {"query_id": "user", "candidate_id": "item", "timestamp": "time"}
_FEATURES = {"text": Feature(type="category")}


def _spec(**options):
    return table_spec("interactions", Interactions(path="x", features=_FEATURES, **_COLUMNS, **options))


def _rows(content: bytes, spec, name: str, span=None):
    return list(readers.parsed_rows(readers.open_table(io.BytesIO(content), spec, name, span=span), spec))


def _csv(texts, end: str = "\n", delimiter: str = ",", header: bool = True) -> str:
    lines = [delimiter.join((f"u{row}", f"i{row}", str(row), text)) for row, text in enumerate(texts)]
    names = [delimiter.join(("user", "item", "time", "text"))] if header else []
    return end.join([*names, *lines, ""])


def _jsonl(texts) -> str:
    rows = ({"user": f"u{row}", "item": f"i{row}", "time": row, "text": text} for row, text in enumerate(texts))
    return "".join(json.dumps(row) + "\n" + "\n" * (number % 3) for number, row in enumerate(rows))


_QUOTED = ['"a ""b"" \n c"', "plain", '"\n\n"', "", '","', "5'"]
_PLAIN = ["a", "ü", "", "long " * 5]


def _of(texts):
    return list(itertools.islice(itertools.cycle(texts), 200))


@pytest.mark.parametrize("block_bytes", [1, 40, 300])
@pytest.mark.parametrize(
    ("content", "name", "options"),
    [
        (_csv(_of(_PLAIN)), "x.csv", {}),
        (_csv(_of(_QUOTED)), "x.csv", {}),
        (_csv(_of(_QUOTED), end="\r\n"), "x.csv", {}),
        ("\ufeff" + _csv(_of(_QUOTED), end="\n\r\n"), "x.csv", {}),
        (_csv(_of(_PLAIN)).rstrip(), "x.csv", {}),
        (_csv(_of(_PLAIN), delimiter="::"), "x.dat", {"delimiter": "::", "format": "csv"}),
        (
            _csv(_of(_QUOTED), header=False),
            "x.csv",
            {"header": False, "columns": ["user", "item", "time", "text"]},
        ),
        (_jsonl(_of(["a", 'ü"\n', "", "[{"])), "x.jsonl", {}),
    ],
    ids=["plain", "quoted", "crlf", "mark", "no_end", "dialect", "no_header", "jsonl"],
)
def test_spans_have_all_rows_once_with_their_numbers(content, name, options, block_bytes, monkeypatch):
    monkeypatch.setattr(spans, "_BLOCK_BYTES", block_bytes)
    data, spec = content.encode(), _spec(**options)
    found = spans.spans(io.BytesIO(data), spec, name, span_bytes=500)
    assert len(found) > 3
    assert [span.start for span in found] == [0, *(span.stop for span in found[:-1])]
    assert found[-1].stop == len(data)
    assert [row for span in found for row in _rows(data, spec, name, span)] == _rows(data, spec, name)
    counts = []
    for span in found:
        reader = readers.open_table(io.BytesIO(data), spec, name, span=span)
        list(reader)
        counts.append(reader.rows_read)
    assert sum(counts) == 200


@pytest.mark.parametrize(
    ("data", "name", "options"),
    [
        (gzip.compress(random.Random(1).randbytes(5000)), "x.csv.gz", {}),
        (_csv(_of(_PLAIN)).encode("utf-16"), "x.csv", {}),
        (_csv(_of(_PLAIN)).encode(), "x.csv", {"encoding": "shift_jis"}),
        (_csv(_of(_PLAIN), delimiter=" ").encode(), "x.csv", {"delimiter": " "}),
        # The quote is never closed.
        (_csv(_of(['"a'])).encode(), "x.csv", {}),
        (_csv(["a"]).encode(), "x.csv", {}),
    ],
    ids=["gzip", "utf16", "shift_jis", "blanks", "open_quote", "small"],
)
def test_other_files_stay_whole(data, name, options):
    assert spans.spans(io.BytesIO(data), _spec(**options), name, span_bytes=500) == []


def test_an_error_in_a_later_span_names_the_line_of_the_file(monkeypatch):
    monkeypatch.setattr(spans, "_BLOCK_BYTES", 50)
    lines = _csv(_of(_QUOTED)).split("\n")
    bad = next(number for number in range(len(lines) - 20, len(lines)) if lines[number].endswith("plain"))
    lines[bad] = lines[bad].replace("plain", "plain,5")
    data, spec = "\n".join(lines).encode(), _spec()
    last = spans.spans(io.BytesIO(data), spec, "x.csv", span_bytes=500)[-1]
    with pytest.raises(DataError, match="x.csv, row .*4 fields") as whole:
        _rows(data, spec, "x.csv")
    with pytest.raises(DataError) as part:
        _rows(data, spec, "x.csv", last)
    assert str(part.value) == str(whole.value)
    assert f"line {bad + 1}" in str(whole.value)
