"""Artifacts anywhere: in folders whose names look like patterns, and at a URI.

`ram://` is TensorFlow's file system in memory. The tests register it with Beam, see `tests/components/remote.py`. TFX
opens unknown schemes through TensorFlow.
"""

from __future__ import annotations

import json
import pathlib
from collections.abc import Iterator

import apache_beam as beam
import pytest
import tensorflow as tf
from apache_beam.testing import test_pipeline
from apache_beam.testing.util import assert_that, equal_to
from tfx import types
from tfx.types import artifact_utils, standard_artifacts

from components import shards
from components.answers import answers
from components.baseline import executor as baseline_executor
from components.evaluator import targets
from components.indexer import executor as indexer_executor
from components.indexer import queries
from components.indexer.catalogue import CatalogueFields
from components.pusher import executor as pusher_executor
from components.serving_check import check
from components.trainer import bundle
from shortlist import keys
from shortlist.config.report import ReportSection
from shortlist.config.serving import Index
from shortlist.errors import DataError
from shortlist.model_files import CANDIDATES_FILE
from shortlist.serving import served_model, versions
from tests.components import remote
from tests.components.evaluator import fakes
from tests.components.indexer import stand_in
from tests.components.indexer.flat import write_candidates
from tests.components.windows import flat
from tests.components.windows.test_beam import catalogue, random_log
from tests.components.windows.test_executor import DATA
from tests.components.windows.test_executor import do as make_windows

NAMES = ["a?", "a*", "a[x]", "a{b}", "a b", "it's", '"a"', "100%", "é 日本", "#1", "a\nb", "a\\b", "**"]
SIZE = 20


def _write(folder: str, *ids: bytes) -> None:
    tf.io.gfile.makedirs(folder)
    with tf.io.TFRecordWriter(f"{folder}/part-0.gz", "GZIP") as writer:
        for id_ in ids:
            writer.write(flat.example(candidate_id=[id_], kind=[b"kind of " + id_]))


@pytest.fixture(params=[*NAMES, remote.ROOT], ids=repr)
def folder(request, tmp_path) -> Iterator[str]:
    """A split with the candidate `own`; every neighbour that its name could match has the candidate `other`."""
    root, name = str(tmp_path), request.param
    with remote.emptied() as bucket:
        if name == bucket:
            root, name = bucket, "a?"
        for neighbour in ("ab", "ax", "a", "aXb", "a nb"):
            _write(f"{root}/{neighbour}/Split-all", b"other")
        _write(f"{root}/{name}/Split-all", b"own")
        yield f"{root}/{name}/Split-all"


def test_only_the_folders_own_files_are_found(folder):
    assert shards.list_files(folder) == [f"{folder}/part-0.gz"]
    # As TFX passes them to a training.
    assert bundle.files_of([f"{folder}/*"]) == [f"{folder}/part-0.gz"]
    assert len(queries.sample_windows(folder, 10)) == 1
    features = targets.read(targets.TargetCatalogue(folder, ("target_kind",)))
    assert features.of(b"own")["target_kind"].tolist() == [b"kind of own"]
    assert features.of(b"other") == {}


def test_beam_reads_only_the_folders_own_files(folder):
    with test_pipeline.TestPipeline() as root:
        records = root | beam.io.ReadFromTFRecord(shards.beam_pattern(folder))
        assert_that(records | beam.Map(_candidate_id), equal_to([b"own"]))


def _candidate_id(record: bytes) -> bytes:
    [value] = tf.train.Example.FromString(record).features.feature[keys.CANDIDATE_ID].bytes_list.value
    return value


@pytest.mark.parametrize("root", ["", remote.ROOT], ids=["local", "remote"])
def test_nothing_found_is_an_error(root, tmp_path):
    with remote.emptied():
        base = root or str(tmp_path)
        tf.io.gfile.makedirs(f"{base}/empty")
        for missing in ("none", "empty"):
            path = f"{base}/{missing}"
            for read in (
                shards.list_files,
                lambda path: queries.sample_windows(path, 10),
                lambda path: targets.read(targets.TargetCatalogue(path, ("target_kind",))),
                lambda path: bundle.files_of([f"{path}/*"]),
            ):
                with pytest.raises(DataError, match=r"expected files \*\.gz, got none"):
                    read(path)
            with pytest.raises(OSError, match="No files found"):
                beam.io.ReadFromTFRecord(shards.beam_pattern(path))


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    with remote.emptied() as root:
        yield root


def _artifact(kind: type[types.Artifact], uri: str) -> types.Artifact:
    artifact = kind()
    artifact.uri = uri
    tf.io.gfile.makedirs(uri)
    return artifact


def _windows(folder: pathlib.Path, bucket: str) -> types.Artifact:
    stand_in.write_windows(folder / "windows", stand_in.candidate_ids(SIZE), rows=10)
    windows = _artifact(standard_artifacts.Examples, remote.upload(str(folder / "windows"), f"{bucket}/windows"))
    windows.split_names = artifact_utils.encode_split_names(["train", "eval", "test"])
    return windows


