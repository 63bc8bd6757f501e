from __future__ import annotations

import collections
import hashlib
import pathlib
import random

import apache_beam as beam
import pytest
import tensorflow as tf
from apache_beam.pipeline import Pipeline
from tensorflow_metadata.proto.v0 import schema_pb2

from components.windows import beam as windows_beam
from components.windows import beam_fns, checks, records, stats, windowing
from components.windows.windows_config import SPLITS, WindowsConfig
from shortlist import splits
from shortlist.config.gate import Check
from shortlist.config.split import LeaveLastBasket, LeaveLastOut, Random, Split, Temporal, WindowsSection
from shortlist.config.table import Repeats
from shortlist.findings import Findings
from tests.components.windows import flat

SPLIT_CONFIGS = [
    LeaveLastOut(),
    LeaveLastBasket(),
    Temporal(eval_from=12, test_from=16),
    Random(seed=3),
]
DAY = 86_400
AGE = {"age": schema_pb2.FLOAT, "tags": schema_pb2.BYTES}


def make_config(split: Split, **changes: object) -> WindowsConfig:
    config = WindowsConfig(
        split=split,
        windows=WindowsSection(max_history=3, max_targets=4),
        max_interactions_per_query=100,
        unknown_candidates=Check(threshold=0.0),
        tied_targets=Check(threshold=1.0),
        isolated_times=Check(threshold=0.0),
        has_timestamps=True,
    )
    return config.model_copy(update=changes)


def random_log(seed: int, num_rows: int = 120, weights: tuple[float, ...] = (1.0,)) -> flat.Log:
    """Twelve queries of about ten rows over 20 seconds and 15 candidates: ties and repeats are common."""
    draw = random.Random(seed)
    return [
        (
            b"q%d" % draw.randrange(12),
            splits.Interaction(
                draw.randrange(20),
                draw.choice((0, 500_000_000)),
                b"part-%d.csv" % (row % 2),
                row,
                b"c%d" % draw.randrange(15),
                draw.choice(weights),
            ),
        )
        for row in range(num_rows)
    ]


def run(
    folder: pathlib.Path,
    config: WindowsConfig,
    interactions: list[bytes],
    candidates: list[bytes],
    queries: list[bytes] | None = None,
) -> checks.GraphSummary:
    """Runs the graph and returns its summary; the windows are in folder / "windows"."""
    patterns = windows_beam.InputPatterns(
        [flat.write(folder / "interactions", interactions)],
        [flat.write(folder / "candidates", candidates)],
        [flat.write(folder / "queries", queries)] if queries is not None else [],
    )
    with Pipeline() as root:
        windows_beam.build(root, patterns, config, AGE, str(folder / "windows"), str(folder / "staging"))
    return checks.GraphSummary.from_json((folder / "staging" / windows_beam.SUMMARY_FILE).read_text())


def catalogue(size: int = 15) -> list[bytes]:
    return [
        flat.example(candidate_id=[b"c%d" % row], source_path=[b"items.csv"], source_row=[row]) for row in range(size)
    ]


def expected_records(log: flat.Log, config: WindowsConfig) -> dict[str, list[bytes]]:
    by_query = collections.defaultdict(list)
    for query_id, row in log:
        by_query[query_id].append(row)
    kept = (row for rows in by_query.values() for row in splits.drop_repeats(rows, config.repeats))
    cuts = splits.random_cuts(kept, 3)
    expected: dict[str, list[bytes]] = {split: [] for split in SPLITS}
    for query_id in sorted(by_query):
        rows = splits.drop_repeats(by_query[query_id], config.repeats)
        windows = windowing.windows_of(rows, config.split, config.windows, cuts)
        for split, found in windows.items():
            expected[split] += [records.encode(query_id, window, None, AGE) for window in found]
    return expected


