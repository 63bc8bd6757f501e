"""The chapters of a run's report, the most important first."""

from __future__ import annotations

from shortlist.report.blocks import Link, Page
from shortlist.report.facts import Facts
from shortlist.report.protocol import sentence
from shortlist.report.sections import (
    accuracy,
    answers,
    cold_start,
    costs,
    data,
    index,
    key_figures,
    lineage,
    moments,
    settings,
    training,
    tuning,
    verdict,
)

_CHAPTERS = (
    key_figures.section,
    accuracy.overall,
    accuracy.slices,
    cold_start.section,
    tuning.section,
    training.section,
    index.section,
    moments.section,
    answers.variety,
    answers.examples,
    data.section,
    costs.section,
    lineage.section,
    settings.section,
)


def run_page(facts: Facts) -> Page:
    """Returns a run's report; chapters without content are left out."""
    summary = facts.summary
    protocol = ""
    if summary is not None and summary.protocol is not None and summary.data is not None:
        protocol = sentence(summary.protocol, summary.data)
    chapters = (chapter(facts) for chapter in _CHAPTERS)
    status, mood = verdict.outcome(facts)
    return Page(
        title=f"{facts.name}: run {facts.run_id}",
        subtitle=verdict.subtitle(facts),
        status=status,
        mood=mood,
        gates=verdict.gates(facts),
        reasons=verdict.other_reasons(facts),
        protocol=protocol,
        sections=[section for section in chapters if section is not None],
        links=_links(facts),
    )


def _links(facts: Facts) -> list[Link]:
    """Returns a link to the run that did the work, if this one found all of it in the cache."""
    if not facts.unchanged or facts.worker is None:
        return []
    return [Link(f"Run {facts.worker} did the work", f"../{facts.worker}/report.html")]
