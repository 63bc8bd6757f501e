import pytest

from shortlist.config import types
from tests.components.trainer import world as worlds


@pytest.fixture(scope="session")
def world():
    return worlds.build(types.LeaveLastOut(), types.WindowsSection(max_history=4, max_targets=4))


@pytest.fixture(scope="session")
def trained(world):
    """(model, reader, corpus, settings) before any training step."""
    settings = worlds.settings()
    return *worlds.assemble(world, settings), settings
