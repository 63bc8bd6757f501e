"""One folder per pipeline node: component, executor, and cores without TFX."""

import shortlist  # noqa: F401  sets the environment before TensorFlow is imported
