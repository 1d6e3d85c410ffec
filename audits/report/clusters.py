"""What a report says of clusters: by what, how many, and what they changed."""

from __future__ import annotations

from collections.abc import Iterable

from audits.measure.clustered.draws import FEWEST_DRAWN
from audits.policies.clustered import Clustering
from audits.report.content import Report
from audits.report.document import Block, Heading, Paragraph


def clusters_section(report: Report) -> Iterable[Block]:
    """Say that people of one cluster were taken to be alike; nothing where none is declared."""
    effect = report.clusters
    if effect is None:
        return
    yield Heading(level=1, text="People of one cluster are alike")
    named = " and ".join(f"{c.name} ({c.clusters})" for c in effect.clusterings)
    yield Paragraph(
        text=f"People are clustered by {named}. Those of one cluster are alike in more than their"
        " groups, so many people in few clusters show less than as many people in many. All"
        " intervals allow for that, and none is narrower than if everybody were independent. People"
        " of whom it is not recorded count as one cluster."
    )
    lost = effect.passing_if_independent - effect.passing
    yield Paragraph(
        text=f"Of {effect.binding} findings of binding rules {effect.passing} pass; if everybody"
        f" were independent, {lost if lost else 'none'} more would."
    )
    for few in (c for c in effect.clusterings if c.are_few):
        yield Paragraph(text=_few(few))


def _few(clustering: Clustering) -> str:
    if clustering.clusters < 2:
        return (
            f"Everybody belongs to one cluster by {clustering.name}, so nobody can say how much"
            " clusters differ: for people elsewhere the intervals may be too narrow."
        )
    return (
        f"{clustering.clusters} clusters by {clustering.name} are too few to say for certain how"
        " alike their people are. Intervals are as much wider as so few ask; where fewer than"
        f" {FEWEST_DRAWN} hold a group, its reported intervals are those of independent people."
    )
