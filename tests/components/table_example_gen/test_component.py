from __future__ import annotations

import glob
import gzip
import importlib
import json
import os

import pyarrow as pa
import pytest
import tensorflow as tf
from pyarrow import parquet
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.types import artifact_utils, standard_artifacts

from components.table_example_gen import executor, parts
from components.table_example_gen.component import TableExampleGen
from pipeline.bad_input import find_bad_input
from pipeline.local_runner import LocalRunner
from shortlist import fingerprints
from shortlist.config.engines import DirectBeam
from shortlist.config.features import Feature
from shortlist.config.table import Candidates, Interactions, Queries
from shortlist.engines.arguments import beam_args
from shortlist.errors import DataError
from shortlist.lineage.database import SqliteDatabase
from shortlist.lineage.store import Store
from shortlist.process import progress
from shortlist.records import properties
from shortlist.tables import content, inputs, spans
from tests.pipeline.conftest import RecordingListener
from tests.shortlist.tables import formats

FEATURES = {"rating": Feature(type="numeric"), "tags": Feature(type="multi_category")}
ROWS = [("007", "10", 5, 3.5, "a|b"), ("8", "1e3", 4, None, ""), ("8", "10", 4, 1.0, "b")]
COLUMNS = ("query_id", "candidate_id", "timestamp", "rating", "tags")
IN_MEMORY = beam_args(DirectBeam())
TWO_PROCESSES = beam_args(DirectBeam(running_mode="multi_processing", num_workers=2))


def write_csv(path, rows=ROWS):
    lines = [",".join(COLUMNS), *(",".join("" if v is None else str(v) for v in row) for row in rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((gzip.compress if path.suffix == ".gz" else bytes)("\n".join(lines).encode()))


def write_jsonl(path, rows=ROWS):
    lines = [json.dumps(dict(zip(COLUMNS, row, strict=True))) for row in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines))


def write_parquet(path, rows=ROWS, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(pa.table(dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))), path, **options)


def write(path, rows=ROWS):
    {".parquet": write_parquet, ".jsonl": write_jsonl}.get(path.suffix, write_csv)(path, rows)


def gen(path, root, **options):
    return gen_of("interactions", Interactions(path=path, features=FEATURES, **options), root)


def gen_of(kind, table, root):
    files = inputs.find(table.path, root, getattr(table, "last_spans", None))
    return TableExampleGen(kind, table, root, content.files_sha256(files))


def ingest(node, tmp_path, beam_args=IN_MEMORY):
    """Runs the node's executor as the launcher does and returns the Examples artifact."""
    artifact = standard_artifacts.Examples()
    artifact.uri = str(tmp_path / f"examples-{len(list(tmp_path.glob('examples-*')))}")
    context = executor.Executor.Context(
        beam_pipeline_args=list(beam_args), tmp_dir=str(tmp_path / "tmp"), unique_id="1"
    )
    executor.Executor(context).Do({}, {"examples": [artifact]}, dict(node.exec_properties))
    return artifact


def shards(artifact):
    return sorted(glob.glob(os.path.join(artifact.uri, "Split-all", "*")))


def records(artifact):
    """Returns the examples as plain dicts in their order, one list per shard."""
    return [
        [example_of(record) for record in tf.data.TFRecordDataset(shard, compression_type="GZIP").as_numpy_iterator()]
        for shard in shards(artifact)
    ]


def example_of(record):
    features = tf.train.Example.FromString(record).features.feature
    return {name: list(getattr(f, f.WhichOneof("kind")).value) for name, f in features.items()}


def read(artifact):
    """Returns all examples in the order of file and row."""
    return sorted((example for shard in records(artifact) for example in shard), key=place)


def place(example):
    return example["source_path"], example["source_row"]


def places(artifact):
    return [(path.decode(), row) for [path], [row] in map(place, read(artifact))]


def number(artifact, name):
    return artifact.get_int_custom_property(name)


