"""`rehabcast monitor`: whether a version in service still keeps its rules, by its outcomes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Group
from rich.markup import escape
from rich.table import Table

from contracts.errors import ContractError
from rehabcast.commands.service import tracing
from rehabcast.output import AsJson, emit, require_place, stderr_console
from rehabcast.settings import Settings

if TYPE_CHECKING:
    from audits.report.monthly.content import Edition
    from rehabcast.evidence.early import EarlyRun
    from rehabcast.evidence.growing import GrowthRun
    from rehabcast.evidence.lost.tracing import TracingRun
    from rehabcast.evidence.paired import ShadowComparison
    from rehabcast.evidence.running import MonitoringRun
    from rehabcast.evidence.shown_tests import ShownTest

app = typer.Typer(
    no_args_is_help=True,
    help="Evidence over time: forecasts on record, compared with the outcomes that came later.",
)

Name = tracing.Name
OfMonth = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m"], help="YYYY-MM; without it, the last month that is over."),
]

app.command()(tracing.trace)
app.command()(tracing.traced)


@app.command()
def run(
    name: Name,
    act: Annotated[
        bool,
        typer.Option(help="Restrict or suspend the champion where the evidence asks for it."),
    ] = True,
    output: Annotated[
        Path | None,
        typer.Option(help="Also write the signed monitoring table (Parquet), for `audit`."),
    ] = None,
    metrics: Annotated[
        Path | None,
        typer.Option(help="Also write the numbers for Prometheus (text format)."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Count the outcomes that are due; restrict or suspend if need be, or propose a wider scope."""
    from rehabcast.auditing.mirroring import try_to_show_champion
    from rehabcast.commands.service.record import opened
    from rehabcast.evidence.in_mlflow import track_run
    from rehabcast.evidence.in_prometheus import write_metrics
    from rehabcast.evidence.running import run as run_monitoring
    from rehabcast.evidence.table import write_table
    from rehabcast.evidence.watched import watched
    from rehabcast.identity import actor_of, open_ledger

    settings = Settings()
    now = datetime.now(UTC)
    with closing(open_ledger(settings)) as ledger, opened(settings) as store:
        version = watched(settings, ledger, name)
        result = run_monitoring(
            store, ledger, version, act=act, actor=actor_of(settings, ledger), now=now
        )
        if output is not None:
            write_table(settings, store, version, output, now)
        if result.done and version.champion is not None:
            try_to_show_champion(settings, ledger, ledger.champion(version.champion.model))
    if metrics is not None:
        write_metrics(result, metrics, now)
    track_run(settings, result)
    emit(result, _readable(result), as_json=as_json)