@pytest.mark.parametrize("split", SPLIT_CONFIGS, ids=lambda split: split.kind)
def test_beam_writes_the_cores_windows_for_any_order_of_input(split: Split, tmp_path: pathlib.Path):
    config = make_config(split)
    log = random_log(seed=1)
    interactions = [flat.interaction(*row) for row in log]
    digests = []
    for name, rows in (("as_is", interactions), ("shuffled", random.Random(5).sample(interactions, len(interactions)))):
        graph_summary = run(tmp_path / name, config, rows, catalogue())
        files = sorted((tmp_path / name / "windows").rglob("*.gz"))
        assert [file.name for file in files] == ["windows-00000-of-00001.gz"] * 3
        digests.append([hashlib.sha256(file.read_bytes()).hexdigest() for file in files])
    assert digests[0] == digests[1]

    expected = expected_records(log, config)
    summary = stats.summarize(graph_summary.counts, config)
    for name in SPLITS:
        windows = flat.read(tmp_path / "shuffled" / "windows", name)
        found = [record.SerializeToString(deterministic=True) for record in windows]
        assert found == expected[name]
        assert summary["windows"][name] == len(found)
    assert sum(summary["rows"].values()) == summary["interactions"] == len(log)
    assert checks.check(graph_summary, config) == Findings()


def test_spans_are_counted_from_the_latest_target_of_all_queries(tmp_path: pathlib.Path):
    def row(day: int, number: int, weight: float = 1.0) -> splits.Interaction:
        return splits.Interaction(day * DAY + number, 0, b"log.csv", number, b"c%d" % number, weight)

    # The latest target is on day 9; a view of weight 0 and an unknown candidate are later.
    log = [(b"q1", row(day, day)) for day in (6, 7, 8)]
    log += [(b"q2", row(day, day)) for day in (5, 8, 9)]
    log += [(b"q2", row(11, 11, weight=0.0)), (b"q2", row(12, 99))]
    split = Temporal(eval_spans=1, test_spans=1)
    config = make_config(split, unknown_candidates=Check(threshold=0.5))
    graph_summary = run(tmp_path, config, [flat.interaction(*each) for each in log], catalogue())
    assert graph_summary.latest_time == 9 * DAY + 9
    assert checks.check(graph_summary, config).errors == []
    summary = stats.summarize(graph_summary.counts, config, graph_summary.latest_time)
    assert summary["rows"] == {"train": 3, "eval": 2, "test": 1}
    assert summary["cuts"] == {"eval_from": 8 * DAY, "test_from": 9 * DAY, "latest_time": 9 * DAY + 9}
    [test] = flat.read(tmp_path / "windows", "test")
    assert list(test.features.feature["target_ids"].bytes_list.value) == [b"c9"]


def test_spans_of_a_log_without_targets_are_refused(tmp_path: pathlib.Path):
    row = splits.Interaction(5, 0, b"log.csv", 0, b"c1", 0.0)
    config = make_config(Temporal(eval_spans=1, test_spans=1))
    graph_summary = run(tmp_path, config, [flat.interaction(b"q", row)], catalogue())
    assert checks.check(graph_summary, config).errors == [
        "interactions: expected rows of positive weight, got none; check their weight"
    ]


@pytest.mark.parametrize("split", [LeaveLastOut(), LeaveLastBasket(), Random()], ids=lambda it: it.kind)
def test_without_held_out_rows_each_row_is_a_train_target_once(split: Split, tmp_path: pathlib.Path):
    config = make_config(split, everything_is_train=True)
    log = random_log(seed=1)
    graph_summary = run(tmp_path, config, [flat.interaction(*row) for row in log], catalogue())
    assert checks.check(graph_summary, config) == Findings()
    assert stats.summarize(graph_summary.counts, config)["rows"] == {"train": len(log), "eval": 0, "test": 0}
    windows = {name: flat.read(tmp_path / "windows", name) for name in SPLITS}
    targets = [
        target for window in windows["train"] for target in window.features.feature["target_ids"].bytes_list.value
    ]
    assert sorted(targets) == sorted(row.candidate_id for _, row in log)
    assert windows["eval"] == windows["test"] == []