def test_every_format_and_option_reaches_the_workers(tmp_path):
    rows = [["007", "10", "09.12.2011", "3,5", "a|b"], ["8", "1e3", "10.12.2011", None, None]]
    found = {}
    files = formats.files(COLUMNS, rows)
    for name in (
        "latin.csv",
        "u.data",
        "log.inter.gz",
        "array.json",
        "log.xlsx",
        "tsv.zip",
        "parquet.zip",
        "log.parquet",
    ):
        bytes_, options = files[name]
        (tmp_path / name).write_bytes(bytes_)
        table = Interactions(
            path=name,
            features=FEATURES,
            decimal=",",
            timestamp_format="%d.%m.%Y",
            filter="rating is None or rating > 1",
            **options,
        )
        sources = content.files_sha256(inputs.find(name, tmp_path))
        node = TableExampleGen("interactions", table, tmp_path, sources, "iso8601")
        found[name] = [{**example, "source_path": None} for example in read(ingest(node, tmp_path))]
    # 2011-12-09 is 15,317 days after 1970-01-01: 15,317 * 86,400 = 1,323,388,800.
    [first, second] = found["latin.csv"]
    assert (first["timestamp"], first["rating"], first["tags"]) == ([1_323_388_800], [3.5], [b"a", b"b"])
    assert (second["timestamp"], second["rating"], second["source_row"]) == ([1_323_475_200], [], [1])
    for name, examples in found.items():
        assert examples == found["latin.csv"], name


def test_an_empty_part_has_no_rows(tmp_path):
    write(tmp_path / "log/1.csv")
    (tmp_path / "log/2.csv").touch()
    (tmp_path / "log/0.jsonl").touch()
    artifact = ingest(gen("log", tmp_path), tmp_path)
    assert places(artifact) == [("log/1.csv", 0), ("log/1.csv", 1), ("log/1.csv", 2)]


@pytest.mark.parametrize("name", ["log/x.csv", "log/x.csv.gz", "log/x.parquet", "log/x.jsonl"])
def test_examples(tmp_path, name):
    write(tmp_path / name)
    artifact = ingest(gen(name, tmp_path), tmp_path)
    assert artifact_utils.decode_split_names(artifact.split_names) == ["all"]
    files = sorted(glob.glob(f"{artifact.uri}/**", recursive=True))
    assert [os.path.relpath(file, artifact.uri) for file in files] == [
        *(".", "Split-all", "Split-all/data_tfrecord-00000-of-00001.gz", "values.json")
    ]
    path = name.encode()
    assert read(artifact) == [
        {
            "query_id": [b"007"],
            "candidate_id": [b"10"],
            "timestamp": [5],
            "rating": [3.5],
            "tags": [b"a", b"b"],
            "source_path": [path],
            "source_row": [0],
        },
        {
            "query_id": [b"8"],
            "candidate_id": [b"1e3"],
            "timestamp": [4],
            "rating": [],
            "tags": [],
            "source_path": [path],
            "source_row": [1],
        },
        {
            "query_id": [b"8"],
            "candidate_id": [b"10"],
            "timestamp": [4],
            "rating": [1.0],
            "tags": [b"b"],
            "source_path": [path],
            "source_row": [2],
        },
    ]


def test_properties_of_the_artifact(tmp_path):
    for day in ("2024-01-30", "2024-01-31", "2024-02-01"):
        write_csv(tmp_path / f"log/{day}/x.csv")
    heard = []
    with progress.listening(heard.append):
        artifact = ingest(gen("log/{YYYY}-{MM}-{DD}", tmp_path, last_spans=2), tmp_path)
    assert heard[-1] == progress.Progress(6, None, "rows")
    assert {name: number(artifact, name) for name in ("rows", "files", "dropped_filter", "dropped_duplicate")} == {
        "rows": 6,
        "files": 2,
        "dropped_filter": 0,
        "dropped_duplicate": 0,
    }
    assert number(artifact, "bytes") == 2 * (tmp_path / "log/2024-02-01/x.csv").stat().st_size
    assert artifact.get_string_custom_property("first_span") == "2024-01-31"
    assert artifact.get_string_custom_property("last_span") == "2024-02-01"
    assert artifact.get_string_custom_property("timestamp_unit") == "order"
    assert {path for path, _ in places(artifact)} == {"log/2024-01-31/x.csv", "log/2024-02-01/x.csv"}


