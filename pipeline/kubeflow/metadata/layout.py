"""Names of the types and properties that KFP v2's driver and launcher (2.5) write to ML Metadata."""

from __future__ import annotations

PIPELINE = "system.Pipeline"
"""Type of a pipeline's context. The context's name is the pipeline's name."""
RUN = "system.PipelineRun"
"""Type of a run's context. The context's name is the run's id, and its parent is the pipeline's context."""
DAG = "system.DAGExecution"
CONTAINER = "system.ContainerExecution"
IMPORTER = "system.ImporterExecution"

# Custom properties of contexts and executions.
PIPELINE_ROOT = "pipeline_root"
TASK_NAME = "task_name"
PARENT_DAG = "parent_dag_id"
INPUTS = "inputs"
OUTPUTS = "outputs"
FINGERPRINT = "cache_fingerprint"
CACHED_FROM = "cached_execution_id"
IMAGE = "image"
DISPLAY_NAME = "display_name"
"""Artifacts have it, too: the output's key by default, or a name that the task sets."""
