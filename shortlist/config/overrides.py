"""Config values from the command line's `--set` options."""

from __future__ import annotations

from collections.abc import Iterable

from shortlist.config import plain_yaml
from shortlist.errors import ConfigError
from shortlist.scalars import short_repr


def parse_overrides(assignments: Iterable[str]) -> dict[str, object]:
    """Returns `{"train.seed": 2}` for `["train.seed=2"]`. Values are read as YAML.

    Raises:
      ConfigError: An assignment has no `=`, or its value is not YAML.
    """
    overrides: dict[str, object] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {short_repr(assignment)}: expected KEY=VALUE, for example train.seed=2")
        try:
            overrides[key] = plain_yaml.parse(value)
        except plain_yaml.NotPlainYaml as error:
            raise ConfigError(f"--set {short_repr(assignment)}: the value is not plain YAML: {error}") from None
    return overrides
