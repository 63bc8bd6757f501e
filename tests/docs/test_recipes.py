"""The lines of docs/recipes.md work on files as they begin there."""

from __future__ import annotations

import pathlib
import random
import re
import shlex
import subprocess
import sys

import pytest
import yaml

from shortlist.config import load
from shortlist.tables import preflight

ROOT = pathlib.Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
START = 1_600_000_000


def events():
    """Made-up (row, user, item) without repeats."""
    chance = random.Random(2)
    pairs = {(chance.randrange(30), chance.randrange(40)) for _ in range(400)}
    return [(row, user, item) for row, (user, item) in enumerate(sorted(pairs, key=lambda pair: chance.random()))]


def write(path, header, rows):
    lines = [header, *(",".join(map(str, row)) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def order_lines(folder):
    rows = events()
    # The orders are not in the order of time.
    orders = sorted({(1000 * user + row // 40, user, row // 40) for row, user, _ in rows}, reverse=True)
    write(
        folder / "lines.csv", "order_id,product_id,quantity", [(1000 * u + r // 40, f"P{i:03d}", 1) for r, u, i in rows]
    )
    header = "order_id,customer_id,ordered_at"
    write(folder / "orders.csv", header, [(o, f"C{u}", f"2024-03-{1 + day:02d} 10:05") for o, u, day in orders])


def ratings_without_times(folder):
    rows = [(f"u{user}", f"0553{item:06d}", 1 + row % 5) for row, user, item in events()]
    write(folder / "ratings.csv", "user_id,book_id,rating", rows)


def ratings(folder):
    rows = [(user, item, 1 + row % 5, START + 100 * row) for row, user, item in events()]
    write(folder / "ratings.csv", "user_id,movie_id,rating,timestamp", rows)


def impressions(folder):
    rows = [(f"u{user}", f"p{item}", int(row % 3 > 0), START + 100 * row) for row, user, item in events()]
    write(folder / "shown.csv", "user,item,click,time", rows)


def typed_events(folder):
    types = ("view", "cart", "remove_from_cart", "view", "purchase")
    times = (f"2024-03-01 {row // 60 % 24:02d}:{row % 60:02d}:11 UTC" for row in range(10_000))
    rows = [(f"u{user}", f"p{item}", types[row % 5], next(times)) for row, user, item in events()]
    write(folder / "events.csv", "user_id,product_id,event_type,event_time", rows)


FILES = {
    "Order lines beside orders": order_lines,
    "No timestamps": ratings_without_times,
    "Ratings": ratings,
    "Impressions": impressions,
    "Types of events": typed_events,
}


def sections():
    parts = re.split(r"^## (.+)$", PAGE, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def blocks(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def test_each_section_has_a_test():
    assert list(sections()) == list(FILES)


@pytest.mark.parametrize("title", FILES)
def test_the_lines_of_a_section_work(title, tmp_path):
    FILES[title](tmp_path)
    text = sections()[title]
    for program in blocks(text, "python"):
        subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    commands = [line for block in blocks(text, "sh") for line in block.splitlines()]
    for command in commands:
        program, *arguments = shlex.split(command)
        assert program == "shortlist"
        done = subprocess.run(
            [sys.executable, str(ROOT / "pipeline_runner.py"), *arguments, "--force"],
            cwd=tmp_path,
            env={"SHORTLIST_DATA_DIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        [path] = re.findall(r"--config (\S+)$", done.stdout, flags=re.MULTILINE)
        for lines in ["", *"".join(blocks(text, "yaml")).splitlines()]:
            raw = yaml.safe_load((tmp_path / path).read_text(encoding="utf-8"))
            raw["data"]["interactions"].update(yaml.safe_load(lines) or {})
            preflight.check_tables(load.parse_config(raw, path), tmp_path)


def test_order_lines_become_baskets_in_the_order_of_time(tmp_path):
    order_lines(tmp_path)
    [program] = blocks(sections()["Order lines beside orders"], "python")
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    header, *rows = (tmp_path / "joined.csv").read_text(encoding="utf-8").splitlines()
    assert header == "order_id,customer_id,ordered_at,product_id,quantity"
    assert len(rows) == len(events())
    times = [row.split(",")[2] for row in rows]
    assert times == sorted(times)
