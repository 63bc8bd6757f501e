"""Pushed models with missing, cut or changed files: one sentence with the version, the file and the command."""

from __future__ import annotations

import os
import pathlib
import shutil

import pytest

from shortlist.errors import BadInputError
from shortlist.model_files import MANIFEST_FILE
from shortlist.serving import versions
from shortlist.serving.client import Recommender
from tests.components.indexer import stand_in

_OLD, _SERVED = 1000, 1001


@pytest.fixture(scope="module")
def pushed(tmp_path_factory):
    """Two versions of a real ScaNN model, with an asset as a vocabulary has it, and their exact copies."""
    root = tmp_path_factory.mktemp("pushed")
    trained = stand_in.save_stand_in(root / "trained", 100)
    scann, exact = stand_in.save_both_models(root, trained, 10, 5)
    for folder in (scann, exact):
        (pathlib.Path(folder) / "assets").mkdir(exist_ok=True)
        (pathlib.Path(folder) / "assets" / "query_id").write_text("u1\nu2\nu3\n")
    for now in (_OLD, _SERVED):
        versions.push(scann, exact, root / "serving" / "shop", 2, lambda now=now: now)
    return root / "serving"


@pytest.fixture
def serving(pushed, tmp_path):
    shutil.copytree(pushed, tmp_path / "serving")
    return tmp_path / "serving"


def _remove(path):
    path.unlink()


def _cut(path):
    os.truncate(path, path.stat().st_size // 2)


def _empty(path):
    os.truncate(path, 0)


def _change(path):
    content = path.read_bytes()
    third = len(content) // 3
    path.write_bytes(content[:third] + bytes(byte ^ 85 for byte in content[third:-third]) + content[-third:])


_DAMAGE = (_remove, _cut, _empty, _change)
_FILES = (
    "saved_model.pb",
    "variables/variables.index",
    "variables/variables.data-00000-of-00001",
    "assets/query_id",
    "assets.extra/index.json",
    "assets.extra/shortlist.json",
)


def _refusal(folder: pathlib.Path) -> str:
    with pytest.raises(BadInputError) as refused:
        Recommender(folder)
    sentence = str(refused.value)
    assert "\n" not in sentence
    return sentence


@pytest.mark.parametrize("damage", _DAMAGE)
@pytest.mark.parametrize("name", _FILES)
@pytest.mark.parametrize("kind", ["shop", "shop-exact"])
def test_damaged_file(serving, kind, name, damage):
    folder = serving / kind
    damage(folder / str(_SERVED) / name)
    sentence = _refusal(folder)
    assert sentence.startswith(f"{folder / str(_SERVED)}: expected version {_SERVED} as it was pushed, got ")
    assert f"`shortlist rollback` serves the version before it, `shortlist rollback {_SERVED}` restores" in sentence
    assert name.partition("-00000")[0] in sentence


@pytest.mark.parametrize("damage", _DAMAGE)
@pytest.mark.parametrize("name", _FILES[:3])
def test_model_without_a_manifest(serving, name, damage):
    """Earlier versions pushed none: TensorFlow finds the damage, and raises many types for it."""
    folder = serving / "shop"
    (folder / str(_SERVED) / MANIFEST_FILE).unlink()
    damage(folder / str(_SERVED) / name)
    sentence = _refusal(folder)
    assert f"expected version {_SERVED} as it was pushed, got " in sentence
    assert len(sentence) < len(str(folder)) * 2 + 450


def test_model_without_a_manifest_is_served(serving):
    (serving / "shop" / str(_SERVED) / MANIFEST_FILE).unlink()
    assert Recommender(serving / "shop").recommend("user-1", k=3)


def test_only_version(serving):
    shutil.rmtree(serving / "shop" / str(_OLD))
    _cut(serving / "shop" / str(_SERVED) / "saved_model.pb")
    sentence = _refusal(serving / "shop")
    assert sentence.endswith(f"; `shortlist rollback {_SERVED}` restores it from the run that pushed it")


def test_damaged_manifest(serving):
    (serving / "shop" / str(_SERVED) / MANIFEST_FILE).write_text('{"saved_model.pb": 3}')
    assert f"got a damaged {MANIFEST_FILE}" in _refusal(serving / "shop")


def test_copy_elsewhere(serving, tmp_path):
    shutil.copytree(serving / "shop" / str(_SERVED), tmp_path / "model")
    _cut(tmp_path / "model" / "assets" / "query_id")
    sentence = _refusal(tmp_path / "model")
    assert "expected a whole model, got assets/query_id with 4 bytes instead of 9; copy or export the model" in sentence
