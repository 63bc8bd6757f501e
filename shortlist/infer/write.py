"""Writing of a guess as a config file and a folder of schemas, for the user to read and correct."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import textwrap
from collections.abc import Iterator
from typing import Any

import yaml

from shortlist import keys
from shortlist.config import load
from shortlist.config.features import FeatureType
from shortlist.errors import ConfigError
from shortlist.infer import settings
from shortlist.infer.entities import TableGuess, title_of
from shortlist.infer.guess import Guess

_ARROW = {FeatureType.NUMERIC: "FLOAT", FeatureType.TIMESTAMP: "INT"}
_IDS = {
    "interactions": (keys.QUERY_ID, keys.CANDIDATE_ID),
    "candidates": (keys.CANDIDATE_ID,),
    "queries": (keys.QUERY_ID,),
}
# Only the first rows are sampled, so the schema allows a few more missing values.
_PRESENCE_MARGIN = 0.05


@dataclasses.dataclass(frozen=True)
class Written:
    """Paths of the written files."""

    config: pathlib.Path
    schemas: tuple[pathlib.Path, ...]


def write_guess(guess: Guess, name: str, config: pathlib.Path, schemas: pathlib.Path, force: bool) -> Written:
    """Writes the config and the schemas; writes no file if one of them exists.

    Args:
      guess: The guess.
      name: The pipeline's name.
      config: Path of the config file.
      schemas: Folder for the schemas.
      force: Replace existing files.

    Raises:
      ConfigError: A file exists already, or cannot be written.
    """
    texts = {config: config_text(guess, name, schemas, config)}
    for table, table_guess in guess.tables.items():
        texts[schemas / f"{table}.pbtxt"] = schema_text(table, table_guess)
    existing = [path for path in texts if path.exists()]
    if existing and not force:
        raise ConfigError(f"{existing[0]}: already exists; use another --name, or --force to replace it")
    with _raises_config_error():
        for path in texts:
            path.parent.mkdir(parents=True, exist_ok=True)
        for path, text in texts.items():
            partial = path.with_name(f".{path.name}.part")
            partial.write_text(text, encoding="utf-8")
            os.replace(partial, path)
    return Written(config, tuple(path for path in texts if path != config))


def config_text(guess: Guess, name: str, schemas: pathlib.Path, config: pathlib.Path) -> str:
    """Returns the config as YAML with the reasons as comments above it, after the checks of `run`.

    Args:
      guess: The guess.
      name: The pipeline's name.
      schemas: Folder for the schemas.
      config: Path of the config file, for errors.

    Raises:
      ConfigError: The name is invalid.
    """
    raw: dict[str, Any] = {"name": name, "workspace": f"workspaces/{name}"}
    raw["data"] = {
        "schemas": schemas.as_posix(),
        **{table: dict(table_guess.section) for table, table_guess in guess.tables.items()},
        "split": {"kind": guess.split},
    }
    title = title_of(guess.tables["candidates"])
    if title:
        raw["data"]["candidates"] = _with_title(raw["data"]["candidates"], title)
    raw["model"] = {"query_tower": settings.query_tower_section(guess.size)}
    raw["train"] = settings.train_section(guess.size)
    if guess.split == "random":
        raw["model"] = {"query_tower": {"kind": "features", "dropout": 0.5}}
    if guess.split == "leave_last_basket":
        raw["model"]["query_time"] = {"knots": 32}
        raw["train"]["basket_mates"] = 0.5
    if guess.new_items_reason is not None:
        raw["evaluate"] = {"cold_start": {"unseen_candidates": {"action": "warn"}}}
    load.parse_config(raw, str(config))
    head = [f"# {name}: a first config, guessed from the data. Check and correct it.", "#"]
    for reason in guess.reasons:
        head += textwrap.wrap(reason, 116, initial_indent="# - ", subsequent_indent="#   ")
    body = yaml.safe_dump(raw, sort_keys=False, allow_unicode=True, width=1000, default_flow_style=False)
    if guess.new_items_reason is not None:
        # The reason stands beside the value that weakens a gate.
        comment = textwrap.wrap(guess.new_items_reason, 110, initial_indent="  # ", subsequent_indent="  # ")
        body = body.replace("evaluate:\n", "\n".join(["evaluate:", *comment, ""]))
    return "\n".join(head) + "\n" + body


def schema_text(table: str, guess: TableGuess) -> str:
    """Returns a TFMD schema of a table as text, with types and the minimum fraction of rows with a value."""
    parts = [f"# {table}: guessed from the first rows. Add domains to detect invalid values."]
    parts += [feature_text(name, "BYTES", 1.0, values=1) for name in _IDS[table]]
    if table == "interactions" and guess.section["timestamp"] is not None:
        parts.append(feature_text(keys.TIMESTAMP, "INT", 1.0, values=1))
    for name, feature_type in guess.types.items():
        present = len(guess.columns[name].present) / len(guess.columns[name].texts)
        min_fraction = presence_bound(present)
        single = present == 1.0 and feature_type is not FeatureType.MULTI_CATEGORY
        parts.append(feature_text(name, _ARROW.get(feature_type, "BYTES"), min_fraction, 1 if single else None))
    return "\n".join(parts) + "\n"


def presence_bound(present: float) -> float:
    """Returns the minimum fraction of rows with a value, from the fraction in a sample."""
    return 1.0 if present == 1.0 else max(present - _PRESENCE_MARGIN, 0.0)


def feature_text(name: str, kind: str, min_fraction: float, values: int | None) -> str:
    """Returns a feature of a schema as text.

    Args:
      name: The feature's name.
      kind: BYTES, FLOAT or INT.
      min_fraction: Minimum fraction of rows with a value.
      values: Number of values in each row; None if it differs.
    """
    fraction = f"min_fraction: {min_fraction:.2f} " if min_fraction > 0 else ""
    lines = [f'feature {{\n  name: "{name}"\n  type: {kind}\n  presence {{ {fraction}min_count: 1 }}']
    if values is not None:
        lines.append(f"  value_count {{ min: {values} max: {values} }}")
    return "\n".join([*lines, "}"])


def _with_title(section: dict[str, Any], title: str) -> dict[str, Any]:
    features = section.pop("features")
    return {**section, "title": title, "features": features}


@contextlib.contextmanager
def _raises_config_error() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{error.filename}: cannot be written: {error.strerror}") from None
