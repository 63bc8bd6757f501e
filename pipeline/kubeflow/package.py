"""The YAML file for Kubeflow Pipelines: a pipeline spec, and a platform spec with the pods' Kubernetes settings."""

from __future__ import annotations

import dataclasses
from typing import Any

import yaml

from shortlist.config import plain_yaml
from shortlist.errors import ConfigError

Document = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Package:
    """A compiled pipeline."""

    pipeline: Document
    """A PipelineSpec as JSON."""

    platform: Document | None = None
    """A PlatformSpec as JSON; None without Kubernetes settings."""

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return str(self.pipeline.get("pipelineInfo", {}).get("name", ""))

    @property
    def tasks(self) -> dict[str, Document]:
        """Tasks of the root DAG, by name."""
        return dict(self.pipeline.get("root", {}).get("dag", {}).get("tasks", {}))

    @property
    def parameters(self) -> dict[str, Document]:
        """Runtime parameters that every run needs, by name."""
        return dict(self.pipeline.get("root", {}).get("inputDefinitions", {}).get("parameters", {}))

    @property
    def documents(self) -> list[Document]:
        """The one or two documents of the file, in its order."""
        return [document for document in (self.pipeline, self.platform) if document is not None]

    def to_yaml(self) -> str:
        """Returns the file's text. Equal packages have equal texts."""
        head = [
            "# PIPELINE DEFINITION",
            f"# Name: {self.name}",
            "# Inputs:",
            *(f"#  {name}: {spec.get('parameterType')}" for name, spec in sorted(self.parameters.items())),
        ]
        return "\n".join(head) + "\n" + yaml.safe_dump_all(self.documents, sort_keys=True, allow_unicode=True)

    @classmethod
    def from_yaml(cls, text: str, source: str) -> Package:
        """Returns the package of a file's text; `source` is the file's name for error messages.

        Raises:
          ConfigError: The text is not YAML, or does not have one or two documents.
        """
        try:
            values = [value for value in plain_yaml.parse_all(text) if value is not None]
        except plain_yaml.NotPlainYaml as error:
            raise ConfigError(f"{source}: not plain YAML: {error}") from None
        documents = [value for value in values if isinstance(value, dict)]
        if not 1 <= len(documents) <= 2 or len(documents) < len(values):
            raise ConfigError.from_parts(
                source,
                "a pipeline spec and perhaps a platform spec",
                f"{len(values)} documents",
                "`shortlist compile` writes them",
            )
        return cls(*documents)
