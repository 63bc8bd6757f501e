"""A Flink session cluster on loopback: a JobManager and two TaskManagers, from `apache-flink-libraries`."""

from __future__ import annotations

import contextlib
import os
import pathlib
import subprocess
import time
from collections.abc import Iterator

from shortlist.engines.cluster import Cluster
from shortlist.engines.flink import _OPEN_PACKAGES
from shortlist.errors import BadInputError
from tests.servers import free_port

SLOTS = 2
"""Task slots of each TaskManager."""

BUFFERS = 1024
"""Network buffers of each TaskManager: 32 MB of 32 KB."""

_START_SECONDS = 300
_JOB_MANAGER = "org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint"
_TASK_MANAGER = "org.apache.flink.runtime.taskexecutor.TaskManagerRunner"
_ENDLESS_JOB = """
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.sink.DiscardingSink;

public class Endless {
  public static void main(String[] args) throws Exception {
    StreamExecutionEnvironment env =
        StreamExecutionEnvironment.createRemoteEnvironment("127.0.0.1", Integer.parseInt(args[0]));
    env.setParallelism(1);
    env.socketTextStream("127.0.0.1", Integer.parseInt(args[1])).addSink(new DiscardingSink<>());
    env.executeAsync(args[2]);
    System.exit(0);
  }
}
"""

# A TaskManager that no script starts has to be told each part of its memory.
_CONFIGURATION = f"""
jobmanager.rpc.address: 127.0.0.1
jobmanager.bind-host: 127.0.0.1
rest.address: 127.0.0.1
rest.bind-address: 127.0.0.1
taskmanager.host: 127.0.0.1
taskmanager.bind-host: 127.0.0.1
taskmanager.numberOfTaskSlots: {SLOTS}
taskmanager.cpu.cores: 1
taskmanager.memory.framework.heap.size: 64m
taskmanager.memory.framework.off-heap.size: 64m
taskmanager.memory.task.heap.size: 128m
taskmanager.memory.task.off-heap.size: 0m
taskmanager.memory.managed.size: 32m
taskmanager.memory.network.min: 32m
taskmanager.memory.network.max: 32m
taskmanager.memory.jvm-metaspace.size: 128m
taskmanager.memory.jvm-overhead.min: 64m
taskmanager.memory.jvm-overhead.max: 64m
"""


@contextlib.contextmanager
def session_cluster(home: pathlib.Path, folder: pathlib.Path, task_managers: int = 2) -> Iterator[Cluster]:
    """Runs a cluster; yields it once all TaskManagers are registered.

    Args:
      home: Folder with `lib` of Flink.
      folder: For the configuration and the logs.
      task_managers: Number of TaskManagers.
    """
    rest, rpc = free_port(), free_port()
    conf = folder / "conf"
    conf.mkdir()
    ports = f"rest.port: {rest}\njobmanager.rpc.port: {rpc}\nio.tmp.dirs: {folder}\n"
    (conf / "flink-conf.yaml").write_text(_CONFIGURATION + ports)
    with contextlib.ExitStack() as stack:
        programs = {"job-manager": _JOB_MANAGER, **{f"worker-{n}": _TASK_MANAGER for n in range(task_managers)}}
        processes = [
            stack.enter_context(_java(home, folder, log, program, "--configDir", str(conf)))
            for log, program in programs.items()
        ]
        cluster = Cluster(f"127.0.0.1:{rest}")
        deadline = time.monotonic() + _START_SECONDS
        while not _is_complete(cluster, task_managers):
            logs = [log.read_text()[-2000:] for log in folder.glob("*.log")]
            assert time.monotonic() < deadline, logs
            assert [process.poll() for process in processes] == [None] * len(processes), logs
            time.sleep(0.5)
        yield cluster


def submit_endless_job(home: pathlib.Path, cluster: Cluster, folder: pathlib.Path, name: str, input_port: int) -> None:
    """Submits a job that occupies one slot until it is cancelled: it waits for lines at a port of this machine."""
    source = folder / "Endless.java"
    source.write_text(_ENDLESS_JOB)
    # Java compiles a source file that it is given, if it is a JDK.
    command = [*_command(home), f"{home}/lib/*", str(source), str(cluster.port), str(input_port), name]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_START_SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _is_complete(cluster: Cluster, task_managers: int) -> bool:
    with contextlib.suppress(BadInputError):
        # The number of buffers comes with a later heartbeat.
        return cluster.network_buffers() == BUFFERS * task_managers
    return False


def _command(home: pathlib.Path) -> list[str]:
    opened = (f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in _OPEN_PACKAGES)
    return [os.environ.get("SHORTLIST_JAVA") or "java", "-Xmx512m", "-XX:MaxDirectMemorySize=256m", *opened, "-cp"]


def _environment(folder: pathlib.Path) -> dict[str, str]:
    return {**os.environ, "FLINK_CONF_DIR": str(folder / "conf")}


@contextlib.contextmanager
def _java(home: pathlib.Path, folder: pathlib.Path, name: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(
            [*_command(home), f"{home}/lib/*", *arguments], stdout=log, stderr=log, env=_environment(folder)
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