def test_formats_may_be_mixed_in_a_folder(tmp_path):
    for name in ("log/a.csv", "log/b.csv.gz", "log/deep/c.parquet", "log/d.jsonl"):
        write(tmp_path / name)
    artifact = ingest(gen("log", tmp_path), tmp_path)
    assert places(artifact) == [
        (path, row) for path in ("log/a.csv", "log/b.csv.gz", "log/d.jsonl", "log/deep/c.parquet") for row in range(3)
    ]


def test_a_large_text_file_is_read_in_parts_with_the_rows_and_counts_of_the_whole(tmp_path, monkeypatch):
    rows = [(f"{row % 7}", f"{row}", row, 1.0, '"a\n|b"') for row in range(300)]
    write_csv(tmp_path / "x.csv", rows)
    (tmp_path / "whole").mkdir()
    (tmp_path / "parts").mkdir()
    whole = ingest(gen("x.csv", tmp_path, filter="timestamp >= 10"), tmp_path / "whole")
    monkeypatch.setattr(spans, "_BLOCK_BYTES", 100)
    monkeypatch.setattr(spans, "SPAN_BYTES", 1000)
    find, found = spans.spans, []
    monkeypatch.setattr(spans, "spans", lambda *args: found.extend(parts := find(*args)) or parts)
    artifact = ingest(gen("x.csv", tmp_path, filter="timestamp >= 10"), tmp_path / "parts")
    assert len(found) > 3
    assert places(artifact) == places(whole) == [("x.csv", row) for row in range(10, 300)]
    assert number(artifact, "dropped_filter") == number(whole, "dropped_filter") == 10


def test_files_at_a_uri(tmp_path, monkeypatch):
    write_csv(tmp_path / "x.csv")
    write_parquet(tmp_path / "x.parquet")
    memory_files = importlib.import_module("tests.shortlist.tables.memory_files")
    files = {f"memory://bucket/log/{name}": (tmp_path / name).read_bytes() for name in ("x.csv", "x.parquet")}
    monkeypatch.setattr(memory_files, "FILES", files)
    artifact = ingest(gen("memory://bucket/log", tmp_path), tmp_path)
    assert places(artifact) == [(path, row) for path in ("log/x.csv", "log/x.parquet") for row in range(3)]


def test_rows_that_the_filter_drops_are_counted_and_not_checked(tmp_path):
    rows = [*ROWS, ("", "10", "no time", 2.0, ""), ("9", "11", 6, 4.5, "")]
    write_csv(tmp_path / "x.csv", rows)
    artifact = ingest(gen("x.csv", tmp_path, filter="rating >= 3"), tmp_path)
    assert places(artifact) == [("x.csv", 0), ("x.csv", 4)]
    assert number(artifact, "rows") == 2
    assert number(artifact, "dropped_filter") == 3
    assert number(artifact, "dropped_duplicate") == 0


def test_a_filter_that_nothing_passes_is_refused(tmp_path):
    write_csv(tmp_path / "x.csv")
    message = (
        r"x\.csv: expected at least one row, got none that passes 'rating > 9' among 3; .*data\.interactions\.filter"
    )
    with pytest.raises(DataError, match=message):
        ingest(gen("x.csv", tmp_path, filter="rating > 9"), tmp_path)


def test_headers_alone_are_refused(tmp_path):
    write_csv(tmp_path / "log/1.csv", [])
    write_csv(tmp_path / "log/2.csv", [])
    with pytest.raises(DataError, match="log: expected at least one row, got none"):
        ingest(gen("log", tmp_path), tmp_path)


@pytest.mark.parametrize(
    ("policy", "kept"), [("first", [("a.csv", 0), ("a.csv", 1)]), ("last", [("a.csv", 1), ("b.csv", 1)])]
)
@pytest.mark.parametrize("kind", ["candidates", "queries"])
def test_the_first_or_the_last_row_per_id_is_kept(tmp_path, monkeypatch, kind, policy, kept):
    # Ids x, y | x, x; source rows count the dropped ones.
    (tmp_path / "log").mkdir()
    (tmp_path / "log/a.csv").write_text("key,n\nx,1\ny,2\n")
    (tmp_path / "log/b.csv").write_text("key,n\nx,3\nx,4\n")
    monkeypatch.setattr(parts, "SHARD_BYTES", 8)
    section, id_name = {
        "candidates": (Candidates, "candidate_id"),
        "queries": (Queries, "query_id"),
    }[kind]
    table = section(path="log", features={"n": Feature(type="numeric")}, duplicates=policy, **{id_name: "key"})
    artifact = ingest(gen_of(kind, table, tmp_path), tmp_path)
    assert places(artifact) == [(f"log/{name}", row) for name, row in kept]
    assert {example[id_name][0]: example["n"][0] for example in read(artifact)} == (
        {b"x": 1.0, b"y": 2.0} if policy == "first" else {b"x": 4.0, b"y": 2.0}
    )
    assert number(artifact, "rows") == 2
    assert number(artifact, "dropped_duplicate") == 2


