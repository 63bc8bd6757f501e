"""The last page of a run: its data, metrics and verdict, and the commands to type next."""

from __future__ import annotations

import pathlib
from collections.abc import Mapping, Sequence

from rich.console import Console

from cli.folders import relative
from cli.output.slices import print_slices, reported_ks
from cli.output.verdict import print_verdict
from cli.output.wrapping import print_command
from shortlist.config.values import Value
from shortlist.metrics import names
from shortlist.records import nodes
from shortlist.report import protocol as protocol_text
from shortlist.sanitize import plain
from shortlist.summary import ENDED_BY, Metrics, Summary
from shortlist.text_tables import TextColumn, print_table
from shortlist.verdicts import headline, hit_rate
from shortlist.workspace import TUNED_FILE

_MOST_WARNINGS = 5


def print_summary(
    summary: Summary,
    summary_path: pathlib.Path,
    next_commands: Sequence[str],
    served: int | None,
    console: Console,
) -> None:
    """Prints a run's summary in under 40 lines.

    Args:
      summary: The summary.
      summary_path: Its file; the report stands beside it.
      next_commands: Command lines to type after a push.
      served: The version in the serving folder; None if it is empty.
      console: Console for the output.
    """
    console.print()
    _print_data(summary, console)
    _print_refresh(summary, console)
    _print_warnings(summary, console)
    _print_metrics(summary, console)
    if summary.metrics is not None:
        with_seen = summary.protocol is not None and not summary.protocol.exclude_seen
        print_slices(summary.metrics, console, with_seen)
    _print_answers(summary, console)
    _print_tuning(summary, summary_path, console)
    _print_verdict(summary, served, console)
    _print_next(summary, summary_path, next_commands, console)


def _print_data(summary: Summary, console: Console) -> None:
    data, protocol = summary.data, summary.protocol
    if data is None or protocol is None:
        return
    dropped = ", ".join(f"{count:,} {reason}" for reason, count in data.dropped.items() if count) or "none"
    console.print(
        f"Data      {data.interactions:,} interactions of {max(data.queries.values()):,} queries with "
        f"{data.candidates:,} candidates; dropped: {dropped}"
    )
    console.print(
        f"Split     {protocol.split}: trained on {data.rows['train']:,}, stopped early on {data.rows['eval']:,}, "
        f"tested on {data.rows['test']:,} ({protocol_text.TESTED_ON[protocol.split]})"
    )
    if cuts := protocol_text.cuts_sentence(protocol):
        console.print(f"          {cuts}")
    ties = protocol_text.tie_sentence(protocol)
    console.print(f"Protocol  ranked against all {protocol.corpus_size:,} candidates; {ties}")
    if protocol.unseen_queries > 0:
        console.print(f"          {protocol.unseen_queries:.0%} of test rows belong to queries without train rows")


def _print_refresh(summary: Summary, console: Console) -> None:
    refresh = summary.refresh
    if refresh is None:
        return
    console.print(f"Catalogue {protocol_text.refresh_sentence(refresh)}")
    console.print(
        f"          accuracy was not measured again; run {plain(refresh.model_of)} trained and measured the model"
    )


def _print_warnings(summary: Summary, console: Console) -> None:
    for warning in summary.warnings[:_MOST_WARNINGS]:
        console.print(f"Warning   {plain(warning)}")
    more = len(summary.warnings) - _MOST_WARNINGS
    if more > 0:
        console.print(f"          and {more} more, in the summary")


def _print_metrics(summary: Summary, console: Console) -> None:
    if summary.metrics is None or summary.baselines is None:
        return
    own, baselines = summary.metrics.overall, summary.baselines
    popularity, latest = baselines.popularity, baselines.latest_blessed
    columns = [TextColumn("", right=False)]
    models = [("model", own), ("most popular", popularity)]
    if latest:
        models.append(("previous model", latest))
    for number, (title, _) in enumerate(models):
        columns += [TextColumn(title), TextColumn("with seen", drop=number + 1, style="dim")]
    rows = []
    for name, label in _metric_rows(summary.metrics):
        cells = [_cell(values, suffixed) for _, values in models for suffixed in (name, f"{name}_with_seen")]
        rows.append([label, *cells])
    console.print()
    console.print(f"FactorizedTopK on {names.counted_rows(own):,.0f} test rows")
    print_table(console, columns, rows)
    console.print("seen items excluded; `with seen` keeps a query's seen items among the candidates", style="dim")
    _print_seen(summary, own, console)


