"""Trainings on tiny data that begin from a model of an earlier day."""

import json
import shutil

import numpy as np
import pytest
from tfx.components.trainer.fn_args_utils import FnArgs

from components.trainer import run_fn, training
from components.trainer.bundle import Inputs, ModelBundle
from components.trainer.warm_start import rows, source, start
from components.trainer.warm_start.weights import CANDIDATE_IDS, ModelWeights
from shortlist.config.split import LeaveLastOut, WindowsSection
from shortlist.errors import ConfigError, DataError
from shortlist.model_files import TRAINED_FILE
from tests.components.trainer import tiny_dataset as worlds

SIZES = WindowsSection(max_history=4, max_targets=4)
TRAIN = {"epochs": 6, "eval_every_epochs": 1, "learning_rate": 0.02}
WARM = {**TRAIN, "warm_start": "latest_blessed"}


def arguments(world, root, settings, **config):
    """Returns the arguments of a training in a folder."""
    return FnArgs(
        train_files=world.windows["train"],
        eval_files=world.windows["eval"],
        transform_graph_path=world.transform,
        serving_model_dir=str(root / "Format-Serving"),
        model_run_dir=str(root / "run"),
        custom_config={
            **settings.to_json(),
            run_fn.CANDIDATES: world.candidates[0],
            run_fn.CANDIDATE_TRANSFORM: world.candidate_transform,
            run_fn.SPLIT_FINGERPRINT: "split",
            run_fn.CHECKPOINT_ROOT: str(root / "checkpoints"),
            run_fn.TEST_FILES: world.windows["test"],
            "code_sha256": "code",
            **config,
        },
    )


def trained(root):
    return json.loads((root / "Format-Serving" / TRAINED_FILE).read_text())


def bundle_of(world, settings):
    return ModelBundle.read(settings, Inputs(world.candidates, world.candidate_transform, world.transform))


def begin(world, settings, model_dir):
    """Returns a new model with its weights before the first step, and the start's record."""
    bundle = bundle_of(world, settings)
    held_out = start.HeldOut(world.windows["eval"], world.windows["test"])
    begun = start.start(bundle, rows.read_rows(world.windows["train"]), held_out, str(model_dir))
    return bundle, begun


@pytest.fixture(scope="module")
def yesterday():
    """Eight queries with six interactions each; today (`world`), thirty have eight."""
    return worlds.build(LeaveLastOut(), SIZES, queries=8, rows_each=6)


@pytest.fixture(scope="module")
def model_dir(yesterday, tmp_path_factory):
    """The model of yesterday, trained from scratch in its first run with a warm start."""
    root = tmp_path_factory.mktemp("yesterday")
    run_fn.run_fn(arguments(yesterday, root, worlds.settings(train=WARM), **{run_fn.NO_SOURCE: "it is the first"}))
    return root


def test_a_run_without_an_earlier_model_trains_from_scratch_and_says_so(model_dir, yesterday):
    train = trained(model_dir)["train"]
    assert train["warm_start"] == {"reason": "it is the first"}
    assert train["epochs"] == 6
    # Its own train rows are behind its weights, and no others.
    own = rows.read_rows(yesterday.windows["train"])
    assert source.read(str(model_dir)).train_rows.tolist() == sorted(own.fingerprints.tolist())


