"""Cohorts and tasks, as files become objects."""

from __future__ import annotations

from pathlib import Path

from contracts.cohort import Cohort
from contracts.task import Task
from rehabcast.api.arguments import PATH, SWITCH, TEXT, takes
from stores.private_files import made_private


@takes(folder=PATH)
def read_cohort(folder: Path | str) -> Cohort:
    """Read and check a cohort folder, as `rehabcast cohort validate` does.

    Parameters
    ----------
    folder
        Cohort folder in the MEDS layout, written by an import or by the simulator.

    Returns
    -------
    Cohort
        `events` is a data frame with one row an event; `provenance` says where they come from, and
        whether they are simulated.

    Raises
    ------
    CohortInvalid
        The folder breaks the contract of a cohort: `problems` has every fault.
    """
    from features.cohort import read_cohort as read
    from rehabcast.settings import use_site_vocabulary

    use_site_vocabulary()
    return read(Path(folder))


@takes(source=PATH, destination=PATH, file_format=TEXT, map_file=PATH.or_none(), strict=SWITCH)
def import_cohort(
    source: Path | str,
    destination: Path | str,
    *,
    file_format: str = "auto",
    map_file: Path | str | None = None,
    strict: bool = False,
) -> Cohort:
    """Read a source and write a cohort folder, as `rehabcast cohort import` does.

    Parameters
    ----------
    source
        File or folder; the column map where `file_format` is `tables` (docs/importing.md).
    destination
        New cohort folder.
    file_format
        `auto`, where files are recognised by their content, or a name that the command takes.
    map_file
        TOML file with what the source's files do not say.
    strict
        Write nothing if anything was left out or must be looked at. Otherwise it is listed in
        `metadata/import.json` of the cohort.

    Raises
    ------
    ContractError
        The source, the format's name or the map cannot be used, or the destination exists.
    CohortInvalid
        Nothing usable was found, or not all of it where `strict`; nothing was written.
    """
    from features.importing import import_source
    from rehabcast.settings import use_site_vocabulary

    use_site_vocabulary()
    with made_private():
        imported = import_source(
            Path(source),
            Path(destination),
            format_name=file_format,
            map_file=None if map_file is None else Path(map_file),
            strict=strict,
        )
    return imported.cohort


@takes(file=PATH)
def read_task(file: Path | str) -> Task:
    """Read a task file: what is forecast, from what, and for whom it is audited.

    Parameters
    ----------
    file
        Path of a task file; `tasks/NAME.toml` is also found among those that rehabcast ships.

    Raises
    ------
    TaskInvalid, ContractError
        It is no task file: every mistake in it, or why it cannot be read.
    """
    from rehabcast.commands.learning.training import task_file
    from rehabcast.settings import use_site_vocabulary
    from training.task import read_task as read

    use_site_vocabulary()
    return read(task_file(str(file)))
