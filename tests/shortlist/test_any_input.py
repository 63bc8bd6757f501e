"""Random tables, mappings and configs: accepted, or refused in one sentence, but never with another exception."""

from __future__ import annotations

import copy
import gzip
import json
import math
import re
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shortlist.config.features import FeatureType
from shortlist.config.load import load_config, parse_config
from shortlist.config.table import TimestampUnit
from shortlist.errors import BadInputError, ConfigError
from shortlist.tables import inputs, preflight, readers
from shortlist.tables.spec import KINDS, table_spec
from tests.shortlist.project import Project
from tests.shortlist.tables.formats import workbook, zipped
from tests.shortlist.tables.tables import parquet_bytes

NAMES = ("user_id", "item_id", "timestamp", "event", "é x", "n")
TEXTS = st.text(max_size=4) | st.sampled_from(
    [
        *("u1", "u2", "i1", "i2", "007", "🦊", "view", "cart", "a|b", "nan", "True", "", " ", "a\0", "x\ny", '"'),
        *("1", "2.5", "-1", "1e999", "881250949", "881250949000", "2011-12-09", "2011-12-09 12:50:00.5", "12/1/2010"),
    ]
)
CELLS = (
    TEXTS
    | st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.lists(TEXTS | st.none() | st.integers(), max_size=2)
    | st.dictionaries(TEXTS, TEXTS, max_size=1)
)
GOOD = [{"user_id": f"u{u}", "item_id": f"i{i}", "timestamp": f"{7 * u + i}"} for u in range(3) for i in range(4)]
RECORDS = st.lists(st.dictionaries(st.sampled_from(NAMES), CELLS), max_size=4)
COLUMN_TYPES = [
    pa.string(),
    pa.binary(),
    pa.int64(),
    pa.uint64(),
    pa.float64(),
    pa.float32(),
    pa.decimal128(10, 2),
    pa.bool_(),
    pa.null(),
    pa.timestamp("ns"),
    pa.date32(),
    pa.time64("us"),
    pa.duration("ns"),
    pa.list_(pa.string()),
    pa.list_(pa.int8(), 2),
    pa.struct([("a", pa.int64())]),
    pa.dictionary(pa.int32(), pa.string()),
]


def as_csv(records: list[dict[str, Any]]) -> bytes:
    lines = [NAMES, *([_text(record.get(name)) for name in NAMES] for record in records)]
    return "\n".join(",".join('"' + field.replace('"', '""') + '"' for field in line) for line in lines).encode()


def as_workbook(records: list[dict[str, Any]]) -> bytes:
    rows = [[_workbook_cell(record.get(name)) for name in NAMES] for record in records]
    return workbook(NAMES, rows)


def _workbook_cell(cell: object) -> Any:
    """Returns a cell that openpyxl writes; texts without the control characters that XML does not have."""
    if cell is None or isinstance(cell, bool | float):
        return None if isinstance(cell, float) and not math.isfinite(cell) else cell
    return re.sub(r"[\x00-\x1f\ud800-\udfff\ufffe\uffff]|^=", "", str(cell))


def _text(cell: object) -> str:
    return "" if cell is None else str(cell)


def as_jsonl(records: list[dict[str, Any]]) -> bytes:
    return "\n".join(json.dumps(record) for record in records).encode()


@st.composite
def as_parquet(draw: st.DrawFn, records: list[dict[str, Any]]) -> bytes:
    columns = {}
    for name in NAMES:
        arrow_type = draw(st.sampled_from(COLUMN_TYPES))
        cells = [record.get(name) for record in records]
        try:
            columns[name] = pa.array(cells, arrow_type)
        except (pa.ArrowException, TypeError, ValueError, OverflowError):
            columns[name] = pa.array([_text(cell) for cell in cells])
    return parquet_bytes(columns, row_group_size=draw(st.integers(1, 5)), version="2.6")


