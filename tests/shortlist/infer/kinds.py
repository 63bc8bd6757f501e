"""Files in the layouts of public kinds of interaction data, with made-up values, and the right outcome for each."""

from __future__ import annotations

import csv
import dataclasses
import datetime
import gzip
import io
import json
import pathlib
import random
import sqlite3
import zipfile
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet

START = 1_600_000_000


@dataclasses.dataclass(frozen=True)
class Event:
    """One interaction."""

    user: int
    item: int
    seconds: int
    rating: int

    @property
    def moment(self) -> datetime.datetime:
        return datetime.datetime.fromtimestamp(self.seconds, tz=datetime.timezone.utc)


def _events(count: int = 700) -> list[Event]:
    chance = random.Random(3)
    events = [
        Event(chance.randrange(60), min(int(chance.paretovariate(0.7)), 80), START + 9_000 * row + 7, 1 + row % 5)
        for row in range(count)
    ]
    # Without repeated pairs, except where a kind adds them.
    return list({(event.user, event.item): event for event in events}.values())


EVENTS = _events()


@dataclasses.dataclass(frozen=True)
class Kind:
    """One layout: how its files are written, and what `schema infer` makes of them."""

    name: str
    write: Callable[[pathlib.Path], str]
    """Writes the files into a folder; returns the name of the log."""

    section: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Expected keys of the log's section, of the first guess or of the one after the help."""

    says: Sequence[str] = ()
    """Texts among the reasons and the profile."""

    help: Sequence[str] = ()
    """Texts of the error of the first try; empty if the first guess is right."""

    hints: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What the help asked for; None as `hints["never"]` if the layout must be converted first."""

    candidates: str | None = None
    queries: str | None = None
    candidate_features: Mapping[str, Any] | None = None
    query_features: Mapping[str, Any] | None = None
    split: str | None = None

    def __str__(self) -> str:
        return self.name


def _text(name: str, header: Sequence[str] | None, row: Callable[[Event], Sequence[Any]], **how: Any) -> Callable:
    """Returns a writer of delimited text."""
    delimiter, encoding = how.get("delimiter", ","), how.get("encoding", "utf-8")
    events = how.get("events", EVENTS)

    def write(folder: pathlib.Path) -> str:
        rows = [*([header] if header else []), *([str(cell) for cell in row(event)] for event in events)]
        if len(delimiter) > 1 or how.get("plain"):
            text = "".join(delimiter.join(cells) + "\n" for cells in rows)
        else:
            file = io.StringIO()
            dialect = "unix" if how.get("quoted") else "excel"  # `unix` quotes every field.
            csv.writer(file, dialect, delimiter=delimiter, lineterminator="\n").writerows(rows)
            text = file.getvalue()
        data = text.encode(encoding)
        (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        for extra in how.get("extra", ()):
            extra(folder)
        return name

    return write


def _json(name: str, row: Callable[[Event], Mapping[str, Any]], array: str | None = None) -> Callable:
    def write(folder: pathlib.Path) -> str:
        rows = [json.dumps(row(event)) for event in EVENTS]
        text = "\n".join(rows) + "\n"
        if array is not None:
            text = "[" + f",{array}".join(rows) + "]"
        data = text.encode()
        (folder / name).write_bytes(gzip.compress(data) if name.endswith(".gz") else data)
        return name

    return write


def _parquet(name: str, columns: Callable[[Sequence[Event]], Mapping[str, Any]]) -> Callable:
    def write(folder: pathlib.Path) -> str:
        pyarrow.parquet.write_table(pa.table(dict(columns(EVENTS))), folder / name)
        return name

    return write


def _bytes_as(name: str, content: Callable[[pathlib.Path], bytes]) -> Callable:
    def write(folder: pathlib.Path) -> str:
        (folder / name).write_bytes(content(folder))
        return name

    return write


def _workbook(folder: pathlib.Path) -> bytes:
    book = openpyxl.Workbook()
    book.active.append(["user_id", "item_id", "timestamp"])
    for event in EVENTS:
        book.active.append([f"u{event.user}", f"p{event.item}", event.seconds])
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def _database(folder: pathlib.Path) -> bytes:
    path = folder / "made.db"
    connection = sqlite3.connect(path)
    connection.execute("create table log (user_id, item_id, timestamp)")
    connection.commit()
    connection.close()
    data = path.read_bytes()
    path.unlink()
    return data


def _zip(folder: pathlib.Path) -> bytes:
    file = io.BytesIO()
    text = "".join(f"u{event.user},p{event.item},{event.seconds}\n" for event in EVENTS)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("log.csv", "user_id,item_id,timestamp\n" + text)
    return file.getvalue()


def _zipped_workbook(folder: pathlib.Path) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("log.xlsx", _workbook(folder))
    return file.getvalue()


def _catalogue(name: str, header: Sequence[str] | None, row: Callable[[int], Sequence[Any]], **how: Any) -> Callable:
    def write(folder: pathlib.Path) -> None:
        rows = [*([header] if header else []), *([str(cell) for cell in row(item)] for item in range(1, 81))]
        delimiter = how.get("delimiter", ",")
        if how.get("plain"):
            text = "".join(delimiter.join(cells) + "\n" for cells in rows)
        else:
            file = io.StringIO()
            csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows(rows)
            text = file.getvalue()
        (folder / name).write_bytes(text.encode(how.get("encoding", "utf-8")))

    return write


_GENRES = ("Drama", "War", "Comedy", "Action", "Film-Noir")
_TYPES = ("view", "view", "view", "cart", "purchase")


def _retail(event: Event) -> str:
    return ("view", "view", "view", "addtocart", "transaction")[event.seconds // 9_000 % 5]


def _big(number: int) -> int:
    """A made-up 64-bit id, negative for odd numbers."""
    return (-1) ** number * (4_000_000_000_000_000_000 + number * 7_919)


def _adjacency(folder: pathlib.Path) -> bytes:
    lines = []
    for user in range(60):
        items = [event.item for event in EVENTS if event.user == user]
        lines.append(" ".join(map(str, [user, *items])))
    return "\n".join(lines).encode()


def _netflix(folder: pathlib.Path) -> bytes:
    lines = []
    for item in sorted({event.item for event in EVENTS}):
        lines.append(f"{item}:")
        lines += [f"{event.user},{event.rating},{event.moment:%Y-%m-%d}" for event in EVENTS if event.item == item]
    return "\n".join(lines).encode()


def _matrix(folder: pathlib.Path) -> bytes:
    chance = random.Random(1)
    rows = [
        [
            str(chance.randrange(20)),
            *(f"{chance.uniform(-10, 10):.2f}" if chance.random() < 0.5 else "99" for _ in range(100)),
        ]
        for _ in range(50)
    ]
    return "\n".join(",".join(row) for row in rows).encode()


_ML = {"query_id": "userId", "candidate_id": "movieId", "timestamp": "timestamp"}
_NO_TIME_HELP = ("--timestamp none", "--timestamp row")

KINDS = (
    Kind(
        "01 MovieLens csv with a catalogue",
        _text(
            "ratings.csv",
            ("userId", "movieId", "rating", "timestamp"),
            lambda e: (e.user, e.item, e.rating - 0.5, e.seconds),
            extra=[
                _catalogue(
                    "movies.csv",
                    ("movieId", "title", "genres"),
                    lambda i: (i, f"The film {i}, part (19{i:02d})", "|".join(_GENRES[i % 4 : i % 4 + 1 + i % 3])),
                )
            ],
        ),
        _ML,
        says=("rating >= 4",),
        candidates="movies.csv",
        candidate_features={"title": "text", "genres": "multi_category"},
        split="leave_last_out",
    ),
    Kind(
        "02 times of 0 among the others",
        _text(
            "ratings.csv",
            ("userId", "movieId", "rating", "timestamp"),
            lambda e: (e.user, e.item, e.rating, 0 if e.user == 3 and e.item % 2 else e.seconds),
        ),
        {**_ML, "filter": "timestamp >= 631152000"},
        says=("before 1990",),
    ),
    Kind(
        "03 double colons without a header",
        _text("ratings.dat", None, lambda e: (e.user, e.item, e.rating, e.seconds), delimiter="::"),
        {"query_id": "user_id", "candidate_id": "item_id", "timestamp": "timestamp", "header": False},
        help=("--columns user_id,item_id,rating,timestamp",),
        hints={"columns": ("user_id", "item_id", "rating", "timestamp")},
    ),
    Kind(
        "04 tabs without a header",
        _text("u.data", None, lambda e: (e.user, e.item, e.rating, e.seconds), delimiter="\t"),
        {"query_id": "user_id", "candidate_id": "item_id", "timestamp": "timestamp", "header": False},
        help=("--columns user_id,item_id,rating,timestamp",),
        hints={"columns": ("user_id", "item_id", "rating", "timestamp")},
    ),
    Kind(
        "05 a catalogue with bars, in latin-1, without a header",
        _text(
            "u.tsv",
            ("user_id", "item_id", "timestamp"),
            lambda e: (e.user, e.item, e.seconds),
            delimiter="\t",
            extra=[
                _catalogue(
                    "u.item",
                    None,
                    lambda i: (i, f"Café {i} (1995)", "01-Jan-1995", "", "http://x", i % 2),
                    delimiter="|",
                    encoding="latin-1",
                    plain=True,
                )
            ],
        ),
        {"query_id": "user_id", "candidate_id": "item_id", "timestamp": "timestamp"},
        candidates="u.item",
        help=("--candidates-columns",),
        hints={"candidates_columns": ("item_id", "title", "released", "video", "url", "action")},
        says=("not UTF-8",),
    ),
    Kind(
        "06 RecBole",
        _text(
            "x.inter",
            ("user_id:token", "item_id:token", "timestamp:float"),
            lambda e: (e.user, e.item, e.seconds),
            delimiter="\t",
        ),
        {"query_id": "user_id", "candidate_id": "item_id", "timestamp": "timestamp"},
    ),
    Kind(
        "07 counts without a time",
        _text(
            "user_artists.dat",
            ("userID", "artistID", "weight"),
            lambda e: (e.user, e.item, e.rating * 731),
            delimiter="\t",
        ),
        {"query_id": "userID", "candidate_id": "artistID", "timestamp": None},
        help=_NO_TIME_HELP,
        hints={"timestamp": "none"},
        split="random",
    ),
    Kind(
        "08 quoted semicolons in latin-1 without a time",
        _text(
            "BX-Book-Ratings.csv",
            ("User-ID", "ISBN", "Book-Rating", "Town"),
            lambda e: (e.user, f"0{e.item:09d}", e.rating * 2, "Orléans"),
            delimiter=";",
            quoted=True,
            encoding="latin-1",
        ),
        {
            "query_id": "User-ID",
            "candidate_id": "ISBN",
            "timestamp": None,
            "timestamp_unit": "row",
            "delimiter": ";",
            "encoding": "latin-1",
        },
        help=_NO_TIME_HELP,
        hints={"timestamp": "row"},
        split="leave_last_out",
    ),
    Kind(
        "09 reviews in JSON Lines, gzipped",
        _json(
            "reviews.json.gz",
            lambda e: {
                "reviewerID": f"A{e.user:05d}",
                "asin": f"B{e.item:09d}",
                "reviewerName": f"Name {e.user}",
                "helpful": [e.rating, 5],
                "reviewText": f"text {e.seconds}",
                "overall": float(e.rating),
                "summary": f"s {e.seconds}",
                "unixReviewTime": e.seconds // 86_400 * 86_400,
                "reviewTime": f"{e.moment:%m} {e.moment.day}, {e.moment:%Y}",
            },
        ),
        {"query_id": "reviewerID", "candidate_id": "asin", "timestamp": "unixReviewTime"},
        query_features={},
    ),
    Kind(
        "10 two ids of products",
        _json(
            "reviews.jsonl",
            lambda e: {
                "user_id": f"A{e.user}",
                "asin": f"B{e.item}",
                "parent_asin": f"B{e.item // 2}",
                "timestamp": e.seconds * 1000 + 27,
                "rating": e.rating,
            },
        ),
        {"query_id": "user_id", "candidate_id": "parent_asin", "timestamp": "timestamp"},
        help=("asin and parent_asin", "--candidate-id asin", "--candidate-id parent_asin"),
        hints={"candidate_id": "parent_asin"},
    ),
    Kind(
        "11 views, carts and transactions in milliseconds",
        _text(
            "events.csv",
            ("timestamp", "visitorid", "event", "itemid", "transactionid"),
            lambda e: (e.seconds * 1000 + 5, e.user, _retail(e), e.item, e.seconds if _retail(e)[0] == "t" else ""),
            events=[*EVENTS, *(dataclasses.replace(event, seconds=event.seconds + 900_000) for event in EVENTS[:150])],
        ),
        {
            "query_id": "visitorid",
            "candidate_id": "itemid",
            "timestamp": "timestamp",
            "weight": {"column": "event", "values": {"view": 1.0, "addtocart": 3.0, "transaction": 10.0}},
        },
        says=("repeat an earlier pair",),
        split="leave_last_out",
    ),
    Kind(
        "12 a shop with sessions and an unknown type",
        _text(
            "2019-Oct.csv",
            (
                "event_time",
                "event_type",
                "product_id",
                "category_id",
                "category_code",
                "brand",
                "price",
                "user_id",
                "user_session",
            ),
            lambda e: (
                f"{e.moment:%Y-%m-%d %H:%M:%S} UTC",
                "remove_from_cart" if e.item % 7 == 0 else _TYPES[e.seconds // 9_000 % 5],
                44600062 + e.item,
                21035681 + e.item % 6,
                f"a.b{e.item % 6}",
                f"brand{e.item % 9}",
                e.item + 0.5,
                541312140 + e.user,
                f"72d76fde-{e.user}-{e.seconds // 90_000}",
            ),
        ),
        {"query_id": "user_id", "candidate_id": "product_id", "timestamp": "event_time"},
        says=("remove_from_cart", "weight 0"),
        split="leave_last_out",
    ),
    Kind(
        "13 order lines beside orders",
        _text(
            "order_products.csv",
            ("order_id", "product_id", "add_to_cart_order", "reordered"),
            lambda e: (e.user * 100 + e.item % 7, e.item, 1 + e.item % 9, e.item % 2),
        ),
        help=("join the two", 'lines.merge(orders, on="order_id")'),
        hints={"never": None},
    ),
    Kind(
        "14 order lines joined with orders",
        _text(
            "joined.csv",
            (
                "order_id",
                "product_id",
                "add_to_cart_order",
                "reordered",
                "user_id",
                "order_number",
                "order_dow",
                "order_hour_of_day",
                "days_since_prior_order",
            ),
            lambda e: (
                e.user * 1000 + e.seconds // 900_000,
                e.item,
                e.item % 5,
                e.item % 2,
                e.user,
                1 + e.seconds // 900_000 - START // 900_000,
                e.seconds // 900_000 % 7,
                e.seconds // 900_000 % 24,
                7.0,
            ),
        ),
        {"query_id": "user_id", "candidate_id": "product_id", "timestamp": "order_number"},
        split="leave_last_basket",
    ),
    Kind(
        "15 fashion with codes",
        _text(
            "transactions.csv",
            ("t_dat", "customer_id", "article_id", "price", "sales_channel_id"),
            lambda e: (f"{e.moment:%Y-%m-%d}", f"{e.user:064x}", f"0{663713000 + e.item}", 0.05 * e.rating, 2),
            extra=[
                _catalogue(
                    "articles.csv",
                    ("article_id", "product_code", "prod_name", "product_type_no", "department_no"),
                    lambda i: (f"0{663713000 + i}", 663713 + i // 4, f"Strap top {i}", 250 + i % 5, 1600 + i % 9),
                )
            ],
        ),
        {"query_id": "customer_id", "candidate_id": "article_id", "timestamp": "t_dat"},
        candidates="articles.csv",
        candidate_features={
            "product_code": "category",
            "prod_name": "text",
            "product_type_no": "category",
            "department_no": "category",
        },
    ),
    Kind(
        "16 clicks of sessions",
        _text(
            "clicks.csv",
            ("session_id", "timestamp", "item_id", "category"),
            lambda e: (e.user, f"{e.moment:%Y-%m-%dT%H:%M:%S}.277Z", e.item, e.item % 4),
        ),
        {"query_id": "session_id", "candidate_id": "item_id", "timestamp": "timestamp"},
    ),
    Kind(
        "16b clicks of sessions without a header",
        _text("clicks.dat", None, lambda e: (e.user, f"{e.moment:%Y-%m-%dT%H:%M:%S}.277Z", e.item, e.item % 4)),
        {"query_id": "s", "candidate_id": "i", "timestamp": "t", "header": False, "delimiter": ","},
        help=("--columns user_id,timestamp,item_id",),
        hints={"columns": ("s", "t", "i", "category"), "query_id": "s", "candidate_id": "i", "timestamp": "t"},
    ),
    Kind(
        "17 sessions whose users are mostly NA",
        _text(
            "train-item-views.csv",
            ("sessionId", "userId", "itemId", "timeframe", "eventdate"),
            lambda e: (e.user, "NA" if e.user % 10 else e.user, e.item, e.seconds % 500_000, f"{e.moment:%Y-%m-%d}"),
            delimiter=";",
        ),
        {"query_id": "sessionId", "candidate_id": "itemId", "timestamp": "eventdate", "delimiter": ";"},
        says=("NA",),
    ),
    Kind(
        "18 people after sessions, with negative ids",
        _text(
            "users_interactions.csv",
            ("timestamp", "eventType", "contentId", "personId", "sessionId", "userAgent", "userRegion", "userCountry"),
            lambda e: (
                e.seconds,
                ("VIEW", "VIEW", "LIKE", "COMMENT CREATED", "FOLLOW")[e.item % 5],
                _big(e.item),
                _big(e.user),
                _big(e.user * 1000 + e.seconds // 900_000),
                "",
                "",
                "",
            ),
        ),
        {"query_id": "personId", "candidate_id": "contentId", "timestamp": "timestamp"},
        says=("'COMMENT CREATED' is no known type", "'FOLLOW' is no known type"),
    ),
    Kind(
        "19 ratings of -1 without a time",
        _text(
            "rating.csv",
            ("user_id", "anime_id", "rating"),
            lambda e: (e.user, e.item, -1 if e.item % 4 else e.rating * 2),
        ),
        {"query_id": "user_id", "candidate_id": "anime_id", "timestamp": None},
        help=_NO_TIME_HELP,
        hints={"timestamp": "none"},
        says=("-1, which often means not rated",),
    ),
    Kind(
        "20 reviews of businesses",
        _json(
            "review.json",
            lambda e: {
                "review_id": f"x{e.seconds}",
                "user_id": f"u{e.user}",
                "business_id": f"b{e.item}",
                "stars": float(e.rating),
                "useful": 0,
                "text": f"text {e.seconds}",
                "date": f"{e.moment:%Y-%m-%d %H:%M:%S}",
            },
        ),
        {"query_id": "user_id", "candidate_id": "business_id", "timestamp": "date"},
        query_features={},
    ),
    Kind(
        "21 ratings of places",
        _json(
            "review.json",
            lambda e: {
                "user_id": f"1{e.user}",
                "name": f"Name {e.user}",
                "time": e.seconds * 1000 + 56,
                "rating": e.rating,
                "text": None,
                "pics": None,
                "gmap_id": f"0x80{e.item:x}",
            },
        ),
        {"query_id": "user_id", "candidate_id": "gmap_id", "timestamp": "time"},
    ),
    Kind(
        "22 dates with a weekday and a zone",
        _json(
            "books.json",
            lambda e: {
                "user_id": f"{e.user:032x}",
                "book_id": str(e.item),
                "rating": e.rating,
                "date_added": f"{e.moment:%a %b %d %H:%M:%S} -0700 {e.moment:%Y}",
            },
        ),
        {
            "query_id": "user_id",
            "candidate_id": "book_id",
            "timestamp": "date_added",
            "timestamp_format": "%a %b %d %H:%M:%S %z %Y",
        },
    ),
    Kind(
        "23 blocks of ratings per film",
        _bytes_as("combined_data_1.txt", _netflix),
        help=("Netflix", "docs/data.md"),
        hints={"never": None},
    ),
    Kind(
        "24 a user and its items in each line",
        _bytes_as("train.txt", _adjacency),
        help=("a user and its items", "docs/data.md"),
        hints={"never": None},
    ),
    Kind(
        "25 a matrix",
        _bytes_as("jester.csv", _matrix),
        help=("a row per user and a column per item", "docs/data.md"),
        hints={"never": None},
    ),
    Kind(
        "26 a JSON array on one line",
        _json("log.json", lambda e: {"user": e.user, "item": e.item, "time": e.seconds}, array=" "),
        {"query_id": "user", "candidate_id": "item", "timestamp": "time"},
    ),
    Kind(
        "26b a JSON array with an object a line",
        _json("log.json", lambda e: {"user": e.user, "item": e.item, "time": e.seconds}, array="\n"),
        {"query_id": "user", "candidate_id": "item", "timestamp": "time"},
    ),
    Kind(
        "27 a workbook",
        _bytes_as("log.xlsx", _workbook),
        {"query_id": "user_id", "candidate_id": "item_id", "timestamp": "timestamp"},
    ),
    Kind("27b a workbook named csv", _bytes_as("log.csv", _workbook), help=("Excel",), hints={"never": None}),
    Kind("27c a database", _bytes_as("log.sqlite", _database), help=("SQLite",), hints={"never": None}),
    Kind("27d a database named csv", _bytes_as("log.csv", _database), help=("SQLite",), hints={"never": None}),
    Kind(
        "27e a zip file",
        _bytes_as("log.zip", _zip),
        {"query_id": "user_id", "candidate_id": "item_id", "timestamp": "timestamp"},
    ),
    Kind(
        "27f a zip file named csv",
        _bytes_as("log.csv", _zip),
        {"query_id": "user_id", "candidate_id": "item_id", "timestamp": "timestamp"},
    ),
    Kind(
        "27h a workbook in a zip file",
        _bytes_as("log.zip", _zipped_workbook),
        {"query_id": "user_id", "candidate_id": "item_id", "timestamp": "timestamp"},
    ),
    Kind(
        "27g a workbook that is cut off",
        _bytes_as("log.csv", lambda folder: _workbook(folder)[:6000]),
        help=("Excel",),
        hints={"never": None},
    ),
    Kind(
        "28 UTF-16 with a byte order mark",
        _text("log.csv", ("user_id", "item_id", "timestamp"), lambda e: (e.user, e.item, e.seconds), encoding="utf-16"),
        {"query_id": "user_id", "candidate_id": "item_id", "timestamp": "timestamp"},
    ),
    Kind(
        "29 American dates",
        _text("log.csv", ("user", "item", "when"), lambda e: (e.user, e.item, f"{e.moment:%m/%d/%Y %H:%M}")),
        {"query_id": "user", "candidate_id": "item", "timestamp": "when", "timestamp_format": "%m/%d/%Y %H:%M"},
    ),
    Kind(
        "29b German dates and decimal commas",
        _text(
            "log.csv",
            ("kunde_user", "produkt_item", "date", "preis"),
            lambda e: (e.user, e.item, f"{e.moment:%d.%m.%Y}", f"{e.item},5"),
            delimiter=";",
        ),
        {
            "query_id": "kunde_user",
            "candidate_id": "produkt_item",
            "timestamp": "date",
            "timestamp_format": "%d.%m.%Y",
            "delimiter": ";",
            "decimal": ",",
        },
    ),
    Kind(
        "29c dates of which no day is above 12",
        _text(
            "log.csv",
            ("user", "item", "when"),
            lambda e: (e.user, e.item, f"0{1 + e.item % 9}/0{1 + e.user % 9}/2010 8:26"),
        ),
        {"timestamp": "when", "timestamp_format": "%d/%m/%Y %H:%M"},
        help=("ambiguous", '--timestamp-format "%m/%d/%Y %H:%M"', '--timestamp-format "%d/%m/%Y %H:%M"'),
        hints={"timestamp_format": "%d/%m/%Y %H:%M"},
    ),
    Kind(
        "30 impressions",
        _text("log.csv", ("user", "item", "click", "time"), lambda e: (e.user, e.item, int(e.item < 9), e.seconds)),
        {"query_id": "user", "candidate_id": "item", "timestamp": "time", "filter": "click == 1"},
        says=("impressions",),
    ),
    Kind(
        "31 baskets of households",
        _parquet(
            "transactions.parquet",
            lambda events: {
                "household_id": [e.user for e in events],
                "store_id": [e.user % 4 for e in events],
                "basket_id": [e.user * 100_000 + e.seconds // 600_000 for e in events],
                "product_id": [e.item for e in events],
                "quantity": [1 + e.item % 3 for e in events],
                "transaction_timestamp": pa.array(
                    [e.seconds // 600_000 * 600_000 * 10**6 for e in events], pa.timestamp("us")
                ),
            },
        ),
        {"query_id": "household_id", "candidate_id": "product_id", "timestamp": "transaction_timestamp"},
        split="leave_last_basket",
    ),
    Kind(
        "32 beers of profiles",
        _text(
            "beer.csv",
            ("brewery_id", "review_time", "review_overall", "review_profilename", "beer_name", "beer_beerid"),
            lambda e: (e.item // 4, e.seconds, e.rating, f"name{e.user}", f"Beer {e.item}", e.item),
        ),
        {"query_id": "review_profilename", "candidate_id": "beer_beerid", "timestamp": "review_time"},
    ),
    Kind(
        "32b places",
        _text("log.csv", ("profilename", "place_id", "ts"), lambda e: (f"n{e.user}", e.item, e.seconds)),
        {"query_id": "profilename", "candidate_id": "place_id", "timestamp": "ts"},
    ),
    Kind(
        "32c jokes",
        _text("log.csv", ("user_id", "joke_id", "Rating", "ts"), lambda e: (e.user, e.item, e.rating, e.seconds)),
        {"query_id": "user_id", "candidate_id": "joke_id", "timestamp": "ts"},
    ),
    Kind(
        "32d positions",
        _text("log.csv", ("account", "position", "applied_at"), lambda e: (e.user, f"job{e.item}", e.seconds)),
        {"query_id": "account", "candidate_id": "position", "timestamp": "applied_at"},
    ),
    Kind(
        "33 Parquet with nested columns",
        _parquet(
            "log.parquet",
            lambda events: {
                "user_id": [f"u{e.user}" for e in events],
                "item_id": [e.item for e in events],
                "timestamp": [e.seconds for e in events],
                "context": pa.array([{"os": "x", "v": 1} for _ in events]),
                "attributes": pa.array([[("a", 1)] for _ in events], pa.map_(pa.string(), pa.int64())),
                "path": pa.array([[[1, 2]] for _ in events]),
            },
        ),
        {"query_id": "user_id", "candidate_id": "item_id", "timestamp": "timestamp"},
        says=("context", "attributes", "path"),
    ),
    Kind(
        "34 newest first",
        _text(
            "log.csv",
            ("user_id", "item_id", "rating", "device", "timestamp"),
            lambda e: (e.user, e.item, e.rating, "ab"[e.seconds // 9_000 % 2], e.seconds),
            events=EVENTS[::-1],
        ),
        {"query_id": "user_id", "candidate_id": "item_id", "timestamp": "timestamp"},
        query_features={},
    ),
    # Siblings that the list has not.
    Kind(
        "35 subscribers and songs",
        _text(
            "log.csv",
            ("msno", "song_id", "source_system_tab", "target", "date"),
            lambda e: (f"m{e.user}", f"s{e.item}", "tab", int(e.item < 20), f"{e.moment:%Y%m%d}"),
        ),
        {"query_id": "msno", "candidate_id": "song_id", "timestamp": "date", "filter": "target == 1"},
    ),
    Kind(
        "36 check-ins",
        _text(
            "checkins.tsv",
            (
                "userId",
                "venueId",
                "venueCategoryId",
                "venueCategory",
                "latitude",
                "longitude",
                "timezoneOffset",
                "utcTimestamp",
            ),
            lambda e: (
                e.user,
                f"v{e.item}",
                f"c{e.item % 5}",
                f"Cat {e.item % 5}",
                40.7,
                -73.9,
                -240,
                f"{e.moment:%a %b %d %H:%M:%S} +0000 {e.moment:%Y}",
            ),
            delimiter="\t",
        ),
        {
            "query_id": "userId",
            "candidate_id": "venueId",
            "timestamp": "utcTimestamp",
            "timestamp_format": "%a %b %d %H:%M:%S %z %Y",
        },
    ),
    Kind(
        "37 Taobao without a header",
        _text(
            "UserBehavior.csv",
            None,
            lambda e: (
                e.user,
                e.item,
                e.item % 7,
                ("pv", "pv", "cart", "fav", "buy")[e.seconds // 9_000 % 5],
                e.seconds,
            ),
        ),
        {"query_id": "u", "candidate_id": "i", "timestamp": "t", "header": False},
        help=("--columns",),
        hints={
            "columns": ("u", "i", "category", "behavior", "t"),
            "query_id": "u",
            "candidate_id": "i",
            "timestamp": "t",
        },
    ),
    Kind(
        "38 households by day",
        _text(
            "transaction_data.csv",
            (
                "household_key",
                "BASKET_ID",
                "DAY",
                "PRODUCT_ID",
                "QUANTITY",
                "SALES_VALUE",
                "STORE_ID",
                "TRANS_TIME",
                "WEEK_NO",
            ),
            lambda e: (
                e.user,
                e.user * 100_000 + e.seconds // 600_000,
                e.seconds // 600_000 - START // 600_000,
                e.item,
                1,
                2.5,
                364,
                1631,
                1 + (e.seconds - START) // 4_200_000,
            ),
        ),
        {"query_id": "household_key", "candidate_id": "PRODUCT_ID", "timestamp": "DAY"},
        split="leave_last_basket",
    ),
    Kind(
        "39 recipes",
        _text(
            "interactions.csv",
            ("user_id", "recipe_id", "date", "rating", "review"),
            lambda e: (e.user, e.item, f"{e.moment:%Y-%m-%d}", e.rating, f"text {e.seconds}"),
        ),
        {"query_id": "user_id", "candidate_id": "recipe_id", "timestamp": "date"},
    ),
    Kind(
        "40 reviewers of listings",
        _text(
            "reviews.csv",
            ("listing_id", "id", "date", "reviewer_id", "reviewer_name", "comments"),
            lambda e: (e.item, e.seconds, f"{e.moment:%Y-%m-%d}", e.user, f"Name {e.user}", f"text {e.seconds}"),
        ),
        {"query_id": "reviewer_id", "candidate_id": "listing_id", "timestamp": "date"},
    ),
    Kind(
        "41 sessions with a list of events",
        _json(
            "sessions.jsonl",
            lambda e: {"session": e.user, "events": [{"aid": e.item, "ts": e.seconds, "type": "clicks"}]},
        ),
        help=("candidate",),
        hints={"never": None},
    ),
)
