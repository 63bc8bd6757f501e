"""The mutations still fit the source; `make test-mutants` has the tests find them."""

from __future__ import annotations

import pytest

from tests.mutants.mutations import MUTATIONS, ROOT

_EACH = pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.fault)


@_EACH
def test_text_to_replace_occurs_exactly_once(mutation):
    assert mutation.source.read_text(encoding="utf-8").count(mutation.old) == 1
    assert mutation.new != mutation.old


@_EACH
def test_tests_are_there(mutation):
    for name in mutation.tests:
        assert (ROOT / "tests" / "components" / name).exists()


def test_mutated_source_compiles(tmp_path):
    for mutation in MUTATIONS:
        path = tmp_path / mutation.file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(mutation.source.read_bytes())
        mutation.apply(tmp_path)
        compile(path.read_text(encoding="utf-8"), str(path), "exec")


def test_text_that_is_not_there_once_is_refused(tmp_path):
    first = MUTATIONS[0]
    path = tmp_path / first.file
    path.parent.mkdir(parents=True)
    path.write_text(first.old * 2, encoding="utf-8")
    with pytest.raises(ValueError, match=r"expected .* once, got it 2 times"):
        first.apply(tmp_path)


def test_each_component_has_one():
    components = {path.parent.name for path in (ROOT / "components").glob("*/__init__.py")}
    assert {mutation.file.split("/")[1] for mutation in MUTATIONS} == components
    assert len(MUTATIONS) == 22