@st.composite
def tables(draw: st.DrawFn) -> tuple[str, bytes]:
    """Returns a file's ending and content: valid rows, and some random ones."""
    records = draw(st.just(GOOD) | st.just([])) + draw(RECORDS)
    ending = draw(
        st.sampled_from([*TEXT_ENDINGS, ".csv.gz", ".jsonl.gz", ".csv.zip", ".json.zip", ".xlsx", ".parquet"])
    )
    if ending == ".parquet":
        return ending, draw(as_parquet(records))
    if ending == ".xlsx":
        return ending, as_workbook(records)
    content = as_jsonl(records)
    if ending.startswith(".json") and not ending.startswith(".jsonl") and draw(st.booleans()):
        content = json.dumps(records).encode()
    if ending.startswith((".csv", ".tsv", ".dat", ".txt")):
        content = as_csv(records)
    if ending in (".tsv", ".dat"):
        content = content.replace(b'","', b'"\t"' if ending == ".tsv" else b"::")
    if draw(st.integers(0, 9)) == 0:
        content = content.decode().encode(draw(st.sampled_from(["utf-16", "utf-16-le", "utf-32", "utf-8-sig"])))
    if draw(st.integers(0, 9)) == 0:
        content += draw(st.binary(max_size=6))
    if ending.endswith(".zip"):
        content = zipped({f"log{ending.removesuffix('.zip')}": content})
    return ending, gzip.compress(content) if ending.endswith(".gz") else content


TEXT_ENDINGS = (".csv", ".tsv", ".dat", ".txt", ".jsonl", ".json")
COLUMNS = st.sampled_from([*NAMES, "missing"])
HEADERS: Any = (
    st.just({}) | st.just({"header": False, "columns": list(NAMES)}) | st.just({"header": False, "columns": ["n"]})
)
# Most tables have the defaults, so that most pass.
TEXT_FORMATS: Any = st.just({}) | st.builds(
    lambda header, options: header | options,
    HEADERS,
    st.fixed_dictionaries(
        {},
        optional={
            "delimiter": st.sampled_from([",", ";", "\t", "::", " ", '","']),
            "encoding": st.sampled_from(["utf-8", "cp1252", "utf-16", "ascii", "utf-7"]),
            "decimal": st.sampled_from([".", ","]),
            "format": st.sampled_from(["csv", "jsonl", "json", "xlsx", "parquet"]),
        },
    ),
)
TIMES: Any = st.just({}) | st.fixed_dictionaries(
    {"timestamp_format": st.sampled_from(["%Y-%m-%d", "%m/%d/%Y", "%d.%m.%Y %H:%M", "%a", "%Y%m%d%H%M%S.%f"])}
)
FILTERS = st.none() | st.sampled_from(
    [
        "n > 0",
        'event == "view"',
        'timestamp >= "2011-01-01"',
        "user_id is not None",
        'col("é x") in ("a", 1)',
        "no == 1",
    ]
)
FEATURES = st.dictionaries(
    st.sampled_from(["a", "b", "event"]),
    st.builds(lambda type_, column: {"type": type_, "column": column}, st.sampled_from(list(FeatureType)), COLUMNS),
    max_size=2,
)
WEIGHTS = st.none() | st.sampled_from(
    [{"column": "event", "values": {"view": 1, "cart": 0}}, {"column": "n"}, {"column": "event"}]
)
SPLITS = st.sampled_from(
    [{"kind": "leave_last_out"}, {"kind": "leave_last_basket"}, {"kind": "temporal", "eval_from": 5, "test_from": 9}]
)
COMMON: dict[Any, Any] = {"filter": FILTERS, "features": FEATURES}
INTERACTIONS = st.fixed_dictionaries(
    COMMON
    | {
        "query_id": st.just("user_id") | COLUMNS,
        "candidate_id": st.just("item_id") | COLUMNS,
        "timestamp": st.just("timestamp") | COLUMNS,
        "timestamp_unit": st.just("auto") | st.sampled_from(TimestampUnit.__args__),  # type: ignore[attr-defined]
        "weight": WEIGHTS,
        "repeats": st.sampled_from(["all", "first", "last"]),
    }
)
DUPLICATES = st.sampled_from(["refuse", "first", "last"])
CANDIDATES = st.fixed_dictionaries(COMMON | {"candidate_id": st.just("item_id") | COLUMNS, "duplicates": DUPLICATES})
QUERIES = st.fixed_dictionaries(COMMON | {"query_id": st.just("user_id") | COLUMNS, "duplicates": DUPLICATES})


