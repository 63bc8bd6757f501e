from __future__ import annotations

import pytest

from shortlist.config.load import parse_config
from shortlist.errors import ConfigError
from tests.shortlist.config.test_load import MINIMAL


def config(**interactions):
    data = MINIMAL["data"] | {"interactions": {"path": "log.csv"} | interactions}
    return parse_config(MINIMAL | {"data": data}, "x.yaml").data.interactions


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"delimiter": ""}, "delimiter must not be empty"),
        ({"delimiter": '"'}, "delimiter must have no quotes"),
        ({"delimiter": "\n"}, "delimiter must have no quotes or line ends"),
        ({"delimiter": "a\r"}, "delimiter must have no quotes or line ends"),
        ({"delimiter": ";", "format": "parquet"}, "delimiter needs format csv, got parquet"),
        ({"header": False}, "header: false needs columns"),
        ({"columns": ["a"]}, "columns needs header: false"),
        ({"header": False, "columns": []}, "columns must be names"),
        ({"header": False, "columns": ["a", " "]}, "columns must be names, none of them blank"),
        ({"header": False, "columns": ["a", "b", "a"]}, "got 'a' twice"),
        ({"header": False, "columns": ["a"], "format": "jsonl"}, "header: false needs format csv or xlsx, got jsonl"),
        ({"encoding": "utf8x"}, "encoding must be a text encoding of Python, such as utf-8, cp1252"),
        ({"encoding": "zlib"}, "encoding must be a text encoding"),
        ({"encoding": "undefined"}, "encoding must be a text encoding"),
        ({"encoding": "a\0b"}, "expected text without NUL characters"),
        ({"encoding": ""}, "encoding must be a text encoding"),
        ({"decimal": ";"}, "data.interactions.decimal"),
        ({"timestamp_format": "%m/%d %H:%M"}, "timestamp_format must hold year, month and day"),
        ({"timestamp_format": "%Y-%m"}, "timestamp_format must hold year, month and day"),
        ({"timestamp_format": "%H:%M"}, "timestamp_format must hold year, month and day"),
        ({"timestamp_format": ""}, "timestamp_format must hold year, month and day"),
        ({"timestamp_format": "%Q %Y-%m-%d"}, "timestamp_format must be a format of Python's strptime"),
        ({"timestamp_format": "%Y-%m-%d%"}, "timestamp_format must be a format of Python's strptime"),
        ({"timestamp_format": "%d.%m.%Y %Z"}, "must not have %Z"),
        ({"timestamp_format": "%d.%m.%Y %I:%M"}, "%I needs %p"),
        ({"timestamp_format": "%d.%m.%Y", "timestamp_unit": "seconds"}, "needs timestamp_unit auto, got seconds"),
        ({"timestamp_format": "%d.%m.%Y", "timestamp": None}, "timestamp_format needs timestamp, got null"),
    ],
)
def test_refused(options, sentence):
    with pytest.raises(ConfigError) as refused:
        config(**options)
    assert sentence in str(refused.value)
    assert len(str(refused.value).splitlines()) == 1


@pytest.mark.parametrize(
    "time_format",
    [
        "%m/%d/%Y %H:%M",
        "%d.%m.%Y",
        "%a %b %d %H:%M:%S %z %Y",
        "%d %B %y",
        "%j %Y",
        "%Y%m%d",
        "%d.%m.%Y %I:%M %p",
        "%d.%m.%Y 100%%Z",
        "%d.%m.%Y UTC",
        "%c",
    ],
)
def test_time_formats(time_format):
    assert config(timestamp_format=time_format).timestamp_format == time_format


def test_options_are_kept():
    options = {"delimiter": "::", "encoding": "cp1252", "decimal": ",", "header": False, "columns": ["a", "b"]}
    table = config(**options)
    assert (table.delimiter, table.encoding, table.decimal, table.columns) == ("::", "cp1252", ",", ("a", "b"))
    assert config(delimiter="\\t").delimiter == "\t"  # as a shell passes it to --set
    assert config(delimiter="\x01").delimiter == "\x01"  # Hive's
