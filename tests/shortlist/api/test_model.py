"""`shortlist.load` and the model that it returns, on a stand-in pushed into a workspace."""

from __future__ import annotations

import pathlib
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml

import shortlist
from shortlist.errors import BadInputError
from shortlist.model_files import CANDIDATES_FILE, EVALUATION_FILE
from shortlist.serving.evaluation import ServedEvaluation
from tests.components.indexer import stand_in

_SIZE = 30
_IDS = stand_in.candidate_ids(_SIZE)


def make_workspace(root: pathlib.Path) -> pathlib.Path:
    """Writes a workspace with two versions: 1 as version 0.1 pushed it, 2 with catalogue and evaluation."""
    trained = stand_in.save_stand_in(root / "trained", _SIZE)
    tags = [["red"] if row % 2 else ["blue"] for row in range(_SIZE)]
    path = stand_in.write_catalogue(root / "candidates.parquet", _IDS, tags, [float(row) for row in range(_SIZE)])
    _, exact = stand_in.save_both_models(root, trained, 10, 5, 20, path, ("tags",))
    workspace = root / "workspace"
    for version in ("1", "2"):
        shutil.copytree(exact, workspace / "serving" / "shop" / version)
    (workspace / "serving" / "shop" / "1" / CANDIDATES_FILE).unlink()
    served = workspace / "serving" / "shop" / "2"
    evaluation = ServedEvaluation({"ndcg_at_10": 0.5}, [], None, True, [], [], [], True, False)
    (served / EVALUATION_FILE).write_text(evaluation.to_json())
    (workspace / "workspace.json").write_text('{"layout_version": 1, "name": "shop", "made_by": "shortlist"}')
    (root / "items.csv").write_text("id,name\n" + "".join(f"{item},Today's {item}\n" for item in [*_IDS, "item-new"]))
    log = "user,item,time\nuser-1,item-3,1000000000\nuser-1,item-4,1000000300\nuser-1,item-new,1000000400\n"
    (root / "log.csv").write_text(log)
    config = {
        "name": "shop",
        "workspace": "elsewhere",
        "data": {
            "schemas": str(root),
            "interactions": {"path": "log.csv", "query_id": "user", "candidate_id": "item", "timestamp": "time"},
            "candidates": {"path": "items.csv", "candidate_id": "id", "title": "name", "features": {"name": "text"}},
        },
    }
    run = workspace / "runs" / "20260131T120000Z"
    run.mkdir(parents=True)
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    (workspace / "runs" / "latest").symlink_to(run.name)
    return workspace


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return make_workspace(tmp_path_factory.mktemp("api"))


@pytest.fixture(scope="module")
def model(workspace):
    return shortlist.load(workspace, data_dir=workspace.parent)


@pytest.fixture(scope="module")
def oldest(workspace):
    return shortlist.load(workspace / "serving" / "shop" / "1", data_dir=workspace.parent)


def test_a_path_is_a_workspace_a_serving_folder_or_a_version(workspace, model, oldest):
    assert (model.version, oldest.version) == ("2", "1")
    assert repr(model) == "<shortlist.Model version 2, 30 candidates>"
    assert model.metrics == {"ndcg_at_10": 0.5}
    assert (oldest.metrics, oldest.catalogue) == ({}, None)
    assert shortlist.load(workspace / "serving" / "shop").version == "2"
    with pytest.raises(BadInputError, match="a workspace, a serving folder or one of its versions, got nothing there"):
        shortlist.load(workspace / "nope")
    with pytest.raises(BadInputError, match="no model was pushed yet"):
        shortlist.load(workspace.parent)


def test_an_answer_has_titles_and_what_each_is_near(model):
    answer = model.recommend(["item-3", "item-4"], k=3)
    assert [row.rank for row in answer] == [1, 2, 3]
    assert [row.title for row in answer] == [f"Title of <{item}>" for item in answer.ids]
    vectors = model.embed_candidates([*answer.ids, "item-3", "item-4"])
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    expected = ["item-3" if line[0] >= line[1] else "item-4" for line in unit[:3] @ unit[3:].T]
    assert [row.near for row in answer] == expected
    assert answer[0].near_title == f"Title of <{expected[0]}>"
    assert {row.near for row in model.recommend([], k=3)} == {None}


