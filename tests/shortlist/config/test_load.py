import pathlib

import pytest

from shortlist.config import reference
from shortlist.config.config import Config
from shortlist.config.data import Data
from shortlist.config.evaluate import Floor
from shortlist.config.gate import Check
from shortlist.config.load import load_config, parse_config
from shortlist.config.overrides import parse_overrides
from shortlist.config.section import Section, own_values
from shortlist.errors import ConfigError, ExitCode

ROOT = pathlib.Path(__file__).parents[3]
PRESETS = sorted((ROOT / "configs").glob("*.yaml"))
MINIMAL = {
    "name": "shop",
    "workspace": "workspaces/shop",
    "data": {
        "schemas": "schemas/shop",
        "interactions": {"path": "interactions.csv"},
        "candidates": {"path": "candidates.csv", "features": {"title": "text"}, "title": "title"},
    },
}
SERVER = {"kind": "mysql", "host": "h", "database": "m", "user": "u"}


def _with(**changes):
    return {**MINIMAL, **changes}


@pytest.mark.parametrize("path", PRESETS, ids=lambda path: path.stem)
def test_presets_are_valid_and_headed_by_command_time_and_expectation(path):
    config = load_config(path)
    assert (ROOT / config.data.schemas / "interactions.pbtxt").exists()
    head = path.read_text(encoding="utf-8").split("name:")[0]
    for word in ("command", "run time", "expect"):
        assert word in head


def test_ten_lines_are_enough():
    config = parse_config(MINIMAL, "x.yaml")
    assert config.data.split.kind == "leave_last_out"
    assert config.model.query_tower.kind == "history"


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"modle": {}}, "x.yaml: unknown key 'modle'; did you mean 'model'?"),
        ({"train": {"epoch": 3}}, "x.yaml: unknown key 'train.epoch'; did you mean 'epochs'?"),
        (
            {"train": {"epochs": "many"}},
            "x.yaml: train.epochs: expected a whole number, at least 1, at most 100,000, got 'many'",
        ),
        ({"name": "A Shop"}, "must be 1 to 63 of a-z, 0-9 and dashes"),
        ({"data": None}, "x.yaml: data: "),
        # Switches that a loss does not have are refused.
        ({"train": {"loss": {"kind": "corpus", "logq": True}}}, "x.yaml: unknown key 'train.loss.logq'"),
        ({"train": {"loss": {"kind": "in_batch", "mask_other_targets": True}}}, "'train.loss.mask_other_targets'"),
        ({"model": {"embedding_dim": 64, "query_tower": {"kind": "history", "heads": 3}}}, "heads=3 does not divide"),
        ({"evaluate": {"ks": [1, 5], "gate_k": 10}}, "gate_k=10 is not among ks=[1, 5]"),
        ({"metadata": {"kind": "oracle"}}, "x.yaml: metadata.kind: 'oracle' is not one of mysql, postgresql, sqlite"),
        ({"metadata": {"kind": "mysql", "database": "m", "user": "u"}}, "the key 'metadata.host' is required"),
        ({"metadata": SERVER | {"password": "hush-5"}}, "x.yaml: unknown key 'metadata.password'; did you mean"),
        ({"metadata": SERVER | {"password_env": "hush-5"}}, "metadata.password_env: expected the name of an"),
        ({"metadata": SERVER | {"host": "mysql://u:hush-5@h"}}, "metadata.host: expected only a host name or address"),
        ({"metadata": SERVER | {"user": "u:hush-5"}}, "metadata.user: expected 1 to 63 of a-z, A-Z, 0-9 and _"),
        ({"metadata": SERVER | {"database": "a; drop"}}, "metadata.database: 'a; drop' must be 1 to 63 of a-z"),
        (
            {"metadata": SERVER | {"port": 0}},
            "metadata.port: expected a whole number, at least 1, at most 65,5",
        ),
        ({"metadata": {"kind": "sqlite", "host": "h"}}, "unknown key 'metadata.host'"),
        ({"index": {"k": 0}}, "x.yaml: index.k: expected a whole number, at least 1, at most 10,000, got 0"),
    ],
)
def test_each_problem_is_one_sentence(changes, sentence):
    with pytest.raises(ConfigError) as error:
        parse_config(_with(**changes), "x.yaml")
    assert "hush-5" not in str(error.value)
    assert sentence in str(error.value)
    assert "\n" not in str(error.value)
    assert error.value.exit_code == ExitCode.BAD_INPUT


def test_a_random_split_has_no_history_to_read():
    data = {**MINIMAL["data"], "split": {"kind": "random"}}
    with pytest.raises(ConfigError, match="split random has no order"):
        parse_config(_with(data=data), "x.yaml")


