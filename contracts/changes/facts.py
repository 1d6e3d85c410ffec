"""What a version of a model is, in facts that another version can be compared with.

Facts are short texts, made from the bundle's manifest and its task, and only ever compared for
being the same: what is on record stays comparable, whatever later releases add to a task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from contracts.bundle import CODES_FILE, FORECASTS, WEIGHTS, Manifest
from contracts.digests import record_digest
from contracts.priors import BEFORE_PRIORS, shipped_prior, started_from
from contracts.scope import Scope
from contracts.task import Cluster, Milestone, Sensitive, Target, Task


class Aspect(StrEnum):
    """What about a version may change."""

    COHORT = "cohort"
    DATA = "data"
    ARCHITECTURE = "architecture"
    PARAMETERS = "training parameters"
    SOFTWARE = "software"
    INPUTS = "inputs"
    HORIZONS = "horizons"
    FORECAST_DAYS = "days of forecasts"
    TARGET = "target"
    MILESTONES = "milestones"
    POPULATION = "population"
    AUDITED = "audited attributes"
    CLUSTERS = "clusters"
    CALIBRATED = "calibrated groups"
    JOINING = "joining of networks"


class VersionFacts(BaseModel):
    """What a version is.

    Parameters
    ----------
    facts
        By aspect, sorted.
    scope
        For whom it is served; None for everyone.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    facts: dict[Aspect, tuple[str, ...]]
    scope: Scope | None = None

    def of(self, aspect: Aspect) -> frozenset[str]:
        """Return the facts of an aspect; none where an older record does not have it."""
        return frozenset(self.facts.get(aspect, ()))


NO_CHANGE: dict[str, str] = {
    "files": "every training writes other bytes; its own codes are compared among the inputs",
    "created": "every version has its own",
    "predictions_digest": "every version has its own",
    "follow_up_digest": "every version has its own",
    "task_digest": "the task's own facts are compared",
    "format": "it says how the bundle is written, not what the model is",
    "prior": "the population itself is compared, as the task has it",
    "subjects": "whether there are fewer is asked apart: two numbers would tell how many came",
}
"""Fields of a manifest in which two trainings of one and the same kind differ, and why."""


def facts_of(manifest: Manifest, task: Task, scope: Scope | None) -> VersionFacts:
    """Return what a version is.

    Parameters
    ----------
    scope
        For whom it is, or would be, served; None for everyone.
    """
    return VersionFacts(
        facts={
            aspect: tuple(sorted(set(state(manifest, task)))) for aspect, state in _FACTS.items()
        },
        scope=scope,
    )


def _cohort(manifest: Manifest, _: Task) -> Iterable[str]:
    yield f"cohort {manifest.cohort_name}"
    yield "simulated people" if manifest.simulated else "real people"
    if manifest.pretrained_on:
        yield f"pretrained on {manifest.pretrained_on}"


def _data(manifest: Manifest, _: Task) -> Iterable[str]:
    yield f"data {manifest.data_digest}"


def _architecture(manifest: Manifest, _: Task) -> Iterable[str]:
    yield manifest.family


def _parameters(manifest: Manifest, task: Task) -> Iterable[str]:
    yield f"configuration {manifest.config_digest}"
    yield f"seed {manifest.seed}"
    if (judging := manifest.judging) is not None:
        yield (
            f"{judging.members} networks on {judging.folds} folds, judged by"
            f" {judging.members_unseen}"
        )
    start = started_from(manifest.family, manifest.prior, task.prior)
    # What every version started from before there was a choice is in no older record of facts.
    if start is not None and start != shipped_prior(BEFORE_PRIORS):
        yield f"recovery population {start.name} {record_digest(start.model_dump(mode='json'))}"


def _software(manifest: Manifest, _: Task) -> Iterable[str]:
    yield f"source code {manifest.code_digest}"


def _inputs(manifest: Manifest, task: Task) -> Iterable[str]:
    yield f"{task.inputs.past_days} days of the past"
    yield from (f"modality {name}" for name in manifest.modalities)
    yield from (
        f"{code} by day, as {modality}"
        for code, modality in zip(manifest.channels, manifest.channel_modalities, strict=True)
    )
    yield from (f"{covariate.name} of the person" for covariate in manifest.person)
    yield from (f"assessment {code}" for code in task.inputs.assessments)
    if (digest := manifest.files.get(CODES_FILE)) is not None:
        yield f"codes of its own {digest}"
    yield from (f"{code}, asked by day" for code in task.inputs.daily)
    yield from (f"{code}, asked of the person" for code in task.inputs.person)


def _horizons(manifest: Manifest, task: Task) -> Iterable[str]:
    yield from (f"day {day}" for day in manifest.horizon_days)
    for horizon in task.horizons:
        first, end = horizon.window_days
        yield f"week {horizon.weeks}, outcomes of days {first} to {end}"


def _forecast_days(_: Manifest, task: Task) -> Iterable[str]:
    yield from (f"landmark day {day}" for day in task.origins_days)
    yield f"last day {task.last_origin_day}"
    yield f"explained at week {task.primary_horizon_weeks}"
    yield f"early until day {task.early_days} after onset"


def _target(_: Manifest, task: Task) -> Iterable[str]:
    yield from _fields(task.target, Target, without=("source",))


def _milestones(_: Manifest, task: Task) -> Iterable[str]:
    for milestone in task.milestones:
        yield ", ".join(_fields(milestone, Milestone, without=("source",)))


def _population(_: Manifest, task: Task) -> Iterable[str]:
    yield f"task {task.name}"
    yield f"condition {task.condition}"
    yield f"onset {'of no diagnosis' if task.onset is None else task.onset.model_dump_json()}"


def _audited(_: Manifest, task: Task) -> Iterable[str]:
    for attribute in task.sensitive:
        yield ", ".join(_fields(attribute, Sensitive, without=("reason",)))


def _clusters(_: Manifest, task: Task) -> Iterable[str]:
    for cluster in task.clusters:
        yield ", ".join(_fields(cluster, Cluster, without=("reason",)))


def _calibrated(manifest: Manifest, _: Task) -> Iterable[str]:
    yield from map(str, manifest.calibration_groups)


def _joining(manifest: Manifest, _: Task) -> Iterable[str]:
    # Of bundles from before there was a choice the mean of forecasts was served.
    joined = FORECASTS if manifest.judging is None else manifest.judging.joined
    yield "one network of mean weights" if joined == WEIGHTS else "mean of the networks' forecasts"


def _fields(part: BaseModel, kind: type[BaseModel], without: tuple[str, ...]) -> Iterable[str]:
    """Yield each field of a part of a task; what is only said about it is no fact of the model."""
    for name in kind.model_fields:
        if name not in without:
            yield f"{name} {getattr(part, name)}"


_FACTS: Mapping[Aspect, Callable[[Manifest, Task], Iterable[str]]] = {
    Aspect.COHORT: _cohort,
    Aspect.DATA: _data,
    Aspect.ARCHITECTURE: _architecture,
    Aspect.PARAMETERS: _parameters,
    Aspect.SOFTWARE: _software,
    Aspect.INPUTS: _inputs,
    Aspect.HORIZONS: _horizons,
    Aspect.FORECAST_DAYS: _forecast_days,
    Aspect.TARGET: _target,
    Aspect.MILESTONES: _milestones,
    Aspect.POPULATION: _population,
    Aspect.AUDITED: _audited,
    Aspect.CLUSTERS: _clusters,
    Aspect.CALIBRATED: _calibrated,
    Aspect.JOINING: _joining,
}
