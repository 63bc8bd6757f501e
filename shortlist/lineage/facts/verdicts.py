"""Facts about the nodes that measure a model and decide on its push."""

from __future__ import annotations

import re
from collections.abc import Iterator

from shortlist.lineage.executions import Execution
from shortlist.lineage.facts.wording import join_settings
from shortlist.lineage.settings import flat, index
from shortlist.metrics import names
from shortlist.records.artifacts import Blessing, Evaluation

_VERDICTS = {True: "blessed", False: "not blessed"}
_TOP_K = re.compile(r"factorized_top_k/top_(\d+)_categorical_accuracy")


def describe_evaluator(execution: Execution) -> list[str]:
    """Returns hit rates beside those of popularity, the verdict and its warnings."""
    evaluation, blessing = Evaluation.of(execution.output("evaluation")), Blessing.of(execution.output("blessing"))
    sentences = [*_metrics(evaluation), *blessing_sentences(execution)]
    if blessing is not None:
        sentences += blessing.warnings
    return sentences


def _metrics(evaluation: Evaluation | None) -> Iterator[str]:
    if evaluation is None:
        return
    metrics = evaluation.metrics
    by_k = {int(match[1]): name for name in metrics if (match := _TOP_K.fullmatch(name))}
    hit_rates = [
        f"top_{k} {metrics[name]:.4f} (most popular {metrics.get(_as_popular(name), 0):.4f})"
        for k, name in sorted(by_k.items())
    ]
    if hit_rates:
        yield f"{names.counted_rows(metrics):,.0f} test rows, seen items excluded: {', '.join(hit_rates)}"


def _as_popular(name: str) -> str:
    return name.replace("factorized_top_k/", "popularity/")


def blessing_sentences(execution: Execution) -> list[str]:
    """Returns a verdict with each of its reasons; empty if there is none."""
    blessing = Blessing.of(execution.output("blessing"))
    if blessing is None:
        return []
    verdict = _VERDICTS[blessing.blessed]
    return [f"{verdict}: {reason}" for reason in blessing.reasons] or [verdict]


def describe_serving_check(execution: Execution) -> list[str]:
    """Returns the verdict of the exported model's check, and its figures."""
    blessing = Blessing.of(execution.output("blessing"))
    if blessing is None:
        return []
    numbers = {name: value for name, value in flat(blessing.figures).items() if isinstance(value, int | float)}
    figures = ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())
    return [sentence for sentence in (*blessing_sentences(execution), figures) if sentence]


def describe_indexer(execution: Execution) -> list[str]:
    """Returns the index with its measurements, and the reasons if it was rejected."""
    blessing = Blessing.of(execution.output("blessing"))
    sentences = index_sentences(execution)
    if blessing is not None and not blessing.blessed:
        sentences += blessing_sentences(execution)
    return sentences


def index_sentences(execution: Execution) -> list[str]:
    """Returns kind, recall, latency and parameters of an index; empty if none was built."""
    found = index(execution)
    if not found:
        return []
    recall = f"{found.get('kind')}, recall@{found.get('k')} {found.get('recall_at_k', 0):.4f}"
    if "test_queries" in found:
        recall += f" on {found['test_queries']:,} test queries"
    sentences = [f"{recall}, p50 {found.get('p50_ms', 0):.2f} ms, p99 {found.get('p99_ms', 0):.2f} ms"]
    if found.get("params"):
        sentences.append(join_settings(found["params"]))
    if found.get("reason"):
        sentences.append(f"because {found['reason']}")
    return sentences
