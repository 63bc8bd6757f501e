"""Guesses about a catalogue in a file of its own: filter, title, features, and the gate on new items."""

import pathlib

import pytest
import yaml

from shortlist.infer import Hints, guess_config
from shortlist.infer.write import config_text
from tests.shortlist.infer.test_guess import write_csv

# 200 rows: codes with digits, and 4 rows of what is no product.
LOG = [(f"u{row % 20}", str(20_000 + row % 50), f"2024-01-{1 + row % 28:02} 10:{row % 60:02}:00") for row in range(200)]
ODD = [(f"u{number}", code, "2024-02-01 10:00:00") for number, code in enumerate(("POST", "M", "M", "C2"))]
ITEMS = [(str(20_000 + item), f"blue lamp {item}", ("lamps", "mugs")[item % 2]) for item in range(50)]
ODD_ITEMS = [("POST", "Postage", "lamps"), ("M", "Manual", "mugs"), ("D", "Discount", "mugs")]


def guessed(folder: pathlib.Path, columns=("sku", "name"), log=(*LOG, *ODD)):
    write_csv(folder / "log.csv", ("client", "sku", "when"), log)
    rows = [row[: len(columns)] for row in (*ITEMS, *ODD_ITEMS)]
    write_csv(folder / "items.csv", columns, rows)
    return guess_config("log.csv", "items.csv", None, folder, Hints())


def written(guess):
    text = config_text(guess, "shop", pathlib.Path("schemas/shop"), pathlib.Path("shop.yaml"))
    return yaml.safe_load(text), text


def test_the_filter_on_candidate_ids_holds_for_the_catalogue(tmp_path):
    guess = guessed(tmp_path)
    raw, _ = written(guess)
    assert raw["data"]["candidates"]["filter"] in raw["data"]["interactions"]["filter"]
    [reason] = [reason for reason in guess.reasons if reason.startswith("items.csv: filter")]
    # D is in the catalogue alone.
    assert "D, M and POST" in reason or "D, M, POST" in reason
    assert reason.endswith("it drops 3 rows.")


def test_a_log_without_odd_ids_filters_no_catalogue(tmp_path):
    raw, _ = written(guessed(tmp_path, log=LOG))
    assert "filter" not in raw["data"]["candidates"]


def test_each_guess_about_the_catalogue_and_the_roles_has_a_sentence(tmp_path):
    reasons = guessed(tmp_path).reasons
    assert "items.csv: sku is the id; name the title; features: name (text)." in reasons
    for start in ("client is the query", "sku is the candidate", "when is the time"):
        [reason] = [reason for reason in reasons if reason.startswith(start)]
        assert "its " in reason


@pytest.mark.parametrize(("columns", "action"), [(("sku", "name"), "warn"), (("sku", "name", "brand"), None)])
def test_new_items_only_warn_without_a_category(tmp_path, columns, action):
    raw, text = written(guessed(tmp_path, columns))
    # A category lets the gate stop a push, as by default.
    assert raw.get("evaluate", {}).get("cold_start", {}).get("unseen_candidates", {}).get("action") == action
    assert ("  # The gate `new items` only warns" in text) == (action is not None)
