"""What every container runs: `python -m pipeline.kubeflow.entrypoint`, TFX's own entry point made fit for KFP v2.

TFX wrote `kubeflow_v2_run_executor` for Vertex. See `locations` for what open-source KFP does otherwise.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence

from pipeline.kubeflow import locations
from shortlist.errors import ExitCode

MOUNT_VARIABLE = "SHORTLIST_KFP_MOUNT"
"""Environment variable, what stands before `/gcs`, `/s3` and `/minio`; the rehearsal sets it."""


def main(argv: Sequence[str]) -> int:
    """Runs one task and returns the exit code of its process: 2 for bad data or config, told in one sentence."""
    arguments, others = _parser().parse_known_args(argv)
    executor_input = json.loads(arguments.json_serialized_invocation_args)
    inputs_spec = json.loads(arguments.json_serialized_inputs_spec_args)
    places = {}
    if arguments.storage == "copied":
        places = locations.local_paths(executor_input, os.environ.get(MOUNT_VARIABLE, ""))
    given = locations.replace_names(locations.with_types(executor_input, inputs_spec), places)
    arguments.json_serialized_invocation_args = json.dumps(given)
    for path in places.values():
        # TFX's own launchers make the folders of outputs, KFP's makes only what is around them.
        os.makedirs(path, exist_ok=True)
    code = _run(arguments, others)
    if code == ExitCode.DONE:
        _turn_back(executor_input["outputs"]["outputFile"], places)
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m pipeline.kubeflow.entrypoint", description=__doc__)
    parser.add_argument("--storage", choices=("copied", "direct"), default="copied")
    parser.add_argument("--executor_class_path", required=True)
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args", default="{}")
    return parser


def _run(arguments: argparse.Namespace, others: list[str]) -> int:
    # As in the containers of kfp's own components: its protos without its client, which takes two seconds to import.
    os.environ.setdefault("_KFP_RUNTIME", "true")
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

    from pipeline.bad_input import find_bad_input

    try:
        kubeflow_v2_run_executor.main((arguments, others))
    except Exception as error:
        refusal = find_bad_input(error)
        if refusal is None:
            raise
        print(f"Error: {refusal}", file=sys.stderr)
        return ExitCode.BAD_INPUT
    return ExitCode.DONE


def _turn_back(output_file: str, places: dict[str, str]) -> None:
    with open(output_file, encoding="utf-8") as file:
        written = json.load(file)
    turned = locations.replace_names(written, {path: uri for uri, path in places.items()})
    with open(output_file, "w", encoding="utf-8") as file:
        json.dump(turned, file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
