"""Benchmark of the vocabulary of query ids: seconds and memory of Transform's analysis by number of distinct ids.

    python -m benchmarks.query_vocabulary --ids 500000 1000000 5000000

The analysis is the product's own preprocessing function, on Beam's direct runner with one worker. Each row is a window
of a query of its own, with one target of 1,000 candidates, so that the ids decide the cost. The rows are made in the
worker: reading examples and writing transformed ones are not measured. Each number of ids runs in its own process. The
figures are written to `benchmarks/results/query_vocabulary.json` and `.md`.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any
from unittest import mock

from benchmarks.direct_runner import RESULTS, machine
from shortlist import environment, keys
from shortlist.process import memory

_BATCH_ROWS = 1_000
_CANDIDATES = 1_000
_STAGES_IN_TABLE = 3


def main(argv: Sequence[str] | None = None) -> None:
    """Measures each number of ids and writes the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ids", type=int, nargs="+", default=[500_000, 1_000_000, 5_000_000])
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS, help="folder of the figures")
    parser.add_argument("--measure", type=pathlib.Path, help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    for ids in args.ids:
        if ids < _BATCH_ROWS or ids % _BATCH_ROWS:
            parser.error(f"--ids: expected multiples of {_BATCH_ROWS:,}, got {ids:,}")
    if args.measure:
        args.measure.write_text(json.dumps(measure(args.ids[0])))
        return
    runs = [_run_alone(ids) for ids in args.ids]
    args.results.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"machine": machine(), "runs": runs}, indent=2)
    (args.results / "query_vocabulary.json").write_text(text + "\n")
    (args.results / "query_vocabulary.md").write_text(table(runs) + "\n")


