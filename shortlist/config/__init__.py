"""The typed config: one YAML file a pipeline, unknown keys refused."""

from shortlist.config.load import load_config
from shortlist.config.types import Config

__all__ = ["Config", "load_config"]