def refused(error: BaseException) -> None:
    """Checks that an error is one sentence."""
    sentence = str(error)
    assert len(sentence.splitlines()) == 1, sentence
    assert ": " in sentence, sentence


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    files=st.fixed_dictionaries({kind: tables() for kind in KINDS}),
    mapping=st.fixed_dictionaries({"interactions": INTERACTIONS, "candidates": CANDIDATES, "queries": QUERIES}),
    text_formats=st.fixed_dictionaries(dict.fromkeys(KINDS, TEXT_FORMATS)),
    times=TIMES,
    split=SPLITS,
)
def test_any_tables_under_any_mapping_are_accepted_or_refused_in_one_sentence(
    tmp_path_factory, files, mapping, text_formats, times, split
):
    project = Project(tmp_path_factory.mktemp("project"))
    for kind, (ending, content) in files.items():
        project.file(f"{kind}{ending}", content)
        project.raw["data"][kind] = mapping[kind] | {"path": f"{kind}{ending}"} | text_formats[kind]
    project.raw["data"]["interactions"] |= times
    project.raw["data"]["split"] = split
    try:
        config = parse_config(project.raw, "x.yaml")
        project.write_schemas(config)
        report = preflight.check(config, project.data)
    except BadInputError as error:
        refused(error)
        return
    # Tables that the preflight reads completely, and all rows of small logs, must also pass the run's readers.
    for kind, table in config.data.tables.items():
        spec = table_spec(kind, table, report.timestamp_unit)
        for file in inputs.find(table.path, project.data):
            with file.open() as opened:
                for _, values in readers.parsed_rows(readers.open_table(opened, spec, file.name), spec):
                    assert all(values[column.name] for column in spec.columns if column.type in ("id", "order"))


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(math.nan)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2)
)
CONFIG = {
    "name": "shop",
    "workspace": "workspaces/shop",
    "data": {
        "schemas": "schemas/shop",
        "interactions": {
            "path": "log/{YYYY}-{MM}-{DD}/*.csv",
            "filter": "rating >= 4",
            "timestamp_unit": "auto",
            "earliest": "1990-01-01",
            "weight": {"column": "event", "values": {"view": 1}},
            "last_spans": 3,
            "features": {"rating": "numeric"},
        },
        "candidates": {"path": "items.csv", "features": {"title": {"type": "text"}}, "title": "title"},
        "queries": {"path": "users.csv"},
        "split": {"kind": "temporal", "eval_from": 1, "test_from": 2},
        "gate": {"drift": {"threshold": 0.3, "action": "warn"}},
    },
    "model": {"query_tower": {"kind": "history", "heads": 2}},
    "train": {"loss": {"kind": "corpus"}},
    "evaluate": {"ks": [1, 10]},
}


def places(section: Any, place: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Returns the path of each value in a config; the first is the path of the whole config."""
    inner = section.items() if isinstance(section, dict) else ()
    return [place, *(found for key, value in inner for found in places(value, (*place, key)))]


@settings(max_examples=300)
@given(changes=st.lists(st.tuples(st.sampled_from(places(CONFIG)[1:]), VALUES | st.just(...)), min_size=1, max_size=3))
def test_any_config_is_accepted_or_refused_in_one_sentence(changes):
    raw: dict[str, Any] = copy.deepcopy(CONFIG)
    for (*parents, last), value in changes:
        section = raw
        for parent in parents:
            section = section.get(parent) if isinstance(section, dict) else None
        if isinstance(section, dict):
            if value is ...:
                section.pop(last, None)
            else:
                section[last] = value
    _is_config(lambda: parse_config(raw, "x.yaml"))


@given(raw=st.dictionaries(st.text(max_size=6) | st.sampled_from(["name", "workspace", "data"]), VALUES, max_size=4))
def test_any_mapping_is_a_config_or_refused_in_one_sentence(raw):
    _is_config(lambda: parse_config(raw, "x.yaml"))


@given(content=st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_any_file_is_a_config_or_refused_in_one_sentence(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("config") / "x.yaml"
    path.write_bytes(content)
    _is_config(lambda: load_config(path))


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['true']",
        "a: &a [*a]",
        "? [a, b]\n: c",
        "name: 2011-13-45",
        "{" * 2000,
        "a: " + "9" * 5000,
        "1: {2: 3}",
        "data: {interactions: {path: x, weight: {column: e, values: {1: 1}}}}",
        'data: {interactions: {path: x, filter: "a >"}}',
        "\ufeffname: x",
        "name: x\nname: y",
        "<<: 5",
    ],
)
def test_odd_yaml_is_refused_in_one_sentence(tmp_path, text):
    (tmp_path / "x.yaml").write_text(text)
    with pytest.raises(ConfigError) as error:
        load_config(tmp_path / "x.yaml")
    refused(error.value)


def _is_config(parse: Any) -> None:
    try:
        config = parse()
    except ConfigError as error:
        refused(error)
        return
    assert parse_config(config.model_dump(mode="json"), "again") == config
