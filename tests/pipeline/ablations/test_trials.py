"""The trial cache and the effects of trials, with a fake training that takes no time."""

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
    """The files that each training read and ranked."""
    seen = []
    corpus = types.SimpleNamespace(counts=np.array([2, 1]))
    parts = types.SimpleNamespace(model=None, reader=None, corpus=corpus)

    def fit(model, reader, files, settings, num_targets, run_dir, checkpoint_dir):
        seen.append({"train": files.train, "eval": files.eval, "targets": num_targets})
        (tmp_path / checkpoint_dir).mkdir(parents=True)
        return {"epochs": 4, "best_epoch": 3, "seconds": 2.0}

    def ranker(model, batches, exclude_seen):
        seen[-1] |= {"ranked": batches, "exclude_seen": exclude_seen}
        return types.SimpleNamespace(ranks=lambda: np.array([1, 20]))

    monkeypatch.setattr(ModelBundle, "read", lambda *_: parts)
    monkeypatch.setattr(trials.training, "fit", fit)
    monkeypatch.setattr(trials, "Ranker", ranker)
    monkeypatch.setattr(trials.dataset, "eval_batches", lambda _, files: files)
    return seen


@pytest.mark.parametrize("split", ["eval", "test"])
def test_a_trial_is_trained_and_stopped_as_a_run_and_ranked_on_its_split(rows, trained, tmp_path, split):
    settings, cache = worlds.settings(), TrialCache(tmp_path / "trials", rows, split)
    assert cache.find(settings) is None
    trial = cache.run(settings)
    [seen] = trained
    assert seen == {"train": rows.files["train"], "eval": rows.files["eval"], "targets": 3} | {
        "ranked": rows.files[split],
        "exclude_seen": settings.exclude_seen,
    }
    found = cache.find(settings)
    assert found.ranks.tolist() == trial.ranks.tolist() == [1, 20]
    assert (found.epochs, found.best_epoch, found.seconds) == (4, 3, 2.0)
    assert not list((tmp_path / "trials").glob("*/checkpoints"))


def test_a_trial_of_other_rows_code_or_settings_is_another(rows, trained, tmp_path, monkeypatch):
    folder, settings = tmp_path / "trials", worlds.settings()
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


class _FakeCache:
    """A cache of trials with made-up ranks: the learning rate gives the number of hits among four rows."""

    calls: ClassVar[list[tuple[float, int, int]]] = []

    def __init__(self, *_):
        pass

    def find(self, settings):
        self.calls.append((settings.train.learning_rate, settings.train.seed, settings.train.epochs))
        hits = round(settings.train.learning_rate * 10)
        return AblationTrial(np.where(np.arange(4) < hits, 1, 99), settings.train.epochs, settings.train.epochs, 1.0)


def test_an_effect_is_with_the_part_minus_without_it_whichever_recipe_has_it(rows, monkeypatch, tmp_path):
    def recipe(name, hits, **more):
        return Recipe(name, worlds.settings(train={"learning_rate": hits / 10}), **more)

    variants = (recipe("a", 1), recipe("b", 4, has_part=True), recipe("c", 4), recipe("d", 1, has_part=True))
    group = Group("own", "the config's own recipe", recipe("reference", 2), variants)
    monkeypatch.setattr(run, "TrialCache", _FakeCache)
    monkeypatch.setattr(_FakeCache, "calls", [])
    monkeypatch.setattr(run.dataset, "query_ids", lambda files: np.arange(4) if files == rows.files["eval"] else None)
    listener = types.SimpleNamespace(node_started=lambda *_: None, node_finished=lambda result: None)
    found = run.run(run.AblationPlan([group], (1, 2), "eval", 7), rows, tmp_path, listener)
    [own] = found.groups
    # The reference hits 2 of four rows.
    assert own.top_10 == 0.5
    assert [(part.name, part.effect, part.in_reference) for part in own.parts] == [
        *(("a", 0.25, True), ("b", 0.5, False), ("c", -0.5, True), ("d", -0.25, False))
    ]
    # All recipes with one seed before the next seed, each for the plan's epochs.
    assert _FakeCache.calls == [(hits / 10, seed, 7) for seed in (1, 2) for hits in (2, 1, 4, 4, 1)]
    assert [row[0] for row in table.rows(own)] == ["b", "a", "d", "c"]


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
    """Returns a function that looks for windows in runs, latest first: (id, config, state of the nodes, deleted)."""

    def look(config, *runs):
        for run_id, *_ in runs:
            for split in ("all", "train", "eval", "test"):
                (tmp_path / run_id / f"Split-{split}").mkdir(parents=True, exist_ok=True)
                (tmp_path / run_id / f"Split-{split}" / "part.gz").touch()

        def executions(run_id):
            [(state, deleted)] = [(state, deleted) for known, _, state, deleted in runs if known == run_id]
            artifact = types.SimpleNamespace(uri=str(tmp_path / run_id), deleted=deleted, properties={})
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


def test_only_a_run_with_the_same_data_and_with_its_artifacts_is_used(latest):
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
    with pytest.raises(BadInputError, match="got none that completed its windows"):
        latest(own, *runs[:3])


def test_config_keys_that_change_no_window_do_not_matter(latest):
    gated = _config(gate={"schema_anomalies": "warn"})
    assert latest(_config(), ("run", gated, "COMPLETE", False)).run_id == "run"


def test_a_log_with_parts_of_seconds_is_recognised(latest):
    assert latest(_config(), ("fine", _config(), "COMPLETE", False)).has_subseconds
    assert not latest(_config(), ("run", _config(), "COMPLETE", False)).has_subseconds
