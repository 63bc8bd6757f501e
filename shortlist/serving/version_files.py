"""Reading of the JSON files that a pushed version carries."""

from __future__ import annotations

import json
import pathlib
from collections.abc import Callable
from typing import Any, TypeVar

from shortlist.errors import BadInputError

_T = TypeVar("_T")


def read(path: pathlib.Path, newest_format: int, expected: str, parse: Callable[[dict[str, Any]], _T]) -> _T | None:
    """Returns what a file says; None if the version was pushed before there were such files.

    Args:
      path: The file.
      newest_format: The newest `format_version` that this code knows.
      expected: What the file has, for errors.
      parse: Takes the file's content; a KeyError, TypeError or ValueError means that the file is damaged.

    Raises:
      BadInputError: The file is damaged, or of a newer format.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        version = int(content["format_version"])
        if version <= newest_format:
            return parse(content)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInputError.from_reason(path, expected, error, "copy or export the model again") from None
    remedy = "use the version of Shortlist that pushed the model"
    raise BadInputError.from_parts(path, f"format {newest_format} at most", version, remedy)