@pytest.fixture(scope="module", params=["scann", "brute_force"])
def indexed(request, bucket, tmp_path_factory) -> dict[str, types.Artifact]:
    """Inputs and outputs of an Indexer that reads and writes in the bucket only."""
    folder = tmp_path_factory.mktemp("indexed")
    root = f"{bucket}/{request.param}"
    stand_in.save_stand_in(folder / "trained/Format-Serving", SIZE)
    trained = _artifact(standard_artifacts.Model, remote.upload(str(folder / "trained"), f"{root}/trained"))
    upstream = _artifact(standard_artifacts.ModelBlessing, f"{root}/upstream")
    upstream.set_int_custom_property("blessed", 1)
    upstream.set_string_custom_property("current_model", trained.uri)
    outputs = {
        "model": _artifact(standard_artifacts.Model, f"{root}/model"),
        "exact_model": _artifact(standard_artifacts.Model, f"{root}/exact"),
        "blessing": _artifact(standard_artifacts.ModelBlessing, f"{root}/blessing"),
    }
    windows = _windows(folder, root)
    write_candidates(folder / "candidates/Split-all", [{"candidate_id": id_} for id_ in stand_in.candidate_ids(SIZE)])
    catalogue_uri = remote.upload(str(folder / "candidates"), f"{root}/candidates")
    candidates = _artifact(standard_artifacts.Examples, catalogue_uri)
    candidates.split_names = artifact_utils.encode_split_names([keys.SPLIT_ALL])
    indexer_executor.Executor().Do(
        {
            "trained_model": [trained],
            "model_blessing": [upstream],
            "examples": [windows],
            "candidates": [candidates],
            "evaluation": [_artifact(standard_artifacts.ModelEvaluation, f"{root}/evaluation")],
            "verdict": [upstream],
        },
        {key: [artifact] for key, artifact in outputs.items()},
        {
            "config": Index(k=5, kind=request.param).model_dump_json(),
            "exclude_seen": 1,
            "catalogue": CatalogueFields(None, {}).to_json(),
            "code_sha256": "",
        },
    )
    return {"trained": trained, **outputs}


def test_the_indexer_writes_both_models_at_a_uri(indexed):
    assert indexed["blessing"].get_int_custom_property("blessed") == 1
    for key in ("model", "exact_model"):
        path = f"{indexed[key].uri}/Format-Serving"
        assert {"serving_default", "recommend"} <= set(served_model.load_served(path).signatures)
        assert check._recall_at_k(path) == pytest.approx(1.0, abs=0.2)
        assert tf.io.gfile.exists(f"{path}/assets.extra/shortlist.json")
        assert tf.io.gfile.exists(f"{path}/{CANDIDATES_FILE}")


def test_the_pusher_serves_models_from_a_uri_in_a_local_folder(indexed, tmp_path):
    root = indexed["model"].uri.removesuffix("/model")
    infra = _artifact(standard_artifacts.InfraBlessing, f"{root}/infra")
    infra.set_int_custom_property("blessed", 1)
    infra.set_string_custom_property("current_model", indexed["model"].uri)
    with tf.io.gfile.GFile(f"{infra.uri}/INFRA_BLESSED", "w") as file:
        file.write("")
    pushed = _artifact(standard_artifacts.PushedModel, f"{root}/pushed")
    pusher_executor.Executor().Do(
        {
            "model": [indexed["model"]],
            "exact_model": [indexed["exact_model"]],
            "model_blessing": [indexed["blessing"]],
            "infra_blessing": [infra],
        },
        {"pushed_model": [pushed]},
        {"serving_dir": str(tmp_path / "serving"), "custom_config": json.dumps({"keep_versions": 2})},
    )
    [version] = versions.versions(tmp_path / "serving")
    assert versions.missing_files(tmp_path / "serving" / str(version)) == []
    assert tf.io.gfile.exists(f"{pushed.uri}/saved_model.pb")


def test_answers_are_read_from_a_uri(indexed):
    titles = f"{indexed['trained'].uri}/titles"
    ids = [id_.encode() for id_ in stand_in.candidate_ids(SIZE)]
    tf.io.gfile.makedirs(titles)
    with tf.io.TFRecordWriter(f"{titles}/part.gz", "GZIP") as writer:
        for id_ in ids:
            writer.write(flat.example(candidate_id=[id_], title=[b"title of " + id_]))
    wanted = {ids[0], ids[-1]}
    assert answers._titles(titles, "title", wanted) == {id_: f"title of {id_.decode()}" for id_ in wanted}
    with pytest.raises(DataError, match="got none"):
        answers.describe(f"{indexed['trained'].uri}/Format-Serving", f"{titles}/none", titles, "", ReportSection())


def test_windows_are_made_from_tables_at_a_uri(bucket, tmp_path):
    inputs = {}
    for table, records in {
        "interactions": [flat.interaction(*row) for row in random_log(seed=7)],
        "candidates": catalogue(),
    }.items():
        flat.write(tmp_path / table, records)
        inputs[table] = [
            _artifact(standard_artifacts.Examples, remote.upload(str(tmp_path / table), f"{bucket}/{table}"))
        ]
        inputs[table][0].split_names = artifact_utils.encode_split_names(["all"])
    windows, _ = make_windows(tmp_path, inputs, DATA)
    assert len(queries.sample_windows(f"{windows.uri}/Split-test", 100)) > 0


def test_a_baseline_at_a_uri_is_copied(bucket, tmp_path):
    fakes.save_model(tmp_path / "model")
    uri = remote.upload(str(tmp_path / "model"), f"{bucket}/earlier")
    candidate, earlier = (_artifact(standard_artifacts.Model, uri) for _ in range(2))
    output = _artifact(standard_artifacts.Model, f"{bucket}/baseline")
    baseline_executor.Executor().Do({"candidate": [candidate], "baseline": [earlier]}, {"model": [output]}, {})
    assert output.get_int_custom_property("skipped") == 0
    assert tf.io.gfile.exists(f"{output.uri}/Format-Serving/saved_model.pb")
