"""Which of the tasks in service a request is about: one of them, or all."""

from __future__ import annotations

from serving.faults import Fault
from serving.http.decoding import RequestInvalid
from serving.state.champion import Snapshot
from serving.state.champions import Champions, conflict


def chosen(champions: Champions, task: str, parameter: str = "task") -> Snapshot:
    """Return what is served of a task, at this moment.

    Parameters
    ----------
    task
        Its name; empty where none was sent, which is enough where one task is served.
    parameter
        What the name is sent as.

    Raises
    ------
    RequestInvalid
        None was sent and several are served, or it is none of them. The name is not repeated.
    """
    current, missing = champions.standing
    found = [each for each in current if task in {"", each.served.bundle.task.name}]
    if len(found) == 1:
        return found[0]
    names = ", ".join(each.served.bundle.task.name for each in current)
    advice = f"send one of these: {names}"
    if absent := ", ".join(missing):
        advice += f" (not in service now, /readyz says why: {absent})"
    if not task:
        raise RequestInvalid(f"{parameter} is missing, and several tasks are served", advice)
    if found:
        raise RequestInvalid("two models in service have this task", "tell the service's operator")
    raise RequestInvalid(f"{parameter} is none of the tasks that are served", advice)


def every_one(champions: Champions) -> tuple[list[Snapshot], dict[str, Fault]]:
    """Return what is served of every task, and which models are not in service, at this moment.

    Raises
    ------
    RequestInvalid
        Two of them have one task or one instrument: nobody could tell their answers apart.
    """
    current, missing = champions.standing
    if (both := conflict([each.served.bundle.task for each in current])) is not None:
        raise RequestInvalid(both.reason, "tell the service's operator, and name one task")
    return current, missing
