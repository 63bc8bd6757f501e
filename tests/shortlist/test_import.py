"""`import shortlist` is cheap and typed, and its names are no subpackages."""

from __future__ import annotations

import json
import pathlib
import pkgutil
import subprocess
import sys

import shortlist

_IMPORT = """
import json, sys, time
before, started = set(sys.modules), time.perf_counter()
import shortlist
seconds = time.perf_counter() - started
print(json.dumps([seconds, sorted(set(sys.modules) - before)]))
"""


def test_the_import_costs_less_than_a_fifth_of_a_second():
    [seconds, modules] = min(
        json.loads(subprocess.run([sys.executable, "-c", _IMPORT], capture_output=True, check=True).stdout)
        for _ in range(3)
    )
    assert seconds < 0.2
    assert [name for name in modules if name.startswith("shortlist")] == ["shortlist", "shortlist.environment"]
    assert not {"numpy", "pandas", "pyarrow", "tensorflow", "pydantic"} & set(modules)


def test_no_public_name_is_that_of_a_subpackage():
    subpackages = {module.name for module in pkgutil.iter_modules(shortlist.__path__)}
    assert not subpackages & set(shortlist.__all__)
    for name in shortlist.__all__:
        assert getattr(shortlist, name)
    assert set(shortlist.__all__) <= set(dir(shortlist))


def test_the_stub_has_the_public_names():
    folder = pathlib.Path(shortlist.__file__).parent
    assert (folder / "py.typed").exists()
    stub = (folder / "__init__.pyi").read_text(encoding="utf-8")
    assert f"__all__ = {json.dumps(shortlist.__all__)}" in stub
