"""Remedies for the errors of Flink and Beam's job servers, whose own sentences name none."""

from __future__ import annotations

import pathlib

from shortlist.config import engines

LOG_FILE = "flink.log"
"""The log of Flink's job server, in the workspace."""

_LOST_TASK_MANAGER = "look for a TaskManager that ended or ran out of memory, then run again"

# Text of the error, and the remedy. The first match counts.
_REMEDIES = (
    (
        "Insufficient number of network buffers",
        "lower beam.parallelism, or raise taskmanager.memory.network.min and .max in the cluster's configuration",
    ),
    (
        "Could not acquire the minimum required resources",
        "wait until other jobs of the cluster have ended, or lower beam.parallelism",
    ),
    ("NoResourceAvailableException", "wait until other jobs of the cluster have ended, or lower beam.parallelism"),
    ("Direct buffer memory", "raise taskmanager.memory.framework.off-heap.size in the cluster's configuration"),
    (
        "Java heap space",
        "raise taskmanager.memory.process.size in the cluster's configuration; on [local], set "
        "JAVA_TOOL_OPTIONS=-Xmx8g",
    ),
    # Each Beam step brings its own copy of the jar, whose classes need room.
    (
        "OutOfMemoryError: Metaspace",
        "raise taskmanager.memory.jvm-metaspace.size in the cluster's configuration, and restart its TaskManagers",
    ),
    # Flink has one sentence for a missed heartbeat, another for a refused connection, and a third for a lost stream.
    ("eartbeat of TaskManager", _LOST_TASK_MANAGER),
    ("is no longer reachable", _LOST_TASK_MANAGER),
    ("closed by remote task manager", _LOST_TASK_MANAGER),
    (
        "No space left on device",
        "free space on the machines of the engine: in the workspace, and in Flink's io.tmp.dirs",
    ),
    (
        "DEADLINE_EXCEEDED",
        "raise beam.job_server_timeout_seconds if the step needed longer; it is the limit for each Beam step",
    ),
    (
        "UNAVAILABLE",
        "check that `shortlist worker` runs at beam.worker_endpoint on each machine of the engine, then run again",
    ),
)


def remedy(beam: engines.Beam, error: BaseException, root: pathlib.Path) -> str:
    """Returns advice for a step that failed on an engine; empty for the direct runner.

    Args:
      beam: The config's section `beam`.
      error: The exception of the step.
      root: The workspace's folder.
    """
    if not isinstance(beam, (engines.PortableBeam, engines.FlinkBeam)):
        return ""
    message = str(error)
    parts = [advice for text, advice in _REMEDIES if text in message][:1]
    if isinstance(beam, engines.FlinkBeam):
        parts.append(f"the job server's log is {root / LOG_FILE}")
    return "; ".join(parts)
