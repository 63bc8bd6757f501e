"""What all tests share: the environment that TensorFlow needs, and hypothesis without a clock."""

import os
import pathlib
from collections.abc import Iterator

import hypothesis
import pytest

import shortlist  # noqa: F401  sets the environment before any test imports TensorFlow
from cli import folders
from tests.browser import Browser, launched

_SMOKE = "smoke"

# pytest imports readline, which exports the size of a terminal to all child processes: a pipe would then be narrow.
for _name in ("COLUMNS", "LINES"):
    os.unsetenv(_name)

# A first example may pay for an import of 25 s, and CI's cores are shared.
hypothesis.settings.register_profile("shortlist", deadline=None, derandomize=True)
hypothesis.settings.load_profile("shortlist")


@pytest.fixture(autouse=True)
def _folder_of_the_tests(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves again the folder that a command run within a test entered: see `cli.invocation.Invocation.load`."""
    monkeypatch.chdir(pathlib.Path.cwd())
    monkeypatch.setattr(folders, "_started_in", [])
    # `setenv` remembers the value there is now, or that there is none.
    monkeypatch.setenv("SHORTLIST_DATA_DIR", os.environ.get("SHORTLIST_DATA_DIR", ""))
    if not os.environ["SHORTLIST_DATA_DIR"]:
        monkeypatch.delenv("SHORTLIST_DATA_DIR")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A Chromium for the tests of one file."""
    with launched() as found:
        yield found


def pytest_itemcollected(item: pytest.Item) -> None:
    """Tells pytest-xdist what shares a process: a file, and all that looks at the one smoke run."""
    item.add_marker(pytest.mark.xdist_group(_group(item)))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the longest group first, so that the other processes are not done long before it."""
    items.sort(key=lambda item: _group(item) != _SMOKE)


def _group(item: pytest.Item) -> str:
    return _SMOKE if _SMOKE in getattr(item, "fixturenames", ()) else item.location[0]
