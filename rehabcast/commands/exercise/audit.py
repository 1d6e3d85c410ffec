"""`rehabcast exercise audit`: how well a recogniser knows the sets of groups of people."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from contracts.errors import ContractError
from contracts.exercise.recogniser_audit import (
    RecogniserAudit,
    audit_path,
    read_recogniser_audit,
    write_recogniser_audit,
)
from rehabcast.commands.exercise.labelled import Labelled, read_labelled
from rehabcast.output import AsJson, emit
from stores.private_files import written_whole

if TYPE_CHECKING:
    from inference.exercise.recogniser import Recogniser


def audit(
    recogniser: Annotated[Path, typer.Argument(help="File that `exercise train` wrote.")],
    sets: Annotated[
        Path | None,
        typer.Option(help="The table that it was trained with: audit it by these sets."),
    ] = None,
    map_file: Annotated[
        Path | None, typer.Option("--map", help="TOML map of the recordings, as for training.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed that it was trained with.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Audit a recogniser by group and keep that beside it; without --sets, show what is kept.

    Each person of the sets is left out once. Groups of fewer than 11 people are held back.
    """
    from inference.exercise.recogniser import read_recogniser

    model = read_recogniser(recogniser)
    if sets is None or map_file is None:
        result = read_recogniser_audit(recogniser, model.version)
    else:
        from features.importing.import_map import read_import_map

        labelled = read_labelled(sets, read_import_map(map_file))
        _require_fitted_from(labelled, seed, model)
        result = _audited(labelled, seed, model)
        with written_whole(audit_path(recogniser)) as draft:
            write_recogniser_audit(draft, result)
    emit(result, _table(result), as_json=as_json)


def _require_fitted_from(labelled: Labelled, seed: int, model: Recogniser) -> None:
    """Fit it once more: the same sets and seed give the same file, and others another one."""
    from training.exercise.fit import fit_heads
    from training.exercise.write import write_recogniser

    exercises, heads = fit_heads(labelled.sets, seed)
    people = len({each.person for each in labelled.sets})
    with TemporaryDirectory() as folder:
        again = write_recogniser(
            Path(folder) / "again", exercises, heads, people=people, simulated=model.simulated
        )
    if again.version != model.version:
        raise ContractError(
            f"the recogniser {model.version} was not trained with these sets and this seed, which"
            f" give {again.version}",
            "give the table, map and seed that it was trained with, or train it again",
        )


def _audited(labelled: Labelled, seed: int, model: Recogniser) -> RecogniserAudit:
    import pandas as pd

    from audits.exercise import AS_RECORDED, accuracy_by_group
    from training.exercise.people_left_out import answers_of_people_left_out

    answers = answers_of_people_left_out(labelled.sets, seed, AS_RECORDED)
    sets = [labelled.sets[each.number] for each in answers]
    table = pd.DataFrame({
        **{name: [labels[each.number] for each in answers]
           for name, labels in labelled.attributes.items()},
        "person": [one.person for one in sets], "side": [one.side for one in sets],
        "movement": [each.movement for each in answers], "right": [each.right for each in answers],
    })  # fmt: skip
    return RecogniserAudit(
        model_version=model.version, people=table["person"].nunique(), sets=len(labelled.sets),
        simulated=model.simulated, groups=accuracy_by_group(table, tuple(labelled.attributes)),
    )  # fmt: skip


def _table(found: RecogniserAudit) -> Table:
    simulated = "SIMULATED: " if found.simulated else ""
    table = Table(
        "attribute", "group", "people", "sets named right", "95 % interval over people",
        title=f"{simulated}recogniser {found.model_version}, of people left out",
        caption="movements other than as recorded are SIMULATED from the same sets",
    )  # fmt: skip
    for row in found.groups:
        shown = row.right is not None and row.low is not None and row.high is not None
        table.add_row(
            row.attribute, row.group, str(row.people) if shown else "too few",
            f"{100 * (row.right or 0):.1f} %" if shown else "held back",
            f"{100 * (row.low or 0):.1f} to {100 * (row.high or 0):.1f}" if shown else "",
        )  # fmt: skip
    return table
