"""The picture of the layers is the contract's."""

from __future__ import annotations

import re

import tomli

from docs.draw_layers import PICTURE, ROOT, draw


def test_committed_picture_is_up_to_date():
    assert PICTURE.read_text(encoding="utf-8") == draw(), "expected the picture of today's contract; run `make docs`"


def test_rooms_stand_in_the_order_of_the_contract():
    settings = tomli.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts = settings["tool"]["importlinter"]["contracts"]
    rooms = [room.strip() for contract in contracts[:2] for layer in contract["layers"] for room in layer.split("|")]
    assert re.findall('class="name".*?>(.*?)<', draw()) == rooms
