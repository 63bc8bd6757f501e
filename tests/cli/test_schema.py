"""`schema infer` as it is typed."""

import pathlib
import subprocess
import sys

import pytest

from shortlist.config.load import load_config
from tests.shortlist.infer.test_guess import SHOP, shop_rows, write_csv

ROOT = pathlib.Path(__file__).parents[2]


@pytest.fixture
def infer(tmp_path):
    """Returns a function that types the command in an empty folder, data beside it."""
    data = tmp_path / "data"
    data.mkdir()
    write_csv(data / "orders.csv", SHOP, shop_rows())
    here = tmp_path / "here"
    here.mkdir()

    def typed(*arguments):
        return subprocess.run(
            [sys.executable, str(ROOT / "pipeline_runner.py"), "schema", "infer", *arguments],
            cwd=here,
            env={"SHORTLIST_DATA_DIR": str(data), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )

    return typed, here


def test_a_config_that_run_takes_and_the_reasons(infer):
    typed, here = infer
    done = typed("orders.csv", "--name", "shop")
    assert done.returncode == 0, done.stderr
    assert "CustomerID is the query" in done.stdout
    assert "then: shortlist run --config configs/shop.yaml" in done.stdout
    assert load_config(here / "configs" / "shop.yaml").data.candidates.duplicates == "first"
    names = sorted(path.name for path in (here / "schemas" / "shop").iterdir())
    assert names == ["candidates.pbtxt", "interactions.pbtxt", "queries.pbtxt"]


def test_what_is_there_stays(infer):
    typed, here = infer
    typed("orders.csv", "--name", "shop")
    config = here / "configs" / "shop.yaml"
    config.write_text("mine", encoding="utf-8")
    done = typed("orders.csv", "--name", "shop")
    assert done.returncode == 2
    assert "configs/shop.yaml: is there already" in done.stderr
    assert config.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["order.csv", "--name", "shop"], "did you mean 'orders.csv'?"),
        (["orders.csv", "--name", "My Shop"], "must be 1 to 63 of a-z, 0-9 and dashes"),
        (["orders.csv", "--name", "shop", "--query-id", "user"], "expected a column 'user'"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_written(infer, arguments, sentence):
    typed, here = infer
    done = typed(*arguments)
    assert done.returncode == 2
    assert sentence in " ".join(done.stderr.split())
    assert list(here.iterdir()) == []
