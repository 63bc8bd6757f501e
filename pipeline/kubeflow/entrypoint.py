"""Entry point of every container, `python -m pipeline.kubeflow.entrypoint`: TFX's own, adapted to KFP v2.

TFX wrote `kubeflow_v2_run_executor` for Vertex. See `locations` for the differences of open-source KFP.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from pipeline.kubeflow import locations
from shortlist.errors import ExitCode
from shortlist.process import progress
from shortlist.process.progress_lines import ProgressLines
from shortlist.sanitize import plain

MOUNT_VARIABLE = "SHORTLIST_KFP_MOUNT"
"""Environment variable with the parent folder of `/gcs`, `/s3` and `/minio`. Only a local KFP run sets it."""


def main(argv: Sequence[str]) -> int:
    """Runs one task and returns the exit code of its process.

    The code is 2 for bad data or config; the reason is then printed in one sentence.
    """
    arguments, others = _parser().parse_known_args(argv)
    executor_input = json.loads(arguments.json_serialized_invocation_args)
    inputs_spec = json.loads(arguments.json_serialized_inputs_spec_args)
    path_by_uri = {}
    if arguments.storage == "copied":
        path_by_uri = locations.local_paths(executor_input, os.environ.get(MOUNT_VARIABLE, ""))
    with_paths = locations.replace_names(locations.with_types(executor_input, inputs_spec), path_by_uri)
    arguments.json_serialized_invocation_args = json.dumps(with_paths)
    for path in path_by_uri.values():
        # TFX's own launchers make the folders of outputs, KFP's makes only their parent folders.
        os.makedirs(path, exist_ok=True)
    code = _run(arguments, others)
    if code == ExitCode.DONE:
        _restore_uris(executor_input["outputs"]["outputFile"], path_by_uri)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline.kubeflow.entrypoint", description=__doc__)
    # "direct": TFX opens the URIs itself, which it can do for gs:// only.
    parser.add_argument("--storage", choices=("copied", "direct"), default="copied")
    parser.add_argument("--executor_class_path", required=True)
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args", default="{}")
    return parser


def _run(arguments: argparse.Namespace, others: list[str]) -> int:
    # kfp's own containers set it, too: it imports the protos without the client, whose import takes two seconds.
    os.environ.setdefault("_KFP_RUNTIME", "true")
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

    from pipeline.bad_input import find_bad_input

    try:
        # A container's log is read while it runs, so that no line may wait in a buffer.
        lines = ProgressLines(lambda line: print(plain(line), flush=True))
        with progress.listening(lines), lines.ticking():
            kubeflow_v2_run_executor.main((arguments, others))
    except Exception as error:
        refusal = find_bad_input(error)
        if refusal is None:
            raise
        print(f"Error: {refusal}", file=sys.stderr)
        return ExitCode.BAD_INPUT
    return ExitCode.DONE


def _restore_uris(output_file: str, path_by_uri: dict[str, str]) -> None:
    with open(output_file, encoding="utf-8") as file:
        with_paths = json.load(file)
    with_uris = locations.replace_names(with_paths, {path: uri for uri, path in path_by_uri.items()})
    with open(output_file, "w", encoding="utf-8") as file:
        json.dump(with_uris, file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
