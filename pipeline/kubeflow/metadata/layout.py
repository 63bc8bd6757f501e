"""Names under which KFP v2's driver and launcher (2.5) file what they do."""

from __future__ import annotations

PIPELINE = "system.Pipeline"
"""Type of the context of a pipeline; its name is the pipeline's."""
RUN = "system.PipelineRun"
"""Type of the context of a run; its name is the run's id, its parent the pipeline."""
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
"""Also of artifacts: the output's key, unless the task gave it another name."""
