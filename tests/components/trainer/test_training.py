import json
import math
import pathlib
import re

import numpy as np
import pytest
import tensorflow as tf

from components.trainer import dataset, ranker, row_sample, training
from components.trainer.optimizer import WarmUpSchedule
from components.trainer.ranker import NDCG, TOP_10, Ranker
from components.trainer.run_state import EVAL_LOSS, PROGRESS_FILE, RunState
from components.trainer.training import Files
from shortlist.process import progress
from tests.components.trainer import tiny_dataset as worlds


def _fit(world, run_dir, settings, identity="one"):
    model, reader, corpus = worlds.assemble(world, settings)
    files = Files(train=world.windows["train"], eval=world.windows["eval"])
    checkpoint_dir = str(pathlib.Path(run_dir, "checkpoints", identity))
    history = training.fit(model, reader, files, settings, int(corpus.counts.sum()), str(run_dir), checkpoint_dir)
    return model, history


def _settings(**train):
    return worlds.settings(train={"epochs": 4, "eval_every_epochs": 1, "learning_rate": 0.01, **train})


def _without_seconds(history):
    log = [{name: value for name, value in line.items() if name != "seconds"} for line in history["log"]]
    return {name: value for name, value in history.items() if name != "seconds"} | {"log": log}


@pytest.fixture(scope="module")
def unbroken(world, tmp_path_factory):
    run_dir = tmp_path_factory.mktemp("unbroken")
    return *_fit(world, run_dir, _settings()), run_dir


def test_training_lowers_the_loss_and_reports_it(unbroken):
    _, history, run_dir = unbroken
    assert history["log"][-1]["loss"] < history["log"][0]["loss"]
    assert [line["epoch"] for line in history["log"]] == [1, 2, 3, 4]
    assert history["log"][-1][EVAL_LOSS] < history["log"][0][EVAL_LOSS]
    lines = (pathlib.Path(run_dir) / PROGRESS_FILE).read_text().splitlines()
    assert [json.loads(line) for line in lines] == history["log"]
    assert list(pathlib.Path(run_dir, "logs").glob("events*"))


def test_the_best_weights_are_the_ones_that_stay(unbroken, world):
    model, history, _ = unbroken
    best = max(line[NDCG] for line in history["log"])
    assert history[f"best_{NDCG}"] == best
    _, reader, _ = worlds.assemble(world, _settings())
    batches = dataset.eval_batches(reader, world.windows["eval"])
    assert Ranker(model, batches).evaluate()[NDCG] == pytest.approx(best, abs=1e-6)


def test_the_same_seed_gives_the_same_figures_and_weights(unbroken, world, tmp_path):
    model, history, _ = unbroken
    heard, reports = [], []

    def listen(report):
        heard.append((report.done, report.total, report.note))
        reports.append(report)

    with progress.listening(listen):
        again, same = _fit(world, tmp_path / "again", _settings())
    done, total, note = heard[-1]
    assert (done, total) == (history["steps"], history["steps"])
    # A line of progress may ask once the weights of an earlier step are back, and with them that step.
    again.step.assign(1)
    assert f"loss {history['log'][-1]['loss']:.3f}" in reports[-1].note
    assert f"epoch 4 of 4, ndcg_at_10 {history['log'][2][NDCG]:.4f} (best " in note
    # The loss is that of the steps since the last evaluation, also before the first one.
    assert note.endswith(f"loss {history['log'][3]['loss']:.3f}")
    assert re.fullmatch(r"epoch 1 of 4, loss \d+\.\d{3}", heard[0][2])
    assert _without_seconds(same) == _without_seconds(history)
    np.testing.assert_array_equal(again.embed_candidates(), model.embed_candidates())


def test_a_stopped_run_goes_on_as_if_it_had_not_stopped(unbroken, world, tmp_path, monkeypatch):
    model, history, _ = unbroken
    end_epoch = RunState.end_epoch

    def stop_after_two(state, epoch):
        end_epoch(state, epoch)
        if epoch == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(RunState, "end_epoch", stop_after_two)
    with pytest.raises(KeyboardInterrupt):
        _fit(world, tmp_path, _settings())
    monkeypatch.undo()
    resumed, rest = _fit(world, tmp_path, _settings())
    assert _without_seconds(rest) == _without_seconds(history)
    np.testing.assert_array_equal(resumed.embed_candidates(), model.embed_candidates())


def test_a_finished_run_is_not_trained_again_and_another_identity_is(unbroken, world, monkeypatch):
    model, history, run_dir = unbroken
    again, same = _fit(world, run_dir, _settings())
    assert same["log"] == history["log"]
    np.testing.assert_array_equal(again.embed_candidates(), model.embed_candidates())
    # Another seed gives other figures, too.
    _, fresh = _fit(world, run_dir, _settings(seed=2), identity="two")
    assert [line["epoch"] for line in fresh["log"]] == [1, 2, 3, 4]
    assert _without_seconds(fresh) != _without_seconds(history)


