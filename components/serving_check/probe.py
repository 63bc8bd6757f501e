"""Script that loads a served model in its own process, like a server, and checks its answers.

It imports TensorFlow, ScaNN's ops if the model needs them, and no other large package.

    python -m components.serving_check.probe MODEL_DIR WINDOWS.tfrecord ANSWERS.json
"""

from __future__ import annotations

import json
import math
import pathlib
import sys
import time
from typing import Any

from shortlist import keys
from shortlist.serving.answer_rules import Case, ServedAnswers, find_violations

_FILTERED, _SIMILAR = "recommend_filtered", "similar"
SIGNATURES = {
    "serving_default",
    "recommend",
    _FILTERED,
    _SIMILAR,
    "examples",
    "query_embedding",
    "candidate_embedding",
}
_EMBED_CANDIDATES = "embed_candidates"
# Size of an allow list. A corpus up to this size is also excluded as a whole.
_FEW = 1_000
_LATENCY_CALLS = 100


def main(model_dir: str, windows_path: str, answers_path: str) -> None:
    """Writes JSON with `problems`, `answers` by case, and seconds and ms."""
    start = time.perf_counter()
    # Imported here, because `import_seconds` measures it.
    import tensorflow as tf

    imported = time.perf_counter()
    from shortlist.serving.served_model import load_served

    model = load_served(model_dir)
    loaded = time.perf_counter()
    windows = list(tf.data.TFRecordDataset(windows_path).as_numpy_iterator())
    missing = SIGNATURES.difference(model.signatures)
    if missing:
        output: dict[str, Any] = {"problems": [f"the model lacks the signatures {sorted(missing)}"], "answers": {}}
    else:
        output = ServingProbe(model, windows, model_dir).run()
    output |= {
        "import_seconds": round(imported - start, 3),
        "load_seconds": round(loaded - imported, 3),
        "has_scann": "scann" in sys.modules,
    }
    pathlib.Path(answers_path).write_text(json.dumps(output), encoding="utf-8")


