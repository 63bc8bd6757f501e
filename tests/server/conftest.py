"""A model that is pushed as several versions."""

import pytest

from tests.server import running


@pytest.fixture(scope="session", autouse=True)
def _close_loader():
    yield
    running.loader().close()


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory):
    return running.write_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def serving_dir(model_folder, tmp_path):
    folder = tmp_path / "shop"
    folder.mkdir()
    running.push(model_folder, folder, 1)
    return folder
