from __future__ import annotations

import dataclasses
import pathlib

import numpy as np
import pytest

from benchmarks.quality import contenders, environments, exchange, run, split, trials
from shortlist.config.load import load_config

CONFIG = split.RECIPES["movielens-100k"].config


def rows(*pairs):
    query, candidate = zip(*pairs, strict=True)
    return exchange.Rows(np.array(query, np.int32), np.array(candidate, np.int32), np.arange(len(pairs)))


def bench(folder: pathlib.Path, sha256: str = "a" * 64, overrides: dict[str, object] | None = None) -> trials.Bench:
    """Two queries and four candidates: train makes 0 and 1 popular."""
    made = exchange.Split(
        2, 4, train=rows((0, 0), (0, 1), (1, 0)), eval=rows((0, 2), (1, 1)), test=rows((0, 3), (1, 2))
    )
    ids = (np.array(["u0", "u1"]), np.array(["c0", "c1", "c2", "c3"]))
    labelled = split.LabelledSplit(made, *ids, sha256)
    return trials.Bench("movielens-100k", load_config(CONFIG, overrides), pathlib.Path("data"), labelled, folder)


SHORTLISTS = {contenders.SHORTLIST, "shortlist_short", "shortlist_untimed"}


@pytest.mark.parametrize("model", list(contenders.CONTENDERS))
def test_a_trials_key_is_the_same_twice_and_another_for_other_rows(tmp_path, model):
    assert trials.recipe(bench(tmp_path), model) == trials.recipe(bench(tmp_path), model)
    assert trials.recipe(bench(tmp_path), model) != trials.recipe(bench(tmp_path, "b" * 64), model)


def test_a_changed_preset_runs_shortlist_again_and_no_peer_that_does_not_depend_on_it(tmp_path):
    before, after = bench(tmp_path), bench(tmp_path, overrides={"train.learning_rate": 0.5})
    changed = {model for model in contenders.CONTENDERS if trials.recipe(before, model) != trials.recipe(after, model)}
    assert changed == SHORTLISTS


def test_other_features_or_schemas_run_shortlist_again_and_no_peer(tmp_path):
    tables, schemas = tmp_path / "tables", tmp_path / "schemas"
    config = load_config(CONFIG, {"data.schemas": str(schemas)})
    for table in config.data.tables.values():
        (tables / table.path).parent.mkdir(parents=True, exist_ok=True)
        (tables / table.path).write_text("as it was")
    schemas.mkdir()
    (schemas / "candidates.pbtxt").write_text("as it was")

    def recipes() -> dict[str, str]:
        place = dataclasses.replace(bench(tmp_path), inputs=run.inputs_sha256(config, tables))
        return {model: trials.recipe(place, model) for model in contenders.CONTENDERS}

    before = recipes()
    for path in (tables / config.data.candidates.path, schemas / "candidates.pbtxt"):
        path.write_text("changed")
        after = recipes()
        assert {model for model in before if after[model] != before[model]} == SHORTLISTS
        before = after


def test_sasrec_follows_the_products_dimensions(tmp_path):
    before, after = bench(tmp_path), bench(tmp_path, overrides={"model.embedding_dim": 32})
    changed = {model for model in contenders.CONTENDERS if trials.recipe(before, model) != trials.recipe(after, model)}
    assert changed == SHORTLISTS | {"sasrec"}


@pytest.mark.parametrize(
    ("name", "readers"),
    [
        ("movielens-100k", {"recent_popularity", "popularity_around", "hstu", "shortlist", "shortlist_short"}),
        ("amazon-beauty", set()),
    ],
)
def test_who_reads_the_time_of_the_target(name, readers):
    config = load_config(split.RECIPES[name].config)
    assert {model for model in contenders.CONTENDERS if contenders.reads_query_time(model, config)} == readers


@pytest.mark.parametrize(("name", "has_bias"), [("movielens-1m", True), ("amazon-beauty", False)])
def test_hstu_has_a_bias_for_times_where_there_is_a_clock(name, has_bias):
    [setting] = contenders.CONTENDERS["hstu"].grid(load_config(split.RECIPES[name].config))
    assert setting["relative_time_attention"] is has_bias


@pytest.mark.parametrize(
    ("name", "epochs"), [("movielens-100k", (24, 8)), ("movielens-1m", (32, 12)), ("online-retail", (12, 3))]
)
def test_the_short_one_is_the_preset_but_for_its_epochs(name, epochs):
    config = load_config(split.RECIPES[name].config)
    whole, short = (contenders.CONTENDERS[model].grid(config)[0] for model in (contenders.SHORTLIST, "shortlist_short"))
    assert (whole["train"]["epochs"], short["train"]["epochs"]) == epochs
    assert short["train"]["eval_every_epochs"] == epochs[1]
    for setting in (whole, short):
        del setting["train"]["epochs"], setting["train"]["eval_every_epochs"]
    assert short == whole


@pytest.mark.parametrize("name", list(split.RECIPES))
def test_sasrec_has_at_least_as_many_epochs_as_the_preset(name):
    config = load_config(split.RECIPES[name].config)
    setting = contenders.CONTENDERS["sasrec"].grid(config)[-1]
    assert setting["stop_after"][-1] >= config.train.epochs


