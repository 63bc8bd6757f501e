"""Checks of an engine before a run starts. They take seconds, cannot hang, and do not import Beam."""

from __future__ import annotations

import re
import subprocess
import zipfile

from shortlist.config import engines
from shortlist.engines import cluster, programs
from shortlist.errors import ConfigError
from shortlist.process import endpoints

JOB_SERVER_CLASS = "org.apache.beam.runners.flink.FlinkJobServerDriver"
_JAVA_VERSIONS = (11, 17)
_JAVA_SECONDS = 20
_BEAM_PROPERTIES = "org/apache/beam/sdk/sdk.properties"


def check(beam: engines.Beam) -> None:
    """Raises an error if an engine cannot work from this machine.

    Raises:
      ConfigError: The jar, Java or a port does not work on this machine.
      BadInputError: No server answers at an endpoint.
    """
    if isinstance(beam, engines.PortableBeam):
        _check_endpoint(beam.job_endpoint, "beam.job_endpoint", "start the job server, or correct the address")
        _check_endpoint(beam.worker_endpoint, "beam.worker_endpoint", _START_WORKERS)
    elif isinstance(beam, engines.FlinkBeam):
        check_jar(programs.job_server_jar())
        check_java(programs.java())
        if endpoints.is_taken(beam.job_port):
            raise ConfigError.from_parts(
                "beam.job_port",
                f"a free port {beam.job_port} for the job server",
                "one that is in use",
                "stop the program that listens there, or set another port",
            )
        if beam.master != engines.LOCAL_FLINK:
            _check_endpoint(
                beam.master, "beam.master", "start the cluster, or correct the address of its REST interface"
            )
            cluster.Cluster(beam.master).check(beam.parallelism)
        if beam.worker_endpoint is not None:
            _check_endpoint(beam.worker_endpoint, "beam.worker_endpoint", _START_WORKERS)
    elif isinstance(beam, engines.DataflowBeam):
        raise ConfigError.from_parts(
            "beam.engine",
            "an engine with workers that can read this machine's folders",
            "dataflow",
            "a run on this machine keeps its artifacts in the workspace: use direct, portable or flink here, and "
            "dataflow on Kubeflow with a root in Cloud Storage",
        )


_START_WORKERS = "start `shortlist worker` there, or correct the address"


def check_jar(path: str) -> None:
    """Raises an error if a file is not the Flink job server of the pinned Beam version.

    Raises:
      ConfigError: The file is missing, is not a jar, or is another jar.
    """
    try:
        with zipfile.ZipFile(path) as jar:
            # Manifests wrap lines after 72 bytes; a continuation begins with a space.
            manifest = jar.read("META-INF/MANIFEST.MF").decode(errors="replace").replace("\r\n ", "")
            version = _beam_version(jar)
    except FileNotFoundError:
        raise ConfigError.from_parts(
            engines.JAR_VARIABLE, f"the jar {programs.JAR} at {path}", "none", programs.GET_THE_JAR
        ) from None
    except (OSError, KeyError, zipfile.BadZipFile) as error:
        raise ConfigError.from_reason(engines.JAR_VARIABLE, f"a jar at {path}", error, programs.GET_THE_JAR) from None
    if f"Main-Class: {JOB_SERVER_CLASS}" not in manifest:
        raise ConfigError.from_parts(
            engines.JAR_VARIABLE, "Beam's Flink job server", f"another jar, {path}", programs.GET_THE_JAR
        )
    if version is not None and version != programs.BEAM_VERSION:
        raise ConfigError.from_parts(
            engines.JAR_VARIABLE,
            f"the job server of Beam {programs.BEAM_VERSION}",
            f"that of {version}",
            programs.GET_THE_JAR,
        )


def _beam_version(jar: zipfile.ZipFile) -> str | None:
    try:
        properties = jar.read(_BEAM_PROPERTIES).decode(errors="replace")
    except KeyError:
        return None
    match = re.search(r"^version=(\S+)", properties, re.MULTILINE)
    if match is None:
        return None
    return match[1]


def check_java(java: str) -> None:
    """Raises an error if Flink does not run on a Java.

    Raises:
      ConfigError: There is no Java, or it has another version.
    """
    remedy = f"install a JDK or JRE 17, or set {engines.JAVA_VARIABLE} to its `java` program"
    try:
        process = subprocess.run(
            [java, "-version"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_JAVA_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ConfigError.from_reason(engines.JAVA_VARIABLE, f"a Java program at {java!r}", reason, remedy) from None
    # Java prints its version to stderr. Before Java 9 it was called 1.8.
    output = process.stderr + process.stdout
    match = re.search(r'version "(?:1\.)?(\d+)', output)
    if match is None or int(match[1]) not in _JAVA_VERSIONS:
        got = f"version {match[1]}" if match else repr(output.strip()[:80])
        supported = " or ".join(map(str, _JAVA_VERSIONS))
        raise ConfigError.from_parts(
            engines.JAVA_VARIABLE, f"Java {supported} for Flink 1.18", f"{got} from {java}", remedy
        )


def _check_endpoint(endpoint: str, key: str, remedy: str) -> None:
    host, _, port = endpoint.rpartition(":")
    endpoints.check_answers(host.strip("[]"), int(port), key, remedy)
