"""Data-check results: errors stop the run, warnings are reported."""

from __future__ import annotations

import dataclasses
import json

from shortlist.config.gate import Action


@dataclasses.dataclass
class Findings:
    """Errors and warnings, one sentence each, in the order of discovery."""

    errors: list[str] = dataclasses.field(default_factory=list)
    warnings: list[str] = dataclasses.field(default_factory=list)

    def add(self, action: Action, sentence: str) -> None:
        """Adds a sentence as an error or a warning, as its check's `action` requires; `ignore` drops it."""
        if action == "error":
            self.errors.append(sentence)
        elif action == "warn":
            self.warnings.append(sentence)

    @property
    def warnings_json(self) -> str:
        """The value of the property `records.properties.WARNINGS`."""
        return json.dumps(self.warnings, ensure_ascii=False)
