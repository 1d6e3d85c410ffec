"""Training parameters; all of them are logged with the run."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Literal, get_type_hints

from pydantic import (
    AllowInfNan,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    create_model,
    with_config,
)

from contracts.declarations import mistakes, read_declaration
from contracts.digests import record_digest
from contracts.errors import ContractError
from training.models.architectures import Architecture

MINIMUM_FOLDS, MOST_FOLDS = 3, 20
"""A network is fitted for each two folds: 190 of them with the most, and more would change nothing
that is measured (docs/decisions/0001-cross-fitted-ensemble.md)."""

MOST_EPOCHS = 10_000
MOST_WATCHED = 0.5
"""Share of the people that is watched at most: those who are learned from are the larger part."""

LARGEST_SEED = 4_000_000
"""Networks are seeded with a thousand times it and their number; a seed of torch has 32 bits."""

Robustness = Literal["none", "group DRO", "reweighing"]
Stopping = Literal["fixed length", "early stopping"]
Finite = Annotated[float, AllowInfNan(False)]
LARGEST = 1_000_000
"""Of any count or factor: far beyond what makes sense, and every computation takes it."""

Count = Annotated[int, Field(ge=1, le=LARGEST)]


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingConfig:
    """Parameters of a network and of its fit.

    Parameters
    ----------
    architecture
        Which network (`training.models.architectures`).
    hidden
        Width of each modality's recurrent state and of the head.
    learning_rate, weight_decay, batch_size
        Of AdamW and its mini-batches.
    mechanistic_pace
        How many times larger the learning rate is for the parameters of the hybrid that have a
        clinical meaning (curves, emission models, noise); they are few, and are not decayed.
    stopping
        How the length of training is decided. `fixed length` (`training.fitting.schedule`): the
        number of people decides, all of them are learned from and no epoch is chosen; networks
        without a recovery population to start from, and all of a cohort that declares people for
        tuning, stop early nevertheless. `early stopping`: a share of the people decides, by their
        loss.
    max_epochs, patience
        Longest training, and, where it is watched, epochs without a better validation loss before
        it stops.
    hidden_modality_share
        Probability that some modalities of a training pair, chosen at random, are hidden, so that
        the network learns to handle absent modalities and Shapley coalitions are in distribution.
    validation_share
        Share of the training subjects that are watched, and not learned from.
    minimum_group
        Smallest number of watched pairs with which a group's own loss counts in the choice of the
        best epoch: the highest loss among such groups and all subjects together decides.
    robustness
        Method for small or badly forecast groups: none, Group DRO or reweighing. None by default:
        published comparisons find that neither helps (Pfohl 2022); in ours the worst group was 2 %
        better and a minority of 3 % unchanged (docs/benchmarks.md).
    folds
        Folds by subject, 3 to 20; the registered model is the ensemble of one network for each
        two folds, trained without both (`training.fitting.crossfit`).
    held_out_share
        Share of subjects that are in no fold.
    seed
        Seed of all random numbers.
    """

    architecture: Architecture = "hybrid"
    hidden: Annotated[Count, Field(le=1024)] = 16
    learning_rate: Annotated[Finite, Field(gt=0, le=1)] = 1e-3
    weight_decay: Annotated[Finite, Field(ge=0, le=LARGEST)] = 1.0
    mechanistic_pace: Annotated[Finite, Field(gt=0, le=LARGEST)] = 10.0
    batch_size: Count = 64
    stopping: Stopping = "fixed length"
    max_epochs: Annotated[Count, Field(le=MOST_EPOCHS)] = 150
    patience: Count = 15
    hidden_modality_share: Annotated[Finite, Field(ge=0, lt=1)] = 0.3
    validation_share: Annotated[Finite, Field(gt=0, le=MOST_WATCHED)] = 0.2
    minimum_group: Count = 100
    robustness: Robustness = "none"
    folds: Annotated[int, Field(le=MOST_FOLDS)] = 5
    held_out_share: Annotated[Finite, Field(ge=0, lt=1)] = 0.1
    seed: Annotated[int, Field(ge=0, le=LARGEST_SEED)] = 0

    def __post_init__(self) -> None:
        """Check each parameter, and that a network without two folds has people to learn from.

        Raises
        ------
        ContractError
            A parameter is of a wrong type or makes no sense, or there are fewer than 3 folds.
        """
        for name, value in asdict(self).items():
            if not isinstance(value, int | float | str):
                raise ContractError(
                    f"training parameters: {name} is of type {type(value).__name__}",
                    "it must be a number or text of Python's own",
                )
        try:
            _parameters().model_validate(asdict(self), strict=True)
        except ValidationError as error:
            raise ContractError(
                f"training parameters: {'; '.join(mistakes(error, TrainingConfig))}",
                "correct them; those that are not given keep their defaults",
            ) from None
        if self.folds < MINIMUM_FOLDS:
            raise ContractError(
                f"training parameters: {self.folds} folds, but each network is trained without two"
                " of them",
                f"set folds to {MINIMUM_FOLDS} or more",
            )

    def write(self, path: Path) -> None:
        """Write the parameters as TOML, for `read_config`."""
        lines = [f"{name} = {json.dumps(value)}" for name, value in asdict(self).items()]
        path.write_text("\n".join(lines) + "\n", "utf-8")

    @property
    def digest(self) -> str:
        """SHA-256 of the parameters."""
        return record_digest(asdict(self))


@cache
def _parameters() -> type[BaseModel]:
    """Return what checks parameters that no file was read for."""
    hints = get_type_hints(TrainingConfig, include_extras=True)
    fields: dict[str, Any] = {name: (hint, ...) for name, hint in hints.items()}
    return create_model("Parameters", __config__=ConfigDict(extra="forbid"), **fields)


def read_config(path: Path) -> TrainingConfig:
    """Read parameters from TOML; those that are not given keep their defaults.

    Raises
    ------
    ContractError
        Unreadable, not TOML, an unknown name, a wrong type or a value without sense: all of them.
    """
    return read_declaration(
        path,
        TrainingConfig,
        "a file of training parameters",
        "correct the file; `rehabcast search` writes a complete one",
    )