def _print_seen(summary: Summary, own: Mapping[str, float], console: Console) -> None:
    """Prints which metrics the gates used, and the rows that plain metrics leave out."""
    if summary.protocol is not None and not summary.protocol.exclude_seen:
        console.print(
            "gates, early stopping and the index's recall use `with seen` (evaluate.repeat_consumption); they do not "
            "measure the signature serving_default, which excludes the history",
        )
    if names.left_out(own):
        console.print(
            f"{names.left_out(own):.1%} of all {own[names.EXAMPLE_COUNT]:,.0f} test rows are left out: their target "
            "had been seen before; `with seen` counts them",
        )


def _print_answers(summary: Summary, console: Console) -> None:
    answers = summary.answers
    if answers is None:
        return
    console.print(
        f"Variety   top 10 of {answers.queries:,} test queries: they cover {answers.coverage_at_10:.0%} of the "
        f"candidates; two users share {answers.overlap_at_10:.0%} of their top 10; recommended items average "
        f"{answers.mean_train_count:,.0f} train interactions, held-out ones {answers.mean_train_count_of_targets:,.0f}"
    )


def _metric_rows(metrics: Metrics) -> list[tuple[str, str]]:
    tops = [names.top_k(k) for k in reported_ks(metrics)]
    return [(name, hit_rate(name)) for name in tops] + [(names.ndcg(), f"NDCG@{names.NDCG_K}")]


def _cell(values: dict[str, float], name: str) -> str:
    return f"{values[name]:.4f}" if name in values else "-"


def _print_tuning(summary: Summary, summary_path: pathlib.Path, console: Console) -> None:
    tuning = summary.tuning
    if tuning is None:
        return
    best, own = tuning.winner, tuning.trials[0]
    comparison = f"the config's own values had {own.score or 0:.4f}"
    if best is own:
        comparison = "the config's own values"
    values = ", ".join(f"{name} {_setting(value)}" for name, value in best.values.items())
    console.print()
    console.print(
        f"Tuned     trial {best.number} of {len(tuning.trials)} was best: {tuning.objective} {best.score:.4f} on eval "
        f"({comparison}); the search ended at {ENDED_BY[tuning.ended_by]}"
    )
    console.print(f"          {values}")
    console.print(f"          to keep them: {relative(summary_path.with_name(TUNED_FILE))}")


def _setting(value: Value) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _print_verdict(summary: Summary, served: int | None, console: Console) -> None:
    console.print()
    print_verdict(
        headline(
            summary.status.value,
            summary.pushed.version if summary.pushed else None,
            unchanged=nodes.PUSHER in summary.cached,
            served=served,
        ),
        summary.gates,
        console,
    )
    console.print()
    sample, rows = summary.training.get("eval_rows", 0), summary.training.get("all_eval_rows", 0)
    if sample < rows:
        console.print(f"Training  early stopping by {sample:,.0f} of {rows:,.0f} eval rows (train.eval_rows)")
    # Only losses with a sampler correct by logQ.
    clipped = summary.training.get("logq_clipped_candidates", 0)
    if clipped:
        console.print(
            f"Warning   {clipped:,.0f} candidates are sampled with a probability below 1e-6; "
            "their logQ correction is clipped there"
        )
    if summary.warm_start:
        console.print(f"Start     {plain(protocol_text.warm_start_sentence(summary.warm_start))}")
    if summary.refit:
        console.print(f"Refit     {protocol_text.refit_sentence(summary.refit)}")
    if summary.index:
        index = summary.index
        console.print(
            f"Index     {index.kind}: recall@{index.k} {index.recall_at_k:.4f} against exact search on test queries, "
            f"p50 {index.p50_ms:.2f} ms, p99 {index.p99_ms:.2f} ms per query"
        )
    for advice in summary.advice:
        console.print(f"Advice    {plain(advice)}")
    if summary.pushed:
        console.print(f"Path      {relative(summary.pushed.path)}")
    console.print(
        f"Took      {summary.seconds.total:.0f} s without loading TFX and the report, "
        f"peak memory {summary.peak_rss_mb / 1024:.1f} GiB"
    )


def _print_next(summary: Summary, summary_path: pathlib.Path, next_commands: Sequence[str], console: Console) -> None:
    # The path of the log was printed at the start.
    if (report := summary_path.with_name("report.html")).exists():
        console.print(f"Report    {relative(report)}")
    if summary.pushed:
        for number, command in enumerate(next_commands):
            print_command(console, "" if number else "Next", command)
