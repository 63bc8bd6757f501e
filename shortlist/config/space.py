"""Search spaces: settings by dotted name, with the config's own value and the values to try."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

from shortlist.config.section import Section
from shortlist.config.train import MAX_LEARNING_RATE, MIN_LEARNING_RATE, STRATEGY_KEYS
from shortlist.config.tune import Searched, Tune
from shortlist.config.values import Sections, Value, one_line, with_values
from shortlist.quoting import closest, short_repr

_FIXED = {
    "train.seed": "the best seed on eval is only the luckiest",
    "train.epochs": "tune.epochs sets the length of a trial",
    "train.patience": "tune.epochs sets the length of a trial",
    "train.refit": "the refit follows all evaluation",
    "train.eval_every_epochs": "a trial is ranked after every epoch",
    **{f"train.{name}": "it does not change the model" for name in STRATEGY_KEYS},
}
_DROPOUTS = (0.0, 0.1, 0.2, 0.3, 0.4)


@dataclasses.dataclass(frozen=True)
class Setting:
    """One setting of a search."""

    name: str
    """Dotted name."""
    own: Value
    """The config's own value, which also decides the setting's type."""
    values: tuple[Value, ...] = ()
    """Values to try, including the own value; empty for a range."""
    low: float = 0.0
    high: float = 0.0
    log: bool = False

    @property
    def probes(self) -> tuple[Value, ...]:
        """Values that stand for the setting in checks of combinations: all values, or both ends of a range."""
        return self.values or (_typed(self.low, self.own), _typed(self.high, self.own))


def settings(tune: Tune, sections: Sections) -> list[Setting]:
    """Returns the settings to search, in the order of the config. Settings with a single value are left out.

    Args:
      tune: The search.
      sections: `model` and `train`.

    Raises:
      ValueError: A key is not a setting or cannot be searched, or one of its values is invalid; names the key. Or the
        search is enabled, and its space is empty.
    """
    space = _default_space(sections) if tune.space is None else tune.space
    candidates = [_setting(name, searched, sections) for name, searched in space.items()]
    for first, second in itertools.combinations(candidates, 2):
        for pair in itertools.product(first.probes, second.probes):
            together = dict(zip((first.name, second.name), pair, strict=True))
            with_values(sections, together, f"tune.space: {one_line(together)}")
    searchable = [setting for setting in candidates if len(setting.probes) > 1]
    if tune.enabled and not searchable:
        raise ValueError("tune.space: expected values besides the config's own, got none; add some")
    return searchable


def value_of(sections: Sections, name: str) -> Any:
    """Returns the value of a setting.

    Raises:
      ValueError: There is no such setting; suggests the nearest name.
    """
    top, *path = name.split(".")
    value: Any = sections.get(top)
    for part in path:
        if not isinstance(value, Section) or part not in type(value).model_fields:
            value = None
            break
        value = getattr(value, part)
    else:
        if path and top in sections:
            return value
    known = _names(sections)
    near = closest(name, known)
    remedy = f"did you mean {near!r}?" if near else f"expected one of {', '.join(known)}"
    raise ValueError(
        f"tune.space: {short_repr(name)} is not a setting of this config's {' or '.join(sections)}; {remedy}"
    )


def _setting(name: str, searched: Searched, sections: Sections) -> Setting:
    own = value_of(sections, name)
    where = f"tune.space.{name}"
    reason = _FIXED.get(name)
    if reason is None and name.endswith(".kind"):
        reason = "each kind has other settings; compare two configs instead"
    if reason is not None:
        raise ValueError(f"{where}: cannot be searched, because {reason}")
    if not isinstance(own, bool | int | float | str):
        own_text = "null" if own is None else own
        raise ValueError(
            f"{where}: cannot be searched, because its own value is {own_text}; "
            "expected a number, a text, true or false"
        )
    if searched.values is None:
        assert searched.min is not None
        assert searched.max is not None
        if isinstance(own, bool | str):
            raise ValueError(f"{where}: expected a list of values, got a range")
        low, high = (_checked(sections, name, _typed(end, own), where) for end in (searched.min, searched.max))
        return Setting(name, own, low=float(low), high=float(high), log=searched.log)
    values = [_checked(sections, name, value, where) for value in searched.values]
    return Setting(name, own, tuple(dict.fromkeys([*values, own])))


def _typed(end: float, own: Value) -> Value:
    """Returns a range's end as an int if the setting is one."""
    if isinstance(own, int) and end.is_integer():
        return int(end)
    return end


def _checked(sections: Sections, name: str, value: Value, where: str) -> Any:
    """Returns a value in the type of its setting: 1 becomes 1.0 for a float."""
    return value_of(with_values(sections, {name: value}, where), name)


def _default_space(sections: Sections) -> dict[str, Searched]:
    rate = float(value_of(sections, "train.learning_rate"))
    return {
        "train.learning_rate": Searched(
            min=max(rate / 4, MIN_LEARNING_RATE), max=min(rate * 4, MAX_LEARNING_RATE), log=True
        ),
        "model.query_tower.dropout": Searched(values=_DROPOUTS),
    }


def _names(sections: Mapping[str, Any], prefix: str = "") -> Sequence[str]:
    """Returns the dotted names of all settings that can be searched."""
    names: list[str] = []
    for name, value in sections.items():
        if isinstance(value, Section):
            names += _names({field: getattr(value, field) for field in type(value).model_fields}, f"{prefix}{name}.")
        else:
            names.append(f"{prefix}{name}")
    return [name for name in names if name not in _FIXED and not name.endswith("kind")]