def test_other_times_of_the_same_rows_run_those_again_who_read_them(tmp_path):
    before = bench(tmp_path)
    after = dataclasses.replace(before, labelled=before.labelled._replace(times_sha256="b" * 64))
    changed = {model for model in contenders.CONTENDERS if trials.recipe(before, model) != trials.recipe(after, model)}
    # Shortlist's key covers its tables.
    assert changed == {model for model, contender in contenders.CONTENDERS.items() if contender.reads_times}
    assert "recent_popularity" in changed
    assert after.split_folder != before.split_folder


def test_a_data_set_without_source_and_files_is_skipped_with_its_path(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("SHORTLIST_DATA_DIR", str(tmp_path))
    assert run.prepare("amazon-beauty", tmp_path / "cache") is None
    assert "amazon-beauty: skipped, expected amazon-beauty/interactions.parquet in SHORTLIST" in capsys.readouterr().err


@pytest.mark.parametrize("model", sorted(SHORTLISTS))
def test_gates_index_and_workspace_are_no_part_of_shortlists_key(tmp_path, model):
    other = bench(tmp_path, overrides={"workspace": "x", "index.min_recall": 0.5, "evaluate.gate_k": 5})
    assert trials.recipe(other, model) == trials.recipe(bench(tmp_path), model)


def test_a_changed_lock_runs_its_contenders_again(tmp_path, monkeypatch):
    before = {model: trials.recipe(bench(tmp_path), model) for model in contenders.CONTENDERS}
    monkeypatch.setattr(environments, "lock_of", lambda name: "new" if name == "bench-implicit" else lock(name))
    changed = {model for model in before if trials.recipe(bench(tmp_path), model) != before[model]}
    assert changed == {"item_knn", "ials", "bpr"}


lock = environments.lock_of


def test_a_peer_is_run_ranked_and_then_in_the_cache(tmp_path):
    place = bench(tmp_path)
    assert trials.find(place, "popularity", 1) is None
    record, ranks = trials.run(place, "popularity", 1)
    # Query 0 saw 0, 1 and 2: 3 is alone. Query 1 saw 0 and 1: 2 and 3 tie at nothing, rank 2.
    assert list(ranks) == [1, 2]
    assert (record["top_1"], record["top_10"]) == (0.5, 1.0)
    wanted = {
        "data",
        "model",
        "seed",
        "protocol",
        "query_time",
        "top_100",
        "ndcg_10",
        "train_seconds",
        "versions",
        "machine",
    }
    assert wanted <= record.keys()
    assert record["targets_per_second"] is None
    assert set(record["machine"]) >= {"cpu", "cores", "started", "others_cpu_share", "stolen_cpu_share", "busy"}
    found = trials.find(place, "popularity", 1)
    assert found is not None
    assert (found[0], list(found[1])) == (record, [1, 2])
    assert trials.find(place, "popularity", 2) is None
    assert [path.name for path in tmp_path.iterdir() if path.suffix == ".scratch"] == []


def test_a_partly_written_trial_is_not_found(tmp_path):
    place = bench(tmp_path)
    trials.run(place, "popularity", 1)
    folder = trials.trial_folder(place, "popularity", 1, trials.recipe(place, "popularity"))
    # An array that cannot be written as bytes.
    with pytest.raises(OSError, match="cannot write object arrays"):
        exchange.write(folder, {"test": np.array([object()])}, {})
    assert trials.find(place, "popularity", 1) is None


def test_the_setting_is_chosen_on_eval(tmp_path):
    record, _ = trials.run(bench(tmp_path), "ease", 1)
    best = max(record["tried"], key=lambda trial: trial["eval"]["ndcg_10"])
    assert len(record["tried"]) == 6
    assert record["setting"] == best["setting"]


def test_a_peer_that_fails_names_its_log(tmp_path, monkeypatch):
    broken = contenders.CONTENDERS["popularity"]._replace(script="peers.nothing_of_that_name")
    monkeypatch.setattr(trials, "recipe", lambda *_: "c" * 64)
    monkeypatch.setitem(contenders.CONTENDERS, "popularity", broken)
    with pytest.raises(trials.TrialFailedError, match=r"exit code 1; see .*log\n(.*\n)*.*No module named"):
        trials.run(bench(tmp_path), "popularity", 1)


def record(model: str, seed: int, recipe: str = "r", sha256: str = "a" * 64):
    return {
        "data": "movielens-100k",
        "model": model,
        "seed": seed,
        "recipe_sha256": recipe,
        "rows_sha256": sha256,
    }


def test_a_new_recipe_replaces_every_seed_of_the_old_one_and_the_order_stays():
    results = {"records": [record("popularity", 1), record("shortlist", 1), record("shortlist", 2)]}
    run.put(results, record("shortlist", 1, "new"))
    run.put(results, record("ease", 1))
    run.put(results, record("shortlist", 3, "new"))
    found = [(one["model"], one["seed"], one["recipe_sha256"]) for one in results["records"]]
    assert found == [("popularity", 1, "r"), ("ease", 1, "r"), ("shortlist", 1, "new"), ("shortlist", 3, "new")]


def test_records_of_other_rows_are_removed(tmp_path):
    results = {"records": [record("ease", 1), record("ials", 1, sha256="b" * 64)]}
    run.drop_other_rows(results, bench(tmp_path))
    assert [one["model"] for one in results["records"]] == ["ease"]
