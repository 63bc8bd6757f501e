"""Changes between two runs, the most important first."""

from __future__ import annotations

import pathlib

import pytest
from tensorflow_metadata.proto.v0 import statistics_pb2

from benchmarks.lineage_store import ENDS, PUSHED, StoreWriter
from shortlist.errors import BadInputError
from shortlist.lineage.compared import run_or_version
from shortlist.lineage.diff.sections import diff
from shortlist.lineage.store import Store
from shortlist.metrics.intervals import standard_error
from shortlist.summary import read_summary

_FIRST, _SECOND, _REJECTED, _FAILED = (f"20260101T0{hour}0000Z" for hour in (0, 1, 2, 4))


@pytest.fixture(scope="module")
def maker(tmp_path_factory):
    """Two pushed runs of other data and another seed, one that was not blessed, and one that failed."""
    made = StoreWriter(tmp_path_factory.mktemp("diff") / "workspace")
    made.run(0, PUSHED, seed=1, data="a")
    made.run(1, PUSHED, seed=2, data="b")
    made.run(2, ENDS[1], seed=3, data="b")
    made.run(4, ENDS[3], seed=5, data="b")
    for number, jobs in ((0, {"clerk": 3, "cook": 1}), (1, {"clerk": 1, "cook": 3})):
        found = statistics_pb2.DatasetFeatureStatisticsList()
        feature = found.datasets.add(num_examples=4).features.add(type=statistics_pb2.FeatureNameStatistics.STRING)
        feature.path.step.append("job")
        for label, count in jobs.items():
            feature.string_stats.rank_histogram.buckets.add(label=label, sample_count=count)
        folder = made.workspace.pipeline_root / "InteractionsStatistics" / "statistics" / str(number) / "Split-all"
        folder.mkdir(parents=True)
        (folder / "FeatureStats.pb").write_bytes(found.SerializeToString())
    return made


@pytest.fixture
def compare(maker):
    store = Store(maker.workspace.metadata_path)

    def summary_of(run_id):
        path = maker.workspace.run_dir(run_id) / "summary.json"
        return read_summary(path) if path.exists() else None

    def run(before, after, summary_of=summary_of):
        answer = diff(run_or_version(store, before, summary_of), run_or_version(store, after, summary_of))
        return {section.name: section for section in answer.sections}

    return run


def _descriptions(section):
    return {change.name: change.description for change in section.changes}


def test_results_come_before_possible_causes(compare):
    assert list(compare(_FIRST, _SECOND)) == [
        *("outcome", "metrics", "slices", "data", "schema", "hyperparameters", "config", "code", "index"),
        "time and memory",
    ]


def test_shares_have_their_noise(compare):
    # sqrt(0.2 * 0.8 / 943) = 0.01303; sqrt(0.201 * 0.799 / 943) = 0.01305; 0.001 / 0.01844 = 0.05
    assert standard_error(0.2, 943) == pytest.approx(0.01303, abs=1e-5)
    metrics = compare(_FIRST, _SECOND)["metrics"]
    assert _descriptions(metrics) == {
        "top_10_categorical_accuracy": ("0.2000 ±0.0130 to 0.2010 ±0.0131: +0.0010, 0.1 standard errors, within noise"),
        "ndcg_at_10": "0.1 to 0.1005",
    }
    assert metrics.changes[0].name == "top_10_categorical_accuracy"
    assert metrics.notes == ["tested on different rows: the data or the split changed"]


def test_data_by_rows_and_drift(compare):
    found = _descriptions(compare(_FIRST, _SECOND)["data"])
    assert found["interactions, sha256"] == "ca978112ca1bbdca to 3e23e8160039594a"
    # 100,000 and the first three digits of each fingerprint: 0xca9 = 3,241, 0x3e2 = 994.
    assert found["interactions, rows"] == "103,241 to 100,994 (-2.2%)"
    # clerk: 3/4 to 1/4.
    assert found["interactions, feature 'job'"] == "the share of 'clerk' moved by 0.5"
    assert not any(name.startswith(("candidates", "queries")) for name in found)