@pytest.mark.parametrize("repeats", ["all", "first", "last"])
@pytest.mark.parametrize("split", SPLIT_CONFIGS, ids=lambda split: split.kind)
def test_beam_agrees_with_the_core_on_weights_and_repeats(split: Split, repeats: Repeats, tmp_path: pathlib.Path):
    config = make_config(split, repeats=repeats)
    log = random_log(seed=2, weights=(0.0, 1.0, 3.0))
    graph_summary = run(tmp_path, config, [flat.interaction(*row) for row in log], catalogue())
    expected = expected_records(log, config)
    for name in SPLITS:
        found = flat.read(tmp_path / "windows", name)
        assert [record.SerializeToString(deterministic=True) for record in found] == expected[name]
    distinct = {(query_id, row.candidate_id, row.weight > 0.0) for query_id, row in log}
    repeated = 0 if repeats == "all" else len(log) - len(distinct)
    summary = stats.summarize(graph_summary.counts, config)
    assert summary["dropped"]["repeat"] == repeated
    assert summary["interactions"] == len(log) - repeated
    targets = distinct if repeats != "all" else {(row.source_path, row.source_row, row.weight > 0.0) for _, row in log}
    assert sum(summary["rows"].values()) == sum(is_target for _, _, is_target in targets)


def test_repeats_are_dropped_before_the_latest_interactions_are_taken(tmp_path: pathlib.Path):
    # c0 c1 c2 c3, each three times in turn: the first ones are at 0 to 3, of which the latest three are kept.
    log = [
        (query, splits.Interaction(time, 0, b"log.csv", time, b"c%d" % (time % 4)))
        for time in range(12)
        for query in (b"q", b"p")
    ]
    config = make_config(LeaveLastOut(), repeats="first", max_interactions_per_query=3)
    graph_summary = run(tmp_path, config, [flat.interaction(*row) for row in log], catalogue())
    dropped = stats.summarize(graph_summary.counts, config)["dropped"]
    assert (dropped["repeat"], dropped["over_max_interactions_per_query"]) == (2 * 8, 2 * 1)
    assert [flat.ints_of(row, "target_times") for row in flat.read(tmp_path / "windows", "test")] == [[3], [3]]


def test_nanoseconds_order_rows_before_their_place_in_the_file(tmp_path: pathlib.Path):
    def row(nanos: int, source_row: int, candidate_id: bytes) -> splits.Interaction:
        return splits.Interaction(5, nanos, b"log.csv", source_row, candidate_id)

    rows = [row(900_000_000, 0, b"c3"), row(1, 1, b"c1"), row(500_000_000, 2, b"c2")]
    log = [(query, each) for query in (b"q", b"p") for each in rows]
    graph_summary = run(tmp_path, make_config(LeaveLastOut()), [flat.interaction(*row) for row in log], catalogue())
    [test, _] = flat.read(tmp_path / "windows", "test")
    assert flat.bytes_of(test, "history_ids") == [b"c1", b"c2"]
    assert flat.bytes_of(test, "target_ids") == [b"c3"]
    assert flat.ints_of(test, "target_times") == [5]
    assert stats.tied_targets(graph_summary.counts, make_config(LeaveLastOut())) == 0.0


def test_rows_of_weight_0_stand_among_the_train_targets_with_their_weight(tmp_path: pathlib.Path):
    weights = [2.0, 0.0, 1.5, 1.0, 0.0, 1.0, 0.0]
    log = [
        (query, splits.Interaction(time, 0, b"log.csv", time, b"c%d" % time, weight))
        for query in (b"q", b"p")
        for time, weight in enumerate(weights)
    ]
    run(tmp_path, make_config(LeaveLastOut()), [flat.interaction(*row) for row in log], catalogue())
    [train, _] = flat.read(tmp_path / "windows", "train")
    assert flat.bytes_of(train, "target_ids") == [b"c0", b"c1", b"c2"]
    assert list(train.features.feature["target_weights"].float_list.value) == [2.0, 0.0, 1.5]
    [test, _] = flat.read(tmp_path / "windows", "test")
    # The last row of positive weight; the one after it is later, the one before it is in its past.
    assert flat.bytes_of(test, "target_ids") == [b"c5"]
    assert flat.bytes_of(test, "history_ids") == [b"c2", b"c3", b"c4"]