class ServingProbe:
    """Calls all signatures of one model, with all kinds of inputs."""

    def __init__(self, model: Any, windows: list[bytes], model_dir: str) -> None:
        """Takes a loaded model, serialized test windows as requests, and the model's folder or URI."""
        from components.indexer import queries

        self._model = model
        self._model_dir = model_dir
        self._windows = windows
        self._rows = [queries.parse_window(window) for window in windows]
        self._seen = [queries.seen_ids(row) for row in self._rows]
        self._corpus = [_text(item) for item in model.trained.candidate_ids.numpy()]
        self._problems: list[str] = []
        self._answers: dict[str, ServedAnswers] = {}

    def run(self) -> dict[str, Any]:
        """Returns the content of the file that `main` writes, without the import and load times."""
        history = [row.get(keys.HISTORY_IDS, []) for row in self._rows]
        start = time.perf_counter()
        self._ask("serving_default", "serving_default", self._rows, history)
        first_call_ms = (time.perf_counter() - start) * 1e3
        self._ask_examples()
        excluding = [row | {keys.EXCLUDE: seen} for row, seen in zip(self._rows, self._seen, strict=True)]
        self._ask("recommend", "recommend", excluding, self._seen)
        self._ask("recommend, k=1", "recommend", [row | {keys.K: 1} for row in self._rows], limit=1)
        self._ask_allowed()
        self._ask(_FILTERED, _FILTERED, excluding, self._seen)
        self._ask_filtered(excluding)
        self._ask_similar()
        self._ask("no history", "serving_default", [self._without_history(row) for row in self._rows])
        self._ask("an unknown query", "serving_default", [{keys.QUERY_ID: b"\x00nobody"}])
        if len(self._corpus) <= _FEW:
            everything = self._model.trained.candidate_ids.numpy().tolist()
            self._ask("all excluded", "recommend", [self._rows[0] | {keys.EXCLUDE: everything}], [everything])
        self._check_embeddings()
        p50_ms, p99_ms = self._latency()
        return {
            "problems": self._problems,
            "answers": {name: vars(answers) for name, answers in self._answers.items()},
            "first_call_ms": round(first_call_ms, 3),
            "p50_ms": p50_ms,
            "p99_ms": p99_ms,
        }

    @staticmethod
    def _without_history(row: dict[str, Any]) -> dict[str, Any]:
        # Ids, times and features of the items.
        return {name: [] if name.startswith(keys.HISTORY_FEATURE) else value for name, value in row.items()}

    def _inputs(self, signature: str, rows: list[dict[str, Any]]) -> dict[str, Any]:
        from shortlist.serving.input_tensors import signature_inputs

        return signature_inputs(self._model.signatures[signature].structured_input_signature[1], rows)

    def _ask(
        self,
        name: str,
        signature: str,
        rows: list[dict[str, Any]],
        excluded: list[list[bytes]] | None = None,
        allowed: list[list[bytes]] | None = None,
        limit: int | None = None,
    ) -> None:
        outputs = self._model.signatures[signature](**self._inputs(signature, rows))
        self._record(name, outputs, excluded or [[]] * len(rows), allowed, limit)

    def _ask_examples(self) -> None:
        import tensorflow as tf

        outputs = self._model.signatures["examples"](examples=tf.constant(self._windows))
        self._record("examples", outputs, self._seen)

    def _ask_allowed(self) -> None:
        """Gives every other query an allow list, which has an unknown id and some excluded ids."""
        some = self._model.trained.candidate_ids.numpy().tolist()[:: max(1, len(self._corpus) // _FEW)][:_FEW]
        lists = [[*some, *seen[:3], b"\x00nothing"] if row % 2 else [] for row, seen in enumerate(self._seen)]
        rows = [
            row | {keys.EXCLUDE: seen, keys.ALLOW: allow}
            for row, seen, allow in zip(self._rows, self._seen, lists, strict=True)
        ]
        self._ask("recommend, allow", "recommend", rows, self._seen, lists)

    def _ask_filtered(self, rows: list[dict[str, Any]]) -> None:
        """Filters by each attribute: half of the queries by one condition, the others by its opposite."""
        from components.serving_check import conditions

        specs = self._model.signatures[_FILTERED].structured_input_signature[1]
        corpus = self._model.trained.candidate_ids.numpy().tolist()
        # Each query needs a set of half of the corpus.
        rows = rows if len(corpus) <= _FEW else rows[:2]
        for asked in conditions.of_attributes(self._model_dir, specs, corpus):
            filtered = [row | (asked.inputs[number % 2]) for number, row in enumerate(rows)]
            # An empty list would allow everything.
            allowed = [[*asked.passing[number % 2], b"\x00nothing"] for number in range(len(rows))]
            self._ask(f"filter by {asked.attribute}", _FILTERED, filtered, self._seen[: len(rows)], allowed)

    def _ask_similar(self) -> None:
        corpus = self._model.trained.candidate_ids.numpy().tolist()
        some = corpus[:: max(1, len(corpus) // len(self._rows))][: len(self._rows)]
        rows = [{keys.CANDIDATE_IDS: [item], keys.K: 10} for item in some]
        self._ask(_SIMILAR, _SIMILAR, rows, [[item] for item in some], limit=10)

    def _record(
        self,
        name: str,
        outputs: dict[str, Any],
        excluded: list[list[bytes]],
        allowed: list[list[bytes]] | None = None,
        limit: int | None = None,
    ) -> None:
        answers = ServedAnswers(
            ids=[[_text(item) for item in line] for line in outputs[keys.IDS].numpy()],
            scores=outputs[keys.SCORES].numpy().tolist(),
            count=outputs[keys.COUNT].numpy().tolist(),
        )
        if limit is None:
            limit = len(answers.ids[0])
        case = Case(
            name=name,
            excluded=[{_text(item) for item in line} for line in excluded],
            allowed=[{_text(item) for item in line} or None for line in allowed or [[]] * len(excluded)],
            limit=limit,
        )
        self._answers[name] = answers
        self._problems += find_violations(case, answers, frozenset(self._corpus))

    def _check_embeddings(self) -> None:
        """Checks that a score is the dot product of the outputs of the two embedding signatures."""
        import tensorflow as tf

        queries = self._model.signatures["query_embedding"](**self._inputs("query_embedding", self._rows))
        embeddings = queries[keys.EMBEDDING].numpy()
        answers = self._answers["serving_default"]
        best = [line[0].encode("latin-1") for line in answers.ids]
        best_embeddings = self._model.signatures["candidate_embedding"](candidate_id=tf.constant(best))
        products = (embeddings * best_embeddings[keys.EMBEDDING].numpy()).sum(axis=1)
        for product, scores, count in zip(products, answers.scores, answers.count, strict=True):
            if count and not math.isclose(product, scores[0], rel_tol=1e-3, abs_tol=1e-3):
                self._problems.append("a score is not the product of query_embedding and candidate_embedding")
                break
        self._check_described(best)

    def _check_described(self, ids: list[bytes]) -> None:
        """Checks that `embed_candidates` gives a vector to candidates without any feature, known or not."""
        # Models of older versions lack the signature.
        if _EMBED_CANDIDATES not in self._model.signatures:
            return
        rows = [{keys.CANDIDATE_ID: item} for item in [*ids, b"\x00nothing"]]
        outputs = self._model.signatures[_EMBED_CANDIDATES](**self._inputs(_EMBED_CANDIDATES, rows))
        if not all(map(math.isfinite, outputs[keys.EMBEDDING].numpy().ravel().tolist())):
            self._problems.append("embed_candidates gives a vector that is not finite")
        if outputs[keys.KNOWN].numpy()[-1]:
            self._problems.append("embed_candidates knows a candidate that no catalogue has")

    def _latency(self) -> tuple[float, float]:
        signature = self._model.signatures["serving_default"]
        inputs = [self._inputs("serving_default", [row]) for row in self._rows]
        times = []
        for number in range(_LATENCY_CALLS):
            start = time.perf_counter()
            signature(**inputs[number % len(inputs)])
            times.append((time.perf_counter() - start) * 1e3)
        times.sort()
        return round(times[_LATENCY_CALLS // 2], 3), round(times[_LATENCY_CALLS * 99 // 100], 3)


def _text(item: bytes) -> str:
    """Returns an id as text; ids are not always UTF-8, and latin-1 maps any bytes to text and back."""
    return item.decode("latin-1")


if __name__ == "__main__":
    main(*sys.argv[1:])
