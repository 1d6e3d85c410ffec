"""Training, validation and audit of models.

Settings are those of the command line, the `REHABCAST_*` variables of the environment:
`REHABCAST_HOME` is the folder where everything is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.cohort import Cohort
from contracts.task import Task
from rehabcast.api.arguments import COHORT, ENTRIES, PARAMETERS, PATH, TASK, TEXT, VERSION, takes
from stores.private_files import made_private

if TYPE_CHECKING:
    from rehabcast.commands.audit import AuditResult
    from rehabcast.commands.evaluation import Evaluation
    from rehabcast.commands.learning.training import TrainingResult
    from training.fitting.config import TrainingConfig


@takes(
    cohort=COHORT,
    task=TASK,
    model=TEXT,
    parameters=PARAMETERS.or_none(),
    pretrain_on=COHORT.or_none(),
    without=PATH.or_none(),
)
def train(
    cohort: Cohort,
    task: Task,
    *,
    model: str,
    parameters: TrainingConfig | None = None,
    pretrain_on: Cohort | None = None,
    without: Path | str | None = None,
) -> TrainingResult:
    """Train on a cohort and register a signed candidate, as `rehabcast train` does.

    After an interruption, the same call resumes where it stopped.

    Parameters
    ----------
    cohort
        As `rehabcast.read_cohort` returns it.
    task
        As `rehabcast.read_task` returns it.
    model
        Name to register under; the result names the version, `NAME/N`.
    parameters
        Of the network and its fit; by default those of `rehabcast.TrainingConfig`.
    pretrain_on
        Cohort to pre-train on, usually a large simulated one.
    without
        File of people who must not be in either, one a line, as `rehabcast record withdrawn` prints
        them.

    Raises
    ------
    ContractError
        Too few people have a score and a later outcome, the name cannot be used, or somebody is in
        a cohort who must not be.
    """
    from rehabcast.auditing.overlap import require_without
    from rehabcast.commands.learning.training import parameters_of, train_candidate

    with made_private():
        if without is not None:
            require_without(filter(None, (cohort, pretrain_on)), Path(without))
        return train_candidate(
            cohort,
            task,
            model,
            parameters_of(None, None) if parameters is None else parameters,
            pretrain_on,
        )


@takes(model_version=VERSION, cohort=COHORT, output=PATH)
def evaluate(
    model_version: str, cohort: Cohort, *, output: Path | str = "predictions.parquet"
) -> Evaluation:
    """Validate a registered version on any cohort, as `rehabcast evaluate` does.

    Parameters
    ----------
    model_version
        `NAME/N`.
    output
        Where the prediction table is written (Parquet); its signature lies beside it.

    Returns
    -------
    Evaluation
        Scores by horizon, in points of the instrument, and what they are worth: whether these
        people are new to the model.

    Raises
    ------
    EvidenceMissing
        There is no such version.
    IntegrityError
        Its bundle's signature is missing or not valid, or a byte was changed.
    ContractError
        Nobody can be forecast and compared with an outcome, or the file cannot be written.
    """
    from rehabcast.commands.evaluation import evaluate_on
    from rehabcast.output import require_place

    with made_private():
        require_place(Path(output))
        return evaluate_on(cohort, model_version, Path(output))


@takes(
    model_version=VERSION,
    champion_predictions=PATH.or_none(),
    external=PATH.or_none(),
    proposals=ENTRIES,
    served=PATH.or_none(),
    policy=PATH.or_none(),
)
def audit(
    model_version: str,
    *,
    champion_predictions: Path | str | None = None,
    external: Path | str | None = None,
    proposals: Sequence[int] = (),
    served: Path | str | None = None,
    policy: Path | str | None = None,
) -> AuditResult:
    """Judge a version, sign its report and record the verdict, as `rehabcast audit` does.

    Approval and promotion are the decisions of people: they are commands only
    (docs/governance.md).

    Parameters
    ----------
    model_version
        `NAME/N`.
    champion_predictions
        The champion's prediction table on the candidate's cohort, where it was trained on another.
    external
        The version's signed prediction table of another cohort (`rehabcast.evaluate`).
    proposals
        Numbers of the ledger's entries by which `rehabcast monitor run` proposed a group.
    served
        The version's signed table beside the champion (`rehabcast monitor compare`).
    policy
        Judge by this policy this once; by default by that which the gate decides by.

    Returns
    -------
    AuditResult
        `verdict.outcome` and `verdict.findings`; `report_folder` has the report's editions.

    Raises
    ------
    EvidenceMissing, IntegrityError
        As `evaluate`.
    ContractError
        The policy or a table cannot be read, or makes no sense; or a proposal is none.
    """
    from rehabcast.commands.audit import run_audit

    with made_private():
        return run_audit(
            model_version,
            champion_predictions=_path(champion_predictions),
            external=_path(external),
            proposals=proposals,
            served=_path(served),
            policy_file=_path(policy),
        )


def _path(given: Path | str | None) -> Path | None:
    return None if given is None else Path(given)
