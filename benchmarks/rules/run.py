"""Measures diversity and similar candidates on the test rows of a run: `python -m benchmarks.rules.run`.

    make run                                       # pushes the model
    python -m benchmarks.rules.run                 # minutes on 2 cores; writes benchmarks/results/rules.{json,md,svg}

Diversity: each test row's pool is re-ranked. HR@10 counts the rows whose target is among the first ten. The intra-list
similarity is the mean cosine of all pairs of the ten. Coverage is the share of the catalogue in any of the lists.

Similar candidates: for each test row, the nearest to the last item of the history, without seen items. Item kNN takes
the cosine of the two items' train queries in its place. A neighbour has a common genre with its item if they share a
value; chance is the share of all pairs.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

import shortlist
from benchmarks.quality import environments
from components import shards
from components.indexer import queries
from shortlist import keys, model_files
from shortlist.serving import served_model, similarity
from shortlist.serving.rerank import Pool, Rerank, rerank

RESULTS = pathlib.Path("benchmarks/results")
DIVERSITIES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_K = 10
# The default of `index.pool`.
_POOL = 500


def main(argv: Sequence[str] | None = None) -> int:
    """Measures, writes the results and returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workspace", type=pathlib.Path, default=pathlib.Path("workspaces/movielens-100k"))
    parser.add_argument("--windows", type=pathlib.Path, help="Folder of the windows' splits; by default the latest.")
    parser.add_argument("--genres", default="genres", help="Attribute of categories.")
    parser.add_argument("--results", type=pathlib.Path, default=RESULTS)
    args = parser.parse_args(argv)
    model = shortlist.load(args.workspace)
    windows = args.windows or max(args.workspace.glob("**/Windows/examples/*"), key=lambda path: int(path.name))
    test, train = (read(windows / f"Split-{split}") for split in (keys.SPLIT_TEST, keys.SPLIT_TRAIN))
    corpus = Corpus(model, args.genres)
    results = {
        "version": model.version,
        "rows": len(test),
        "candidates": len(corpus.ids),
        "diversity": diversity(model.path, corpus, test),
        "similar": similar(corpus, test, train),
    }
    args.results.mkdir(parents=True, exist_ok=True)
    (args.results / "rules.json").write_text(json.dumps(results, indent=1) + "\n")
    (args.results / "rules.md").write_text(document(results))
    plot = [str(environments.python_of("bench-plot")), "benchmarks/rules/plot.py"]
    subprocess.run([*plot, str(args.results / "rules.json"), str(args.results / "rules.svg")], check=True)
    print(document(results))
    return 0


