"""What TFX's Trainer calls: reads the inputs, trains the towers, exports them."""

from __future__ import annotations

import json
import os

import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs

from components.trainer import checkpoints, export, losses, portable, training
from components.trainer import corpus as corpora
from components.trainer.dataset import WindowReader
from components.trainer.features import feature_specs
from components.trainer.model import RetrievalModel
from components.trainer.settings import Settings
from components.transform.outputs import vocabulary_size
from shortlist import keys
from shortlist.config import types
from shortlist.model_files import TOWERS_DIR

# Inputs that TFX's FnArgs has no place for; the executor puts them into custom_config.
CANDIDATES = "candidates"
CANDIDATE_TRANSFORM = "candidate_transform"
SPLIT_FINGERPRINT = "split_fingerprint"
CHECKPOINT_ROOT = "checkpoint_root"


def run_fn(fn_args: FnArgs) -> None:
    """Trains one model and writes it to `fn_args.serving_model_dir`.

    A training that was killed goes on from its last checkpoint, in whatever execution it is started again. The
    checkpoints are removed when the model is written and not before.

    Args:
      fn_args: TFX's arguments; `custom_config` is `Settings.to_json()`, `code_sha256` and the keys above.
    """
    config = fn_args.custom_config
    settings = Settings.from_json(config)
    tf.keras.utils.set_random_seed(settings.train.seed)
    candidate_transform = tft.TFTransformOutput(config[CANDIDATE_TRANSFORM])
    window_transform = tft.TFTransformOutput(fn_args.transform_graph_path)
    corpus = corpora.load_corpus(
        _files([config[CANDIDATES]]), settings.candidate_features, candidate_transform, window_transform
    )
    settings.check_fits(corpus.size)
    reader = WindowReader(settings, corpus.ids, window_transform)
    model = RetrievalModel(
        settings,
        corpus,
        feature_specs(settings.query_features, window_transform),
        feature_specs(settings.candidate_features, candidate_transform),
        vocabulary_size(window_transform, keys.QUERY_ID),
    )
    identity = _identity(fn_args, settings)
    checkpoints.prune(config[CHECKPOINT_ROOT], identity)
    checkpoint_dir = os.path.join(config[CHECKPOINT_ROOT], identity)
    history = training.fit(
        model,
        reader,
        training.Files(train=_files(fn_args.train_files), eval=_files(fn_args.eval_files)),
        settings,
        num_targets=int(corpus.counts.sum()),
        run_dir=fn_args.model_run_dir,
        checkpoint_dir=checkpoint_dir,
    )
    history["logq_clipped_candidates"] = _clipped(settings, corpus)
    export.export(
        export.ServingModule(model, reader, corpus, settings),
        fn_args.serving_model_dir,
        settings,
        corpus,
        config[SPLIT_FINGERPRINT],
        history,
    )
    towers = portable.PortableTowers(model, reader, corpus, settings, candidate_transform)
    towers.save(os.path.join(os.path.dirname(fn_args.serving_model_dir), TOWERS_DIR))
    checkpoints.remove(checkpoint_dir)


def _clipped(settings: Settings, corpus: corpora.Corpus) -> int:
    loss = settings.train.loss
    if not isinstance(loss, types.InBatchLoss) or not loss.logq:
        return 0
    frequencies = corpus.counts / max(corpus.counts.sum(), 1)
    return losses.count_clipped(frequencies, settings.train.batch_size, loss.uniform_negatives)


def _files(patterns: list[str]) -> list[str]:
    return sorted(path for pattern in patterns for path in tf.io.gfile.glob(pattern))


def _identity(fn_args: FnArgs, settings: Settings) -> str:
    """Names what a checkpoint belongs to: settings, code, and the bytes of every input."""
    config = fn_args.custom_config
    text = json.dumps([settings.to_json(), config["code_sha256"], config[SPLIT_FINGERPRINT]], sort_keys=True)
    graphs = [config[CANDIDATE_TRANSFORM], fn_args.transform_graph_path]
    files = _files([*fn_args.train_files, *fn_args.eval_files, config[CANDIDATES]])
    return checkpoints.identity(text, [*files, *(path for graph in graphs for path in _files_below(graph))])


def _files_below(folder: str) -> list[str]:
    return [os.path.join(parent, name) for parent, _, names in tf.io.gfile.walk(folder) for name in names]