def test_weights_begin_where_the_earlier_model_ended(model_dir, world):
    bundle, begun = begin(world, worlds.settings(train=WARM), model_dir)
    earlier, own = source.read(str(model_dir)), ModelWeights.of(bundle)
    values = {weight.name: weight.variable.numpy() for weight in own.weights}
    # Candidates: yesterday's train had the even queries' n to n + 3 and the odd queries' n, n + 2, n + 4, n + 6.
    known, today = earlier.vocabularies[CANDIDATE_IDS], own.vocabularies[CANDIDATE_IDS]
    assert known == [b"c%02d" % number for number in (*range(10), 11, 13)]
    assert today == [b"c%02d" % number for number in range(19)]
    assert begun.record == {"reason": "", "known_candidates": 12, "new_candidates": 7, "left_out": 0}
    table, before = values["candidate_tower/_ids"], earlier.weights["candidate_tower/_ids"]
    for row, candidate in enumerate(today):
        if candidate in known:
            np.testing.assert_array_equal(table[row], before[known.index(candidate)])
        else:
            assert not table[row].any()
    # A new candidate is thus embedded by its features alone, with the earlier model's own vectors.
    embeddings = bundle.model.embed_corpus().numpy()
    tables = [f"candidate_tower/_encoder/{name}_embedding" for name in ("genres", "title", "year")]
    assert all(np.array_equal(values[name], earlier.weights[name]) for name in tables)
    assert np.abs(embeddings[list(today).index(b"c12")]).max() > 0.0
    # Weights that follow no vocabulary are the earlier model's.
    for name in ("query_tower/_position_table", "query_tower/_blocks/0/_query_key_value/kernel"):
        np.testing.assert_array_equal(values[name], earlier.weights[name])
    # Towns are ordered by frequency, and after the last town comes the row of all others.
    towns, cities = own.vocabularies["queries.city"], values["query_tower/_encoder/city_embedding"]
    for town, row in zip([*towns, None], cities, strict=True):
        place = -1 if town is None else earlier.vocabularies["queries.city"].index(town)
        np.testing.assert_array_equal(row, earlier.weights["query_tower/_encoder/city_embedding"][place])


def test_the_same_training_from_scratch_begins_with_a_greater_loss(model_dir, world, tmp_path, monkeypatch):
    written = []
    # The export takes as long as all the rest.
    monkeypatch.setattr(run_fn, "write", lambda _, __, history, earlier_rows: written.extend((history, earlier_rows)))
    source_model = {run_fn.SOURCE_MODEL: str(model_dir)}
    run_fn.run_fn(arguments(world, tmp_path / "warm", worlds.settings(train=WARM), **source_model))
    found, earlier_rows = written
    # A third of six epochs.
    assert (found["epochs"], found["warm_start"]["known_candidates"]) == (2, 12)
    settings = worlds.settings(train={**TRAIN, "epochs": 2})
    bundle = bundle_of(world, settings)
    files = training.Files(world.windows["train"], world.windows["eval"])
    targets = int(bundle.corpus.counts.sum())
    scratch = training.fit(
        bundle.model, bundle.reader, files, settings, targets, str(tmp_path / "run"), str(tmp_path / "checkpoints")
    )
    assert found["log"][0]["step"] == scratch["log"][0]["step"]
    assert found["log"][0]["loss"] < scratch["log"][0]["loss"]
    # The train rows of yesterday are behind these weights, too.
    assert earlier_rows.tolist() == source.read(str(model_dir)).train_rows.tolist()


def test_a_training_from_another_model_has_other_checkpoints(model_dir, world, tmp_path):
    settings = worlds.settings(train=WARM)
    folders = set()
    for config in ({}, {run_fn.SOURCE_MODEL: str(model_dir)}):
        folders.add(run_fn.checkpoints_of(arguments(world, tmp_path, settings, **config), settings))
    assert len(folders) == 2


def test_a_model_with_other_shapes_or_todays_rows_is_refused(model_dir, yesterday, world):
    wider = worlds.settings(train=WARM, model={"embedding_dim": 16})
    with pytest.raises(ConfigError, match=r"^model\.embedding_dim: expected 8"):
        begin(world, wider, model_dir)
    bundle = bundle_of(yesterday, worlds.settings(train=WARM))
    no_rows, held_out = rows.read_rows([]), start.HeldOut([], yesterday.windows["train"])
    # Eight queries with four train rows each.
    with pytest.raises(DataError, match=r"none of today's test rows among the train rows .* got 32 of 32; "):
        start.start(bundle, no_rows, held_out, str(model_dir))


def test_a_model_that_cannot_be_read_is_no_beginning(model_dir, world, tmp_path):
    settings = worlds.settings(train=WARM)
    _, begun = begin(world, settings, tmp_path)
    assert begun.record == {"reason": f"its files are missing from {tmp_path}"}
    (tmp_path / "Format-Serving" / "assets.extra").mkdir(parents=True)
    (tmp_path / "Format-Serving" / TRAINED_FILE).write_text("{}")
    _, begun = begin(world, settings, tmp_path)
    assert begun.record == {"reason": "another version of Shortlist saved it without what a warm start needs"}


