"""Lineage and runs of a real run: their output and speed, and the likeness of the benchmark's store."""

from __future__ import annotations

import json
import resource
import subprocess
import sys

import pytest

from benchmarks.lineage_store import NODES, PUSHED, StoreWriter
from shortlist.lineage.store import Store
from tests.pipeline.conftest import ROOT

pytestmark = pytest.mark.e2e

_HEAVY = {"tensorflow", "tfx", "apache_beam", "tensorflow_data_validation", "pandas", "scann", "keras", "numpy"}
_MOST_SECONDS = 2.0


def _typed(smoke, *arguments):
    code = (
        "import atexit, sys; atexit.register(lambda: print(*sorted(sys.modules), file=sys.stderr)); "
        "from cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments, "--config", str(smoke.config_path)],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert not _HEAVY & set(done.stderr.split())
    return done.stdout


def _commands(smoke):
    first, second = smoke.first.summary, smoke.second.summary
    return [
        ("lineage",),
        ("lineage", "--served"),
        ("lineage", "--why", second.run_id),
        ("lineage", "--impact", first.fingerprints.data["interactions"][:12]),
        ("lineage", "diff", first.run_id, second.run_id),
        ("runs",),
        ("runs", "compare", first.run_id, "latest"),
        ("runs", "prune"),
        ("report", "--text"),
        ("report", "--compare", first.run_id, second.run_id, "--json"),
    ]


def test_every_answer_takes_two_seconds_at_most_and_no_tensorflow(smoke):
    for command in _commands(smoke):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        _typed(smoke, *command)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Seconds of a processor: other tests keep it busy meanwhile.
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        assert seconds <= _MOST_SECONDS, (command, seconds)


def test_impact_finds_the_model_and_its_push(smoke):
    summary = smoke.first.summary
    answer = json.loads(_typed(smoke, "lineage", "--json", "--impact", summary.fingerprints.data["candidates"]))
    [model] = answer["models"]
    assert (model["run_id"], model["index"]["kind"]) == (summary.run_id, "scann")
    assert summary.pushed.version in [push["version"] for push in model["pushes"]]
    # Other tests run in the same workspace after these three, with other gates.
    assert answer["runs"][-3:] == [run.summary.run_id for run in (smoke.third, smoke.second, smoke.first)]


def test_unchanged_runs_do_not_differ(smoke):
    first, second = smoke.first.summary.run_id, smoke.second.summary.run_id
    sections = json.loads(_typed(smoke, "lineage", "diff", first, second, "--json"))["sections"]
    assert [section["name"] for section in sections if section["changes"]] in (["time and memory"], [])


def test_a_served_version_cannot_be_pruned(smoke):
    planned = json.loads(_typed(smoke, "runs", "prune", "--keep", "1", "--json"))["artifacts"]
    executions = Store(smoke.workspace.metadata_path).run_executions(smoke.first.summary.run_id)
    made = {artifact.id for execution in executions for found in execution.outputs.values() for artifact in found}
    # Runs of other tests may be planned: they are in the same workspace, and nobody is served by them.
    assert made
    assert not made & {artifact["id"] for artifact in planned}


def test_store_of_the_benchmark_is_like_a_real_one(smoke, tmp_path):
    maker = StoreWriter(tmp_path / "workspace")
    made = {
        execution.node: execution
        for execution in Store(maker.workspace.metadata_path).run_executions(maker.run(0, PUSHED))
    }
    store = Store(smoke.workspace.metadata_path)
    real = {execution.node: execution for execution in store.run_executions(smoke.first.summary.run_id)}
    assert made.keys() == real.keys() == NODES.keys()
    resolvers = {"BlessedStatistics", "BlessedModel"}
    for node in NODES.keys() - resolvers:
        assert made[node].inputs.keys() == real[node].inputs.keys(), node
        for key, artifacts in real[node].outputs.items():
            assert [artifact.type for artifact in made[node].outputs[key]] == [artifact.type for artifact in artifacts]
        assert set(made[node].properties) <= set(real[node].properties), node
        for key, [artifact] in made[node].outputs.items():
            assert set(artifact.properties) <= set(real[node].outputs[key][0].properties), (node, key)
