"""Reads the file of `shortlist serve --settings`: the keys of the section `serve`, without a pipeline's config."""

from __future__ import annotations

import os
import pathlib

import pydantic

from shortlist.config import plain_yaml, problems
from shortlist.config.serve import Serve
from shortlist.errors import ConfigError

_MAX_BYTES = 1_000_000


def read_settings(path: str | os.PathLike[str]) -> Serve:
    """Returns the checked settings of a YAML file.

    Raises:
      ConfigError: The file cannot be read, or a value is invalid.
    """
    path = pathlib.Path(path)
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES)
        raw = plain_yaml.parse(content.decode("utf-8"))
    except OSError as error:
        raise ConfigError.from_reason(path, "a readable file", error.strerror) from None
    except (UnicodeDecodeError, plain_yaml.NotPlainYaml) as error:
        raise ConfigError(f"{path}: not plain YAML: {error}") from None
    try:
        return Serve.model_validate({} if raw is None else raw)
    except pydantic.ValidationError as error:
        raise ConfigError(f"{path}: {'; '.join(problems.sentences(error, Serve))}") from None
