"""The model's recommendations: their variety, and examples of single queries."""

from __future__ import annotations

from typing import Any

from shortlist.report import format, plots
from shortlist.report.blocks import (
    Answer,
    Block,
    Example,
    Examples,
    Figure,
    Notes,
    PageSection,
    TableBlock,
    TableColumn,
)
from shortlist.report.facts import Facts

_TABLE_POINTS = (1, 2, 5, 10, 25)


def variety(facts: Facts) -> PageSection | None:
    """Returns coverage, overlap, popularity bias, and the most and least recommended candidates."""
    record = facts.answers
    title = "Coverage and popularity bias"
    if not record:
        if not facts.answers_problem:
            return None
        return PageSection("variety", title, "", [Notes("warning", [f"not known: {facts.answers_problem}"])])
    queries, places, corpus = record["queries"], record["places"], record["corpus_size"]
    blocks: list[Block] = [_figures(record), _popularity(record), _concentration(record)]
    for key, caption in (("most", "Most recommended"), ("least", "Least recommended, most frequent in train first")):
        blocks.append(_list(record, key, caption))
    if record.get("broken"):
        blocks.append(
            Notes("warning", [f"{record['broken']:,} queries were left out, as their embedding is not finite"])
        )
    return PageSection(
        "variety",
        title,
        f"The first {record['width']} recommendations of exact search for {queries:,} test queries, seen items "
        f"excluded. {corpus - record['never']:,} of {corpus:,} candidates are among these {places:,} recommendations.",
        blocks,
    )


def _figures(record: dict[str, Any]) -> TableBlock:
    width, queries, corpus = record["width"], record["queries"], record["corpus_size"]
    mean = record["mean_train_count"]
    possible = min(corpus, record["places"])
    rows = [
        ["coverage", format.percent(record["coverage_at_10"]), f"of the {possible:,} candidates that could be there"],
        [
            "overlap of two queries",
            format.percent(record["overlap_at_10"]),
            f"of {width} recommendations, mean over pairs of {queries:,} queries",
        ],
    ]
    # Summaries of older versions lack this figure.
    with_seen = record.get("overlap_at_10_with_seen")
    if with_seen is not None:
        basis = "the same before seen items are removed; 100% if all queries get the same list"
        rows.append(["overlap with seen items", format.percent(with_seen), basis])
    rows += [
        ["never recommended", format.count(record["never"]), f"of {corpus:,} candidates"],
        [
            "popularity of a recommended item",
            format.number(mean["answers"]),
            f"train interactions, mean over {record['places']:,} recommendations",
        ],
        [
            "popularity of a held-out item",
            format.number(mean["targets"]),
            f"train interactions, mean over {queries:,} queries",
        ],
    ]
    columns = [TableColumn("figure", numeric=False), TableColumn("value"), TableColumn("basis", numeric=False)]
    return TableBlock("Coverage and overlap", columns, rows)


_GROUPS = (
    ("candidates", "candidates"),
    ("train", "train targets"),
    ("targets", "test targets"),
    ("answers", "recommendations"),
)


def _popularity(record: dict[str, Any]) -> Figure:
    buckets = [row for row in record["popularity"] if any(row[key] for key, _ in _GROUPS)]
    totals = {key: max(sum(row[key] for row in record["popularity"]), 1) for key, _ in _GROUPS}
    groups = [f"{name} ({totals[key]:,})" for key, name in _GROUPS]
    parts = [(row["bucket"], [row[key] / totals[key] for key, _ in _GROUPS]) for row in buckets]
    lines = [
        [row["bucket"], *(f"{row[key]:,} ({row[key] / totals[key]:.1%})" for key, _ in _GROUPS)] for row in buckets
    ]
    return Figure(
        "Popularity bias",
        "Shares of head, middle and tail among candidates, train targets, test targets and recommendations. If head is "
        "larger among recommendations than among test targets, the model is biased towards popular items.",
        lambda: [plots.stacks(groups, parts)],
        TableBlock(
            "By popularity; each column sums to 100%",
            [TableColumn("popularity", numeric=False), *(TableColumn(group) for group in groups)],
            lines,
        ),
    )


def _concentration(record: dict[str, Any]) -> Figure:
    answers, train = record["concentration"]["answers"], record["concentration"]["train"]
    xs = [position / (len(answers) - 1) for position in range(len(answers))]
    plot_lines = [plots.PlotLine("recommendations", xs, answers), plots.PlotLine("train targets", xs, train)]
    lines = [
        [f"{xs[position]:.0%}", format.percent(answers[position]), format.percent(train[position])]
        for position in _TABLE_POINTS
        if position < len(xs)
    ]
    return Figure(
        "Concentration",
        "The share of the most frequent candidates in all recommendations and in all train targets. The dotted line "
        "would mean that all candidates are equally frequent.",
        lambda: [
            plots.lines(plot_lines, "share of the candidates, most frequent first", "share of the total", diagonal=True)
        ],
        TableBlock(
            f"Share of the most frequent candidates in {record['places']:,} recommendations and in the train targets",
            [TableColumn("most frequent"), TableColumn("of recommendations"), TableColumn("of train targets")],
            lines,
        ),
    )


def _list(record: dict[str, Any], key: str, title: str) -> TableBlock:
    queries = record["queries"]
    return TableBlock(
        f"{title}: number of {queries:,} queries that get the candidate",
        [
            TableColumn("candidate", numeric=False),
            TableColumn("queries"),
            TableColumn("of queries"),
            TableColumn("train targets"),
        ],
        [
            [
                format.title(row),
                format.count(row["answers"]),
                format.percent(row["answers"] / max(queries, 1)),
                format.count(row["train_count"]),
            ]
            for row in record.get(key, [])
        ],
    )


def examples(facts: Facts) -> PageSection | None:
    """Returns single queries; None if the config does not allow them in the report."""
    records = facts.answers.get("examples")
    if not records:
        return None
    corpus = facts.answers["corpus_size"]
    queries = [_example(number, record, corpus) for number, record in enumerate(records, start=1)]
    return PageSection(
        "examples",
        "Example queries",
        f"{len(queries)} test queries, chosen by a hash of their content, not by hand. `near` names the item of the "
        "history that an answer is closest to, by the cosine of their vectors. Histories are personal data: "
        "`report.examples: false` leaves them out, and `report.query_ids: true` shows the queries' own ids.",
        [Examples(queries)],
    )


def _example(number: int, record: dict[str, Any], corpus: int) -> Example:
    target = record["target"]
    # Artifacts of older versions do not name the closest items.
    near = record.get("near") or [None] * len(record["answers"])
    answers = [
        Answer(format.title(answer), _answer_detail(closest, score), answer["id"] == target["id"])
        for answer, closest, score in zip(record["answers"], near, record["scores"], strict=False)
    ]
    rank = record["rank"]
    outcome = f"rank {rank:,} of {corpus:,} candidates; rank {record['popularity_rank']:,} by popularity"
    if rank < 1:
        outcome = "not ranked: the query had seen it before, and seen items are excluded"
    if rank > corpus:
        outcome = "not among the candidates that can be recommended"
    name = record.get("query")
    if name is None:
        name = number
    return Example(
        name=f"Query {name}",
        history=[format.title(item) for item in record["history"]],
        earlier=record["history_length"] - len(record["history"]),
        target=format.title(target),
        outcome=outcome,
        answers=answers,
    )


def _answer_detail(closest: dict[str, Any] | None, score: float) -> str:
    if closest is None:
        return f"score {score:.2f}"
    return f"near {format.title(closest)}, score {score:.2f}"
