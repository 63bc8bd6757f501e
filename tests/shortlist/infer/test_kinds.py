"""Public kinds of files: guessed right at the first try, or refused with the line that helps."""

from __future__ import annotations

import pytest

from shortlist.config import load
from shortlist.errors import BadInputError
from shortlist.infer import Hints, TextOptions, guess_config
from shortlist.infer.write import config_text
from shortlist.tables import preflight
from tests.shortlist.infer.kinds import KINDS, Kind


def _hints(raw):
    text = TextOptions(columns=raw["columns"]) if "columns" in raw else TextOptions()
    return Hints(text=text, **{key: value for key, value in raw.items() if key != "columns"})


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_a_kind_is_guessed_right_or_helped(kind: Kind, tmp_path):
    log = kind.write(tmp_path)

    def guess(hints):
        return guess_config(log, kind.candidates, kind.queries, tmp_path, hints)

    if kind.help:
        with pytest.raises(BadInputError) as caught:
            guess(Hints())
        for text in kind.help:
            assert text in str(caught.value)
        if "never" in kind.hints:
            return
    guessed = guess(_hints(kind.hints))
    section = guessed.tables["interactions"].section
    assert {key: section.get(key, "missing") for key in kind.section} == dict(kind.section)
    said = "\n".join([*guessed.profile, *guessed.warnings, *guessed.reasons])
    for text in kind.says:
        assert text in said
    if kind.candidate_features is not None:
        assert guessed.tables["candidates"].section.get("features", {}) == kind.candidate_features
    if kind.query_features is not None:
        queries = guessed.tables.get("queries")
        assert (queries.section.get("features", {}) if queries else {}) == kind.query_features
    if kind.split is not None:
        assert guessed.split == kind.split
    # What is written is what `run` accepts.
    text = config_text(guessed, "kind", tmp_path / "schemas", tmp_path / "kind.yaml")
    path = tmp_path / "kind.yaml"
    path.write_text(text, encoding="utf-8")
    preflight.check_tables(load.load_config(path), tmp_path)