def test_only_a_random_split_does_without_time():
    data = {**MINIMAL["data"], "interactions": {"path": "x.csv", "timestamp": None}}
    with pytest.raises(ConfigError, match=r"split leave_last_out needs interactions\.timestamp"):
        parse_config(_with(data=data), "x.yaml")


def test_a_feature_may_not_be_called_like_a_column_of_ours():
    data = {**MINIMAL["data"], "queries": {"path": "q.csv", "features": {"history_ids": "category"}}}
    with pytest.raises(ConfigError, match="'history_ids' is reserved"):
        parse_config(_with(data=data), "x.yaml")


def test_a_feature_may_not_be_called_like_a_slice_of_every_evaluation():
    data = {**MINIMAL["data"], "queries": {"path": "q.csv", "features": {"history_length": "category"}}}
    with pytest.raises(ConfigError, match="'history_length' is reserved"):
        parse_config(_with(data=data), "x.yaml")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "height",
            r"evaluate\.slices: 'height' is not a feature of data\.queries or, with the prefix "
            r"'target_', of data\.candidates, or with 'context_', of data\.interactions; expected some of "
            r"\['age', 'job', 'target_brand', 'target_price', 'target_title'\]",
        ),
        ("target_price", r"evaluate\.slices: 'target_price' is of type numeric; expected category or multi_category"),
        # The name belongs to a slice of every evaluation.
        ("target_popularity", r"evaluate\.slices: 'target_popularity' is not a feature"),
        ("age", r"evaluate\.slices: 'age' is of type numeric; expected category or multi_category"),
    ],
)
def test_slices_are_features_whose_values_can_be_listed(name, sentence):
    of_candidates = {"title": "text", "brand": "category", "price": "numeric", "popularity": "category"}
    data = {
        **MINIMAL["data"],
        "queries": {"path": "q.csv", "features": {"age": "numeric", "job": "category"}},
        "candidates": {**MINIMAL["data"]["candidates"], "features": of_candidates},
    }
    with pytest.raises(ConfigError, match=sentence):
        parse_config(_with(data=data, evaluate={"slices": [name]}), "x.yaml")
    config = parse_config(_with(data=data, evaluate={"slices": ["job", "target_brand"]}), "x.yaml")
    assert config.evaluate.slices == ("job", "target_brand")
    assert config.target_slices == ("target_brand",)


def test_candidates_without_id_and_features_are_refused():
    bare = {"candidate_tower": {"use_candidate_id": False}}
    ids_alone = MINIMAL["data"] | {"candidates": {"path": "candidates.csv"}}
    sentence = r"use_candidate_id: false leaves the candidate tower without inputs.*data\.candidates\.features"
    with pytest.raises(ConfigError, match=sentence):
        parse_config(_with(data=ids_alone, model=bare), "x.yaml")
    searched = {"space": {"model.candidate_tower.use_candidate_id": [True, False]}}
    with pytest.raises(ConfigError, match="use_candidate_id: false leaves the candidate tower without inputs"):
        parse_config(_with(data=ids_alone, tune=searched), "x.yaml")
    assert not parse_config(_with(model=bare), "x.yaml").model.candidate_tower.use_candidate_id


def test_sampled_negatives_that_exclude_each_other_are_refused():
    def loss(**keys):
        return parse_config(_with(train={"loss": {"kind": "sampled", **keys}}), "x.yaml").train.loss

    with pytest.raises(
        ConfigError, match=r"train\.loss.*in_batch_negatives or uniform_negatives above 0, got 0 for both"
    ):
        loss(in_batch_negatives=0, uniform_negatives=0)
    with pytest.raises(ConfigError, match=r"num_hard_negatives 301 is more than the 300 negatives of a batch"):
        loss(in_batch_negatives=100, uniform_negatives=200, num_hard_negatives=301)
    assert loss(in_batch_negatives=0, uniform_negatives=200, num_hard_negatives=200).uniform_negatives == 200


def test_an_in_batch_step_is_as_large_as_was_meant():
    in_batch = {"kind": "in_batch", "max_positions": 256}
    with pytest.raises(ConfigError, match=r"train\.batch_size 512 is more than train\.loss\.max_positions 256"):
        parse_config(_with(train={"loss": in_batch, "batch_size": 512}), "x.yaml")
    assert parse_config(_with(train={"loss": in_batch, "batch_size": 256}), "x.yaml").train.batch_size == 256


