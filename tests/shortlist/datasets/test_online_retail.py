"""The conversion of UCI's workbook: made-up rows by hand, then the year as it was published."""

from __future__ import annotations

import datetime
import io
import json
import pathlib
import stat
from collections.abc import Iterator, Sequence
from typing import Any

import openpyxl
import pytest
from pyarrow import parquet

from shortlist.datasets import online_retail as retail
from shortlist.datasets import registry, store
from shortlist.datasets.parquet import rows_sha256
from shortlist.datasets.sources import Archive
from shortlist.datasets.types import DataSet, File, SourceError
from shortlist.errors import DataError
from tests.shared_data import shared_data
from tests.shortlist.datasets.servers import serving
from tests.shortlist.datasets.tiny import sha256, zipped

MORNING = datetime.datetime(2010, 12, 1, 8, 26)
NOON = datetime.datetime(2010, 12, 1, 12, 0)
# 1 December 2010 is day 14,944 since 1970.
MORNING_SECONDS = 14_944 * 86_400 + (8 * 60 + 26) * 60
NOON_SECONDS = 14_944 * 86_400 + 12 * 60 * 60

ROWS = [
    (536365, "85123A", "WHITE HEART ", 6, MORNING, 2.55, 17850, "United Kingdom"),
    (536365, 71053, "LANTERN", 3, MORNING, 3.5, 17850, "United Kingdom"),
    # Cancelled, of no known customer, at no price, returned without a cancellation, and a description of digits.
    ("C536379", "D", "Discount", -1, MORNING, 27.5, 14527, "United Kingdom"),
    (536370, 71053, "LAMP", 2, MORNING, 4.5, None, "France"),
    (536371, "GIFT", "ebay", 1, MORNING, 0, 17850, "United Kingdom"),
    (536372, "85123A", "damaged", -9, MORNING, 0, None, "United Kingdom"),
    ("A563185", "B", 20713, 1, NOON, 11062.06, None, "United Kingdom"),
    # A second invoice, abroad: a customer of two countries, a product of two names that are as frequent.
    (536400, 71053, "LAMP", 1, NOON, 4, 17850, "France"),
    (536400, 71053, "LANTERN", 1, NOON, 3.5, 13047, "Spain"),
    (536400, "85123a", None, 1, NOON, 1.25, 13047, "France"),
    (536400, "85123a", "white heart", 2, NOON, 1.25, 13047, "France"),
    (536400, "85123a", "white heart", 2, NOON, 1.25, 13047, "Spain"),
]
INTERACTIONS = {
    "user_id": [17850, 17850, 17850, 17850, 13047, 13047, 13047, 13047],
    "item_id": ["85123A", "71053", "GIFT", "71053", "71053", "85123a", "85123a", "85123a"],
    "quantity": [6, 3, 1, 1, 1, 1, 2, 2],
    "unit_price": [2.55, 3.5, 0.0, 4.0, 3.5, 1.25, 1.25, 1.25],
    "invoice_id": ["536365", "536365", "536371", "536400", "536400", "536400", "536400", "536400"],
    "country": ["United Kingdom"] * 3 + ["France", "Spain", "France", "France", "Spain"],
    "timestamp": [MORNING_SECONDS] * 3 + [NOON_SECONDS] * 5,
}
ITEMS = {
    # In order of code points; GIFT was never billed at a price, so it is not a candidate.
    "item_id": ["71053", "85123A", "85123a", "B", "D"],
    "description": ["LANTERN", "WHITE HEART", "white heart", "20713", "Discount"],
    # 71053: 3.5, 3.5, 4 and 4.5; the mean of the middle two.
    "median_price": [3.75, 2.55, 1.25, 11062.06, 27.5],
}
# 13047 bought as often from Spain as from France.
USERS = {"user_id": [13047, 17850], "country": ["France", "United Kingdom"], "n_invoices": [1, 3]}
EXPECTED = {retail.INTERACTIONS: INTERACTIONS, retail.ITEMS: ITEMS, retail.USERS: USERS}


def workbook(rows: Sequence[Sequence[Any]], header: Sequence[str] = retail.HEADER) -> bytes:
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Online Retail")
    sheet.append(header)
    for row in rows:
        sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def tables(files: dict[str, bytes]) -> dict[str, dict[str, list[Any]]]:
    return {name: parquet.read_table(io.BytesIO(content)).to_pydict() for name, content in files.items()}


ARCHIVE = zipped({retail.WORKBOOK: workbook(ROWS)})


