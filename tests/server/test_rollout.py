"""New versions take over without a lost request; broken ones never do."""

from __future__ import annotations

import contextlib
import pathlib
import shutil
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

from components.indexer import export
from components.indexer.exact import ExactIndex
from server import predict
from server.metrics import Metrics
from server.rollout import Rollout
from shortlist.config.serve import Serve
from shortlist.errors import BadInputError
from tests.components.indexer import stand_in
from tests.server import running

SETTINGS = Serve(poll_seconds=0.1)


@pytest.fixture(scope="module")
def other_model(tmp_path_factory):
    return running.write_model(tmp_path_factory.mktemp("other"), seed=1)


def rollout_of(folder, **settings):
    return contextlib.closing(Rollout(folder, Serve.model_validate(settings), Metrics(), running.loader()))


def is_running(pid):
    return pathlib.Path(f"/proc/{pid}").exists()


def wait_for(condition):
    # On a busy machine, a load takes a minute.
    end = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_no_request_is_lost_while_versions_take_over(model_folder, other_model, serving_dir):
    answers, failures = [], []
    is_over = threading.Event()

    def ask(port, number):
        client = running.Client(port)
        while not is_over.is_set():
            try:
                status, answer = client.post("/v1/recommend", {"history": [{"id": f"item-{number}"}], "k": 3})
                (answers if status == 200 else failures).append(answer)
            except OSError as error:
                failures.append(error)

    with running.running(serving_dir, SETTINGS) as server:
        threads = [threading.Thread(target=ask, args=(server.port, number)) for number in range(3)]
        for thread in threads:
            thread.start()
        for version, model in ((2, other_model), (3, model_folder)):
            running.push(model, serving_dir, version)
            wait_for(lambda number=str(version): answers and answers[-1]["version"] == number)
        is_over.set()
        for thread in threads:
            thread.join()
    assert failures == []
    versions = [answer["version"] for answer in answers]
    assert set(versions) == {"1", "2", "3"}
    assert all(len(answer["items"]) == 3 for answer in answers)


def test_a_version_that_took_over_replaces_the_old_one_in_memory(other_model, serving_dir):
    with rollout_of(serving_dir) as rollout:
        rollout.refresh()
        old = rollout.newest.model.pid
        running.push(other_model, serving_dir, 2)
        rollout.refresh()
        assert list(rollout.active) == ["2"]
        wait_for(lambda: not is_running(old))


def _truncate(folder):
    [variables] = folder.glob("variables/variables.data-*")
    variables.write_bytes(variables.read_bytes()[:-10])


def _overwrite(folder):
    [variables] = folder.glob("variables/variables.data-*")
    content = variables.read_bytes()
    variables.write_bytes(b"\0" * len(content))


def _empty(folder):
    for path in folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


