"""The same fits and the same search over a Ray cluster (extra `scale`).

Ray Train gives each fold's network to a worker, which runs the very Lightning trainer that would
run here: no gradients travel, so the weights are those of the local engine to the last bit. A
worker that dies is started again and goes on from its checkpoint. Ray Tune runs whole trials of
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

from features.cluster import connected, import_ray
from training.fitting.crossfit import FoldFit, one_after_another
from training.fitting.search import Settings, Trials
from training.models.layers.network import Network

RESTARTS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class RayCluster:
    """A Ray cluster to fit and search on.

    Parameters
    ----------
    address
        Such as `10.0.0.1:6379`; None starts one on this machine.
    """

    address: str | None = None

    def fit(self, folds: Sequence[FoldFit]) -> Iterator[Network]:
        """Fit all folds at once on workers; yield them in order.

        Raises
        ------
        ContractError
            The extra `scale` is not installed.
        """
        with self._connected() as ray, TemporaryDirectory() as place:
            from ray.train import FailureConfig, RunConfig, ScalingConfig
            from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

            cores = float(ray.cluster_resources().get("CPU", 1.0))
            DataParallelTrainer(
                _fit_own_fold,
                train_loop_config={"folds": ray.put(list(folds))},
                # Workers start together or not at all, so on few cores they share them.
                scaling_config=ScalingConfig(
                    num_workers=len(folds),
                    resources_per_worker={"CPU": min(1.0, cores / (len(folds) + 1))},
                ),
                run_config=RunConfig(
                    storage_path=place, failure_config=FailureConfig(max_failures=RESTARTS)
                ),
            ).fit()
        # What is fitted lies in the folds' folders and is only read here.
        yield from one_after_another(folds)

    def search(self, trials: Trials) -> Settings:
        """Try settings on workers; return the best.

        Which settings are tried depends on when earlier ones end, unless trials run one at a time.
        """
        with self._connected() as ray, TemporaryDirectory() as place:
            from ray import tune
            from ray.tune.search.optuna import OptunaSearch

            score = "score"
            kept, told = ray.put(trials.objective), trials.done

            def trial(settings: Settings) -> None:
                tune.report({score: ray.get(kept)(settings)})

            class Told(tune.Callback):  # type: ignore[misc]
                def on_trial_complete(
                    self, iteration: int, trials: list[Any], trial: Any, **_: Any
                ) -> None:
                    told(dict(trial.config), float(trial.last_result[score]))

            searcher = OptunaSearch(
                dict(trials.space),
                metric=score,
                mode="min",
                points_to_evaluate=[trials.first],
                seed=trials.seed,
            )
            results = tune.Tuner(
                trial,
                tune_config=tune.TuneConfig(
                    metric=score, mode="min", search_alg=searcher, num_samples=trials.number
                ),
                run_config=tune.RunConfig(storage_path=place, callbacks=[Told()], verbose=0),
            ).fit()
            if results.errors:
                raise results.errors[0]
            return dict(results.get_best_result().config)

    @contextmanager
    def _connected(self) -> Iterator[Any]:
        # Their loggers ask for packages that we have no use for.
        os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
        ray = import_ray("train")
        with connected(ray, self.address):
            yield ray


def _fit_own_fold(given: dict[str, Any]) -> None:
    """Fit one fold on a worker; its weights are stored whole or not at all in the fold's folder."""
    import ray
    from ray.train import get_context

    ray.get(given["folds"])[get_context().get_world_rank()].run()
