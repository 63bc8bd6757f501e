"""MovieLens 1M: GroupLens' archive and its normal form.

1,000,209 ratings (interactions) by 6,040 users (queries) of 3,706 films, out of a catalogue of 3,883 (candidates),
April 2000 to February 2003.

The normal form is two folders. `ml-1m` is the data set without times:

    interactions.parquet  user_id, item_id, rating, file_row, seq, timestamp  in the order of ratings.dat
    items.parquet         item_id, title, genres                              in the order of movies.dat
    users.parquet         user_id, gender, age, occupation, zip_code          in the order of users.dat

and `ml-1m-clock` has the ratings with their times:

    interactions.parquet  user_id, item_id, rating, seq, timestamp, exact     by user, then by seq

`file_row` is the row number in ratings.dat, from 0. `seq` is the position of the rating in its user's history, from 0,
ordered by time and then by the row in the file; ratings.dat itself is not ordered by time. `timestamp` is in seconds
since 1970. Many copies of this data set lack it. Therefore no checksum covers it, and `ml-1m` may come without it. The
second folder may have estimated times, in the order of `seq`, with `exact` false. `age` and `occupation` are codes (25
is "25 to 34"). `genres` are joined by `|`.
"""

from __future__ import annotations

import io
import pathlib
from collections.abc import Mapping, Sequence

from shortlist.datasets.movielens_100k import text_lines
from shortlist.datasets.parquet import to_parquet
from shortlist.datasets.types import SourceError

INTERACTIONS = "interactions.parquet"
ITEMS = "items.parquet"
USERS = "users.parquet"

TIMESTAMP = "timestamp"
ORDER_COLUMNS = ("user_id", "item_id", "rating", "file_row", "seq")
"""The columns of `ml-1m` that all copies have."""
CLOCK_COLUMNS = ("user_id", "item_id", "rating", "seq")
"""The columns of `ml-1m-clock` without times, which may be estimated."""
_EXACT = "exact"

RATINGS_DAT = "ml-1m/ratings.dat"
MOVIES_DAT = "ml-1m/movies.dat"
USERS_DAT = "ml-1m/users.dat"
GROUPLENS_MEMBERS = (RATINGS_DAT, MOVIES_DAT, USERS_DAT)


def from_grouplens(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Returns the normal form of GroupLens' ratings.dat, movies.dat and users.dat (ISO 8859-1)."""
    users, items, ratings, times = (list(map(int, column)) for column in _columns(members[RATINGS_DAT]))
    item_ids, titles, genres = _columns(members[MOVIES_DAT])
    user_ids, genders, ages, occupations, zip_codes = _columns(members[USERS_DAT])
    interactions = {
        "user_id": users,
        "item_id": items,
        "rating": ratings,
        "file_row": range(len(users)),
        "seq": positions_in_history(users, times),
        TIMESTAMP: times,
    }
    catalogue = {"item_id": list(map(int, item_ids)), "title": titles, "genres": genres}
    people = {
        "user_id": list(map(int, user_ids)),
        "gender": genders,
        "age": list(map(int, ages)),
        "occupation": list(map(int, occupations)),
        "zip_code": zip_codes,
    }
    return {INTERACTIONS: to_parquet(interactions), ITEMS: to_parquet(catalogue), USERS: to_parquet(people)}


def clock_from_grouplens(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Returns `ml-1m-clock` from GroupLens' files, see `from_grouplens`."""
    return with_clock(from_grouplens(members))


def with_clock(tables: Mapping[str, bytes]) -> dict[str, bytes]:
    """Returns `ml-1m-clock` from the tables of `ml-1m`.

    Raises:
      SourceError: They lack the times.
    """
    import pyarrow_hotfix  # noqa: F401  Prevents the execution of a file's pickled types (CVE-2023-47248).
    from pyarrow import compute, parquet  # The import takes half a second.

    log = parquet.read_table(io.BytesIO(tables[INTERACTIONS]))
    if TIMESTAMP not in log.column_names:
        raise SourceError(f"its {INTERACTIONS} is a copy without the column {TIMESTAMP}")
    log = log.take(compute.sort_indices(log, [("user_id", "ascending"), ("seq", "ascending")]))
    columns = {name: log[name] for name in (*CLOCK_COLUMNS, TIMESTAMP)}
    return {INTERACTIONS: to_parquet({**columns, _EXACT: [True] * log.num_rows})}


def estimated_times(folder: pathlib.Path) -> str | None:
    """Returns a sentence on the estimated times of an `ml-1m-clock`; None if all times are GroupLens'."""
    import pyarrow_hotfix  # noqa: F401  Prevents the execution of a file's pickled types (CVE-2023-47248).
    from pyarrow import compute, parquet  # The import takes half a second.

    exact = parquet.read_table(folder / INTERACTIONS, columns=[_EXACT])[_EXACT]
    share = compute.mean(exact.cast("int8")).as_py()
    if share == 1.0:
        return None
    return (
        f"{share:.0%} of the timestamps are exact and the others estimated, so figures are a lower bound; GroupLens' "
        f"archive has all of them, remove the folder {folder.name} to fetch it"
    )


def positions_in_history(users: Sequence[int], times: Sequence[int]) -> list[int]:
    """Returns each row's position among its user's rows, from 0, by time; ties keep their order."""
    positions = [0] * len(users)
    counts: dict[int, int] = {}
    for row in sorted(range(len(users)), key=times.__getitem__):
        positions[row] = counts.get(users[row], 0)
        counts[users[row]] = positions[row] + 1
    return positions


def _columns(content: bytes) -> list[tuple[str, ...]]:
    return list(zip(*(line.split("::") for line in text_lines(content, "latin-1")), strict=True))