def test_an_answer_is_a_table_in_text_html_and_pandas(model):
    answer = model.recommend([("item-3", "2001-09-09T01:46:40Z"), "item-unknown"], k=2)
    lines = repr(answer).splitlines()
    assert lines[0].split() == ["rank", "id", "score", "title", "near"]
    assert len(lines) == 5
    assert lines[3] == "As of 2001-09-09 01:46:41 UTC, just after the newest interaction of the history."
    assert lines[4] == "The model does not know 'item-unknown'."
    page = answer._repr_html_()
    assert page.count("<tr>") == 3
    assert f"<td>Title of &lt;{answer.ids[0]}&gt;</td>" in page
    table = answer.to_pandas()
    assert table.columns.tolist() == [
        *("rank", "id", "score", "title", "near", "near_title", "boost", "promoted"),
    ]
    assert table.id.tolist() == answer.ids
    assert model.recommend(["item-3"], allow=["item-unknown"]).to_pandas().columns.tolist() == table.columns.tolist()
    assert repr(model.recommend(["item-3"], allow=["item-unknown"])).splitlines()[0].split() == ["rank", "id", "score"]


def test_a_query_has_its_history_from_the_log(model, oldest):
    answer = model.recommend(query="user-1", k=5)
    assert answer.as_of == "2001-09-09 01:51:41 UTC, just after the newest interaction of the history"
    assert answer.notes == ("Interactions with 'item-new' are left out: not in the catalogue of version 2.",)
    typed = model.recommend([("item-3", 1000000000), ("item-4", 1000000300)], query="user-1", k=5)
    assert answer.rows == typed.rows
    early = model.recommend(query="user-1", at=1000000200, k=5)
    assert early.rows == model.recommend([("item-3", 1000000000)], query="user-1", at="2001-09-09 01:50", k=5).rows
    assert "is not in log.csv: answered as a new query" in model.recommend(query="nobody").notes[0]
    # A version of 0.1 has titles from the data.
    assert oldest.recommend(query="user-1", k=1)[0].title.startswith("Today's item-")


def test_answers_are_narrowed_by_ids(model):
    best = model.recommend(["item-3"], k=3).ids
    assert model.recommend(["item-3"], k=2, exclude=best[:1]).ids == best[1:]
    assert model.recommend(["item-3"], allow=best[1:]).ids == best[1:]
    assert "item-3" in model.recommend(["item-3"], k=10, include_seen=True).ids
    assert "item-3" not in model.recommend(["item-3"], k=10).ids
    assert model.recommend(["item-3"], features={"age": 80}).rows != model.recommend(["item-3"]).rows


def test_similar_candidates_are_by_cosine_and_never_itself(model, oldest):
    vectors = model.embed_candidates(_IDS)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = unit @ unit[_IDS.index("item-3")]
    expected = [_IDS[row] for row in np.argsort(-cosines)[1:5]]
    answer = model.similar("item-3", k=4)
    assert answer.ids == expected
    assert answer[0].score == pytest.approx(np.sort(cosines)[-2])
    assert answer[0].title == f"Title of <{expected[0]}>"
    # Today's data has an id that the model of 0.1 does not know.
    assert oldest.similar("item-3", k=100).ids[:4] == expected
    assert len(oldest.similar("item-3", k=100)) == _SIZE - 1
    assert not {"item-3", "item-4"} & set(model.similar(["item-3", "item-4"], k=_SIZE).ids)


def test_similar_candidates_pass_the_filter_and_long_answers_are_the_same(model):
    red = [item for item in model.similar("item-3", k=20).ids if _IDS.index(item) % 2]
    assert model.similar("item-3", k=len(red), filter={"tags": {"any": ["red"]}}).ids == red
    # Beyond index.pool they are found without the signature.
    assert model.similar("item-3", k=_SIZE).ids[:20] == model.similar("item-3", k=20).ids
    with pytest.raises(BadInputError, match="k must be 1 to 20, which is index.pool"):
        model.similar("item-3", k=21, filter={"tags": {"any": ["red"]}})


def test_rules_narrow_and_change_an_answer(model):
    plain = model.recommend(["item-3"], k=10)
    all_ = model.recommend(["item-3"], k=20, diversity=0.0)
    assert all_.ids[:10] == plain.ids
    assert [row.near for row in all_][:10] == [row.near for row in plain]
    red = [item for item in all_.ids if _IDS.index(item) % 2]
    assert model.recommend(["item-3"], k=5, filter={"tags": {"any": ["red"]}}).ids == red[:5]
    cheap = model.recommend(["item-3"], k=20, filter={"tags": {"none": ["red"]}})
    assert {_IDS.index(item) for item in cheap.ids} == set(range(0, _SIZE, 2)) - {_IDS.index("item-3")}
    diverse = model.recommend(["item-3"], k=10, diversity=0.9)
    assert diverse.ids[0] == plain.ids[0]
    assert diverse.ids != plain.ids


