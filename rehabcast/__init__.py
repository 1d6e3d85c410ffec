"""The composition root: command line, settings and the Python API.

    import rehabcast

    cohort = rehabcast.read_cohort("cohorts/ours")
    task = rehabcast.read_task("tasks/stroke-upper-limb.toml")
    trained = rehabcast.train(cohort, task, model="arm")
    model = rehabcast.open_version(trained.model_version)
    rehabcast.explain(model, cohort, "12", as_of_day=21)

Each name of `__all__` is imported when it is first used, so that the command line starts as fast as
before. Whatever is not in `__all__` may change in any version.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from contracts.cohort import Cohort
    from contracts.errors import RehabcastError
    from contracts.task import Task
    from rehabcast.api.cohorts import import_cohort, read_cohort, read_task
    from rehabcast.api.forecasts import Model, explain, forecast, open_champion, open_version
    from rehabcast.api.models import audit, evaluate, train
    from rehabcast.commands.audit import AuditResult
    from rehabcast.commands.evaluation import Evaluation
    from rehabcast.commands.learning.training import TrainingResult
    from serving.schemas import ForecastAnswer
    from training.fitting.config import TrainingConfig

__all__ = [
    "AuditResult",
    "Cohort",
    "Evaluation",
    "ForecastAnswer",
    "Model",
    "RehabcastError",
    "Task",
    "TrainingConfig",
    "TrainingResult",
    "audit",
    "evaluate",
    "explain",
    "forecast",
    "import_cohort",
    "open_champion",
    "open_version",
    "read_cohort",
    "read_task",
    "train",
]

_PLACES = {
    "contracts.cohort": ("Cohort",),
    "contracts.errors": ("RehabcastError",),
    "contracts.task": ("Task",),
    "rehabcast.api.cohorts": ("import_cohort", "read_cohort", "read_task"),
    "rehabcast.api.forecasts": ("Model", "explain", "forecast", "open_champion", "open_version"),
    "rehabcast.api.models": ("audit", "evaluate", "train"),
    "rehabcast.commands.audit": ("AuditResult",),
    "rehabcast.commands.evaluation": ("Evaluation",),
    "rehabcast.commands.learning.training": ("TrainingResult",),
    "serving.schemas": ("ForecastAnswer",),
    "training.fitting.config": ("TrainingConfig",),
}


def __getattr__(name: str) -> Any:
    for module, names in _PLACES.items():
        if name in names:
            found = getattr(import_module(module), name)
            globals()[name] = found
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
