"""Vocabulary of column names: the words that suggest a role, and those that rule it out."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Sequence

# In each list of a role, a word nearer to the start is a clearer sign.
PERSON_WORDS = (
    *("user", "customer", "client", "member", "visitor", "buyer", "reader", "viewer", "listener", "account"),
    *("reviewer", "shopper", "consumer", "subscriber", "household", "person", "player", "learner", "student"),
    *("patient", "guest", "traveler", "traveller", "rater", "profile", "cust", "usr", "uid", "msno", "username"),
    *("profilename", "borrower", "follower", "applicant", "employee", "holder", "payer", "donor", "swiper", "loyalty"),
    # German, Spanish, French, Portuguese, Italian, Dutch, Polish, Russian.
    *("kunde", "kunden", "nutzer", "benutzer", "besucher", "cliente", "usuario", "utilisateur", "acheteur", "utente"),
    *("klant", "gebruiker", "klient", "пользователь", "клиент", "покупатель"),
    *("card", "cookie", "device", "email", "src", "query"),
)
SESSION_WORDS = ("session", "visit")
CANDIDATE_WORDS = (
    *("item", "product", "movie", "film", "article", "stock", "sku", "book", "isbn", "track", "song", "artist"),
    *("video", "candidate", "offer", "asin", "listing", "document", "page", "course", "game", "recipe", "iid"),
    *("content", "anime", "joke", "business", "restaurant", "hotel", "venue", "poi", "place", "gmap", "location"),
    *("news", "story", "post", "paper", "podcast", "episode", "show", "series", "album", "beer", "wine"),
    *("drug", "app", "job", "ad", "creative", "property", "photo", "image", "pin", "deal", "coupon", "merchant"),
    *("prod", "goods", "material", "part", "upc", "ean", "aid", "mid", "pid", "bid", "repo", "project", "question"),
    *("lesson", "exercise", "plan", "package", "service", "class", "dish", "bookmark", "ticker", "isin", "fund"),
    *("adgroup", "campaign", "creator", "author", "followee", "swiped", "dst"),
    *("artikel", "produkt", "producto", "articulo", "produit", "produto", "artigo", "prodotto", "articolo", "товар"),
    *("position", "title"),
)
EVENT_TIME_WORDS = (
    *("timestamp", "datetime", "time", "date", "ts", "dt", "when", "created", "at", "dat", "added", "day"),
    *("utc", "epoch", "unix", "checkin", "moment", "instant"),
    *("datum", "zeit", "zeitpunkt", "fecha", "heure", "hora", "tijd", "дата", "время", "data"),
)
SEQUENCE_WORDS = ("seq", "sequence", "order", "step", "day", "week", "position", "rank", "index", "visit", "turn")
CLEAR_SEQUENCE_WORDS = ("seq", "sequence", "order", "step", "day", "week")

BASKET_WORDS = ("invoice", "order", "basket", "transaction", "receipt", "checkout", "trip", "bill", "cart")
AMOUNT_WORDS = ("quantity", "qty", "amount", "units", "count")
EVENT_TYPE_WORDS = ("event", "action", "behavior", "behaviour", "interaction", "activity", "type", "kind")
RATING_WORDS = ("rating", "ratings", "stars", "star", "score", "overall", "grade", "vote", "rate")
FEEDBACK_WORDS = (
    *("click", "clicked", "clicks", "label", "like", "liked", "bought", "purchased", "converted", "conversion"),
    *("watched", "viewed", "played", "feedback", "interested", "response", "target", "y", "positive", "clk"),
)

OUTCOME_WORDS = (
    *("status", "state", "refunded", "returned", "cancelled", "canceled", "failed", "paid", "completed", "valid"),
    *("recommended", "approved", "deleted", "fraud", "success", "nonclk"),
)
PERSONAL_WORDS = ("name", "email", "phone", "address", "profilename", "username", "firstname", "lastname")

ID_WORDS = ("id", "ids", "code", "no", "nr", "number", "num", "key", "uid", "uuid", "guid", "sku", "isbn", "asin")
"""Words of columns whose numbers are names and no quantities; the one list for roles and for feature types."""

_ANYWHERE = frozenset(("id", "ids", "code", "uid", "uuid", "guid", "sku", "isbn", "asin"))
_CODE_WORDS = frozenset(("zip", "zipcode", "postcode", "postal", "ean", "upc", "gtin", "phone", "cluster"))
_CLASS_WORDS = frozenset(
    (
        *("category", "type", "class", "group", "section", "department", "dept", "genre", "colour", "color"),
        *("brand", "store", "shop", "channel", "region", "country", "city", "gender", "sex", "occupation"),
        *(
            "cat",
            "cate",
            "subclass",
            "partition",
            "segment",
            "division",
            "aisle",
            "level1",
            "level2",
            "label",
            "family",
            "line",
            "status",
            "flag",
        ),
    )
)
# Columns that describe an entity or an interaction.
_DETAIL_WORDS = frozenset(
    (
        *("name", "age", "gender", "sex", "country", "region", "city", "state", "agent", "type", "category"),
        *("class", "group", "segment", "department", "section", "genre", "lat", "latitude", "lon", "lng"),
        *("longitude", "rating", "score", "stars", "overall", "vote", "votes", "helpful", "text", "review"),
        *("summary", "comment", "comments", "title", "description", "url", "link", "email", "phone", "price"),
        *("amount", "quantity", "count", "birth", "dob", "offset", "zone", "timezone", "language", "level"),
        *("status", "flag", "feature", "features", "tags", "tag", "brand", "store", "colour", "color"),
    )
)
# Words of times that are no times of an interaction.
_OTHER_TIME_WORDS = frozenset(
    (
        *("return", "returned", "delivery", "delivered", "ship", "shipped", "shipping", "arrival", "departure"),
        *("dispatch", "dispatched", "estimated", "finish", "finished", "stop", "stopped", "closed", "paid"),
        *("release", "released", "birth", "birthday", "dob", "born", "registered", "registration", "signup"),
        *("joined", "join", "published", "publication", "updated", "update", "modified", "expires", "expiry"),
        *("expiration", "end", "due", "deleted", "built", "founded", "offset", "zone", "timezone", "since"),
        *("prior", "duration", "dwell", "length", "runtime", "frame", "timeframe", "hour", "minute", "weekday"),
        *("dow", "month", "year", "quarter", "elapsed", "until", "deadline", "first", "last"),
    )
)
# Words of times at which a program handled an interaction.
_HANDLING_WORDS = frozenset(
    (
        *("server", "client", "upload", "uploaded", "processed", "received", "sent", "ingested", "ingestion"),
        *("load", "loaded", "sync", "synced", "collector", "etl"),
    )
)
_CYCLE_WORDS = frozenset(
    ("hour", "dow", "weekday", "minute", "month", "quarter", "dayofweek", "hod", "doy", "season", "of")
)

_FILTER_WORDS = frozenset(("and", "or", "not", "in", "is", "None", "True", "False", "col", "matches"))

_MAX_LISTED, _MAX_SHOWN = 30, 60

_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_WORD = re.compile(r"[^\W\d_]+|\d+")


@functools.lru_cache(maxsize=4096)
def words_of(name: str) -> tuple[str, ...]:
    """Returns the words of a column's name in lower case: (customer, id) for `CustomerID` and `customer_id`."""
    return tuple(word.lower() for word in _WORD.findall(_CAMEL.sub(" ", name)))


