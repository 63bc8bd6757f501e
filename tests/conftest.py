"""What all tests share: the environment that TensorFlow needs, and hypothesis without a clock."""

import hypothesis
import pytest

import shortlist  # noqa: F401  sets the environment before any test imports TensorFlow

# A first example may pay for an import of 25 s, and CI's cores are shared.
hypothesis.settings.register_profile("shortlist", deadline=None, derandomize=True)
hypothesis.settings.load_profile("shortlist")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tells pytest-xdist what shares a process: a file, and all that looks at the one smoke run, which comes first."""
    groups = {item: "smoke" if "smoke" in getattr(item, "fixturenames", ()) else item.path.name for item in items}
    for item, group in groups.items():
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: groups[item] != "smoke")
