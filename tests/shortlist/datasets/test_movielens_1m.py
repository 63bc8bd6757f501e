"""The conversion of GroupLens' three files: made-up lines by hand, then the real films, users and orders."""

from __future__ import annotations

import hashlib
import io
import pathlib
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from shortlist.datasets import movielens_1m as ml
from shortlist.datasets import registry
from shortlist.datasets.parquet import rows_sha256, to_parquet
from shortlist.datasets.types import SourceError
from tests.shared_data import shared_data

MEMBERS = {
    # User 7 comes first and rated 2 after 1 and 3, which have one time: seq follows the time, then the file.
    ml.RATINGS_DAT: b"7::2::3::978300761\n7::1::5::978300760\n5::3::4::978300000\n7::3::1::978300760\n",
    ml.MOVIES_DAT: (
        "1::Misérables, Les (1995)::Drama\n2::Jumanji (1995)::Adventure|Children's|Fantasy\n3::8 ½ (1963)::Comedy\n"
    ).encode("latin-1"),
    ml.USERS_DAT: b"5::F::1::10::48067\n7::M::56::16::98107-2117\n",
}
EXPECTED = {
    ml.INTERACTIONS: {
        "user_id": [7, 7, 5, 7],
        "item_id": [2, 1, 3, 3],
        "rating": [3, 5, 4, 1],
        "file_row": [0, 1, 2, 3],
        "seq": [2, 0, 0, 1],
        "timestamp": [978300761, 978300760, 978300000, 978300760],
    },
    ml.ITEMS: {
        "item_id": [1, 2, 3],
        "title": ["Misérables, Les (1995)", "Jumanji (1995)", "8 ½ (1963)"],
        "genres": ["Drama", "Adventure|Children's|Fantasy", "Comedy"],
    },
    ml.USERS: {
        "user_id": [5, 7],
        "gender": ["F", "M"],
        "age": [1, 56],
        "occupation": [10, 16],
        "zip_code": ["48067", "98107-2117"],
    },
}
CLOCK: dict[str, list[Any]] = {
    "user_id": [5, 7, 7, 7],
    "item_id": [3, 1, 3, 2],
    "rating": [4, 5, 1, 3],
    "seq": [0, 0, 1, 2],
    "timestamp": [978300000, 978300760, 978300760, 978300761],
    "exact": [True, True, True, True],
}
# The files inside GroupLens' archive, as other projects pinned them.
PUBLISHED_SHA256 = {
    ml.MOVIES_DAT: "0140fc2356357c1a851d0f52e893a1e4d3696df632c4141cea8d5bc3d621f0b9",
    ml.USERS_DAT: "1dc3a95300cb19f7c10e027daf29b8cdf1d908dab65b5edfb45950aa389a10a3",
}


def test_grouplens_files_become_the_normal_form() -> None:
    files = ml.from_grouplens(MEMBERS)
    assert {name: parquet.read_table(io.BytesIO(file)).to_pydict() for name, file in files.items()} == EXPECTED


def test_the_clock_has_the_ratings_by_user_and_order() -> None:
    [(name, content)] = ml.clock_from_grouplens(MEMBERS).items()
    assert (name, parquet.read_table(io.BytesIO(content)).to_pydict()) == (ml.INTERACTIONS, CLOCK)


def test_a_copy_without_times_gives_no_clock() -> None:
    table = parquet.read_table(io.BytesIO(ml.from_grouplens(MEMBERS)[ml.INTERACTIONS])).drop(["timestamp"])
    with pytest.raises(SourceError, match=r"interactions\.parquet is a copy without the column timestamp"):
        ml.with_clock({ml.INTERACTIONS: to_parquet(table.to_pydict())})


@pytest.mark.parametrize(("exact", "caveat"), [([True] * 4, None), ([True, False, False, True], "50% of the timest")])
def test_estimated_times_are_told(tmp_path: pathlib.Path, exact: list[bool], caveat: str | None) -> None:
    folder = tmp_path / "ml-1m-clock"
    folder.mkdir()
    (folder / ml.INTERACTIONS).write_bytes(to_parquet(CLOCK | {"exact": exact}))
    told = ml.estimated_times(folder)
    assert (told or "").startswith(caveat or "")
    assert (told is None) == (caveat is None)
    # The sentence goes into results that people commit.
    assert str(tmp_path) not in (told or "")


@pytest.mark.parametrize(
    ("users", "times", "positions"),
    [
        ([], [], []),
        ([1, 1, 1], [5, 5, 5], [0, 1, 2]),
        ([1, 2, 1, 2], [4, 3, 2, 1], [1, 1, 0, 0]),
    ],
)
def test_positions_in_history(users: list[int], times: list[int], positions: list[int]) -> None:
    assert ml.positions_in_history(users, times) == positions


def dat(*columns: Any) -> bytes:
    rows = zip(*(column.to_pylist() for column in columns), strict=True)
    return "".join("::".join(map(str, row)) + "\n" for row in rows).encode("latin-1")


def test_the_real_files_have_the_pinned_checksums() -> None:
    """The films' and users' files are rebuilt byte for byte; of the ratings' times only their order is known."""
    folder = shared_data("ml-1m")
    ratings, items, users = (parquet.read_table(folder / name) for name in (ml.INTERACTIONS, ml.ITEMS, ml.USERS))
    times = pa.compute.add(ratings["seq"], 956_703_932)
    members = {
        ml.RATINGS_DAT: dat(ratings["user_id"], ratings["item_id"], ratings["rating"], times),
        ml.MOVIES_DAT: dat(*items.columns),
        ml.USERS_DAT: dat(*users.columns),
    }
    assert {name: hashlib.sha256(members[name]).hexdigest() for name in PUBLISHED_SHA256} == PUBLISHED_SHA256
    made = ml.from_grouplens(members)
    pins = registry.MOVIELENS_1M_ORDER.files
    assert {name: rows_sha256(made[name], file.columns) for name, file in pins.items()} == {
        name: file.sha256 for name, file in pins.items()
    }
    [file] = registry.MOVIELENS_1M.files.values()
    assert rows_sha256(ml.with_clock(made)[ml.INTERACTIONS], file.columns) == file.sha256


@pytest.mark.parametrize(
    ("name", "folder", "caveat"), [("movielens-1m", "ml-1m-clock", "61% of"), ("movielens-1m-order", "ml-1m", "None")]
)
def test_files_that_are_there_are_recognised(name: str, folder: str, caveat: str) -> None:
    path = shared_data(folder)
    result = registry.fetch(name, path.parent)
    assert (result.fetched, result.path) == (False, path)
    assert str(result.caveat).startswith(caveat)


def test_the_clocks_order_is_that_of_seq() -> None:
    """The two configs have equal eval and test targets, since time and then the file's order give `seq`."""
    path = shared_data("ml-1m-clock") / ml.INTERACTIONS
    log = parquet.read_table(path, columns=["user_id", "seq", "timestamp"]).to_pandas()
    in_order = log.sort_values(["user_id", "timestamp"], kind="stable")
    assert (in_order.seq == in_order.groupby("user_id").cumcount()).all()