def test_missing_statistics_are_reported(compare, maker):
    maker.run(3, PUSHED, seed=4, data="c")
    assert _descriptions(compare(_FIRST, "20260101T030000Z")["data"])["interactions, drift"] == (
        "unknown: the statistics of one run are missing"
    )


def test_hyperparameters_and_unchanged_sections(compare):
    found = compare(_FIRST, _SECOND)
    assert _descriptions(found["hyperparameters"]) == {"train.seed": "1 to 2"}
    assert [name for name, section in found.items() if not section.changes] == [
        *("outcome", "slices", "schema", "config", "code", "index", "time and memory")
    ]


def test_outcome_with_its_reason_and_the_same_rows(compare):
    found = compare(_SECOND, _REJECTED)
    assert _descriptions(found["outcome"])["status"].startswith(
        "pushed to not_blessed: top_10_categorical_accuracy 0.2 is"
    )
    assert found["metrics"].notes == [
        "tested on the same rows: the difference has less noise than the standard errors here"
    ]
    assert found["data"].changes == []


def test_version_stands_for_the_run_that_evaluated_it(maker, compare):
    assert _descriptions(compare("1700000000", _SECOND)["hyperparameters"]) == {"train.seed": "1 to 2"}
    chosen = run_or_version(Store(maker.workspace.metadata_path), "1700000000", lambda run_id: None)
    assert (chosen.name, chosen.run_id) == ("1700000000", _FIRST)


def test_without_summaries_ml_metadata_alone_answers(compare):
    found = compare(_FIRST, _SECOND, lambda run_id: None)
    assert _descriptions(found["metrics"])["top_10_categorical_accuracy"].startswith("0.2000 ±0.0130 to 0.2010 ±0.0131")
    assert compare(_FIRST, _FAILED, lambda run_id: None)["metrics"].notes == [
        f"no evaluation of {_FAILED}, hence no metrics"
    ]
    assert _descriptions(found["hyperparameters"]) == {"train.seed": "1 to 2"}


def test_slices_by_how_far_beyond_noise(compare, maker):
    def summary_of(run_id):
        found = read_summary(maker.workspace.run_dir(run_id) / "summary.json")
        share = {_FIRST: (0.1, 0.5), _SECOND: (0.2, 0.51)}[run_id]
        slices = [
            {
                "slice": {"gender": gender},
                "metrics": {"factorized_top_k/top_10_categorical_accuracy": value, "example_count": 400.0},
            }
            for gender, value in zip("FM", share, strict=True)
        ]
        return found.model_copy(update={"metrics": found.metrics.model_copy(update={"slices": slices})})

    changes = compare(_FIRST, _SECOND, summary_of)["slices"].changes
    # 0.1 / sqrt(0.1 * 0.9 / 400 + 0.2 * 0.8 / 400) = 4.0
    assert changes[0].name == "gender F: top_10_categorical_accuracy"
    assert changes[0].description.endswith("+0.1000, 4.0 standard errors")
    assert changes[1].description.endswith("within noise")


def test_an_index_that_was_not_built_is_one_line(compare, maker):
    store = Store(maker.workspace.metadata_path)
    sides = [run_or_version(store, name, lambda run_id: None) for name in (_SECOND, _REJECTED)]
    del sides[1].nodes["Indexer"].outputs["model"]
    [section] = [section for section in diff(*sides).sections if section.name == "index"]
    assert _descriptions(section) == {"index": "scann to none was built"}


def test_name_of_nothing(compare):
    with pytest.raises(BadInputError, match="'x' is neither a run nor a pushed version; the latest runs are"):
        compare("x", _FIRST)


def test_schema_rules(tmp_path):
    from shortlist.lineage.schemas import features

    path = pathlib.Path(tmp_path, "queries.pbtxt")
    path.write_text('feature { name: "age" type: FLOAT presence { min_count: 1 } }')
    assert features(path) == {"'age', type": "FLOAT", "'age', presence.min_count": "1"}
    path.write_text("feature {")
    assert features(path) is None
    assert features(tmp_path / "none") is None