@pytest.mark.parametrize(
    ("loss", "accepted", "words"),
    [
        ({"kind": "corpus", "parts": 6}, 3, r"train\.loss\.parts 6 is no multiple of the 4 workers or GPUs .* to 8"),
        ({"kind": "sampled"}, 2, r"train\.loss\.parts 2 is no multiple of the 4 workers .* to 4"),
        ({"kind": "in_batch"}, 3, r"train\.batch_size 3 is less than train\.workers 4"),
    ],
)
def test_a_batch_is_divided_among_all_workers(loss, accepted, words):
    train = {"loss": loss, "batch_size": 3, "strategy": "multi_worker"}
    parse_config(_with(train={**train, "workers": accepted}), "x.yaml")
    with pytest.raises(ConfigError, match=words):
        parse_config(_with(train={**train, "workers": 4}), "x.yaml")
    with pytest.raises(ConfigError, match=r"train\.warm_start is for one process, train\.strategy is multi_worker"):
        parse_config(_with(train={**train, "workers": accepted, "warm_start": "latest_blessed"}), "x.yaml")
    # One process has no workers to divide a batch among.
    parse_config(_with(train={**train, "strategy": "none", "workers": 4}), "x.yaml")


def test_basket_mates_need_a_split_that_knows_baskets():
    with pytest.raises(ConfigError, match=r"train\.basket_mates needs split leave_last_basket.*is leave_last_out"):
        parse_config(_with(train={"basket_mates": 0.5}), "x.yaml")
    data = {**MINIMAL["data"], "split": {"kind": "leave_last_basket"}}
    assert parse_config(_with(data=data, train={"basket_mates": 0.5}), "x.yaml").train.basket_mates == 0.5


def test_query_time_needs_times():
    data = {**MINIMAL["data"], "interactions": {"path": "x.csv", "timestamp": None}, "split": {"kind": "random"}}
    model = {"query_tower": {"kind": "features"}, "query_time": {}}
    with pytest.raises(ConfigError, match=r"model\.query_time needs interactions with timestamps"):
        parse_config(_with(data=data, model=model), "x.yaml")


@pytest.mark.parametrize(
    "text", ["name: !!python/object/apply:os.system ['true']", "a: [1", "- 1", "", "\x00", "a: 2020-99-99"]
)
def test_other_files_than_plain_yaml_mappings_are_refused(tmp_path, text):
    path = tmp_path / "c.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=r"c\.yaml: "):
        load_config(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match="no such config file"):
        load_config(tmp_path / "none.yaml")


def test_a_fault_of_set_is_not_blamed_on_the_file():
    smoke = ROOT / "configs" / "smoke.yaml"
    with pytest.raises(ConfigError, match=r"^--set: unknown key 'train\.sed'; did you mean 'seed'\?"):
        load_config(smoke, parse_overrides(["train.sed=2"]))
    with pytest.raises(ConfigError, match=r"^--set: train\.seed: "):
        load_config(smoke, parse_overrides(["train.seed=x"]))


def test_overrides_reach_into_sections():
    overrides = parse_overrides(["train.seed=7", "model.query_tower.dropout=0.5"])
    config = load_config(ROOT / "configs" / "smoke.yaml", overrides)
    assert (config.train.seed, config.model.query_tower.dropout) == (7, 0.5)


@pytest.mark.parametrize("assignment", ["train.seed", "=3", "train.seed=[1"])
def test_a_broken_override_is_refused(assignment):
    with pytest.raises(ConfigError, match="--set"):
        parse_overrides([assignment])


def test_the_reference_is_up_to_date():
    assert (ROOT / reference.PATH).read_text(encoding="utf-8") == reference.render(), "run `make docs`"


def _at(key, path):
    if key == "workspace":
        return _with(workspace=path)
    return _with(data={**MINIMAL["data"], "schemas": path})


@pytest.mark.parametrize("uri", ["gs://bucket/x", "s3://bucket", "file:///tmp/x", "gs:/bucket/x", "hdfs://host/x"])
@pytest.mark.parametrize("key", ["workspace", "data.schemas"])
def test_a_folder_of_this_machine_is_no_uri(key, uri):
    with pytest.raises(ConfigError) as refused:
        parse_config(_at(key, uri), "x.yaml")
    assert str(refused.value) == (
        f"x.yaml: {key}: expected a folder on this machine, got the URI {uri!r}; mount the bucket and name its path"
    )


@pytest.mark.parametrize("path", ["C:/x", "a:b/c", "1:/x", "/gs:/x", "./gs://x"])
def test_other_paths_with_a_colon_are_folders(path):
    assert parse_config(_at("workspace", path), "x.yaml").workspace == path


