"""Reference computation of the losses: targets embedded one by one, and the cross-entropy of one row."""

import numpy as np
import tensorflow as tf

from tests.components.trainer import tiny_dataset as worlds


def model(world, loss, **towers):
    """Returns (model, reader, corpus) with a loss."""
    settings = worlds.settings(train={"loss": loss}, model=towers)
    return worlds.assemble(world, settings)


def batch(reader, world):
    """Returns a batch of four windows with weights 0.5, 1.0, 1.5 and so on."""
    found = reader.train_batch(tf.constant(worlds.read(world.windows["train"])[:4]), worlds.SEED)
    weights = 0.5 * (1 + np.arange(found.targets.shape.num_elements(), dtype=np.float32)).reshape(found.targets.shape)
    return found._replace(weights=tf.where(found.targets >= 0, weights, 0.0))


def rows(model_, batch_):
    """Yields (window, query embedding, target, weight) of each target, computed from its own prefix alone."""
    candidates = model_.embed_candidates()
    for window, place in np.argwhere(batch_.targets.numpy() >= 0):
        features = {name: column[window : window + 1] for name, column in batch_.features.items()}
        history = batch_.items[window : window + 1, : batch_.positions[window, place]]
        query = model_.embed_queries(features, history, candidates).numpy()[0]
        yield window, query, int(batch_.targets[window, place]), float(batch_.weights[window, place])


def cross_entropy(scores, positive):
    """Returns -log softmax(scores) at one of the scores."""
    scores = scores.astype(np.float64)
    return np.log(np.sum(np.exp(scores))) - scores[positive]


def with_gradients(function, queries, candidates, *rest):
    """Returns three times the value of `function`, and its gradients by queries and candidates."""
    with tf.GradientTape() as tape:
        tape.watch([queries, candidates])
        loss = 3.0 * function(queries, candidates, *rest)
    return loss, *map(tf.convert_to_tensor, tape.gradient(loss, [queries, candidates]))
