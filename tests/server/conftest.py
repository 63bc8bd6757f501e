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
