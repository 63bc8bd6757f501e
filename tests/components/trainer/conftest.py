import pytest

from shortlist.config.split import LeaveLastOut, WindowsSection
from tests.components.trainer import tiny_dataset as worlds


@pytest.fixture(scope="session")
def world():
    return worlds.build(LeaveLastOut(), WindowsSection(max_history=4, max_targets=4))


@pytest.fixture(scope="session")
def trained(world):
    """Returns (model, reader, corpus, settings) before any training step."""
    settings = worlds.settings()
    return *worlds.assemble(world, settings), settings