def test_what_was_boosted_or_promoted_is_marked(model):
    plain = model.recommend(["item-3"], k=5)
    # `year` is an attribute of the catalogue, not of index.filters.
    boosted = model.recommend(["item-3"], k=5, boost=[{"where": {"year": {"min": 12}}, "factor": 1e6}])
    large = [_IDS.index(row.id) >= 12 for row in boosted]
    assert [row.boost for row in boosted] == [1e6 if it else 1.0 for it in large]
    assert large[0]
    assert "boost 1e+06" in repr(boosted)
    # The worst candidate is outside of the pool of 20.
    everything = model.embed_queries([["item-3"]]) @ model.embed_candidates(_IDS).T
    worst = _IDS[int(everything[0].argmin())]
    promoted = model.recommend(["item-3"], k=5, promote=[{"ids": [worst, "nope"], "at_least": 1}])
    assert promoted.ids == [*plain.ids[:4], worst]
    assert [row.promoted for row in promoted] == [False] * 4 + [True]
    assert repr(promoted).splitlines()[0].split()[-1] == "rule"
    assert repr(promoted).splitlines()[5].endswith("promoted")
    # A filter and an exclusion hold for promoted candidates, too.
    other = "red" if _IDS.index(worst) % 2 == 0 else "blue"
    for narrowed in ({"filter": {"tags": {"any": [other]}}}, {"exclude": [worst]}):
        found = model.recommend(["item-3"], k=5, promote=[{"ids": [worst], "at_least": 1}], **narrowed)
        assert worst not in found.ids
    blue = model.recommend(["item-3"], k=5, promote=[{"where": {"tags": {"any": ["blue"]}}, "at_least": 5}])
    assert all(_IDS.index(item) % 2 == 0 for item in blue.ids)


def test_a_version_without_rules_says_so(oldest):
    with pytest.raises(BadInputError, match="expected a model with rules, got one of an earlier version"):
        oldest.recommend(["item-3"], diversity=0.5)


def test_embeddings_give_the_scores(model):
    [best] = model.recommend([("item-3", 5)], query="user-1", k=1, features={"age": 30})
    [query] = model.embed_queries([[("item-3", 5)]], queries=["user-1"], features=[{"age": 30}])
    assert query @ model.embed_candidates([best.id])[0] == pytest.approx(best.score, abs=1e-5)
    assert model.embed_queries([[], ["item-3"]]).shape == (2, 8)
    assert model.embed_candidates([]).shape == (0, 8)


def test_described_candidates_may_be_new(model):
    described = [{"candidate_id": "item-3"}, {"candidate_id": None}]
    embeddings = model.embed_candidates(described)
    assert np.array_equal(embeddings, model.embed_candidates(pd.DataFrame(described)))
    assert np.array_equal(embeddings[:1], model.embed_candidates(["item-3"]))
    with pytest.raises(BadInputError, match="no candidate feature 'colour'; it has"):
        model.embed_candidates([{"colour": "red"}])


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda model: model.recommend(), "expected history or query, got neither"),
        (lambda model: model.recommend("item-3"), "history: expected a list of ids, got 'item-3'"),
        (lambda model: model.recommend(["item-3"], k=11), "k must be 1 to 10"),
        (lambda model: model.recommend([], filter={"year": {"min": 1}}), "filter: expected one of the attributes"),
        (lambda model: model.recommend([], diversity=2), "diversity: expected a number from 0 to 1"),
        (lambda model: model.recommend([], k=21, diversity=1), "k must be 1 to 20, which is index.pool"),
        (lambda model: model.similar("item-33"), "'item-33'; did you mean 'item-3'?"),
        (lambda model: model.similar("item-3", k=0), "k of 1 or more"),
        (lambda model: model.embed_candidates(["nope"]), "expected an id of the model's catalogue, got 'nope'"),
        (lambda model: model.embed_queries([["item-3"]], queries=[]), "queries: expected 1, one per history, got 0"),
    ],
)
def test_a_wrong_argument_is_one_sentence(model, ask, message):
    with pytest.raises(BadInputError) as error:
        ask(model)
    assert message in str(error.value)


def test_a_copied_version_has_no_log(workspace, tmp_path):
    shutil.copytree(workspace / "serving" / "shop" / "2", tmp_path / "2")
    with pytest.raises(BadInputError, match="query: expected a model that was loaded from its workspace"):
        shortlist.load(tmp_path / "2").recommend(query="user-1")
