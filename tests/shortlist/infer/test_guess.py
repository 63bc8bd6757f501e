"""What is guessed of tables that nobody described."""

import csv
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow_hotfix  # noqa: F401
import pytest

from shortlist.config.features import FeatureType
from shortlist.config.losses import SampledLoss
from shortlist.config.train import Train
from shortlist.errors import ConfigError
from shortlist.infer import Hints, guess_config, settings
from shortlist.infer.settings import Size
from shortlist.infer.write import config_text, schema_text


def write_csv(path, header, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path.name


def shop_rows(count=400):
    """A shop's order lines, with the dirt that such exports have."""
    chance = random.Random(7)
    rows = []
    for index in range(count):
        code, customer = chance.randrange(10_000, 10_060), 1 + index // 5 * 7 % 39
        name = f"Red thing number {code}"
        row = [str(500_000 + index // 5), str(code), name, "3", f"2024-03-{1 + index // 50:02d} 10:{index % 60:02d}"]
        rows.append([*row, "2.5", str(customer), "UK" if customer % 3 else "FR"])
    rows[10][6] = ""
    for index in (30, 31, 32):
        rows[index][0], rows[index][3] = f"C{rows[index][0]}", "-3"
    rows[50][1:3] = ["POST", "Postage"]
    return rows


SHOP = ("InvoiceNo", "StockCode", "Description", "Quantity", "InvoiceDate", "UnitPrice", "CustomerID", "Country")


@pytest.fixture
def shop(tmp_path):
    return guess_config(write_csv(tmp_path / "orders.csv", SHOP, shop_rows()), None, None, tmp_path, Hints())


def test_the_roles_of_a_shops_columns(shop):
    section = shop.tables["interactions"].section
    assert (section["query_id"], section["candidate_id"], section["timestamp"]) == (
        "CustomerID",
        "StockCode",
        "InvoiceDate",
    )


def test_dirt_becomes_a_filter_and_each_part_has_a_reason(shop):
    assert shop.tables["interactions"].section["filter"] == (
        'CustomerID is not None and not InvoiceNo.startswith("C") and Quantity > 0 '
        'and matches(StockCode, "[^A-Za-z].*|.*[0-9]{3}.*")'
    )
    reasons = " ".join(shop.reasons)
    for words in ("have no CustomerID", "POST", "3 rows have Quantity of 0 or less"):
        assert words in reasons


def test_a_log_without_a_catalogue_is_its_own(shop):
    candidates, queries = shop.tables["candidates"], shop.tables["queries"]
    assert candidates.section["duplicates"] == "first"
    assert candidates.types == {"description": FeatureType.TEXT}
    assert queries.types == {"country": FeatureType.CATEGORY}


def test_invoices_are_baskets(shop):
    assert shop.split == "leave_last_basket"


def test_the_written_config_is_valid_and_has_reasons(shop, tmp_path):
    text = config_text(shop, "shop", tmp_path / "schemas", tmp_path / "shop.yaml")
    assert text.startswith("# shop: a first config, guessed from the data.")
    assert "column: Description" in text
    # With baskets, basket mates and query time are on, and the head gives the reason.
    assert "query_time:\n    knots: 32" in text
    assert "basket_mates: 0.5" in text
    assert "model.query_time" in text.split("name: shop")[0]


def test_the_schema_requires_the_values_that_all_rows_have(shop):
    text = schema_text("queries", shop.tables["queries"])
    assert 'name: "query_id"' in text
    assert 'name: "country"' in text


def ratings(tmp_path, header=("user_id", "item_id", "rating", "timestamp")):
    rows = [
        [user, item, 1 + (user + item) % 5, 1_600_000_000 + 100 * item + user]
        for user in range(1, 21)
        for item in range(1, 21)
        if (user * item) % 3
    ]
    return write_csv(tmp_path / "ratings.csv", header, rows)


def test_a_catalogue_of_its_own_is_matched_by_its_ids_even_under_another_name(tmp_path):
    films = [
        [f"{index}", f"The long film {index}", ("Drama|War", "War|Comedy", "Drama|Comedy", "War")[index % 4]]
        for index in range(1, 61)
    ]
    catalogue = write_csv(tmp_path / "films.csv", ("film", "title", "genres"), films)
    guessed = guess_config(ratings(tmp_path), catalogue, None, tmp_path, Hints())
    section = guessed.tables["candidates"].section
    assert section["candidate_id"] == "film"
    assert section["features"] == {"title": "text", "genres": "multi_category"}
    assert guessed.split == "leave_last_out"
    assert "queries" not in guessed.tables


def test_a_catalogue_with_other_ids_is_refused(tmp_path):
    catalogue = write_csv(tmp_path / "films.csv", ("film", "title"), [["tt1", "A"], ["tt2", "B"]])
    with pytest.raises(ConfigError, match=r"films\.csv: .* item_id, such as '1', got film such as 'tt1'"):
        guess_config(ratings(tmp_path), catalogue, None, tmp_path, Hints())


def test_interaction_types_get_weights(tmp_path):
    rows = [[f"u{i % 9}", f"p{i % 17}", ("view", "cart", "purchase")[i % 3], 1_600_000_000 + i] for i in range(90)]
    log = write_csv(tmp_path / "events.csv", ("visitor_id", "product_id", "event_type", "ts"), rows)
    section = guess_config(log, None, None, tmp_path, Hints()).tables["interactions"].section
    assert section["weight"] == {"column": "event_type", "values": {"view": 1.0, "cart": 3.0, "purchase": 10.0}}


def test_columns_without_clear_names_must_be_named(tmp_path):
    log = ratings(tmp_path, ("a", "b", "c", "d"))
    with pytest.raises(ConfigError, match=r"expected a column that is the query \(user\) id, .* --query-id"):
        guess_config(log, None, None, tmp_path, Hints())
    guessed = guess_config(log, None, None, tmp_path, Hints(query_id="a", candidate_id="b", timestamp="d"))
    assert guessed.tables["interactions"].section["candidate_id"] == "b"


def test_a_hint_must_name_a_column(tmp_path):
    with pytest.raises(ConfigError, match=r"expected a column 'user', got user_id, item_id, rating, timestamp"):
        guess_config(ratings(tmp_path), None, None, tmp_path, Hints(query_id="user"))


def test_a_day_above_12_decides_the_format_of_dates(tmp_path):
    rows = [[f"u{i % 9}", f"p{i % 7}", f"{1 + i % 12}/{1 + i % 28}/2010 8:26"] for i in range(60)]
    log = write_csv(tmp_path / "log.csv", ("user", "item", "InvoiceDate"), rows)
    section = guess_config(log, None, None, tmp_path, Hints()).tables["interactions"].section
    assert section["timestamp_format"] == "%m/%d/%Y %H:%M"


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_log_that_is_larger_than_its_sample_is_counted_in_full(tmp_path, monkeypatch, suffix):
    for module in ("columns", "tables"):
        monkeypatch.setattr(f"shortlist.infer.{module}.SAMPLED_ROWS", 500)
    rows = [[f"u{1000 + i // 10}", f"p{100 + i % 17}", 1_600_000_000 + i] for i in range(3000)]
    log = write_csv(tmp_path / "log.csv", ("user", "item", "ts"), rows)
    catalogue = write_csv(
        tmp_path / "items.csv", ("item", "colour"), [[f"p{100 + i}", f"c{i % 5}"] for i in range(800)]
    )
    if suffix == "parquet":
        table = {name: [row[index] for row in rows] for index, name in enumerate(("user", "item", "ts"))}
        pq.write_table(pa.table(table), tmp_path / "log.parquet")
        log = "log.parquet"
    guess = guess_config(log, catalogue, None, tmp_path, Hints())
    assert guess.size.rows == pytest.approx(3000, rel=0.02)
    assert guess.size.queries == pytest.approx(300, rel=0.02)
    # All of the catalogue is scored by a loss over the corpus, whatever the log has of it.
    assert guess.size.candidates == pytest.approx(800, rel=0.02)
    assert f"The log has about {guess.size.rows:,} rows" in " ".join(guess.reasons)


def test_settings_follow_the_size():
    small, shop = Size(2_500, 4_000, 25_000), Size(4_000, 3_600, 400_000)
    assert settings.query_tower_section(small)["cold_start_fraction"] == 0.1
    assert settings.query_tower_section(shop) == {"kind": "history"}
    assert settings.train_section(small)["epochs"] == 48  # 24 epochs for 100,000 rows, times 2.
    assert settings.train_section(shop)["epochs"] == 12
    assert settings.train_section(small)["loss"] == settings.train_section(shop)["loss"] == {"kind": "corpus"}


@pytest.mark.parametrize(
    ("queries", "rows", "windows"),
    [
        # 2,048 targets are those of 64 queries with 32 rows, of 41 with 50 (the nearest power of two is 32), ...
        (10_000, 320_000, 64),
        (20_000, 1_000_000, 32),
        # ... of 683 with 3 (at most 512), and of 0.02 with 100,000 (at least 16).
        (300_000, 900_000, 512),
        (9, 900_000, 16),
    ],
)
def test_a_large_catalogue_gets_sampled_negatives_and_batches_of_about_2048_targets(queries, rows, windows):
    section = settings.train_section(Size(queries, 20_001, rows))
    assert section["loss"] == {"kind": "sampled"}
    assert section["batch_size"] == windows
    assert Train.model_validate(section).loss == SampledLoss()