def many_rows(start, stop):
    return [(f"q{n % 97}", f"c{n % 53}", n, n / 2, "a|b") for n in range(start, stop)]


@pytest.fixture
def large_log(tmp_path, monkeypatch):
    """Files and row groups for several workers, and shards so small that there are several."""
    write_csv(tmp_path / "log/a.csv", many_rows(0, 4500))
    write_csv(tmp_path / "log/b.csv.gz", many_rows(0, 2500))
    write_parquet(tmp_path / "log/c.parquet", many_rows(0, 5000), row_group_size=700)
    monkeypatch.setattr(parts, "SHARD_BYTES", 2**16)
    return gen("log", tmp_path)


def test_many_files_and_processes_write_the_same_shards_as_one(tmp_path, large_log):
    one = ingest(large_log, tmp_path)
    many = ingest(large_log, tmp_path, TWO_PROCESSES)
    assert [os.path.basename(path) for path in shards(many)] == [
        f"data_tfrecord-{shard:05d}-of-{len(shards(one)):05d}.gz" for shard in range(len(shards(one)))
    ]
    assert len(shards(one)) >= 4
    written = records(many)
    assert written == records(one)
    assert all(shard == sorted(shard, key=place) for shard in written)
    assert min(map(len, written)) > 0
    assert places(many) == [
        (path, row)
        for path, rows in (("log/a.csv", 4500), ("log/b.csv.gz", 2500), ("log/c.parquet", 5000))
        for row in range(rows)
    ]
    assert all(example["timestamp"] == example["source_row"] for shard in written for example in shard)
    assert number(many, "rows") == 12000


@pytest.mark.parametrize("beam_args", [IN_MEMORY, TWO_PROCESSES])
def test_a_bad_row_far_down_is_a_data_error(tmp_path, beam_args):
    write_csv(tmp_path / "log/a.csv")
    write_csv(tmp_path / "log/x.csv", [*ROWS] * 1000 + [("u", "", 1, 1.0, "")])
    with pytest.raises((DataError, RuntimeError)) as raised:
        ingest(gen("log", tmp_path), tmp_path, beam_args)
    refusal = find_bad_input(raised.value)
    assert str(refusal).startswith(
        "log/x.csv, row 3000 (from 0), line 3002, column 'candidate_id': expected an id, got"
    )
    # Another process sends only its traceback, which contains the sentence but not the type.
    assert refusal.expected == ("an id" if beam_args == IN_MEMORY else "")
    assert not glob.glob(f"{tmp_path}/examples-0/Split-all/*")


