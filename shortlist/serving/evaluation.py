"""The evaluation of a pushed version, `assets.extra/evaluation.json`: the metrics and verdict that it was pushed with.

Format 1:

    metrics       TFMA's name to value, over all test rows
    slices        list of {"slice": {feature: value}, "metrics": {...}}
    baseline      metrics of the latest blessed model on the same rows, or null
    blessed       whether the Evaluator blessed the model; false after a forced push
    gates         results of the Evaluator's gates, see `shortlist.verdicts.GateResult`
    reasons       sentences, one per gate
    warnings      sentences
    exclude_seen  whether the gates use plain metrics, which exclude seen items
    refit         whether the pushed model is a refit; the metrics are then of the model that was measured
"""

from __future__ import annotations

import dataclasses
import json
import pathlib
from typing import Any

from shortlist.model_files import EVALUATION_FILE
from shortlist.records import artifacts
from shortlist.serving import version_files
from shortlist.verdicts import Gate, GateResult

FORMAT_VERSION = 1
"""Must increase with each incompatible change. Keys may be added without one."""


@dataclasses.dataclass(frozen=True)
class ServedEvaluation:
    """The content of the file, see the module."""

    metrics: dict[str, float]
    slices: list[dict[str, Any]]
    baseline: dict[str, float] | None
    blessed: bool
    gates: list[GateResult]
    reasons: list[str]
    warnings: list[str]
    exclude_seen: bool
    refit: bool

    @classmethod
    def of(
        cls, evaluation: artifacts.HasProperties, verdict: artifacts.HasProperties, exclude_seen: bool, refit: bool
    ) -> ServedEvaluation:
        """Returns the evaluation in the Evaluator's artifacts.

        Args:
          evaluation: The ModelEvaluation.
          verdict: The ModelBlessing of the measured model.
          exclude_seen: Whether the gates exclude seen items.
          refit: Whether the pushed model is a refit.
        """
        measured, blessing = artifacts.Evaluation.of(evaluation), artifacts.Blessing.of(verdict)
        if measured is None or blessing is None:
            raise TypeError("expected two artifacts, got None")
        return cls(
            metrics=measured.metrics,
            slices=measured.slices or [],
            baseline=measured.baseline or None,
            blessed=blessing.blessed,
            gates=blessing.gates,
            reasons=blessing.reasons,
            warnings=blessing.warnings,
            exclude_seen=exclude_seen,
            refit=refit,
        )

    @classmethod
    def of_version(cls, folder: pathlib.Path) -> ServedEvaluation | None:
        """Returns the evaluation of a version; None if the version was pushed before there were such files.

        Raises:
          BadInputError: The file is damaged, or of a newer format.
        """
        return version_files.read(
            folder / EVALUATION_FILE, FORMAT_VERSION, "an evaluation that Shortlist wrote", cls._of_content
        )

    @classmethod
    def _of_content(cls, content: dict[str, Any]) -> ServedEvaluation:
        # The first files had no gates. A later version may have others, whose sentences are among the reasons.
        known = [gate for gate in content.get("gates", []) if gate["gate"] in {*Gate}]
        values = {field.name: content[field.name] for field in dataclasses.fields(cls) if field.name != "gates"}
        return cls(**values, gates=[GateResult.model_validate(gate) for gate in known])

    def to_json(self) -> str:
        """Returns the content of the file."""
        content = {"format_version": FORMAT_VERSION} | dataclasses.asdict(self)
        content["gates"] = [gate.model_dump(mode="json") for gate in self.gates]
        return json.dumps(content, indent=2, sort_keys=True) + "\n"
