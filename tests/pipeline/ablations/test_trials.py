"""Which cells are found again, and what is made of them, over trainings that take no time."""

import json
import types
from typing import ClassVar

import numpy as np
import pytest

from components.trainer.bundle import Inputs, ModelBundle
from pipeline.ablations import run, table, trials, windows
from pipeline.ablations.recipes import Group, Recipe
from pipeline.ablations.trials import AblationTrial, TrialCache
from shortlist.config.load import parse_config
from shortlist.errors import BadInputError
from tests.components.trainer import tiny_dataset as worlds

_FILES = ("train", "eval", "test", "candidates", "candidate_graph/saved_model", "graph/saved_model")


@pytest.fixture
def rows(tmp_path):
    for name in _FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    files = {split: [str(tmp_path / split)] for split in ("train", "eval", "test")}
    inputs = Inputs([str(tmp_path / "candidates")], str(tmp_path / "candidate_graph"), str(tmp_path / "graph"))
    return windows.RecordedWindows("run", inputs, files)


@pytest.fixture
def trained(monkeypatch, tmp_path):
    """The windows that each training has read and ranked."""
    seen = []
    corpus = types.SimpleNamespace(counts=np.array([2, 1]))
    parts = types.SimpleNamespace(model=None, reader=None, corpus=corpus)

    def fit(model, reader, files, settings, num_targets, run_dir, checkpoint_dir):
        seen.append({"train": files.train, "eval": files.eval, "targets": num_targets})
        (tmp_path / checkpoint_dir).mkdir(parents=True)
        return {"epochs": 4, "best_epoch": 3, "seconds": 2.0}

    def ranker(model, batches):
        seen[-1]["ranked"] = batches
        return types.SimpleNamespace(ranks=lambda: np.array([1, 20]))

    monkeypatch.setattr(ModelBundle, "read", lambda *_: parts)
    monkeypatch.setattr(trials.training, "fit", fit)
    monkeypatch.setattr(trials.training, "Ranker", ranker)
    monkeypatch.setattr(trials.dataset, "eval_batches", lambda _, files: files)
    return seen


@pytest.mark.parametrize("split", ["eval", "test"])
def test_a_cell_is_trained_and_stopped_as_a_run_and_ranked_on_its_split(rows, trained, tmp_path, split):
    settings, kept = worlds.settings(), TrialCache(tmp_path / "cells", rows, split)
    assert kept.find(settings) is None
    cell = kept.run(settings)
    [seen] = trained
    assert seen == {"train": rows.files["train"], "eval": rows.files["eval"], "targets": 3, "ranked": rows.files[split]}
    found = kept.find(settings)
    assert found.ranks.tolist() == cell.ranks.tolist() == [1, 20]
    assert (found.epochs, found.best_epoch, found.seconds) == (4, 3, 2.0)
    assert not list((tmp_path / "cells").glob("*/checkpoints"))


def test_a_cell_of_other_rows_code_or_settings_is_another(rows, trained, tmp_path, monkeypatch):
    folder, settings = tmp_path / "cells", worlds.settings()
    TrialCache(folder, rows, "eval").run(settings)
    assert TrialCache(folder, rows, "eval").find(settings) is not None
    assert TrialCache(folder, rows, "test").find(settings) is None
    assert TrialCache(folder, rows, "eval").find(worlds.settings(train={"seed": 2})) is None
    for name in _FILES:
        (tmp_path / name).write_text("other bytes")
        assert TrialCache(folder, rows, "eval").find(settings) is None
        (tmp_path / name).write_text(name)
    monkeypatch.setattr(trials.fingerprints, "code_sha256", lambda *_: "other code")
    assert TrialCache(folder, rows, "eval").find(settings) is None


class _Known:
    """Cells whose ranks are known: by learning rate, hits among four rows."""

    asked: ClassVar[list[tuple[float, int, int]]] = []

    def __init__(self, *_):
        pass

    def find(self, settings):
        self.asked.append((settings.train.learning_rate, settings.train.seed, settings.train.epochs))
        hits = round(settings.train.learning_rate * 10)
        return AblationTrial(np.where(np.arange(4) < hits, 1, 99), settings.train.epochs, settings.train.epochs, 1.0)


