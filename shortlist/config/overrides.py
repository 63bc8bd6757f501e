"""Config values from the command line's `--set` options."""

from __future__ import annotations

from collections.abc import Iterable

import yaml

from shortlist.errors import ConfigError


def parse_overrides(assignments: Iterable[str]) -> dict[str, object]:
    """Returns `{"train.seed": 2}` for `["train.seed=2"]`. Values are read as YAML.

    Raises:
      ConfigError: An assignment has no `=`, or its value is not YAML.
    """
    overrides: dict[str, object] = {}
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        if not equals or not key:
            raise ConfigError(f"--set {assignment!r}: expected KEY=VALUE, for example train.seed=2")
        try:
            overrides[key] = yaml.safe_load(value)
        except yaml.YAMLError:
            raise ConfigError(f"--set {assignment!r}: the value is not plain YAML") from None
    return overrides
