"""`schema infer` on the command line."""

import pathlib
import subprocess
import sys

import pytest
import yaml

from shortlist.config.load import load_config
from tests.shortlist.infer.test_guess import SHOP, shop_rows, write_csv

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def infer(tmp_path):
    """Returns a function that calls the command in an empty folder, with data beside it."""
    data = tmp_path / "data"
    data.mkdir()
    write_csv(data / "orders.csv", SHOP, shop_rows())
    here = tmp_path / "here"
    here.mkdir()

    def call(*arguments):
        return subprocess.run(
            [sys.executable, str(ROOT / "pipeline_runner.py"), "schema", "infer", *arguments],
            cwd=here,
            env={"SHORTLIST_DATA_DIR": str(data), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )

    return call, here


def test_a_config_that_run_accepts_and_the_reasons(infer):
    call, here = infer
    done = call("orders.csv", "--name", "shop")
    assert done.returncode == 0, done.stderr
    assert "CustomerID is the query" in done.stdout
    assert "shortlist check --config configs/shop.yaml" in done.stdout
    assert load_config(here / "configs" / "shop.yaml").data.candidates.duplicates == "first"
    names = sorted(path.name for path in (here / "schemas" / "shop").iterdir())
    assert names == ["candidates.pbtxt", "interactions.pbtxt", "queries.pbtxt"]


def test_ids_and_paths_with_brackets_are_printed_as_they_are(infer, tmp_path):
    call, _ = infer
    folder = tmp_path / "data" / "[odd]"
    folder.mkdir()
    rows = [(f"[/u{row % 10}]", f"[/p{row // 10}]", 1_700_000_000 + 3_600 * row) for row in range(60)]
    write_csv(folder / "log.csv", ("user_id", "item_id", "timestamp"), rows)
    write_csv(folder / "items.csv", ("item_id", "title"), [(f"[/p{item}]", "[b]") for item in range(6)])
    write_csv(folder / "users.csv", ("user_id", "age"), [("[/x]", 3), ("[/y]", 4)])
    done = call("[odd]/log.csv", "--candidates", "[odd]/items.csv", "--queries", "[odd]/users.csv", "--name", "odd")
    assert done.returncode == 0, done.stderr
    [warning] = [line for line in done.stdout.splitlines() if line.startswith("Warning: ")]
    assert "[odd]/log.csv" in warning
    assert "'[/u0]'" in warning


def test_existing_files_stay(infer):
    call, here = infer
    call("orders.csv", "--name", "shop")
    config = here / "configs" / "shop.yaml"
    config.write_text("mine", encoding="utf-8")
    done = call("orders.csv", "--name", "shop")
    assert done.returncode == 2
    assert "configs/shop.yaml: already exists" in done.stderr
    assert config.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["order.csv", "--name", "shop"], "did you mean 'orders.csv'?"),
        (["orders.csv", "--name", "My Shop"], "must be 1 to 63 of a-z, 0-9 and dashes"),
        (["orders.csv", "--name", "shop", "--query-id", "user"], "expected a column 'user'"),
    ],
)
def test_wrong_input_is_an_error_and_nothing_is_written(infer, arguments, sentence):
    call, here = infer
    done = call(*arguments)
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.split())
    assert list(here.iterdir()) == []


def test_update_adds_a_feature_of_the_config_and_nothing_else(infer):
    call, here = infer
    assert call("orders.csv", "--name", "shop").returncode == 0
    config = here / "configs" / "shop.yaml"
    nothing = call("--update", "--config", str(config))
    assert nothing.returncode == 0, nothing.stderr
    assert "The schemas have all features of the config." in nothing.stdout
    raw = yaml.safe_load(config.read_text())
    raw["data"]["candidates"]["features"]["first_price"] = {"type": "numeric", "column": "UnitPrice"}
    config.write_text(yaml.safe_dump(raw))
    done = call("--update", "--config", str(config))
    assert done.returncode == 0, done.stderr
    path = here / "schemas" / "shop" / "candidates.pbtxt"
    assert "candidates: first_price (FLOAT, a value in 100% of the first rows) added to" in done.stdout
    assert 'name: "first_price"' in path.read_text()
    for arguments in (("--update",), ("orders.csv", "--update", "--config", str(config)), ("orders.csv",)):
        assert call(*arguments).returncode == 2


def test_a_path_from_the_current_folder_is_found_and_written_so_that_it_works(infer):
    call, here = infer
    mine = here / "mine"
    mine.mkdir()
    write_csv(mine / "log.csv", SHOP, shop_rows())
    done = call("mine/log.csv", "--name", "shop")
    assert done.returncode == 0, done.stderr
    assert "mine/log.csv was found from the current folder" in " ".join(done.stdout.split())
    assert load_config(here / "configs" / "shop.yaml").data.interactions.path == str(mine / "log.csv")
    missing = call("mine/lag.csv", "--name", "third")
    assert missing.returncode == 2
    assert "data.interactions" not in missing.stderr
    assert "did you mean 'log.csv'?" in missing.stderr
