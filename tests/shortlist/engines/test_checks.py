"""Checks before an engine starts: jars, Java, ports, and workers without access to the workspace."""

from __future__ import annotations

import pathlib
import shutil
import socket
import time
import zipfile

import pytest

from shortlist.config.engines import DataflowBeam, FlinkBeam
from shortlist.config.load import load_config
from shortlist.engines import checks, flink
from shortlist.errors import BadInputError, ConfigError
from tests.servers import free_port

_JAVA = pytest.mark.skipif(shutil.which("java") is None, reason="needs Java")
SMOKE = pathlib.Path(__file__).parents[3] / "configs" / "smoke.yaml"
_MAIN = "org.apache.beam.runners.flink.FlinkJobServerDriver"


def _jar(path: pathlib.Path, main: str = _MAIN, version: str = "2.60.0") -> str:
    with zipfile.ZipFile(path, "w") as jar:
        jar.writestr("META-INF/MANIFEST.MF", f"Manifest-Version: 1.0\r\nMain-Class: {main}\r\n\r\n")
        jar.writestr("org/apache/beam/sdk/sdk.properties", f"version={version}\n")
    return str(path)


def _java(path: pathlib.Path, version: str) -> str:
    path.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2024-01-01' >&2\n")
    path.chmod(0o755)
    return str(path)


def _refusal(beam) -> str:
    with pytest.raises(BadInputError) as refused:
        checks.check(beam)
    return str(refused.value)


@pytest.fixture(autouse=True)
def programs(monkeypatch):
    """Returns a function that sets the environment's programs; without a call, there are none."""

    def set_programs(jar: str, java: str = "") -> None:
        monkeypatch.setenv("SHORTLIST_FLINK_JAR", jar)
        monkeypatch.setenv("SHORTLIST_JAVA", java)

    set_programs("")
    return set_programs


def test_no_jar_in_the_environment():
    assert "SHORTLIST_FLINK_JAR: expected the path of the jar" in _refusal(FlinkBeam())


def test_jar_that_is_not_a_job_server(tmp_path, programs):
    (tmp_path / "text.jar").write_text("dear")
    programs("nowhere.jar")
    assert "expected the jar org.apache.beam:beam-runners-flink-1.18-job-server:2.60.0 at nowhere.jar, got none" in (
        _refusal(FlinkBeam())
    )
    programs(str(tmp_path / "text.jar"))
    assert "expected a jar at" in _refusal(FlinkBeam())
    programs(_jar(tmp_path / "other.jar", main="x.Main"))
    assert "got another jar" in _refusal(FlinkBeam())
    programs(_jar(tmp_path / "old.jar", version="2.50.0"))
    assert "expected the job server of Beam 2.60.0, got that of 2.50.0" in _refusal(FlinkBeam())


@pytest.mark.parametrize(("key", "variable"), [("java", "SHORTLIST_JAVA"), ("job_server_jar", "SHORTLIST_FLINK_JAR")])
def test_a_config_that_names_a_program_is_refused_and_nothing_runs(tmp_path, programs, key, variable):
    program = tmp_path / "program"
    program.write_text(f"#!/bin/sh\ntouch {tmp_path / 'ran'}\n")
    program.chmod(0o755)
    programs(_jar(tmp_path / "f.jar"))
    with pytest.raises(ConfigError, match=f"remove the key and set the environment variable {variable}"):
        checks.check(load_config(SMOKE, {"beam": {"engine": "flink", key: str(program)}}).beam)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(("version", "got"), [("1.8.0_402", "version 8"), ("21.0.2", "version 21")])
def test_java_that_flink_does_not_run_on(tmp_path, programs, version, got):
    programs(_jar(tmp_path / "f.jar"), _java(tmp_path / "java", version))
    assert f"SHORTLIST_JAVA: expected Java 11 or 17 for Flink 1.18, got {got}" in _refusal(FlinkBeam())


def test_no_java(tmp_path, programs):
    programs(_jar(tmp_path / "f.jar"), "no-such-java")
    assert "expected a Java program at 'no-such-java', got: No such file" in _refusal(FlinkBeam())


def test_port_that_is_taken_and_cluster_that_is_down(tmp_path, programs):
    programs(_jar(tmp_path / "f.jar"), _java(tmp_path / "java", "17.0.1"))
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"expected a free port {port} for the job server" in _refusal(FlinkBeam(job_port=port))
    down = FlinkBeam(job_port=free_port(), master="127.0.0.1:1", worker_endpoint="127.0.0.1:2")
    assert "beam.master: expected a server at 127.0.0.1:1, got: Connection refused" in _refusal(down)
    checks.check(FlinkBeam(job_port=free_port()))


def test_dataflow_does_not_see_the_workspace():
    beam = DataflowBeam(project="p", region="r", temp_location="gs://b/t", sdk_container_image="i")
    assert "got dataflow; a run on this machine keeps its artifacts in the workspace" in _refusal(beam)


def test_a_large_log_is_rotated_and_the_new_one_has_the_reason(tmp_path, programs, monkeypatch):
    monkeypatch.setattr("shortlist.engines.flink._LOG_BYTES", 3)
    program = tmp_path / "java"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    programs(_jar(tmp_path / "f.jar"), str(program))
    log = tmp_path / "flink.log"
    for text in ("first", "second", "third"):
        log.write_text(text)
        with pytest.raises(BadInputError, match="it ended: no output"), flink.job_server(FlinkBeam(), log):
            pass
    assert [log.with_name(f"flink.log.{number}").read_text() for number in (1, 2)] == ["third", "second"]
    assert sorted(path.name for path in tmp_path.glob("flink.log*")) == ["flink.log", "flink.log.1", "flink.log.2"]


def test_a_local_cluster_has_buffers_for_its_parallelism(tmp_path, programs):
    program = tmp_path / "java"
    program.write_text('#!/bin/sh\necho "$@"\ncat $FLINK_CONF_DIR/flink-conf.yaml\n')
    program.chmod(0o755)
    programs(_jar(tmp_path / "f.jar"), str(program))
    log = tmp_path / "flink.log"
    with (
        pytest.raises(BadInputError, match=r"it ended: taskmanager.memory.network.max: 561m;"),
        flink.job_server(FlinkBeam(parallelism=8), log),
    ):
        pass
    assert "-XX:MaxDirectMemorySize=2609m" in log.read_text()


@_JAVA
def test_job_server_that_does_not_start_is_reported_with_its_last_line(tmp_path, programs):
    programs(_jar(tmp_path / "empty.jar"))
    beam = FlinkBeam(job_port=free_port())
    start = time.monotonic()
    with (
        pytest.raises(BadInputError, match=f"it ended: .*{_MAIN}.*; its log: "),
        flink.job_server(beam, tmp_path / "flink.log"),
    ):
        pass
    assert time.monotonic() - start < 100


def test_arguments_of_the_job_server(programs):
    programs("f.jar", "/opt/java")
    command = flink.command(FlinkBeam(master="h:8081", worker_endpoint="h:1"), "/staged")
    assert command[0] == "/opt/java"
    assert command[-7:] == [
        "f.jar",
        "--flink-master=h:8081",
        "--job-host=localhost",
        "--job-port=8099",
        "--artifact-port=0",
        "--expansion-port=0",
        "--artifacts-dir=/staged",
    ]


def test_an_unreadable_jar_is_a_config_error(tmp_path):
    with pytest.raises(ConfigError):
        checks.check_jar(str(tmp_path))
