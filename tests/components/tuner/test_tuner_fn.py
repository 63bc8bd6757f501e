"""The `tuner_fn`: trials train with the Trainer's own core."""

import dataclasses

import pytest
from tfx.components.trainer.fn_args_utils import FnArgs

from components.trainer import run_fn, training
from components.trainer.bundle import Inputs, ModelBundle
from components.tuner import tuner_fn
from shortlist import keys
from shortlist.config.tune import Tune
from shortlist.errors import ConfigError
from tests.components.trainer import tiny_dataset as worlds

_RATE = "train.learning_rate"


@pytest.fixture(scope="module")
def inputs(world):
    return Inputs(world.candidates, world.candidate_transform, world.transform)


@pytest.fixture(scope="module")
def files(world):
    return training.Files(train=world.windows["train"], eval=world.windows["eval"])


def _settings(**train):
    """Returns settings of the tower that is traced the fastest."""
    return worlds.settings(model={"query_tower": {"kind": "features"}}, train=train)


def test_a_trial_is_the_training_with_other_values(inputs, files, tmp_path):
    settings = _settings(learning_rate=0.001)
    trial = tuner_fn.train_trial(settings, 3, inputs, files, {_RATE: 0.02}, str(tmp_path / "trial"), lambda: False)
    train = settings.train.model_copy(update={"learning_rate": 0.02, "epochs": 3, "eval_every_epochs": 1})
    parts = ModelBundle.read(dataclasses.replace(settings, train=train), inputs)
    history = training.fit(
        parts.model,
        parts.reader,
        files,
        parts.settings,
        int(parts.corpus.counts.sum()),
        str(tmp_path / "run"),
        str(tmp_path / "checkpoints"),
    )
    assert trial.metrics == {"top_10": history["best_top_10"], "ndcg_at_10": history["best_ndcg_at_10"]}
    assert trial.epochs == history["epochs"] == 3
    # Checkpoints are removed, the log stays.
    assert sorted(path.name for path in (tmp_path / "trial").iterdir()) == ["logs", "progress.jsonl"]


def test_a_refused_combination_of_values_is_a_config_error(inputs, files, tmp_path):
    # Both end points of the range divide 8, the embedding dimension; 3 does not.
    values = {"model.query_tower.heads": 3}
    with pytest.raises(ConfigError, match=r"query_tower\.heads=3 does not divide embedding_dim=8"):
        tuner_fn.train_trial(worlds.settings(), 1, inputs, files, values, str(tmp_path), lambda: False)


def test_a_trial_whose_time_is_over_ends_with_its_epoch(inputs, files, tmp_path):
    trial = tuner_fn.train_trial(_settings(), 9, inputs, files, {}, str(tmp_path), lambda: True)
    assert trial.epochs == 1
    assert 0.0 <= trial.metrics["top_10"] <= 1.0


def test_the_search_trains_on_train_ranks_eval_and_knows_no_test_rows(world, files, tmp_path):
    tune = Tune(max_trials=2, epochs=1, space={_RATE: {"values": [0.01]}})
    found = tuner_fn.tuner_fn(_fn_args(world, tmp_path, tune=tune.model_dump(mode="json")))
    found.tuner.search(**found.fit_kwargs)
    results = found.tuner.results()
    assert [trial["values"] for trial in results["trials"]] == [{_RATE: 0.001}, {_RATE: 0.01}]
    assert found.tuner._train.args[-1] == files
    assert not any("test" in str(part) for part in found.tuner._train.args)


def test_the_best_values_override_the_config(world, tmp_path):
    fn_args = _fn_args(world, tmp_path)
    assert run_fn.read(fn_args).settings.train.learning_rate == 0.001
    fn_args.hyperparameters = {"space": [], "values": {_RATE: 0.03, "model.embedding_dim": 4}}
    parts = run_fn.read(fn_args)
    assert parts.settings.train.learning_rate == 0.03
    assert parts.model.embed_candidates().shape[1] == 4


def _fn_args(world, folder, **more):
    return FnArgs(
        working_dir=str(folder),
        train_files=world.windows[keys.SPLIT_TRAIN],
        eval_files=world.windows[keys.SPLIT_EVAL],
        transform_graph_path=world.transform,
        custom_config={
            **_settings().to_json(),
            run_fn.CANDIDATES: world.candidates[0],
            run_fn.CANDIDATE_TRANSFORM: world.candidate_transform,
            **more,
        },
    )
