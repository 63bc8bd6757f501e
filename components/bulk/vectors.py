"""Ids and vectors of a served model's candidates, read without its index."""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np

from shortlist.errors import BadInputError
from shortlist.serving.served_model import load_served


class Vectors(NamedTuple):
    """The candidates in the order of the model's rows."""

    ids: list[bytes]
    """[corpus_size], sorted by bytes."""
    embeddings: np.ndarray
    """float32 [corpus_size, embedding_dim]. A candidate's score is its dot product with the query's vector."""


def read_vectors(model_dir: str | os.PathLike[str]) -> Vectors:
    """Returns ids and vectors.

    Args:
      model_dir: Folder of a served version; its exact copy needs less memory.

    Raises:
      BadInputError: It is no model that Shortlist wrote.
    """
    model = load_served(model_dir)
    trained = getattr(model, "trained", None)
    if trained is None:
        raise BadInputError(f"{model_dir}: not a model that Shortlist pushed; it has no vectors of candidates")
    return Vectors(trained.candidate_ids.numpy().tolist(), trained.candidate_embeddings.numpy())
