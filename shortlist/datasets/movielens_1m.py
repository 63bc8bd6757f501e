"""MovieLens 1M: GroupLens' archive and its normal form.

1,000,209 ratings (interactions) by 6,040 users (queries) of 3,706 films, out of a catalogue of 3,883 (candidates),
April 2000 to February 2003.

The normal form:

    interactions.parquet  user_id, item_id, rating, file_row, seq           in the order of ratings.dat
    items.parquet         item_id, title, genres                            in the order of movies.dat
    users.parquet         user_id, gender, age, occupation, zip_code        in the order of users.dat

`file_row` is the row of ratings.dat, from 0. `seq` is the rating's place in its user's history, from 0, by the time of
the rating, ties in the order of the file: ratings.dat is not in the order of time. The time itself is left out, since
copies of this set without GroupLens' clock are common, and what stands here must be had from them too; hence no split
of all users at one time is possible. `age` and `occupation` are codes (25 is "25 to 34"); `genres` are joined by `|`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from shortlist.datasets.movielens_100k import text_lines
from shortlist.datasets.parquet import to_parquet

INTERACTIONS = "interactions.parquet"
ITEMS = "items.parquet"
USERS = "users.parquet"

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
        "seq": places_in_history(users, times),
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


def places_in_history(users: Sequence[int], times: Sequence[int]) -> list[int]:
    """Returns each row's place among its user's rows, from 0, by time; rows at one time keep their order."""
    places = [0] * len(users)
    counts: dict[int, int] = {}
    for row in sorted(range(len(users)), key=times.__getitem__):
        places[row] = counts.get(users[row], 0)
        counts[users[row]] = places[row] + 1
    return places


def _columns(content: bytes) -> list[tuple[str, ...]]:
    return list(zip(*(line.split("::") for line in text_lines(content, "latin-1")), strict=True))