@app.command()
def compare(
    version: Annotated[str, typer.Argument(metavar="MODEL_VERSION", help="NAME/N, of a shadow.")],
    output: Annotated[
        Path | None,
        typer.Option(help="Also write the signed table of pairs (Parquet), for `audit --served`."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Compare a shadow with the champion on the same people; look as often as you like."""
    from rehabcast.commands.service.record import opened
    from rehabcast.evidence.paired import compare as compare_pairs
    from rehabcast.identity import actor_of, open_ledger

    settings = Settings()
    with closing(open_ledger(settings)) as ledger, opened(settings) as store:
        found = compare_pairs(
            settings, store, ledger, version, actor=actor_of(settings, ledger),
            now=datetime.now(UTC), output=output,
        )  # fmt: skip
    emit(found, _readable_comparison(found), as_json=as_json)
    if output is not None and not as_json:
        stderr_console.print(
            f"Next: rehabcast audit {escape(version)} --served {escape(str(output))}"
        )


def _readable_comparison(found: ShadowComparison) -> Group:
    from audits.judging.wording import group_in_words

    table = Table("worse by", "for", "people", "difference", "95 % bounds, at every look")
    for each in found.differences:
        held_back = each.difference is None
        table.add_row(
            each.metric, group_in_words(each.attribute, each.group), each.people,
            "held back" if held_back else f"{each.difference:+.2f}",
            "" if held_back else f"{each.low:+.2f} to {each.high:+.2f}",
        )  # fmt: skip
    said = (
        f"{found.model_version} as the shadow of {found.champion}, person by person"
        f" ({found.people}); below 0 it is better:"
    )
    asked = [f"The change plan asks: {each}." for each in found.criteria]
    return Group(said, table, *map(escape, asked))


@app.command()
def edition(
    name: Name,
    output: Annotated[Path, typer.Option(help="Folder that receives JSON, page, PDF and picture.")],
    month: OfMonth = None,
    as_json: AsJson = False,
) -> None:
    """Write the monthly edition: who was served, what came of it, the tests, what was done."""
    from rehabcast.commands.service.record import opened
    from rehabcast.evidence.edition import JSON_FILE, edition_of, month_of, write_edition
    from rehabcast.evidence.in_mlflow import track_edition
    from rehabcast.evidence.running import run as run_monitoring
    from rehabcast.evidence.watched import watched
    from rehabcast.identity import actor_of, open_ledger

    settings = Settings()
    if output.is_file():
        raise ContractError(f"{output} is a file", "name a folder")
    require_place(output / JSON_FILE if output.is_dir() else output)
    now = datetime.now(UTC)
    of_month = month_of(None if month is None else month.date(), now.date())
    with closing(open_ledger(settings)) as ledger, opened(settings) as store:
        version = watched(settings, ledger, name)
        run_monitoring(store, ledger, version, act=False, actor=actor_of(settings, ledger), now=now)
        made = edition_of(store, ledger, version, of_month, now)
    files = write_edition(made, output)
    track_edition(settings, made, files)
    emit(made, _readable_edition(made, files), as_json=as_json)


def _readable_edition(made: Edition, files: tuple[Path, ...]) -> str:
    from audits.report.monthly.wording import e_value_in_words, people_in_words

    everyone = made.people[0]
    mean = e_value_in_words(made.mean[-1].e_value) if made.mean else "not shown yet"
    return (
        f"{made.model_version}, {made.month}: given a forecast"
        f" {people_in_words(everyone.forecast)}, outcomes due {people_in_words(everyone.due)};"
        f" mean e-value {mean}.\n"
        f"Written: {', '.join(map(str, files))}"
    )


def _readable(result: MonitoringRun) -> Group:
    from audits.judging.wording import group_in_words
    from audits.report.monthly.wording import e_value_in_words

    state = "in service" if result.in_service else "not in service"
    lines = [
        f"{result.model_version} ({state}), week {result.weeks}. People whose outcome was due:"
        f" {result.people_due}; of whom it came: {result.people_observed}.",
        f"{result.tests} tests, mean e-value {e_value_in_words(result.mean_e)} (at most"
        f" {e_value_in_words(result.largest_mean_e)}); a warning from {result.warns_at:g}, out of"
        f" service from {result.suspends_at:g}.",
        f"{result.act}: {result.said}" + (" - done, see the ledger." if result.done else "."),
    ]
    lines += [f"No longer for {each.attribute}: {each.label}." for each in result.restricted]
    if result.not_tested:
        lines.append(f"Not tested in service: {', '.join(result.not_tested)}.")
    table = _tests(result.foremost, "rule", "acts or warns at")
    shift, when = result.shift, ""
    if shift.since_week is not None:
        when = f", seen in week {shift.since_week} (whether forecasts are right, outcomes tell)"
    came = Table(
        "before outcomes: what is otherwise", "of whom", "how", "e-value", "largest", "warns at"
    )
    for each in shift.foremost:
        who = group_in_words(each.attribute, each.group)
        came.add_row(
            each.quantity, who, each.direction, f"{each.e_value:,.2f}", f"{each.largest:,.2f}",
            f"{each.needed:,.0f}",
        )  # fmt: skip
    said = (
        f"Who comes ({shift.people} until now): {shift.said}{when}. {shift.tests} tests, mean"
        f" e-value {shift.mean_e:,.2f} (at most {shift.largest_mean_e:,.2f}); a warning from"
        f" {shift.warns_at:g}."
    )
    return Group(
        "\n".join(lines), table, said, *([came] if shift.foremost else []), *_early(result.early),
        *_growth(result.growth),
        *_traced(result.tracing),
    )  # fmt: skip


def _tests(tests: Iterable[ShownTest], first: str, last: str) -> Table:
    """Return tests of rules as a table; its first and last column are named."""
    from audits.judging.wording import group_in_words
    from audits.report.monthly.wording import e_value_in_words

    table = Table(first, "for", "side", "e-value", "largest", last)
    for test in tests:
        rule = test.rule if test.milestone is None else f"{test.rule} ({test.milestone})"
        who = group_in_words(test.attribute, test.group)
        found = (test.e_value, test.largest)
        numbers = ("not shown" if each is None else e_value_in_words(each) for each in found)
        table.add_row(rule, who, test.side, *numbers, f"{test.needed:,.0f}")
    return table


def _early(early: EarlyRun) -> Iterator[str | Table]:
    """Yield what outcomes before the one that counts begin to say."""
    if early.horizon_weeks is None:
        yield f"Early outcomes are not tested: {early.said}."
        return
    only = " (a warning, no more: the outcomes that count decide)" if early.warns else ""
    yield (
        f"From week {early.horizon_weeks} on (people whose early outcome was due:"
        f" {early.people_due}; of whom it came: {early.people_observed}): {early.said}{only}."
        f" {early.tests} tests."
    )
    if early.not_asked:
        yield f"Not asked of early outcomes: {', '.join(early.not_asked)}."
    if early.foremost:
        yield _tests(early.foremost, "before the outcome that counts: rule", "warns at")


def _traced(found: TracingRun) -> Iterator[str | Table]:
    """Yield what is found with who was traced; nothing where nobody traces."""
    from audits.report.monthly.wording import e_value_in_words

    if found.share is None:
        return
    yield (
        f"The lost ({found.share:.0%} of them traced by chance; where tracing is over, lost:"
        f" {found.people_lost}, drawn: {found.people_drawn}, found: {found.people_found}):"
        f" {found.said}. {found.tests} tests, mean e-value {e_value_in_words(found.mean_e)} (at"
        f" most {e_value_in_words(found.largest_mean_e)}); a warning from {found.warns_at:g}."
    )
    if found.not_tested:
        yield f"Not tested with who was traced: {', '.join(found.not_tested)}."
    if found.foremost:
        yield _tests(found.foremost, "with who was traced: rule", "warns at")


def _growth(growth: GrowthRun) -> Iterator[str | Table]:
    """Yield whom the scope may grow by; nothing where nobody is left out."""
    from audits.judging.wording import group_in_words
    from audits.report.monthly.wording import e_value_in_words

    if growth.never:
        rules = ", ".join(growth.never)
        yield f"Rules because of which groups are never proposed (not tested in service): {rules}."
    if not growth.groups:
        return
    yield f"Whom the scope may grow by: {growth.said}."
    table = Table("left out", "outcomes due", "e-value", "proposed at", "slowest rule", "proposal")
    for each in growth.groups:
        table.add_row(
            group_in_words(each.attribute, each.group), each.people,
            "not shown" if each.e_value is None else e_value_in_words(each.e_value),
            f"{each.needed:,.0f}", each.slowest or "-",
            "-" if each.proposal is None else f"entry {each.proposal}",
        )  # fmt: skip
    yield table