def enumerated(names: Sequence[str]) -> str:
    """Returns names for a message: up to 30, each cut to 60 characters, and the number of the others."""
    shown = [name if len(name) <= _MAX_SHOWN else f"{name[:_MAX_SHOWN]}..." for name in names[:_MAX_LISTED]]
    others = len(names) - len(shown)
    return ", ".join(shown) + (f" and {others:,} more" if others else "")


def shown(name: str) -> str:
    """Returns a name for a message, in quotes if it is blank."""
    return name if name.strip() else repr(name)


def rank_of(name: str, vocabulary: Sequence[str]) -> int | None:
    """Returns the position of a name's clearest word in a vocabulary; None if it has none.

    A word also fits with the endings of `visitorid`, `items` and `userids`.
    """
    words = words_of(name)
    ranks = (rank for rank, word in enumerate(vocabulary) if any(_fits(part, word) for part in words))
    return next(ranks, None)


def is_id_name(name: str) -> bool:
    """Returns whether a name has a word of identifiers, such as `id` or `code`, or ends like `visitorid`."""
    words = words_of(name)
    # `num_reviews` counts, `order_num` names.
    is_named = bool(set(words) & _ANYWHERE) or bool(set(words[-1:]) & set(ID_WORDS))
    return is_named or any(len(word) > 3 and word.endswith("id") for word in words)


def is_pure_id_name(name: str) -> bool:
    """Returns whether a name is that of an identifier, even of one that increases: `order_id`, no `order_number`."""
    words = words_of(name)
    return bool({"id", "ids", "code", "key", "uuid"} & set(words)) or any(
        len(word) > 3 and word.endswith("id") for word in words
    )


def is_code_name(name: str) -> bool:
    """Returns whether a name suggests that numbers are codes: `department_no`, `zip_code`, `brand`, `storeid`."""
    words = words_of(name)
    if "of" in words:  # number_of_votes
        return False
    if is_id_name(name) or _CODE_WORDS & set(words):
        return True
    # `cat1` is two words, of which the last is a number.
    letters = [word for word in words if not word.isdigit()]
    return bool(set(letters[-1:]) & _CLASS_WORDS)


def is_detail_name(name: str, allowed: Collection[str] = ()) -> bool:
    """Returns whether a name describes an entity, such as `user_age` or `item_category`, so that it is no id of it.

    Args:
      name: The column's name.
      allowed: Words of details that are none for the role in question.
    """
    return any(_has(words_of(name), word) for word in _DETAIL_WORDS - set(allowed))


def is_other_time_name(name: str) -> bool:
    """Returns whether a name is that of another time than the interaction's: `release_date`, `days_since_prior`."""
    return bool(_OTHER_TIME_WORDS & set(words_of(name)))


def is_handling_name(name: str) -> bool:
    """Returns whether a name is that of the time at which a program handled an interaction: `server_received_time`."""
    return bool(_HANDLING_WORDS & set(words_of(name)))


def is_cycle_name(name: str) -> bool:
    """Returns whether a name is that of a number that returns, such as `order_hour_of_day`."""
    return bool(_CYCLE_WORDS & set(words_of(name)))


def has_word(name: str, vocabulary: Collection[str]) -> bool:
    """Returns whether a name has one of the words."""
    return bool(set(vocabulary) & set(words_of(name)))


def quoted(name: str) -> str:
    """Returns a column's name in the syntax of a filter."""
    is_plain = name.isidentifier() and name.isascii() and name not in _FILTER_WORDS
    if is_plain:
        return name
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'col("{escaped}")'


def _fits(part: str, word: str) -> bool:
    if part in (word, f"{word}s", f"{word}id", f"{word}ids", f"{word}no"):
        return True
    return word in ("date", "time", "datetime", "timestamp") and part.endswith(word)  # eventdate


def _has(words: Sequence[str], word: str) -> bool:
    return any(_fits(part, word) for part in words)