@pytest.mark.parametrize("key", ["workspace", "data.interactions.path"])
def test_an_address_with_credentials_is_refused_and_not_repeated(key):
    secret = "s3://key:hunter2@bucket/log.csv"
    raw = {**MINIMAL, "data": {**MINIMAL["data"]}}
    if key == "workspace":
        raw["workspace"] = secret
    else:
        raw["data"]["interactions"] = {"path": secret}
    with pytest.raises(ConfigError, match="expected an address without credentials") as error:
        parse_config(raw, "x.yaml")
    assert key in str(error.value)
    assert "hunter2" not in str(error.value)


@pytest.mark.parametrize(
    ("interactions", "sentence"),
    [
        ({"path": "log.csv", "filter": "rating >"}, "data.interactions.filter: filter 'rating >' cannot be read"),
        ({"path": "log/{YYYY}/*.csv"}, "expected {YYYY}, {MM} and {DD} once each"),
        ({"path": "log.csv", "last_spans": 3}, "last_spans needs {YYYY}, {MM} and {DD} in path"),
        (
            {"path": "log.csv", "weight": {"column": "event", "values": {"view": -1}}},
            "data.interactions.weight.values.view: expected a number, at least 0, at most 1,000,000, got -1",
        ),
        ({"path": "log.csv", "timestamp_unit": "minutes"}, "data.interactions.timestamp_unit"),
    ],
)
def test_invalid_tables_are_refused(interactions, sentence):
    raw = {**MINIMAL, "data": {**MINIMAL["data"], "interactions": interactions}}
    with pytest.raises(ConfigError) as error:
        parse_config(raw, "x.yaml")
    assert sentence in str(error.value)


@pytest.mark.parametrize(
    ("filters", "sentence"),
    [
        (
            ["colour"],
            "index.filters: 'colour' is not a feature of data.candidates; expected some of ['added', 'genres', ",
        ),
        (["title"], "index.filters: 'title' is of type text; expected category, multi_category or numeric"),
        (["added"], "index.filters: 'added' is of type timestamp; expected category, multi_category or numeric"),
        (["year", "year"], "index.filters: 'year' is there twice"),
    ],
)
def test_filters_are_attributes_that_a_rule_can_name(filters, sentence):
    features = {"genres": "multi_category", "year": "numeric", "title": "text", "added": "timestamp"}
    data = {**MINIMAL["data"], "candidates": {**MINIMAL["data"]["candidates"], "features": features}}
    assert parse_config(_with(data=data, index={"filters": ["genres", "year"]}), "x.yaml").index.pool == 500
    with pytest.raises(ConfigError) as refused:
        parse_config(_with(data=data, index={"filters": filters}), "x.yaml")
    assert sentence in str(refused.value)


def _sections_with_defaults(section=Config, path=()):
    """Yields the path and the default of every key whose default is a section."""
    for name, field in section.model_fields.items():
        if isinstance(field.default, Section) and field.annotation is type(field.default):
            yield (*path, name), field.default
            yield from _sections_with_defaults(type(field.default), (*path, name))


# `beam.*` and others, too: no section may ask for a key that the reference gives a default for.
@pytest.mark.parametrize(("path", "default"), [*_sections_with_defaults(), *_sections_with_defaults(Data, ("data",))])
def test_absent_keys_of_a_section_are_those_of_its_own_default(path, default):
    for name in own_values(default):
        given = {other: value for other, value in default.model_dump().items() if other != name}
        nested = given
        for part in reversed(path):
            nested = {part: nested}
        raw = {**MINIMAL, **nested}
        if path[0] == "data":
            raw["data"] = {**MINIMAL["data"], **nested["data"]}
        loaded = parse_config(raw, "x.yaml")
        for part in path:
            loaded = getattr(loaded, part)
        assert getattr(loaded, name) == getattr(default, name)


def test_only_the_action_of_a_gate_may_be_given():
    floors = {"cold_start": {"unseen_candidates": {"action": "warn"}}}
    gate = {"volume": {"action": "ignore"}, "drift": {"threshold": 0.5}}
    config = parse_config({**MINIMAL, "data": {**MINIMAL["data"], "gate": gate}, "evaluate": floors}, "x.yaml")
    assert config.evaluate.cold_start.unseen_candidates == Floor(threshold=5.0, action="warn")
    assert config.data.gate.volume == Check(threshold=0.5, action="ignore")
    # Drift only warns by default, and a threshold of its own does not change that.
    assert config.data.gate.drift == Check(threshold=0.5, action="warn")