def read(folder: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the parsed windows of a split."""
    records = tf.data.TFRecordDataset(shards.list_files(str(folder)), compression_type="GZIP").as_numpy_iterator()
    return [queries.parse_window(record) for record in records]


class Corpus:
    """The candidates of a model, by row."""

    def __init__(self, model: shortlist.Model, genres: str) -> None:
        """Embeds all candidates."""
        assert model.catalogue is not None
        self.ids = list(model.catalogue)
        self.rows = {item.encode(): row for row, item in enumerate(self.ids)}
        self.embeddings = model.embed_candidates(self.ids)
        self.units = similarity.unit(self.embeddings)
        values = model.catalogue.attribute(genres).to_pylist()
        names = sorted({value for line in values for value in line})
        self.genres = np.array([[name in line for name in names] for line in values], np.float32)
        self.temperature = model_files.temperature(model.path)

    def rows_of(self, ids: Sequence[bytes]) -> list[int]:
        """Returns the rows of known ids."""
        return [self.rows[item] for item in ids if item in self.rows]


def diversity(model_dir: pathlib.Path, corpus: Corpus, test: Sequence[dict[str, Any]]) -> list[dict[str, float]]:
    """Returns HR@10, intra-list similarity and coverage per diversity."""
    pools = []
    embedded = queries.embed(served_model.load_served(model_dir).signatures["query_embedding"], test)
    for row, query in zip(test, embedded, strict=True):
        scores = corpus.embeddings @ query
        scores[corpus.rows_of(queries.seen_ids(row))] = -np.inf
        best = np.argsort(-scores, kind="stable")[:_POOL]
        best = best[np.isfinite(scores[best])]
        ids = [corpus.ids[item] for item in best]
        pools.append((best, Pool(ids, scores[best], corpus.embeddings[best], temperature=corpus.temperature)))
    targets = [corpus.rows.get(row[keys.TARGET_IDS][0], -1) for row in test]
    records = []
    for share in DIVERSITIES:
        lists = [rows[[place.row for place in rerank(pool, Rerank(share), _K)]] for rows, pool in pools]
        hits = [target in line for line, target in zip(lists, targets, strict=True)]
        records.append(
            {
                "diversity": share,
                "hr_at_10": round(float(np.mean(hits)), 4),
                "intra_list_similarity": round(float(np.mean([pairs(corpus.units[line]) for line in lists])), 4),
                "common_genre": round(float(np.mean([_shared(corpus.genres[line]) for line in lists])), 4),
                "coverage_at_10": round(len(np.unique(np.concatenate(lists))) / len(corpus.ids), 4),
            }
        )
    return records


def pairs(units: np.ndarray) -> float:
    """Returns the mean cosine of all pairs of different rows of [n, dim] unit vectors."""
    number = len(units)
    products = units @ units.T
    return float((products.sum() - np.trace(products)) / (number * (number - 1)))


def _shared(genres: np.ndarray) -> float:
    """Returns the share of pairs of rows that have a common value, of bool [n, num_values]."""
    has = (genres @ genres.T) > 0
    number = len(genres)
    return float((has.sum() - np.trace(has)) / (number * (number - 1)))


def similar(corpus: Corpus, test: Sequence[dict[str, Any]], train: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Returns the next-item hit rate and the share of a common genre, of embeddings and of item kNN."""
    size = len(corpus.ids)
    pairs_of = {(row[keys.QUERY_ID][0], item) for row in train for item in corpus.rows_of(row.get(keys.TARGET_IDS, []))}
    names = {query: number for number, query in enumerate(sorted({query for query, _ in pairs_of}))}
    seen = np.zeros((len(names), size), np.float32)
    for query, item in pairs_of:
        seen[names[query], item] = 1.0
    by_queries = similarity.unit(seen.T)
    return {
        name: _similar_figures(units, corpus, test)
        for name, units in (("embeddings", corpus.units), ("item_knn", by_queries))
    } | {"chance_of_a_common_genre": round(_shared(corpus.genres), 4)}


def _similar_figures(units: np.ndarray, corpus: Corpus, test: Sequence[dict[str, Any]]) -> dict[str, float]:
    cosines = units @ units.T
    np.fill_diagonal(cosines, -np.inf)
    nearest = np.argsort(-cosines, axis=1, kind="stable")[:, :_K]
    has_common = (corpus.genres @ corpus.genres.T) > 0
    hits, rows = 0, 0
    for row in test:
        history = corpus.rows_of(row.get(keys.HISTORY_IDS, []))
        if not history:
            continue
        scores = cosines[history[-1]].copy()
        scores[corpus.rows_of(queries.seen_ids(row))] = -np.inf
        found = np.argsort(-scores, kind="stable")[:_K]
        hits += corpus.rows.get(row[keys.TARGET_IDS][0], -1) in found
        rows += 1
    return {
        "next_item_hr_at_10": round(hits / rows, 4),
        "common_genre_at_10": round(float(np.take_along_axis(has_common, nearest, axis=1).mean()), 4),
    }


def document(results: dict[str, Any]) -> str:
    """Returns the results as tables in Markdown."""
    lines = [
        f"# Diversity and similar candidates, {results['rows']:,} test rows, {results['candidates']:,} candidates",
        "",
        "| diversity | HR@10 | intra-list similarity | pairs with a common genre | coverage@10 |",
        f"|{' --- |' * 5}",
    ]
    lines += [f"| {' | '.join(f'{value:g}' for value in record.values())} |" for record in results["diversity"]]
    found = results["similar"]
    lines += ["", "| similar by | next item, HR@10 | a common genre |", f"|{' --- |' * 3}"]
    for name, title in (("embeddings", "the model's embeddings"), ("item_knn", "item kNN")):
        lines.append(f"| {title} | {found[name]['next_item_hr_at_10']:g} | {found[name]['common_genre_at_10']:g} |")
    lines.append(f"| chance | | {found['chance_of_a_common_genre']:g} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    sys.exit(main())
