"""Online Retail: UCI's workbook and its normal form.

A year of invoices (December 2010 to December 2011) of a British gift shop with many wholesale customers. It has 541,909
rows, of which 397,924 are purchases (interactions) of 3,665 products by 4,339 known customers (queries). The catalogue
has 3,938 products (candidates).

The normal form:

    interactions.parquet  user_id, item_id, quantity, unit_price, invoice_id, country, timestamp   by file row
    items.parquet         item_id, description, median_price                                       by item_id
    users.parquet         user_id, country, n_invoices                                             by user_id

Interactions are the rows with a known customer, an invoice that is not a cancellation (`C...`) and a quantity above 0.
`timestamp` is in seconds: the shop's local time, taken as UTC, in whole minutes. 30 of 18,536 invoices span two
minutes. The catalogue has every item that was ever billed at a price above 0, to any customer. Some of its items are
not products (POST, M, BANK CHARGES). Description and country are the most frequent ones of the product and the
customer.

`median_price` and `n_invoices` are computed from the whole year. They leak the future of every split, so they must not
be features of a model that is tested on this year.
"""

from __future__ import annotations

import collections
import datetime
import io
import statistics
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from shortlist.datasets.parquet import to_parquet
from shortlist.datasets.types import SourceError

INTERACTIONS = "interactions.parquet"
ITEMS = "items.parquet"
USERS = "users.parquet"

WORKBOOK = "Online Retail.xlsx"
UCI_MEMBERS = (WORKBOOK,)
HEADER = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")

_EPOCH = datetime.datetime(1970, 1, 1)


class InvoiceLine(NamedTuple):
    """One row of the workbook.

    Attributes:
      invoice_id: Begins with C if it cancels another invoice.
      item_id: Case-sensitive product code.
      description: None if the cell is empty.
      quantity: Below 0 for returned items.
      timestamp: Seconds since 1970.
      unit_price: Price in pounds.
      user_id: None if the customer is unknown.
      country: The customer's country.
    """

    invoice_id: str
    item_id: str
    description: str | None
    quantity: int
    timestamp: int
    unit_price: float
    user_id: int | None
    country: str


def from_uci(members: Mapping[str, bytes]) -> dict[str, bytes]:
    """Returns the normal form of UCI's workbook.

    Raises:
      SourceError: The workbook has other columns.
    """
    return normal_form(workbook_lines(members[WORKBOOK]))


def workbook_lines(content: bytes) -> Iterator[InvoiceLine]:
    """Yields the rows of the workbook's first sheet, with texts stripped of surrounding blanks.

    Raises:
      SourceError: The sheet has other columns.
    """
    import openpyxl  # Only this data set needs the package.

    workbook = openpyxl.load_workbook(io.BytesIO(content), read_only=True)
    rows = workbook.worksheets[0].iter_rows(values_only=True)
    header = next(rows, ())
    if header != HEADER:
        raise SourceError(f"{WORKBOOK} has the columns {header}, expected {HEADER}")
    for invoice, item, description, quantity, moment, price, user, country in rows:
        yield InvoiceLine(
            invoice_id=_text(invoice) or "",
            item_id=_text(item) or "",
            description=_text(description),
            quantity=int(quantity),
            timestamp=seconds(moment),
            unit_price=float(price),
            user_id=None if user is None else int(user),
            country=_text(country) or "",
        )


def normal_form(lines: Iterable[InvoiceLine]) -> dict[str, bytes]:
    """Returns the three Parquet files."""
    lines = list(lines)
    purchases = [line for line in lines if line.user_id is not None and line.quantity > 0 and line.invoice_id[0] != "C"]
    interactions: dict[str, list[Any]] = {
        "user_id": [line.user_id for line in purchases],
        "item_id": [line.item_id for line in purchases],
        "quantity": [line.quantity for line in purchases],
        "unit_price": [line.unit_price for line in purchases],
        "invoice_id": [line.invoice_id for line in purchases],
        "country": [line.country for line in purchases],
        "timestamp": [line.timestamp for line in purchases],
    }
    return {
        INTERACTIONS: to_parquet(interactions),
        ITEMS: to_parquet(_items(line for line in lines if line.unit_price > 0.0)),
        USERS: to_parquet(_users(purchases)),
    }


def seconds(moment: datetime.datetime) -> int:
    """Returns seconds since 1970 for a time without a zone, which is taken as UTC."""
    return round((moment - _EPOCH).total_seconds())


def _items(priced: Iterable[InvoiceLine]) -> dict[str, list[Any]]:
    descriptions: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    prices: dict[str, list[float]] = collections.defaultdict(list)
    for line in priced:
        prices[line.item_id].append(line.unit_price)
        if line.description is not None:
            descriptions[line.item_id][line.description] += 1
    item_ids = sorted(prices)
    return {
        "item_id": item_ids,
        # Among equally frequent descriptions, the first in the workbook.
        "description": [descriptions[item].most_common(1)[0][0] for item in item_ids],
        "median_price": [statistics.median(prices[item]) for item in item_ids],
    }


def _users(purchases: Iterable[InvoiceLine]) -> dict[str, list[Any]]:
    countries: dict[int, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    invoices: dict[int, set[str]] = collections.defaultdict(set)
    for line in purchases:
        assert line.user_id is not None
        countries[line.user_id][line.country] += 1
        invoices[line.user_id].add(line.invoice_id)
    user_ids = sorted(countries)
    return {
        "user_id": user_ids,
        # Among equally frequent countries, the first in the alphabet.
        "country": [min(countries[user], key=lambda name: (-countries[user][name], name)) for user in user_ids],
        "n_invoices": [len(invoices[user]) for user in user_ids],
    }


def _text(cell: object) -> str | None:
    """Returns a cell's text; None for an empty cell."""
    if cell is None:
        return None
    # The workbook stores product codes of digits only as numbers.
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    return str(cell).strip() or None
