"""Vectors of a catalogue's titles, by TF-IDF and a singular value decomposition, for a feature of type `vector`.

    .venv/bin/python -m benchmarks.title_vectors --config configs/movielens_1m.yaml --dim 64 --out title_vectors

It writes `vectors.npy` and `ids.txt`, and prints the lines for the config. The vectors come from the catalogue alone,
which has no interactions, so that they cannot leak a target.
"""

from __future__ import annotations

import argparse
import pathlib
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from shortlist import datasets
from shortlist.config.load import load_config
from shortlist.errors import BadInputError
from shortlist.tables import lookup

VECTORS_FILE, IDS_FILE = "vectors.npy", "ids.txt"


def vectors_of(titles: Sequence[str], dim: int, seed: int = 0) -> npt.NDArray[np.float32]:
    """Returns [num_titles, dim] vectors of length 1; zeros for a title without a word, and for lacking dimensions.

    Args:
      titles: Texts.
      dim: Number of values of each vector.
      seed: Seed of the randomized decomposition.
    """
    # Importing scikit-learn takes seconds.
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.preprocessing import normalize

    try:
        weights = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)).fit_transform(titles)
    except ValueError:
        # No title has a word.
        return np.zeros((len(titles), dim), np.float32)
    rank = min(dim, weights.shape[1] - 1, weights.shape[0] - 1)
    found = np.zeros((len(titles), dim), np.float32)
    if rank > 0:
        found[:, :rank] = normalize(TruncatedSVD(rank, random_state=seed).fit_transform(weights))
    return found


def write(folder: pathlib.Path, titles: Mapping[str, str | None], dim: int) -> None:
    """Writes the vectors and the ids of candidates.

    Args:
      folder: The folder of both files.
      titles: Title by candidate id.
      dim: Number of values of each vector.
    """
    folder.mkdir(parents=True, exist_ok=True)
    np.save(folder / VECTORS_FILE, vectors_of([title or "" for title in titles.values()], dim))
    (folder / IDS_FILE).write_text("".join(f"{item}\n" for item in titles), encoding="utf-8")


def main() -> None:
    """Reads the config's catalogue and writes its vectors."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", required=True, help="a config whose candidates have a title")
    parser.add_argument("--dim", type=int, default=64, help="values of each vector")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="folder of the two files")
    options = parser.parse_args()
    config = load_config(options.config)
    if config.data.candidates.title is None:
        raise BadInputError.from_parts("data.candidates.title", "a feature with the titles", "none", "name one")
    titles = lookup.candidate_titles(config.data, datasets.default_data_dir())
    write(options.out, titles, options.dim)
    folder = options.out.resolve()
    print("data:\n  candidates:\n    features:\n      title_vector:\n        type: vector")
    print(f"        dim: {options.dim}\n        path: {folder / VECTORS_FILE}\n        ids: {folder / IDS_FILE}")


if __name__ == "__main__":
    main()
