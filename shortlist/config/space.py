"""What a search may change: settings by dotted name, their own values and those that are tried."""

from __future__ import annotations

import dataclasses
import difflib
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from shortlist.config.section import Section
from shortlist.config.tune import Searched, Tune
from shortlist.config.values import Sections, Value, listed, with_values

_FIXED = {
    "train.seed": "to choose a seed on eval is to choose luck",
    "train.epochs": "tune.epochs is how long a trial trains",
    "train.patience": "tune.epochs is how long a trial trains",
    "train.refit": "the refit comes after all that is measured",
    "train.eval_every_epochs": "a trial is ranked after every epoch",
}
_DROPOUTS = (0.0, 0.1, 0.2, 0.3, 0.4)


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting of a search."""

    name: str
    """Dotted."""
    own: Value
    """The config's own value; its type is the setting's."""
    values: tuple[Value, ...] = ()
    """What is tried, the own value among them; empty for a range."""
    low: float = 0.0
    high: float = 0.0
    log: bool = False

    @property
    def probes(self) -> tuple[Value, ...]:
        """The values by which a combination is checked: all, or a range's ends."""
        return self.values or (self._typed(self.low), self._typed(self.high))

    def _typed(self, end: float) -> Value:
        return int(end) if isinstance(self.own, int) and end.is_integer() else end


def settings(tune: Tune, sections: Sections) -> list[Setting]:
    """Returns what is searched, in the order of the config; not what has no other value than the config's own.

    Raises:
      ValueError: A key is no setting, cannot be searched, or a value is none that it could have; names the key. Or
        the search is enabled, and there is nothing to search.
    """
    space = tune.space if tune.space is not None else _default_space(sections)
    found = [_setting(name, searched, sections) for name, searched in space.items()]
    for first, second in itertools.combinations(found, 2):
        for pair in itertools.product(first.probes, second.probes):
            together = dict(zip((first.name, second.name), pair, strict=True))
            with_values(sections, together, f"tune.space: {listed(together)}")
    several = [setting for setting in found if len(setting.probes) > 1]
    if tune.enabled and not several:
        raise ValueError("tune.space: expected another value than the config's own, got no other; add some")
    return several


def value_of(sections: Sections, name: str) -> Any:
    """Returns what a setting is.

    Raises:
      ValueError: There is no such setting; names those that look like it.
    """
    top, *path = name.split(".")
    found: Any = sections.get(top)
    for part in path:
        if not isinstance(found, Section) or part not in type(found).model_fields:
            found = None
            break
        found = getattr(found, part)
    else:
        if path and top in sections:
            return found
    near = difflib.get_close_matches(name, list(_names(sections)), n=1)
    raise ValueError(
        f"tune.space: {name!r} is no setting of this config's {' or '.join(sections)}"
        + (f"; did you mean {near[0]!r}?" if near else f"; it has {', '.join(_names(sections))}")
    )


def _setting(name: str, searched: Searched, sections: Sections) -> Setting:
    own = value_of(sections, name)
    where = f"tune.space.{name}"
    reason = _FIXED.get(name)
    if reason is None and name.endswith(".kind"):
        reason = "the settings of one kind are not those of another; compare two configs instead"
    if reason is not None:
        raise ValueError(f"{where}: cannot be searched, {reason}")
    if not isinstance(own, bool | int | float | str):
        raise ValueError(
            f"{where}: cannot be searched, its own value is {'null' if own is None else own}; "
            "expected a number, a text, true or false"
        )
    if searched.values is None:
        assert searched.min is not None
        assert searched.max is not None
        if isinstance(own, bool | str):
            raise ValueError(f"{where}: expected a list of values, got a range")
        low, high = (_checked(sections, name, _whole(end, own), where) for end in (searched.min, searched.max))
        return Setting(name, own, low=float(low), high=float(high), log=searched.log)
    values = [_checked(sections, name, value, where) for value in searched.values]
    return Setting(name, own, tuple(dict.fromkeys([*values, own])))


def _whole(end: float, own: Value) -> Value:
    return int(end) if isinstance(own, int) and end.is_integer() else end


def _checked(sections: Sections, name: str, value: Value, where: str) -> Any:
    """Returns a value as the setting has it: `1` for a float is 1.0."""
    return value_of(with_values(sections, {name: value}, where), name)


def _default_space(sections: Sections) -> dict[str, Searched]:
    rate = float(value_of(sections, "train.learning_rate"))
    return {
        "train.learning_rate": Searched(min=rate / 4, max=rate * 4, log=True),
        "model.query_tower.dropout": Searched(values=_DROPOUTS),
    }


def _names(sections: Mapping[str, Any], prefix: str = "") -> Sequence[str]:
    found: list[str] = []
    for name, value in sections.items():
        if isinstance(value, Section):
            found += _names({field: getattr(value, field) for field in type(value).model_fields}, f"{prefix}{name}.")
        else:
            found.append(f"{prefix}{name}")
    return [name for name in found if name not in _FIXED and not name.endswith("kind")]
