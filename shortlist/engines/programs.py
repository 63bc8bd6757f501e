"""Paths of the programs that a run on Flink starts.

They come from the environment only: the author of a config may not run code.
"""

from __future__ import annotations

import os

from shortlist.config import engines
from shortlist.errors import ConfigError

BEAM_VERSION = "2.60.0"
"""The version in `requirements/runtime.in`. A job server of another version may misread a pipeline."""

JAR = f"org.apache.beam:beam-runners-flink-1.18-job-server:{BEAM_VERSION}"
"""Maven's name of the job server."""

GET_THE_JAR = f"{JAR} is in Maven Central"
"""The remedy for a missing job server."""


def java() -> str:
    """Returns the Java program."""
    return os.environ.get(engines.JAVA_VARIABLE) or "java"


def job_server_jar() -> str:
    """Returns the JAR file of Beam's Flink job server.

    Raises:
      ConfigError: The environment variable is not set.
    """
    path = os.environ.get(engines.JAR_VARIABLE)
    if not path:
        raise ConfigError.from_parts(
            engines.JAR_VARIABLE, f"the path of the jar {JAR} in this environment variable", "none", GET_THE_JAR
        )
    return path