@pytest.fixture
def data_set() -> Iterator[DataSet]:
    """The made-up year, from a server on this machine, pinned by its rows."""
    content = retail.from_uci({retail.WORKBOOK: workbook(ROWS)})
    files = {name: File(2, str(rows_sha256(table)), "rows") for name, table in content.items()}
    with serving({"/online+retail.zip": ARCHIVE}) as server:
        url = server.url("/online+retail.zip")
        source = Archive("UCI", url, sha256(ARCHIVE), retail.UCI_MEMBERS, retail.from_uci)
        yield DataSet("tiny", "tiny-folder", files, (source,), {}, remedy="put online+retail.zip into {data_dir}")


def silent(_: str) -> None:
    pass


def test_purchases_of_known_customers_become_the_normal_form() -> None:
    assert tables(retail.from_uci({retail.WORKBOOK: workbook(ROWS)})) == EXPECTED


def test_a_workbook_with_other_columns_is_refused() -> None:
    with pytest.raises(SourceError, match=r"has the columns \('Invoice', .* expected \('InvoiceNo', "):
        retail.from_uci({retail.WORKBOOK: workbook(ROWS, ("Invoice", *retail.HEADER[1:]))})


def test_the_archive_is_fetched_and_found_again(data_set: DataSet, tmp_path: pathlib.Path) -> None:
    first = store.fetch_data_set(data_set, tmp_path, silent)
    assert first.fetched
    assert tables({name: (first.path / name).read_bytes() for name in EXPECTED}) == EXPECTED
    recorded = json.loads((first.path / store.SOURCE_FILE).read_text())["files"][retail.USERS]
    assert recorded == {"rows": 2, "sha256": data_set.files[retail.USERS].sha256, "sha256_of": "rows"}
    assert not store.fetch_data_set(data_set, tmp_path, silent).fetched


def test_the_same_rows_from_another_writer_are_right_where_nothing_can_be_written(
    data_set: DataSet, tmp_path: pathlib.Path
) -> None:
    folder = tmp_path / data_set.folder
    folder.mkdir()
    for name, content in retail.from_uci({retail.WORKBOOK: workbook(ROWS)}).items():
        parquet.write_table(parquet.read_table(io.BytesIO(content)), folder / name, compression="gzip")
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    before = sorted(tmp_path.rglob("*"))
    result = store.fetch_data_set(data_set, tmp_path, silent)
    assert (result.fetched, result.path) == (False, folder)
    assert sorted(tmp_path.rglob("*")) == before
    for path in (tmp_path, folder):
        path.chmod(stat.S_IRWXU)


@pytest.mark.parametrize("damage", ["one row less", "cut short"])
def test_other_rows_and_broken_files_are_fetched_again(data_set: DataSet, tmp_path: pathlib.Path, damage: str) -> None:
    file = store.fetch_data_set(data_set, tmp_path, silent).path / retail.USERS
    if damage == "cut short":
        file.write_bytes(file.read_bytes()[:-9])
    else:
        parquet.write_table(parquet.read_table(file).slice(1), file)
    assert store.fetch_data_set(data_set, tmp_path, silent).fetched
    assert parquet.read_table(file).to_pydict() == USERS


def test_an_archive_that_gives_other_rows_is_refused(data_set: DataSet, tmp_path: pathlib.Path) -> None:
    other = zipped({retail.WORKBOOK: workbook(ROWS[:-1])})
    (tmp_path / "online+retail.zip").write_bytes(other)
    source = Archive("UCI", "http://127.0.0.1/online+retail.zip", sha256(other), retail.UCI_MEMBERS, retail.from_uci)
    changed = DataSet("tiny", "tiny-folder", data_set.files, (source,), {}, remedy="ask them")
    with pytest.raises(DataError, match=r"gave another interactions\.parquet \(SHA-256 of its rows \w{12}"):
        store.fetch_data_set(changed, tmp_path, silent)


def published_lines(raw: pathlib.Path) -> Iterator[retail.InvoiceLine]:
    """The rows as published, from a copy whose numbers are all floats."""
    for batch in parquet.ParquetFile(raw).iter_batches():
        for row in batch.to_pylist():
            yield retail.InvoiceLine(
                invoice_id=row["InvoiceNo"],
                item_id=row["StockCode"],
                description=row["Description"],
                quantity=int(row["Quantity"]),
                timestamp=retail.seconds(row["InvoiceDate"]),
                unit_price=row["UnitPrice"],
                user_id=None if row["CustomerID"] is None else int(row["CustomerID"]),
                country=row["Country"],
            )


def test_the_published_workbook_has_the_pinned_checksums() -> None:
    raw = shared_data("online-retail") / "raw.parquet"
    made = {name: rows_sha256(content) for name, content in retail.normal_form(published_lines(raw)).items()}
    assert made == {name: file.sha256 for name, file in registry.ONLINE_RETAIL.files.items()}


def test_files_that_are_there_are_recognised() -> None:
    folder = shared_data("online-retail")
    result = registry.fetch("online-retail", folder.parent)
    assert (result.fetched, result.path) == (False, folder)