def test_a_warning_names_the_row_of_a_corrupted_time(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(beam_fns, "_TAILS_SLACK", 7)
    log = [
        (b"q%d" % (row % 50), splits.Interaction(900_000_000 + row, 0, b"log.csv", row, b"c%d" % (row % 15)))
        for row in range(2_500)
    ]
    log[1234] = (b"q1", log[1234][1]._replace(timestamp=2_082_758_399))
    config = make_config(LeaveLastOut(), isolated_times=Check(threshold=0.0, action="warn"))
    graph_summary = run(tmp_path, config, [flat.interaction(*row) for row in log], catalogue())
    # The middle is without the first two and last two of 2,500 rows, the last of which is the corrupted one.
    assert graph_summary.isolated is not None
    assert graph_summary.isolated[:3] == (1, 900_000_002, 900_002_498)
    [warning] = checks.check(graph_summary, config).warnings
    assert warning.startswith("log.csv data row 1234 (counted from 0): expected a time near the others")
    assert "got 2035-12-31T23:59:59Z; 1 of 2500 rows" in warning


def test_many_shards_hold_each_query_whole_and_sorted(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(records, "num_shards", lambda kept: 3)
    config = make_config(LeaveLastOut())
    log = random_log(seed=3)
    run(tmp_path, config, [flat.interaction(*row) for row in log], catalogue())

    files = sorted((tmp_path / "windows" / "Split-train").iterdir())
    assert [file.name for file in files] == [f"windows-0000{shard}-of-00003.gz" for shard in range(3)]
    found = []
    for shard, file in enumerate(files):
        shard_records = list(tf.data.TFRecordDataset(str(file), "GZIP").as_numpy_iterator())
        queries = [flat.bytes_of(tf.train.Example.FromString(record), "query_id")[0] for record in shard_records]
        assert queries == sorted(queries)
        assert {records.shard_of(query, 3) for query in queries} <= {shard}
        found += shard_records
    assert sorted(found) == sorted(expected_records(log, config)["train"])


def test_queries_are_joined_and_those_without_a_row_are_empty(tmp_path: pathlib.Path):
    rows = [
        (query, splits.Interaction(time, 0, b"log.csv", time, b"c1")) for time in range(3) for query in (b"q1", b"q2")
    ]
    queries = [
        flat.example(query_id=[b"q1"], age=[7.0], tags=[b"x", b"y"], source_path=[b"users.csv"], source_row=[0]),
        flat.example(query_id=[b"q3"], age=[8.0], tags=[], source_path=[b"users.csv"], source_row=[1]),
    ]
    config = make_config(LeaveLastOut())
    graph_summary = run(tmp_path, config, [flat.interaction(*row) for row in rows], catalogue(), queries)

    first, second = flat.read(tmp_path / "windows", "test")
    assert list(first.features.feature["age"].float_list.value) == [7.0]
    assert flat.bytes_of(first, "tags") == [b"x", b"y"]
    assert flat.bytes_of(second, "query_id") == [b"q2"]
    for name, kind in (("age", "float_list"), ("tags", "bytes_list")):
        assert second.features.feature[name].WhichOneof("kind") == kind
        assert not getattr(second.features.feature[name], kind).value
    summary = stats.summarize(graph_summary.counts, config)
    assert summary["queries_without_features"] == 1
    assert summary["dropped"]["query_without_interactions"] == 1


def test_unknown_candidates_are_dropped_and_counted_up_to_the_limit(tmp_path: pathlib.Path):
    log = random_log(seed=4)
    unknown = sum(row.candidate_id == b"c0" for _, row in log)
    config = make_config(LeaveLastOut(), unknown_candidates=Check(threshold=unknown / len(log)))
    graph_summary = run(tmp_path, config, [flat.interaction(*row) for row in log], catalogue()[1:])

    summary = stats.summarize(graph_summary.counts, config)
    assert summary["dropped"]["unknown_candidate"] == unknown > 0
    assert summary["interactions"] == len(log) - unknown
    assert not any(b"c0" in flat.bytes_of(row, "seen_ids") for row in flat.read(tmp_path / "windows", "test"))
    assert checks.check(graph_summary, config) == Findings()
    limit = Check(threshold=unknown / len(log) - 1e-6)
    [refused] = checks.check(graph_summary, make_config(LeaveLastOut(), unknown_candidates=limit)).errors
    assert f"{unknown} of 120 rows" in refused
    assert "(for example 'c0')" in refused


def test_only_the_latest_interactions_of_a_query_are_kept(tmp_path: pathlib.Path):
    bot = [(b"bot", splits.Interaction(1000 - row, 0, b"log.csv", row, b"c%d" % (row % 15))) for row in range(500)]
    other = [(b"q", splits.Interaction(time, 0, b"log.csv", 500 + time, b"c1")) for time in range(3)]
    config = make_config(LeaveLastOut(), max_interactions_per_query=5)
    graph_summary = run(tmp_path, config, [flat.interaction(*row) for row in bot + other], catalogue())

    assert stats.summarize(graph_summary.counts, config)["dropped"]["over_max_interactions_per_query"] == 495
    windows = [row for row in flat.read(tmp_path / "windows", "train") if flat.bytes_of(row, "query_id") == [b"bot"]]
    assert [flat.ints_of(row, "target_times") for row in windows] == [[996, 997, 998]]


@pytest.mark.parametrize("table", ["candidates", "queries"])
def test_an_id_twice_is_a_problem_that_names_both_rows(table: str, tmp_path: pathlib.Path):
    log = [flat.interaction(*row) for row in random_log(seed=5)]
    twice = {
        "candidates": [flat.example(candidate_id=[b"c3"], source_path=[b"more.csv"], source_row=[9])],
        "queries": [flat.example(query_id=[b"q1"], source_path=[b"users.csv"], source_row=[row]) for row in (0, 4, 2)],
    }[table]
    candidates = catalogue() + (twice if table == "candidates" else [])
    graph_summary = run(tmp_path, make_config(LeaveLastOut()), log, candidates, twice if table == "queries" else None)

    [refused] = checks.check(graph_summary, make_config(LeaveLastOut())).errors
    if table == "candidates":
        assert "candidate_id 'c3'" in refused
        assert "items.csv data row 3" in refused
        assert "more.csv data row 9" in refused
    else:
        assert "query_id 'q1'" in refused
        assert "users.csv data row 0" in refused
        assert "users.csv data row 2" in refused


def test_a_missing_value_is_a_problem_that_names_the_row(tmp_path: pathlib.Path):
    log = [flat.interaction(*row) for row in random_log(seed=6)]
    log.append(
        flat.example(query_id=[b"q1"], candidate_id=[b"c1"], timestamp=[], source_path=[b"log.csv"], source_row=[7])
    )
    graph_summary = run(tmp_path, make_config(LeaveLastOut()), log, catalogue())
    [refused] = checks.check(graph_summary, make_config(LeaveLastOut())).errors
    assert refused.startswith("log.csv data row 7")
    assert "timestamp" in refused


def test_random_needs_no_timestamps(tmp_path: pathlib.Path):
    log = [
        flat.example(
            query_id=[b"q%d" % (row % 4)], candidate_id=[b"c%d" % (row % 15)], source_path=[b"l"], source_row=[row]
        )
        for row in range(100)
    ]
    config = make_config(Random(seed=1), has_timestamps=False)
    graph_summary = run(tmp_path, config, log, catalogue())
    summary = stats.summarize(graph_summary.counts, config)
    assert summary["rows"] == {"train": 72, "eval": 8, "test": 20}
    assert summary["tied_targets"] == 0.0


def test_an_empty_eval_split_is_still_readable(tmp_path: pathlib.Path):
    log = [(b"q%d" % query, splits.Interaction(time, 0, b"l", time, b"c1")) for query in range(3) for time in range(2)]
    run(tmp_path, make_config(LeaveLastBasket()), [flat.interaction(*row) for row in log], catalogue())
    assert flat.read(tmp_path / "windows", "eval") == []
    with Pipeline() as root:
        pattern = str(tmp_path / "windows" / "Split-eval" / "*")
        root | beam.io.ReadFromTFRecord(pattern) | beam.Map(lambda record: pytest.fail("expected no record"))


def test_keep_fn_merges_like_one_sort():
    keep = beam_fns.KeepFn(3, latest=True)
    accumulators = []
    for part in ([5, 1, 9, 9, 2, 8, 7], [], [10, 3]):
        accumulator = keep.create_accumulator()
        for value in part:
            accumulator = keep.add_input(accumulator, value)
        accumulators.append(accumulator)
    assert keep.extract_output(keep.merge_accumulators(accumulators)) == [8, 9, 10]
    first = beam_fns.KeepFn(2, latest=False)
    assert first.extract_output(first.merge_accumulators([[4, 2], [3, 2]])) == [2, 3]
