"""The DAG (`create_pipeline`) and the runner that executes it on one machine."""

import shortlist  # noqa: F401  sets the environment before TensorFlow is imported
