"""The reader of a version's catalogue: look-ups by id, and files that are not what they should be."""

from __future__ import annotations

import json
import pathlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from shortlist.config.features import FeatureType
from shortlist.errors import BadInputError
from shortlist.model_files import CANDIDATES_FILE, EVALUATION_FILE
from shortlist.serving import catalogue, evaluation
from shortlist.verdicts import Gate, GateResult, Result

_GATE = GateResult(gate=Gate.POPULARITY, result=Result.PASSED, sentence="twice as good")
_IDS = ["B", "a", "aa", "é", "\ufb00", "\U0001f600"]


def write(folder: pathlib.Path, rows: list[dict], schema: pa.Schema) -> pathlib.Path:
    path = folder / CANDIDATES_FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema), path, row_group_size=2)
    return path


@pytest.fixture
def known(tmp_path) -> catalogue.Catalogue:
    rows = [{"row": row, "id": item, "title": item.upper() if row else None} for row, item in enumerate(_IDS)]
    write(tmp_path, rows, catalogue.schema("name", {"year": FeatureType.NUMERIC}))
    return catalogue.Catalogue(tmp_path / CANDIDATES_FILE)


def test_every_id_is_found_and_no_other(known):
    assert [known.row(item) for item in _IDS] == list(range(len(_IDS)))
    for absent in ("", "A", "ab", "z", "\U0010ffff", 7, None):
        assert absent not in known
    assert list(known) == _IDS
    assert len(known) == len(_IDS)
    assert known["aa"] == "AA"
    assert known["B"] is None
    assert known.get("nope") is None


def test_attributes_are_read_by_name(known):
    assert known.attribute("year").to_pylist() == [None] * len(_IDS)
    with pytest.raises(KeyError):
        known.attribute("title")


def test_older_versions_have_none(tmp_path):
    assert catalogue.Catalogue.of_version(tmp_path) is None
    assert evaluation.ServedEvaluation.of_version(tmp_path) is None


def test_a_newer_or_a_damaged_file_is_refused_in_one_sentence(tmp_path):
    schema = catalogue.schema(None, {})
    newer = {b"shortlist": json.dumps({"format_version": 2, "title": None, "attributes": {}}).encode()}
    path = write(tmp_path, [], schema.with_metadata(newer))
    with pytest.raises(BadInputError, match="expected format 1 at most, got 2"):
        catalogue.Catalogue.of_version(tmp_path)
    for content in (b"", path.read_bytes()[:-9]):
        path.write_bytes(content)
        with pytest.raises(BadInputError, match="expected a catalogue that Shortlist wrote"):
            catalogue.Catalogue.of_version(tmp_path)
    write(tmp_path, [], schema.with_metadata({}))
    with pytest.raises(BadInputError, match="expected a catalogue that Shortlist wrote"):
        catalogue.Catalogue.of_version(tmp_path)


def test_an_evaluation_is_read_as_it_was_written(tmp_path):
    written = evaluation.ServedEvaluation({"a/b": 0.5}, [], None, True, [_GATE], ["because"], [], True, False)
    path = tmp_path / EVALUATION_FILE
    path.parent.mkdir()
    path.write_text(written.to_json(), encoding="utf-8")
    assert evaluation.ServedEvaluation.of_version(tmp_path) == written
    # A later version may have other gates.
    later = json.loads(written.to_json())
    later["gates"].append({"gate": "taste", "result": "pass", "sentence": "good"})
    path.write_text(json.dumps(later))
    assert evaluation.ServedEvaluation.of_version(tmp_path) == written
    for content, message in (('{"format_version": 2}', "format 1 at most"), ("[]", "an evaluation"), ("", "an eval")):
        path.write_text(content)
        with pytest.raises(BadInputError, match=message):
            evaluation.ServedEvaluation.of_version(tmp_path)