def measure(ids: int) -> dict[str, Any]:
    """Returns seconds and peak memory (MiB) of an analysis of `ids` distinct query ids, in all and by stage."""
    environment.prepare()
    import apache_beam as beam
    import tensorflow as tf
    import tensorflow_transform as tft
    import tensorflow_transform.beam as tft_beam
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner
    from tfx_bsl.tfxio.tf_example_record import TFExampleBeamRecord

    from components.transform.preprocessing import queries_preprocessing_fn
    from shortlist.config.engines import DirectBeam
    from shortlist.engines.arguments import beam_args

    kinds = {
        keys.QUERY_ID: tf.string,
        keys.TARGET_IDS: tf.string,
        keys.TARGET_TIMES: tf.int64,
        keys.TARGET_WEIGHTS: tf.float32,
    }
    spec = {name: tf.io.VarLenFeature(kind) for name, kind in kinds.items()}
    schema = tft.DatasetMetadata.from_feature_spec(spec).schema
    config = TFExampleBeamRecord(["benchmark"], schema=schema).TensorAdapterConfig()
    arrow_schema = config.arrow_schema
    stages: dict[str, _Stage] = {}
    execute = FnApiRunner._execute_bundle

    def measured(runner: Any, context: Any, manager: Any, bundle: Any) -> Any:
        with stages.setdefault(manager.stage.name, _Stage()):
            return execute(runner, context, manager, bundle)

    meter = memory.Meter()
    # Just after its start, the peak is what is there now.
    meter.start()
    whole, before = time.monotonic(), int(meter.peak_mb() or 0)
    cpu = time.process_time()
    with tempfile.TemporaryDirectory() as folder, mock.patch.object(FnApiRunner, "_execute_bundle", measured):
        with (
            beam.Pipeline(options=PipelineOptions(beam_args(DirectBeam()))) as pipeline,
            tft_beam.Context(temp_dir=f"{folder}/temporary"),
        ):
            numbers = pipeline | beam.Create(range(ids // _BATCH_ROWS)) | beam.Reshuffle()
            batches = numbers | beam.Map(lambda number: record_batch(number, arrow_schema))
            analyzed = (batches, config) | tft_beam.AnalyzeDataset(
                lambda inputs: queries_preprocessing_fn(inputs, {"features": {}})
            )
            _ = analyzed | tft_beam.WriteTransformFn(folder)
        seconds, cpu_seconds = time.monotonic() - whole, time.process_time() - cpu
        size = tft.TFTransformOutput(folder).vocabulary_size_by_name(keys.QUERY_ID)
    if size != ids:
        raise RuntimeError(f"expected a vocabulary of {ids} ids, got {size}")
    return {
        "ids": ids,
        "seconds": round(seconds, 1),
        "cpu_seconds": round(cpu_seconds, 1),
        "before_mb": before,
        "peak_mb": max(stage.peak_mb for stage in stages.values()),
        "stages": {
            name: {"cpu_seconds": stage.cpu_seconds, "peak_mb": stage.peak_mb} for name, stage in stages.items()
        },
    }


class _Stage:
    """CPU seconds and peak memory (MiB) of the process in the bundles of one of Beam's stages."""

    def __init__(self) -> None:
        self.cpu_seconds = 0.0
        self.peak_mb = 0
        self._meter = memory.Meter()

    def __enter__(self) -> None:
        self._meter.start()
        self.cpu_seconds -= time.process_time()

    def __exit__(self, *_: object) -> None:
        self.cpu_seconds = round(self.cpu_seconds + time.process_time(), 2)
        self.peak_mb = max(self.peak_mb, int(self._meter.peak_mb() or 0))


def record_batch(number: int, schema: Any) -> Any:
    """Returns an Arrow batch of windows with one target each; no other `number` has a query id of this one."""
    import pyarrow as pa

    rows = range(number * _BATCH_ROWS, (number + 1) * _BATCH_ROWS)
    columns = {
        keys.QUERY_ID: [[f"customer-{row:09d}".encode()] for row in rows],
        keys.TARGET_IDS: [[str(row % _CANDIDATES).encode()] for row in rows],
        keys.TARGET_TIMES: [[1_700_000_000 + row] for row in rows],
        keys.TARGET_WEIGHTS: [[1.0]] * _BATCH_ROWS,
    }
    return pa.RecordBatch.from_arrays([pa.array(columns[field.name], field.type) for field in schema], schema=schema)


def table(runs: Sequence[Mapping[str, Any]]) -> str:
    """Returns the figures as a Markdown table with a line per number of ids."""
    lines = [
        "| distinct query ids | seconds | CPU seconds | memory before, MB | peak MB | stages of the highest peak, MB |",
        "|---:|---:|---:|---:|---:|---|",
    ]
    for run in runs:
        if "failed" in run:
            lines.append(f"| {run['ids']:,} | {run['failed']} |")
            continue
        highest = sorted(run["stages"].items(), key=lambda item: -item[1]["peak_mb"])[:_STAGES_IN_TABLE]
        cells = [
            f"{run['ids']:,}",
            f"{run['seconds']:.0f}",
            f"{run['cpu_seconds']:.0f}",
            f"{run['before_mb']:,}",
            f"{run['peak_mb']:,}",
            "; ".join(f"{_short(name)} {stage['peak_mb']:,}" for name, stage in highest),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _short(stage: str) -> str:
    """Returns the first transform of a fused stage, which names what it reads; Beam writes `((A)+(B))+(C)`."""
    first, *_ = stage.lstrip("(").split(")+(")
    return re.sub(r"\[.*?\]", "", first).removeprefix("AnalyzeDataset/")


def _run_alone(ids: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        result = pathlib.Path(folder, "result.json")
        command = [sys.executable, "-m", "benchmarks.query_vocabulary", "--ids", str(ids), "--measure", str(result)]
        code = subprocess.run(command, check=False).returncode
        run = json.loads(result.read_text()) if code == 0 else {"ids": ids, "failed": f"exit code {code}"}
    print(table([run]), flush=True)
    return dict(run)


if __name__ == "__main__":
    main()
