"""Fits networks and searches parameters on a Ray cluster (extra `scale`).

Ray Train assigns each fold's network to a worker, which runs the same Lightning trainer as this
process would. No gradients are exchanged, so the weights are identical to those of the local
engine. A worker that dies is restarted and resumes from its checkpoint. Ray Tune runs the trials of
the search. All nodes must see the checkpoints' folder under the same path and have this program
installed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from tempfile import TemporaryDirectory
from typing import Any

from features.ray_cluster import connected, import_ray
from training.fitting.crossfit import FoldFit, fit_sequentially
from training.fitting.search import Settings, Trials
from training.models.layers.network import Network

RESTARTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RayCluster:
    """A Ray cluster to fit and search on.

    Parameters
    ----------
    address
        Such as `10.0.0.1:6379`; None starts a cluster on this machine.
    """

    address: str | None = None

    def fit(self, folds: Sequence[FoldFit]) -> Iterator[Network]:
        """Fit all folds at once on workers; yield them in order.

        Raises
        ------
        ContractError
            The extra `scale` is not installed.
        """
        with self._connected() as ray, TemporaryDirectory() as storage:
            from ray.train import FailureConfig, RunConfig, ScalingConfig
            from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

            cores = float(ray.cluster_resources().get("CPU", 1.0))
            DataParallelTrainer(
                _fit_own_fold,
                train_loop_config={"folds": ray.put(list(folds))},
                # Workers start all together or not at all, so few cores are shared among them.
                scaling_config=ScalingConfig(
                    num_workers=len(folds),
                    resources_per_worker={"CPU": min(1.0, cores / (len(folds) + 1))},
                ),
                run_config=RunConfig(
                    storage_path=storage, failure_config=FailureConfig(max_failures=RESTARTS)
                ),
            ).fit()
        # The fitted networks are in the folds' folders and are only read here.
        yield from fit_sequentially(folds)

    def search(self, trials: Trials) -> Settings:
        """Try settings on workers; return the best.

        Which settings are tried depends on when earlier trials end, unless they run one by one.
        """
        with self._connected() as ray, TemporaryDirectory() as storage:
            from ray import tune
            from ray.tune.search.optuna import OptunaSearch

            score = "score"
            objective, on_trial_end = ray.put(trials.objective), trials.on_trial_end

            def trial(settings: Settings) -> None:
                tune.report({score: ray.get(objective)(settings)})

            class ReportTrial(tune.Callback):  # type: ignore[misc]
                def on_trial_complete(
                    self, iteration: int, trials: list[Any], trial: Any, **_: Any
                ) -> None:
                    on_trial_end(dict(trial.config), float(trial.last_result[score]))

            searcher = OptunaSearch(
                dict(trials.space),
                metric=score,
                mode="min",
                points_to_evaluate=[trials.initial],
                seed=trials.seed,
            )
            results = tune.Tuner(
                trial,
                tune_config=tune.TuneConfig(
                    metric=score, mode="min", search_alg=searcher, num_samples=trials.number
                ),
                run_config=tune.RunConfig(
                    storage_path=storage, callbacks=[ReportTrial()], verbose=0
                ),
            ).fit()
            if results.errors:
                raise results.errors[0]
            return dict(results.get_best_result().config)

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        # Its automatic loggers need packages that are not installed here.
        os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
        ray = import_ray("train")
        with connected(ray, self.address):
            yield ray


def _fit_own_fold(loop_config: dict[str, Any]) -> None:
    """Fit one fold on a worker, which stores its weights in the fold's folder."""
    import ray
    from ray.train import get_context

    ray.get(loop_config["folds"])[get_context().get_world_rank()].run()
