"""Makes a served model of many candidates from a run of MovieLens 100K, without a long training.

    python -m benchmarks.serving.model --workspace WORKSPACE --size 200000 SERVING_DIR

The run's towers embed a synthetic catalogue, as `shortlist reindex` embeds a new one: each candidate has words, year
and genres of several movies. The Indexer's code then tunes ScaNN for it, exports both models and measures them, and
they are pushed. So the served model is the product's own in all that costs time: towers, index, ids, titles and
filters. Only its answers mean nothing.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import random
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence

import tensorflow as tf

from components import shards
from components.indexer import build, catalogue
from components.refresh import refresh
from shortlist import keys
from shortlist.config.load import load_config
from shortlist.model_files import SAVED_MODEL_FOLDER, TOWERS_DIR, TRAINED_FILE
from shortlist.serving import versions

_WORDS = 4


def main(arguments: Sequence[str] | None = None) -> None:
    """Makes the model and prints what the Indexer measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=pathlib.Path, required=True, help="workspace of a run of MovieLens 100K")
    parser.add_argument("--size", type=int, default=200_000, help="number of candidates")
    parser.add_argument("serving_dir", type=pathlib.Path, help="folder of versions to push to")
    options = parser.parse_args(arguments)
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        report = make(options.workspace, options.size, pathlib.Path(name), options.serving_dir)
    print(json.dumps({"seconds": round(time.perf_counter() - start, 1), **report}, indent=2))


def make(workspace: pathlib.Path, size: int, folder: pathlib.Path, serving_dir: pathlib.Path) -> dict[str, object]:
    """Pushes a model with `size` candidates, and returns its kind of index, recall and version.

    Args:
      workspace: Workspace of the run.
      size: Number of candidates.
      folder: Folder for what is made on the way.
      serving_dir: Folder of versions.
    """
    config = load_config("configs/movielens_100k.yaml")
    trained_dir = output_of(workspace, "Trainer", "model")
    examples = shards.list_files(str(output_of(workspace, "CandidatesGen", "examples") / f"Split-{keys.SPLIT_ALL}"))
    candidates = folder / "candidates"
    shards.write(
        list(synthetic(examples, size)), str(candidates / "candidates-00000-of-00001.gz"), str(folder / "part")
    )
    embedded = refresh.embed(str(trained_dir / TOWERS_DIR), shards.list_files(str(candidates)))
    metadata = json.loads((trained_dir / SAVED_MODEL_FOLDER / TRAINED_FILE).read_text(encoding="utf-8"))
    refresh.write(embedded, str(folder / "trained"), metadata)
    fields = catalogue.CatalogueFields.of(config.data.candidates)
    with catalogue.written(str(candidates), fields, str(folder / "trained")) as written:
        report = build.build(
            windows_dir=str(output_of(workspace, "Windows", "examples")),
            trained_dir=str(folder / "trained"),
            settings=config.index,
            catalogue=written,
            model_dir=str(folder / "scann"),
            exact_dir=str(folder / "exact"),
        )
        if report.index is None:
            raise SystemExit(f"no index was built: {report.reasons}")
        catalogue.copy(written, [str(folder / "scann"), str(folder / "exact")])
    version = versions.push(folder / "scann", folder / "exact", serving_dir, keep_versions=1)
    measured = {name: report.index.get(name) for name in ("kind", "recall_at_k", "p50_ms", "p99_ms", "params")}
    return {"candidates": size, "version": version, **measured}


def output_of(workspace: pathlib.Path, node: str, name: str) -> pathlib.Path:
    """Returns the newest output of a node."""
    found = sorted((workspace / "pipeline_root" / node / name).iterdir(), key=lambda path: int(path.name))
    return found[-1]


def synthetic(files: Sequence[str], size: int) -> Iterator[bytes]:
    """Yields serialized candidates, whose titles, years and genres are drawn from those of some real ones.

    Args:
      files: gz TFRecord files of the real candidates.
      size: Number of candidates.
    """
    records = tf.data.TFRecordDataset(files, compression_type="GZIP").as_numpy_iterator()
    rows = [tf.train.Example.FromString(record).features.feature for record in records]
    words = sorted({word for row in rows for title in row["title"].bytes_list.value for word in title.split()})
    generator = random.Random(1)  # noqa: S311  Not for secrets.
    for number in range(size):
        example = tf.train.Example()
        feature = example.features.feature
        feature[keys.CANDIDATE_ID].bytes_list.value.append(b"m%07d" % number)
        feature["title"].bytes_list.value.append(b" ".join(generator.choices(words, k=_WORDS)))
        for name in ("release_year", "genres"):
            feature[name].CopyFrom(generator.choice(rows)[name])
        yield example.SerializeToString(deterministic=True)


if __name__ == "__main__":
    main(sys.argv[1:])