def test_early_stopping_ranks_a_sample_of_the_eval_rows(unbroken, world, tmp_path):
    _, history, _ = unbroken
    files = world.windows["eval"]
    rows = len(worlds.read(files))
    assert (history["eval_rows"], history["all_eval_rows"]) == (rows, rows)
    heard = []
    with progress.listening(lambda report: heard.append(report.note)):
        model, sampled, *_ = _fit(world, tmp_path, _settings(eval_rows=3))
    assert (sampled["eval_rows"], sampled["all_eval_rows"]) == (3, rows)
    assert f" on 3 of {rows} eval rows, loss " in heard[-1]
    # The metric is that of three of the rows: the same three, however the split is cut into files.
    _, reader, _ = worlds.assemble(world, _settings())
    sample = row_sample.sample_rows(files, 3)
    batches = dataset.eval_batches(reader, files, batch_size=2, sample=sample)
    assert Ranker(model, batches).evaluate()[NDCG] == pytest.approx(sampled["best_ndcg_at_10"])
    records = worlds.read(files)
    for number, part in enumerate((records[1::2], records[::2])):
        with tf.io.TFRecordWriter(str(tmp_path / f"{number}.gz"), "GZIP") as writer:
            for record in part:
                writer.write(record)
    others = [str(tmp_path / f"{number}.gz") for number in range(2)]
    assert row_sample.sample_rows(others, 3) == sample
    chosen = [
        sorted(np.concatenate([batch.features["query_id"].numpy()[:, 0] for batch in found]).tolist())
        for found in (batches, dataset.eval_batches(reader, others, sample=sample))
    ]
    assert chosen[0] == chosen[1]
    assert len(chosen[0]) == 3


def test_without_eval_rows_it_trains_to_the_end_and_keeps_the_last_weights(world, tmp_path):
    empty = str(tmp_path / "eval.gz")
    with tf.io.TFRecordWriter(empty, "GZIP"):
        pass
    settings = _settings(epochs=3, patience=1)
    model, reader, corpus = worlds.assemble(world, settings)
    files = Files(train=world.windows["train"], eval=[empty])
    history = training.fit(
        model, reader, files, settings, int(corpus.counts.sum()), str(tmp_path), str(tmp_path / "checkpoints")
    )
    assert (history["epochs"], history["best_epoch"]) == (3, 3)
    assert history[f"best_{NDCG}"] is None
    assert history["log"][-1][EVAL_LOSS] is None


def test_in_batch_trains_too(world, tmp_path):
    loss = {"kind": "in_batch", "uniform_negatives": 5, "num_hard_negatives": 20}
    model = {"query_tower": {"kind": "features"}}
    settings = worlds.settings(model=model, train={"loss": loss, "epochs": 3, "learning_rate": 0.02})
    _, history = _fit(world, tmp_path, settings)
    assert math.isfinite(history["log"][-1]["loss"])
    # 180 targets in batches of 8.
    assert history["steps"] == 3 * math.ceil(180 / 8)


def test_ndcg_by_hand(trained, world, monkeypatch):
    model, reader, _, _ = trained
    monkeypatch.setattr(
        ranker, "target_ranks", lambda *_: (tf.constant([1, 2, 10, 11], tf.int64), tf.constant([0], tf.int64))
    )
    metrics = Ranker(model, dataset.eval_batches(reader, world.windows["eval"], 64)).evaluate()
    # (1 + 1 / log2(3) + 1 / log2(11) + 0) / 4 and 3 of 4.
    assert metrics[NDCG] == pytest.approx((1 + 1 / math.log2(3) + 1 / math.log2(11)) / 4, rel=1e-6)
    assert metrics[TOP_10] == 0.75


def test_early_stopping_counts_new_targets_or_all_with_seen_items(trained, world, monkeypatch):
    model, reader, _, _ = trained
    # Of two targets one had been seen before; with seen items the other is not in the top 10.
    ranks = tf.constant([1, 0], tf.int64), tf.constant([11, 2], tf.int64)
    monkeypatch.setattr(ranker, "target_ranks", lambda *_: ranks)
    batches = dataset.eval_batches(reader, world.windows["eval"], 64)
    assert Ranker(model, batches).evaluate()[TOP_10] == 1.0
    assert Ranker(model, batches, exclude_seen=False).evaluate()[TOP_10] == 0.5
    monkeypatch.setattr(ranker, "target_ranks", lambda *_: (tf.constant([0], tf.int64), ranks[1]))
    assert Ranker(model, batches).evaluate() == {NDCG: None, TOP_10: None}


def test_a_refit_takes_the_steps_that_were_best_and_the_same_learning_rates(unbroken, world, tmp_path):
    model, history, _ = unbroken
    assert history["best_step"] == next(
        line["step"] for line in history["log"] if line["epoch"] == history["best_epoch"]
    )
    settings = _settings()
    again, reader, corpus = worlds.assemble(world, settings)
    args = (history, int(corpus.counts.sum()), str(tmp_path), str(tmp_path / "checkpoints"))
    found = training.refit(again, reader, world.windows["train"], settings, *args)
    assert found["steps"] == history["best_step"]
    assert found[f"best_{NDCG}"] is None
    # With the rows of the measured model, the refit equals the measured model.
    np.testing.assert_array_equal(again.embed_candidates(), model.embed_candidates())


def test_a_refit_may_end_within_an_epoch(world, tmp_path):
    settings = _settings()
    model, reader, corpus = worlds.assemble(world, settings)
    recipe = {"best_step": 5, "planned_steps": 40}
    args = (recipe, int(corpus.counts.sum()), str(tmp_path), str(tmp_path / "checkpoints"))
    found = training.refit(model, reader, world.windows["train"], settings, *args)
    assert (found["steps"], found["epochs"]) == (5, 1)
    # The last learning rate is that of step 4, counted from 0, in a schedule of 40 steps, not of 5.
    schedule = WarmUpSchedule(0.01, round(settings.train.warmup_fraction * 40), 40, settings.train.schedule == "cosine")
    assert found["log"][-1]["learning_rate"] == pytest.approx(float(schedule(tf.constant(4))))
