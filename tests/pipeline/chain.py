"""A pipeline of three small nodes, run twice on each of several servers: `python -m tests.pipeline.chain ROOT NAME`.

Two such processes wait for each other before each run, so that their nodes run at the same time.
"""

import pathlib
import sys
import time

from tfx.dsl.component.experimental import annotations, decorators
from tfx.orchestration import pipeline as tfx_pipeline
from tfx.types import standard_artifacts

from pipeline.local_runner import LocalRunner
from shortlist.lineage.database import database
from shortlist.workspace import Workspace
from tests.pipeline.conftest import RecordingListener
from tests.servers import PIPELINES, RUN_IDS, Servers

_WAIT_SECONDS = 1200


@decorators.component
def Make(
    model: annotations.OutputArtifact[standard_artifacts.Model],
    name: annotations.Parameter[str],
):
    model.set_string_custom_property("made_by", name)


@decorators.component
def Judge(
    model: annotations.InputArtifact[standard_artifacts.Model],
    evaluation: annotations.OutputArtifact[standard_artifacts.ModelEvaluation],
    blessing: annotations.OutputArtifact[standard_artifacts.ModelBlessing],
):
    evaluation.set_string_custom_property("is", "the evaluation")
    blessing.set_string_custom_property("of", model.get_string_custom_property("made_by"))


@decorators.component
def Push(
    model: annotations.InputArtifact[standard_artifacts.Model],
    evaluation: annotations.InputArtifact[standard_artifacts.ModelEvaluation],
    blessing: annotations.InputArtifact[standard_artifacts.ModelBlessing],
    pushed_model: annotations.OutputArtifact[standard_artifacts.PushedModel],
    run_id: annotations.Parameter[str],
):
    assert evaluation.get_string_custom_property("is") == "the evaluation"
    assert blessing.get_string_custom_property("of") == model.get_string_custom_property("made_by")
    pushed_model.set_string_custom_property("by", run_id)


def run(workspace: Workspace, run_id: str) -> dict[str, bool]:
    """Runs the three nodes and returns which came from the cache."""
    make = Make(name=workspace.name)
    judge = Judge(model=make.outputs["model"])
    # Never from the cache, since the test is about the cache of the others.
    push = Push(
        model=make.outputs["model"],
        evaluation=judge.outputs["evaluation"],
        blessing=judge.outputs["blessing"],
        run_id=run_id,
    )
    chain = tfx_pipeline.Pipeline(
        pipeline_name=workspace.name,
        pipeline_root=str(workspace.pipeline_root),
        components=[make, judge, push],
        enable_cache=True,
    )
    metadata = database(workspace)
    metadata.begin_run(run_id)
    listener = RecordingListener()
    LocalRunner(run_id, listener, metadata.connection()).run(chain)
    return listener.cached


def main(root: pathlib.Path, name: str) -> None:
    servers = Servers.model_validate_json((root / "servers.json").read_text())
    for kind, server in (("mysql", servers.mysql), ("postgresql", servers.postgresql)):
        for run_id in RUN_IDS:
            _meet(root, f"{kind}-{run_id}", name)
            cached = run(Workspace(root / kind / name, name, server), run_id)
            print(kind, run_id, sorted(cached.items()), flush=True)


def _meet(root: pathlib.Path, where: str, name: str) -> None:
    (root / f"{where}-{name}").touch()
    until = time.monotonic() + _WAIT_SECONDS
    while not all((root / f"{where}-{other}").exists() for other in PIPELINES):
        if time.monotonic() > until:
            sys.exit(f"the other pipeline did not come to {where}")
        time.sleep(0.01)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), sys.argv[2])