def test_an_effect_is_that_of_having_the_part_whichever_recipe_has_it(rows, monkeypatch, tmp_path):
    def recipe(name, hits, **more):
        return Recipe(name, worlds.settings(train={"learning_rate": hits / 10}), **more)

    variants = (recipe("a", 1), recipe("b", 4, has_part=True), recipe("c", 4), recipe("d", 1, has_part=True))
    group = Group("own", "the config's own recipe", recipe("reference", 2), variants)
    monkeypatch.setattr(run, "Cells", _Known)
    monkeypatch.setattr(_Known, "asked", [])
    monkeypatch.setattr(run.dataset, "query_ids", lambda files: np.arange(4) if files == rows.files["eval"] else None)
    listener = types.SimpleNamespace(node_started=lambda *_: None, node_finished=lambda result: None)
    found = run.run(run.AblationPlan([group], (1, 2), "eval", 7), rows, tmp_path, listener)
    [told] = found.groups
    # Of four rows the reference hits 2.
    assert told.top_10 == 0.5
    assert [(part.name, part.effect, part.in_reference) for part in told.parts] == [
        *(("a", 0.25, True), ("b", 0.5, False), ("c", -0.5, True), ("d", -0.25, False))
    ]
    # All recipes with a seed before the next one, each for the epochs that were asked for.
    assert _Known.asked == [(hits / 10, seed, 7) for seed in (1, 2) for hits in (2, 1, 4, 4, 1)]
    assert [row[0] for row in table.rows(told)] == ["b", "a", "d", "c"]


def test_a_split_without_rows_is_refused_before_anything_is_trained(rows, monkeypatch, tmp_path):
    monkeypatch.setattr(run.dataset, "query_ids", lambda files: np.array([], object))
    with pytest.raises(BadInputError, match=r"the eval split of run run has none; use --split test"):
        run.run(run.AblationPlan([], (1,), "eval", None), rows, tmp_path, None)


def _config(**data):
    file = {"path": "x.csv"}
    sections = {"interactions": file, "candidates": file, "schemas": "schemas", **data}
    return parse_config({"name": "x", "workspace": "w", "data": sections}, "x.yaml")


@pytest.fixture
def latest(monkeypatch, tmp_path):
    """Looks for windows among runs, latest first: (id, config, the state of its nodes, artifacts deleted)."""

    def look(config, *runs):
        def executions(run_id):
            [(state, deleted)] = [(state, deleted) for known, _, state, deleted in runs if known == run_id]
            artifact = types.SimpleNamespace(uri=str(tmp_path / run_id), deleted=deleted)
            table = json.dumps({"columns": [{"type": "id"}, {"type": "subsecond" if run_id == "fine" else "order"}]})
            return [
                types.SimpleNamespace(node=node, state=state, output=lambda _: artifact, properties={"table": table})
                for node in ("InteractionsGen", "Windows", "CandidatesGen", "Transform", "CandidateTransform")
            ]

        records = [
            types.SimpleNamespace(run_id=run_id, config=lambda ran=ran: windows.flat(json.loads(ran.model_dump_json())))
            for run_id, ran, *_ in runs
        ]
        monkeypatch.setattr(windows.record, "records", lambda _: records)
        monkeypatch.setattr(windows.Store, "of", lambda _: types.SimpleNamespace(run_executions=executions))
        return windows.latest(types.SimpleNamespace(has_metadata=True, root=tmp_path), config)

    return look


def test_only_a_run_of_the_same_rows_that_has_them_still_will_do(latest):
    own, other = _config(), _config(windows={"max_history": 7})
    runs = [
        ("of-other-data", other, "COMPLETE", False),
        ("failed", own, "FAILED", False),
        ("pruned", own, "COMPLETE", True),
        ("cached", own, "CACHED", False),
        ("oldest", own, "COMPLETE", False),
    ]
    assert latest(own, *runs).run_id == "cached"
    assert latest(other, *runs).run_id == "of-other-data"
    with pytest.raises(BadInputError, match="got none that got as far as its windows"):
        latest(own, *runs[:3])


def test_what_is_in_no_window_does_not_matter(latest):
    gated = _config(gate={"schema_anomalies": "warn"})
    assert latest(_config(), ("run", gated, "COMPLETE", False)).run_id == "run"


def test_the_log_s_own_order_within_a_second_is_known(latest):
    assert latest(_config(), ("fine", _config(), "COMPLETE", False)).tells_parts_of_seconds
    assert not latest(_config(), ("run", _config(), "COMPLETE", False)).tells_parts_of_seconds
