"""The comparison of `run.py` on a sample of customers and without the pipeline: minutes instead of hours.

    SHORTLIST_DATA_DIR=... python -m benchmarks.warm_start.sample FOLDER prepare
    SHORTLIST_DATA_DIR=... python -m benchmarks.warm_start.sample FOLDER before scratch warm

Windows and transform graphs are made in this process by the functions of the nodes. `before` trains from scratch on the
log up to the span before the last one. `scratch` and `warm` train on the whole log. Trainings are the
Trainer's `run_fn`: an interrupted one goes on from its checkpoint, and one with a result is not run again.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import resource
import time
from typing import Any

_SPANS, _SPAN_BEFORE, _CUSTOMERS = 4, 3, 0.12
_SETTINGS = {"model": {"embedding_dim": 64}}
"""Changes to the preset: with 128 dimensions, the same comparison takes three times as long."""


def main() -> None:
    """Runs the given steps and prints the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("steps", nargs="+", choices=["prepare", "before", "scratch", "warm"])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--warm-epochs", type=int, help="train.warm_start_epochs of the step `warm`")
    options = parser.parse_args()
    from shortlist import environment

    environment.prepare()
    for step in options.steps:
        if step == "prepare":
            _prepare(options.folder)
        else:
            print(json.dumps(_train(options.folder, step, options.seed, options.warm_epochs)))


def _prepare(folder: pathlib.Path) -> None:
    from benchmarks.warm_start import run, windows

    for span in (_SPAN_BEFORE, _SPANS):
        shares = argparse.Namespace(spans=_SPANS, customers=_CUSTOMERS)
        tables = run.prepare(folder / f"span-{span}", span, shares)
        windows.write(tables, _config(1))


def _config(seed: int) -> Any:
    import yaml

    from benchmarks.warm_start import run
    from shortlist.config.config import Config

    raw = yaml.safe_load(run.CONFIG.read_text())
    raw["train"]["seed"] = seed
    for section, changed in _SETTINGS.items():
        raw[section] |= changed
    return Config.model_validate(raw)


def _train(folder: pathlib.Path, step: str, seed: int, warm_epochs: int | None) -> dict[str, Any]:
    out = folder / f"{step}-{seed}"
    result = out / "result.json"
    if result.exists():
        return dict(json.loads(result.read_text()))
    from tfx.components.trainer.fn_args_utils import FnArgs

    from benchmarks.warm_start import windows
    from components.trainer import run_fn
    from components.trainer.from_config import settings_from
    from shortlist.model_files import TRAINED_FILE

    config = _config(seed)
    if step == "warm":
        train = config.train.model_copy(update={"warm_start": "latest_blessed", "warm_start_epochs": warm_epochs})
        config = config.model_copy(update={"train": train})
    files = windows.files(folder / f"span-{_SPAN_BEFORE if step == 'before' else _SPANS}")
    custom = {
        **settings_from(config).to_json(),
        run_fn.CANDIDATES: files["candidates"],
        run_fn.CANDIDATE_TRANSFORM: files["candidate_transform"],
        run_fn.SPLIT_FINGERPRINT: "",
        run_fn.CHECKPOINT_ROOT: str(out / "checkpoints"),
        run_fn.TEST_FILES: [files["test"]],
        "code_sha256": "",
    }
    if step == "warm":
        custom[run_fn.SOURCE_MODEL] = str(folder / f"before-{seed}")
    started, cpu = time.monotonic(), resource.getrusage(resource.RUSAGE_SELF)
    run_fn.run_fn(
        FnArgs(
            train_files=[files["train"]],
            eval_files=[files["eval"]],
            transform_graph_path=files["transform"],
            serving_model_dir=str(out / "Format-Serving"),
            model_run_dir=str(out / "run"),
            custom_config=custom,
        )
    )
    used = resource.getrusage(resource.RUSAGE_SELF)
    trained = json.loads((out / "Format-Serving" / TRAINED_FILE).read_text())["train"]
    facts = {
        "step": step,
        "seed": seed,
        "hit_rate_at_10": windows.hit_rate(out / "Format-Serving", files["test"], k=10),
        "train_seconds": trained["seconds"],
        "seconds_with_export": round(time.monotonic() - started, 1),
        "cpu_seconds_with_export": round(used.ru_utime + used.ru_stime - cpu.ru_utime - cpu.ru_stime, 1),
        "epochs": trained["epochs"],
        "best_epoch": trained["best_epoch"],
        "warm_start": trained.get(run_fn.WARM_START),
        "log": trained["log"],
    }
    result.write_text(json.dumps(facts, indent=1) + "\n")
    return facts


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    main()
