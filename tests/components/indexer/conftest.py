import dataclasses

import numpy as np
import pytest

from shortlist.serving.input_tensors import signature_inputs
from shortlist.serving.served_model import load_served
from tests.components.indexer import stand_in

SIZE = 40
K = 10
MAX_EXCLUSIONS = 8


@dataclasses.dataclass(frozen=True)
class ExportedModels:
    """Both exports of one trained model, loaded once."""

    models: dict
    ids: list
    embeddings: np.ndarray

    def ask(self, kind, signature, rows):
        """Returns ids, scores and counts as NumPy arrays, for rows as `signature_inputs` takes them."""
        function = self.models[kind].signatures[signature]
        answer = function(**signature_inputs(function.structured_input_signature[1], rows))
        return answer["ids"].numpy().astype(str), answer["scores"].numpy(), answer["count"].numpy()

    def query_embeddings(self, rows):
        function = self.models["brute_force"].signatures["query_embedding"]
        inputs = signature_inputs(function.structured_input_signature[1], rows)
        return function(**inputs)["embedding"].numpy()


@pytest.fixture(scope="session")
def model_dirs(tmp_path_factory):
    """A corpus of 40 with five pairs of equal embeddings."""
    root = tmp_path_factory.mktemp("exported")
    embeddings = np.random.default_rng(5).normal(size=(SIZE, 8))
    embeddings[20:25] = embeddings[:5]
    trained = stand_in.save_stand_in(root / "trained", SIZE, embeddings=embeddings)
    return stand_in.save_both_models(root, trained, K, MAX_EXCLUSIONS)


@pytest.fixture(scope="session")
def exported(model_dirs):
    models = {"scann": load_served(model_dirs[0]), "brute_force": load_served(model_dirs[1])}
    embeddings = models["scann"].trained.candidate_embeddings.numpy()
    return ExportedModels(models, stand_in.candidate_ids(SIZE), embeddings)
