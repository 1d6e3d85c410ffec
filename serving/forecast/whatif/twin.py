"""One pair of a bundle as a person in draws, and which plans of theirs may be asked about."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from contracts.doses import DoseResponse, shipped_dose_response
from contracts.errors import ForecastRefused
from contracts.sequences import SequenceBatch
from contracts.therapy import THERAPY
from contracts.vocabulary import vocabulary
from features.sequences import present_modalities
from inference.bundle import Bundle, embed
from inference.twin.courses import unseen_courses
from inference.twin.person import Person, person_of, run_curves
from inference.twin.plans import ALL, KIND_OF, Plan, as_now
from inference.twin.support import Seen, bin_of, recent_hours, seen_doses

WITHOUT = "decide without it; the forecast itself stands"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsupported:
    """A dose of a plan that too few people alike had.

    Parameters
    ----------
    kind
        Kind of therapy (`inference.twin.plans.KIND_OF`).
    hours
        Hours a week that the plan has of it.
    read
        Whether the model reads that kind at all.
    days
        Days ahead over which the plan has them on average; None of a part of it.
    """

    kind: str
    hours: float
    read: bool = True
    days: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """A patient of whom may be asked what another plan would change.

    Parameters
    ----------
    person
        In draws, on the days that are asked about.
    response
        How therapy acts on the score.
    doses
        How many people alike had each dose, by kind of therapy that the model reads.
    courses
        How many had each mean dose over so many days from then on, of windows up to the last day
        that is asked about; empty where the model does not keep it.
    on
        Returns the person, of the same draws, on other days or in other precision (`days_H` and
        `kind` of `person_of`).
    """

    person: Person
    response: DoseResponse
    doses: dict[str, tuple[Seen, ...]]
    on: Callable[..., Person]
    courses: Mapping[int, tuple[Seen, ...]] = field(default_factory=dict)

    @property
    def now(self) -> Plan:
        """The plan that therapy goes on as it was."""
        return as_now(self.person.hours)

    def unsupported(self, plan: Plan) -> tuple[Unsupported, ...]:
        """Return the doses of a plan that too few people alike had, each once.

        Of its parts, and on average over the weeks ahead. That therapy goes on as it was is judged
        by today's dose alone: the forecast, which stands, is what that is compared with.
        """
        found: dict[tuple[str, float], Unsupported] = {}
        for part in plan.parts:
            for kind, hours in {ALL: part.total, **part.hours}.items():
                read = kind in self.doses
                if not read or not self.doses[kind][bin_of(hours)].is_enough:
                    found[kind, hours] = Unsupported(kind=kind, hours=hours, read=read)
        if all(part.total == self.person.hours for part in plan.parts):
            return tuple(found.values())
        unseen = unseen_courses(plan, self.courses)
        return (
            *found.values(),
            *(Unsupported(kind=ALL, hours=hours, days=days) for days, hours in unseen),
        )


def twin_of(
    bundle: Bundle,
    batch: SequenceBatch,
    days_H: NDArray[np.float64],
) -> Twin:
    """Return the twin of one pair.

    Parameters
    ----------
    days_H
        Days ahead that are asked about, rising.

    Raises
    ------
    ForecastRefused
        The bundle keeps no curves, nobody published how therapy acts on the score, or the therapy
        of the last days is not on record.
    """
    name = vocabulary()[bundle.task.target.code].name
    if bundle.curves is None or bundle.doses is None or THERAPY not in bundle.doses.codes_K:
        raise ForecastRefused(
            "this model cannot say what another plan would change: it was made by an earlier"
            " version, is of another family than the hybrid, or reads no therapy",
            f"{WITHOUT}, or train a hybrid whose task reads therapy",
        )
    if (response := shipped_dose_response(bundle.task.target.code)) is None:
        raise ForecastRefused(
            f"no trials were collected that tell how therapy acts on {name}", WITHOUT
        )
    channel = bundle.layout.channels_C.index(THERAPY)
    hours = float(recent_hours(batch, channel)[0])
    if not np.isfinite(hours):
        raise ForecastRefused(
            "the therapy of the last two weeks is not on record, so it is not known what another"
            " plan would change",
            "record the minutes of therapy of each day, 0 where there was none",
        )
    present_BM = present_modalities(batch, bundle.manifest.modalities)
    curves = run_curves(bundle.curves, embed(bundle, batch), present_BM)
    seen_T = np.flatnonzero(batch.observed_BTC[0, :, channel])
    known_days = float(batch.observed_BTC.shape[1] - int(seen_T[0]))
    since_onset = float(batch.days_since_onset_BT[0, -1])
    origin = int(batch.origin_day_B[0])
    on = partial(
        person_of,
        curves,
        response,
        hours=hours,
        days_treated=(min(known_days, since_onset), max(since_onset, 0.0)),
        enrolled=float(origin),
        horizons_H=np.array(bundle.layout.horizon_days_H, dtype=np.float64) - origin,
    )
    return Twin(
        person=on(days_H=days_H), response=response, doses=alike_doses(bundle, batch), on=on,
        courses=alike_courses(bundle, batch, float(days_H[-1])),
    )  # fmt: skip


def alike_doses(bundle: Bundle, batch: SequenceBatch) -> dict[str, tuple[Seen, ...]]:
    """Return how many people like one pair had each dose, by kind of therapy.

    Nothing of bundles of earlier versions, and of models that read no therapy.
    """
    if bundle.doses is None:
        return {}
    names = {code: name for name, code in KIND_OF.items()}
    alike = bundle.doses.alike(batch, bundle.task)
    return {names[code]: seen_doses(count_E) for code, count_E in alike.items()}


def alike_courses(
    bundle: Bundle, batch: SequenceBatch, last_day: float
) -> dict[int, tuple[Seen, ...]]:
    """Return how many people like one pair had each course, by window up to a day ahead.

    Nothing of bundles of earlier versions.
    """
    if bundle.courses is None:
        return {}
    alike = bundle.courses.alike(batch, bundle.task)
    return {days: seen for days, seen in alike.items() if days <= last_day}