def test_a_model_that_cannot_be_read_has_no_part_in_a_trainings_checkpoints(world, tmp_path):
    settings = worlds.settings(train=WARM)
    older = tmp_path / "older"
    (older / "Format-Serving" / "assets.extra").mkdir(parents=True)
    (older / "Format-Serving" / TRAINED_FILE).write_text("{}")
    models = ({}, {run_fn.SOURCE_MODEL: str(older)}, {run_fn.SOURCE_MODEL: str(tmp_path / "gone")})
    # An older version's model has no folder for warm starts, which once stopped the training that said so.
    folders = {run_fn.checkpoints_of(arguments(world, tmp_path, settings, **config), settings) for config in models}
    assert len(folders) == 1


def test_a_model_with_settings_of_another_version_is_no_beginning(model_dir, world, tmp_path):
    shutil.copytree(model_dir, tmp_path / "other")
    path = tmp_path / "other" / "Format-Serving" / TRAINED_FILE
    content = json.loads(path.read_text())
    content["config"]["model"]["of_another_version"] = 1
    path.write_text(json.dumps(content))
    _, begun = begin(world, worlds.settings(train=WARM), tmp_path / "other")
    assert begun.record["reason"].startswith("another version of Shortlist saved it with other settings")
    assert begun.earlier_rows.tolist() == []


def test_a_feature_that_the_earlier_model_lacked_begins_at_zero(model_dir, world):
    settings = worlds.settings(train=WARM)
    bundle, begun = begin(world, settings, model_dir)
    del begun
    earlier = source.read(str(model_dir))
    own = ModelWeights.of(bundle)
    name = "candidate_tower/_encoder/title_embedding"
    lacking = {key: value for key, value in earlier.weights.items() if key != name}
    spans = ((0, 1), (0, 1))
    values = start.initial_values(own, lacking, earlier.vocabularies, spans, random_ids=False)
    assert not values[name].any()
    # A category that was a number before has other weights, too.
    vocabularies = {key: value for key, value in earlier.vocabularies.items() if key != "candidates.title"}
    values = start.initial_values(own, earlier.weights, vocabularies, spans, random_ids=False)
    assert not values[name].any()
    del lacking["query_tower/_start"]
    with pytest.raises(KeyError):
        start.initial_values(own, lacking, earlier.vocabularies, spans, random_ids=False)


def test_every_table_of_the_classic_tower_has_its_vocabulary(world):
    tower = {"query_tower": {"kind": "features"}, "query_time": {"knots": 4}}
    own = ModelWeights.of(bundle_of(world, worlds.settings(train=WARM, model=tower)))
    rows_by_name = {
        weight.name: (int(weight.variable.shape[0]), len(own.vocabularies[weight.vocabulary]))
        for weight in own.weights
        if weight.vocabulary is not None
    }
    # 30 queries and 19 candidates in train; "town0" and "town1", and one row for all other towns.
    assert rows_by_name["query_tower/_ids"] == (30, 30)
    assert rows_by_name["candidate_tower/_ids"] == (19, 19)
    assert rows_by_name["query_tower/_encoder/city_embedding"] == (3, 2)
    assert set(own.vocabularies) == {
        *("candidates", "candidates.genres", "candidates.title", "queries", "queries.bio", "queries.city"),
        "queries.tags",
    }
    assert [weight.name for weight in own.weights if weight.is_query_time] == ["query_tower/_query_time/_table"]
    assert len({weight.name for weight in own.weights}) == len(own.weights)


def test_new_ids_of_normalized_towers_without_features_begin_at_random(model_dir, world):
    bundle = bundle_of(world, worlds.settings(train=WARM))
    earlier, own = source.read(str(model_dir)), ModelWeights.of(bundle)
    fresh = {weight.name: weight.variable.numpy() for weight in own.weights}["candidate_tower/_ids"]
    values = start.initial_values(own, earlier.weights, earlier.vocabularies, ((0, 1), (0, 1)), random_ids=True)
    new = [row for row, token in enumerate(own.vocabularies[CANDIDATE_IDS]) if token in (b"c10", b"c12", b"c18")]
    np.testing.assert_array_equal(values["candidate_tower/_ids"][new], fresh[new])