DAMAGE = {
    "a truncated file": _truncate,
    "other content": _overwrite,
    "no model": lambda folder: (folder / "saved_model.pb").unlink(),
    "an empty folder": _empty,
    "a file of another program": lambda folder: [_empty(folder), (folder / "readme").touch()],
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
def test_a_broken_version_is_refused_and_the_old_one_stays(other_model, serving_dir, damage):
    with rollout_of(serving_dir) as rollout:
        rollout.refresh()
        served = rollout.newest
        damage(running.push(other_model, serving_dir, 2))
        rollout.refresh()
        assert rollout.newest is served
        assert list(rollout.refused) == ["2"]
        # It is not read again until its files change.
        rollout.refresh()
        assert rollout._metrics.registry.get_sample_value("shortlist_refused_versions_total") == 1
        shutil.rmtree(serving_dir / "2")
        rollout.refresh()
        assert rollout.refused == {}


def test_a_copy_that_is_under_way_is_served_once_it_is_complete(other_model, serving_dir, tmp_path):
    complete = running.push(other_model, tmp_path, 7)
    with rollout_of(serving_dir) as rollout:
        rollout.refresh()
        half = serving_dir / "2"
        shutil.copytree(complete, half, ignore=shutil.ignore_patterns("variables"))
        rollout.refresh()
        assert rollout.newest.facts.version == "1"
        shutil.copytree(complete / "variables", half / "variables")
        rollout.refresh()
        assert rollout.newest.facts.version == "2"


def test_a_model_whose_answers_break_a_rule_is_refused(serving_dir, tmp_path):
    # Candidates whose score is not a number are in no answer: 4 of 40 are left, and an answer must have 10.
    embeddings = np.full((running.SIZE, 8), np.nan)
    embeddings[:4] = 1.0
    trained = tf.saved_model.load(str(stand_in.save_stand_in(tmp_path / "nan", running.SIZE, embeddings=embeddings)))
    exact = ExactIndex(k=running.K).index(trained.candidate_embeddings)
    export.save(export.ServedModel(trained, exact, running.K), str(tmp_path / "nan"), str(tmp_path / "exact"))
    export.write_index_file(str(tmp_path / "exact"), {"kind": "brute_force", "k": running.K})
    running.push(tmp_path / "exact", serving_dir, 2)
    with rollout_of(serving_dir) as rollout:
        rollout.refresh()
        assert rollout.newest.facts.version == "1"
        assert "plain: expected 10 results, got 4" in rollout.refused["2"]


def test_a_version_that_is_deleted_gives_way_to_the_one_before(other_model, serving_dir):
    running.push(other_model, serving_dir, 2)
    with rollout_of(serving_dir) as rollout:
        rollout.refresh()
        assert rollout.newest.facts.version == "2"
        shutil.rmtree(serving_dir / "2")
        rollout.refresh()
        assert rollout.newest.facts.version == "1"
        # What is in memory still answers, and its age is known.
        shutil.rmtree(serving_dir / "1")
        rollout.refresh()
        assert rollout.newest.facts.version == "1"
        assert rollout.newest.facts.pushed_at > 1e9


def test_one_version_is_served_alone(other_model, serving_dir):
    running.push(other_model, serving_dir, 2)
    with rollout_of(serving_dir / "1") as rollout:
        rollout.start()
        assert rollout.name == "shop"
        assert list(rollout.active) == ["1"]


def test_a_folder_of_any_name_is_served_alone(model_folder):
    with rollout_of(model_folder) as rollout:
        rollout.start()
        newest = rollout.newest.facts
        assert (newest.version, predict.number_of(newest.version)) == ("scann", 0)
        assert newest.pushed_at > 1e9
        assert predict.status([newest.version], {})["model_version_status"][0]["version"] == "0"


def test_a_folder_without_a_usable_version_is_refused(serving_dir, tmp_path):
    _truncate(serving_dir / "1")
    with rollout_of(serving_dir) as rollout, pytest.raises(BadInputError, match="variables"):
        rollout.start()
    with pytest.raises(BadInputError, match="no model was pushed yet"):
        Rollout(tmp_path / "nope", Serve(), Metrics())


def test_two_versions_share_the_queries_and_each_query_keeps_its_version(other_model, serving_dir):
    running.push(other_model, serving_dir, 2)
    with rollout_of(serving_dir, split={"latest": 70, 1: 30}) as rollout:
        rollout.refresh()
        assert set(rollout.active) == {"1", "2"}
        picked = {f"user-{number}": rollout.pick(f"user-{number}") for number in range(2_000)}
        assert all(rollout.pick(query)[1] == variant for query, (_, variant) in picked.items())
        assert {(active.facts.version, variant) for active, variant in picked.values()} == {("2", "latest"), ("1", "1")}
        share = sum(variant == "1" for _, variant in picked.values()) / len(picked)
        # Three standard errors of 2,000 draws are 0.031.
        assert abs(share - 0.3) < 0.031
        # Without its folder, its share goes to the newest.
        shutil.rmtree(serving_dir / "1")
        rollout.refresh()
        assert {rollout.pick(query)[1] for query in picked} == {"latest"}
