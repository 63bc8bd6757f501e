"""What the model recommends: how varied that is, and to single queries."""

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

_ANSWERS_SHOWN = 5
_TOLD_POINTS = (1, 2, 5, 10, 25)


def variety(facts: Facts) -> PageSection | None:
    """Returns coverage, overlap, popularity bias and the most and least recommended."""
    told = facts.answers
    if not told:
        if not facts.no_answers:
            return None
        return PageSection("variety", "What it recommends", "", [Notes("warning", [f"not known: {facts.no_answers}"])])
    queries, places, corpus = told["queries"], told["places"], told["corpus_size"]
    blocks: list[Block] = [_figures(told), _popularity(told), _concentration(told)]
    for key, title in (("most", "Most recommended"), ("least", "Least recommended, best known in train first")):
        blocks.append(_list(told, key, title))
    if told.get("broken"):
        blocks.append(
            Notes("warning", [f"{told['broken']:,} queries have an embedding that is not finite, and were not asked"])
        )
    return PageSection(
        "variety",
        "What it recommends",
        f"The first {told['width']} answers of exact search to {queries:,} test queries, seen items excluded: "
        f"{places:,} places, which {corpus - told['never']:,} of {corpus:,} candidates share.",
        blocks,
    )


def _figures(told: dict[str, Any]) -> TableBlock:
    width, queries, corpus = told["width"], told["queries"], told["corpus_size"]
    mean = told["mean_train_count"]
    nameable = min(corpus, told["places"])
    # An older version did not say it.
    with_seen = told.get("overlap_at_10_with_seen")
    one_list = "the same before seen items are removed; 100% is one list for all"
    return TableBlock(
        "How varied the answers are",
        [TableColumn("what", numeric=False), TableColumn("value"), TableColumn("of what", numeric=False)],
        [
            ["coverage", format.percent(told["coverage_at_10"]), f"of the {nameable:,} candidates that could be named"],
            [
                "overlap",
                format.percent(told["overlap_at_10"]),
                f"of {width} answers are shared by two of {queries:,} queries on average",
            ],
            *([] if with_seen is None else [["overlap with seen", format.percent(with_seen), one_list]]),
            ["never recommended", format.count(told["never"]), f"of {corpus:,} candidates"],
            [
                "popularity of an answer",
                format.number(mean["answers"]),
                f"train targets, mean over {told['places']:,} places",
            ],
            ["popularity of a target", format.number(mean["targets"]), f"train targets, mean over {queries:,} queries"],
        ],
    )


_GROUPS = (
    ("candidates", "candidates"),
    ("train", "train targets"),
    ("targets", "test targets"),
    ("answers", "answers"),
)


def _popularity(told: dict[str, Any]) -> Figure:
    buckets = [row for row in told["popularity"] if any(row[key] for key, _ in _GROUPS)]
    totals = {key: max(sum(row[key] for row in told["popularity"]), 1) for key, _ in _GROUPS}
    groups = [f"{name} ({totals[key]:,})" for key, name in _GROUPS]
    parts = [(row["bucket"], [row[key] / totals[key] for key, _ in _GROUPS]) for row in buckets]
    lines = [
        [row["bucket"], *(f"{row[key]:,} ({row[key] / totals[key]:.1%})" for key, _ in _GROUPS)] for row in buckets
    ]
    return Figure(
        "Popularity bias",
        "What share of candidates, train targets, test targets and answers is head, middle and tail. Answers that are "
        "more head than the test targets are biased to what is popular.",
        lambda: [plots.stacks(groups, parts)],
        TableBlock(
            "By popularity; each column's own total is 100%",
            [TableColumn("popularity", numeric=False), *(TableColumn(group) for group in groups)],
            lines,
        ),
    )


def _concentration(told: dict[str, Any]) -> Figure:
    answers, train = told["concentration"]["answers"], told["concentration"]["train"]
    xs = [place / (len(answers) - 1) for place in range(len(answers))]
    drawn = [plots.PlotLine("answers", xs, answers), plots.PlotLine("train targets", xs, train)]
    lines = [
        [f"{xs[place]:.0%}", format.percent(answers[place]), format.percent(train[place])]
        for place in _TOLD_POINTS
        if place < len(xs)
    ]
    return Figure(
        "Concentration",
        "What share of all answers, and of all train targets, the most frequent candidates have; dotted: if all were "
        "as frequent.",
        lambda: [
            plots.lines(drawn, "share of the candidates, most frequent first", "share of the total", diagonal=True)
        ],
        TableBlock(
            f"What the most frequent candidates have of {told['places']:,} answers, and of the train targets",
            [TableColumn("most frequent"), TableColumn("of answers"), TableColumn("of train targets")],
            lines,
        ),
    )


def _list(told: dict[str, Any], key: str, title: str) -> TableBlock:
    queries = told["queries"]
    return TableBlock(
        f"{title}: in how many of the answers to {queries:,} queries",
        [
            TableColumn("candidate", numeric=False),
            TableColumn("answers"),
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
            for row in told.get(key, [])
        ],
    )


def examples(facts: Facts) -> PageSection | None:
    """Returns single queries; None where they may not be told."""
    told = facts.answers.get("examples")
    if not told:
        return None
    found = [_example(place, example, facts.answers["corpus_size"]) for place, example in enumerate(told, start=1)]
    return PageSection(
        "examples",
        "Five test queries" if len(found) == 5 else "Test queries",
        "Chosen by a hash of their content, not by hand. Histories are personal data: `report.examples: false` leaves "
        "them out, and `report.query_ids: true` calls queries by their own ids.",
        [Examples(found)],
    )


def _example(place: int, told: dict[str, Any], corpus: int) -> Example:
    target = told["target"]
    answers = [
        Answer(format.title(answer), f"score {score:.2f}", answer["id"] == target["id"])
        for answer, score in zip(told["answers"], told["scores"], strict=False)
    ]
    rank = told["rank"]
    outcome = f"ranked {rank:,} of {corpus:,} candidates; most popular has it at {told['popularity_rank']:,}"
    if rank < 1:
        outcome = "not ranked: the query had seen it before, and seen items are excluded"
    if rank > corpus:
        outcome = "is not among the candidates that can be recommended"
    return Example(
        name=f"Query {place}" if told.get("query") is None else f"Query {told['query']}",
        history=[format.title(item) for item in told["history"]],
        earlier=told["history_length"] - len(told["history"]),
        target=format.title(target),
        outcome=outcome,
        answers=answers[:_ANSWERS_SHOWN] if any(answer.is_target for answer in answers[:_ANSWERS_SHOWN]) else answers,
    )