def test_a_parquet_file_cut_short_is_a_data_error(tmp_path):
    write_parquet(tmp_path / "x.parquet", many_rows(0, 5000), row_group_size=700)
    content = (tmp_path / "x.parquet").read_bytes()
    (tmp_path / "x.parquet").write_bytes(content[: len(content) // 2])
    with pytest.raises(DataError, match=r"x\.parquet: expected a whole Parquet file"):
        ingest(gen("x.parquet", tmp_path), tmp_path)


def test_no_file_is_a_data_error(tmp_path):
    with pytest.raises(DataError, match=r"x\.csv: expected a file at .*/x\.csv, got none"):
        ingest(gen("x.csv", tmp_path), tmp_path)


def test_a_log_that_grows_between_fingerprint_and_reading_is_refused(tmp_path):
    write_csv(tmp_path / "log/x.csv")
    node = gen("log", tmp_path)
    with (tmp_path / "log/x.csv").open("a") as file:
        file.write("\n9,9,9,9,")
    with pytest.raises(DataError, match="log: expected the files that this run began with, got files that changed"):
        ingest(node, tmp_path)
    # An unfinished row fails the checks, but the message must name the cause: the file is still being written.
    with (tmp_path / "log/x.csv").open("a") as file:
        file.write("\n9,")
    with pytest.raises(DataError, match="log: expected the files that this run began with, got files that changed"):
        ingest(node, tmp_path)


def test_an_added_file_between_fingerprint_and_reading_is_refused(tmp_path):
    write_csv(tmp_path / "log/x.csv")
    node = gen("log", tmp_path)
    write_csv(tmp_path / "log/y.csv")
    with pytest.raises(DataError, match="changed during the run"):
        ingest(node, tmp_path)


def test_an_unpinned_run_records_the_fingerprint_of_its_files(tmp_path):
    write_csv(tmp_path / "log/x.csv")
    node = TableExampleGen("interactions", Interactions(path="log", features=FEATURES), tmp_path, fingerprints.UNPINNED)
    first = ingest(node, tmp_path)
    write_csv(tmp_path / "log/y.csv")
    second = ingest(node, tmp_path)
    found = content.files_sha256(inputs.find("log", tmp_path))
    assert second.get_string_custom_property(properties.CONTENT_SHA256) == found
    assert first.get_string_custom_property(properties.CONTENT_SHA256) != found


def test_node():
    nodes = [
        TableExampleGen(kind, section(path="x.csv"), "/data", "c")
        for kind, section in (
            ("interactions", Interactions),
            ("candidates", Candidates),
            ("queries", Queries),
        )
    ]
    assert [node.id for node in nodes] == ["InteractionsGen", "CandidatesGen", "QueriesGen"]
    properties = nodes[0].exec_properties
    assert properties["data_path"] == "x.csv"
    assert properties["data_root"] == "/data"
    assert properties["content_sha256"] == "c"
    assert properties["code_sha256"] == fingerprints.code_sha256(executor.__name__)
    assert properties.get("last_spans") is None
    assert json.loads(properties["table"])["kind"] == "interactions"


class TestInAPipeline:
    """The node in a TFX pipeline, with its cache."""

    @pytest.fixture
    def run(self, tmp_path):
        def run(path="log"):
            run_id = f"run-{len(list(tmp_path.glob('run-*')))}"
            (tmp_path / run_id).touch()
            pipeline = tfx_pipeline.Pipeline(
                pipeline_name="ingestion",
                pipeline_root=str(tmp_path / "root"),
                components=[gen(path, tmp_path)],
                enable_cache=True,
                beam_pipeline_args=list(IN_MEMORY),
            )
            listener = RecordingListener()
            database = SqliteDatabase(tmp_path / "mlmd.sqlite")
            LocalRunner(run_id, listener, database.connection()).run(pipeline)
            [execution] = Store(database).run_executions(run_id)
            return listener.cached["InteractionsGen"], execution

        return run

    def test_only_content_and_names_make_it_run_again(self, tmp_path, run):
        write_csv(tmp_path / "log/x.csv")
        assert run()[0] is False
        assert run()[0] is True
        os.utime(tmp_path / "log/x.csv", (1, 1))
        assert run()[0] is True
        (tmp_path / "log/x.csv").rename(tmp_path / "log/y.csv")
        cached, execution = run()
        assert cached is False
        [file] = glob.glob(f"{execution.output('examples').uri}/Split-all/*")
        assert example_of(next(tf.data.TFRecordDataset(file, "GZIP").as_numpy_iterator()))["source_path"] == [
            b"log/y.csv"
        ]
        write_csv(tmp_path / "log/y.csv", ROWS[:2])
        assert run()[0] is False

    def test_a_failure_leaves_nothing_behind(self, tmp_path, run):
        write_csv(tmp_path / "log/x.csv", [*ROWS, ("", "", 1, 1.0, "")])
        with pytest.raises(DataError):
            run()
        assert not [path for path in (tmp_path / "root").rglob("*") if path.is_file()]
        [execution] = Store(SqliteDatabase(tmp_path / "mlmd.sqlite")).run_executions("run-0")
        assert execution.state == "FAILED"
