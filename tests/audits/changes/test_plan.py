"""A change plan that makes no sense is refused in plain words, with where and what to do."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from audits.changes.authored import load_plan
from audits.changes.plan import EXAMPLE, misfits
from contracts.changes.difference import ChangeKind
from contracts.errors import ContractError
from contracts.task import Task
from tests.refusals import same_as_kept

Edit = Callable[[dict[str, Any]], Any]

FAULTS: dict[str, Edit] = {
    "an unknown key": lambda p: p.update(owner="mia"),
    "an unknown key of a change": lambda p: p["changes"][0].update(why="x"),
    "no line": lambda p: p.pop("line"),
    "an empty line": lambda p: p.update(line=" "),
    "a name that cannot be seen": lambda p: p.update(line="arm\u200b"),
    "a version instead of a line": lambda p: p.update(line="arm/1"),
    "no changes": lambda p: p.update(changes=[]),
    "no criteria": lambda p: p.update(criteria=[]),
    "an unknown kind": lambda p: p["changes"][0].update(kind="bigger"),
    "a kind twice": lambda p: p["changes"].append(p["changes"][0]),
    "an empty test": lambda p: p["changes"][0].update(test=""),
    "a short impact": lambda p: p["changes"][0].update(impact="none"),
    "an unknown metric": lambda p: p["criteria"][0].update(metric="accuracy"),
    "a metric of which nothing is worse": lambda p: p["criteria"][0].update(metric="signed error"),
    "refusals": lambda p: p["criteria"][0].update(metric="refusal rate"),
    "a limit below nothing": lambda p: p["criteria"][0].update(worse_by_at_most=-0.5),
    "a limit that is no number": lambda p: p["criteria"][0].update(worse_by_at_most=float("nan")),
    "a share as a percentage": lambda p: p["criteria"][2].update(worse_by_at_most=10),
    "a bound that is none": lambda p: p["criteria"][0].update(confidence=0.5),
    "too few people": lambda p: p["criteria"][0].update(minimum_people=2),
    "attributes of everyone": lambda p: p["criteria"][0].update(attributes=["sex"]),
    "an attribute twice": lambda p: p["criteria"][2].update(attributes=["sex", "sex"]),
    "no attributes": lambda p: p["criteria"][2].update(attributes=[]),
    "nothing by group": lambda p: p.update(criteria=p["criteria"][:1]),
    "nothing for everyone": lambda p: p.update(criteria=p["criteria"][1:]),
    "two limits": lambda p: p["criteria"].append({**p["criteria"][1], "attributes": ["sex"]}),
    "a limit for everyone that never decides": lambda p: p["criteria"][0].update(
        worse_by_at_most=2.0
    ),
    "no reason to retrain": lambda p: p["retrain_when"].update(conditions=[]),
    "no way back": lambda p: p.pop("rollback"),
    "an empty way back": lambda p: p["rollback"].update(how=" "),
}


def toml(value: Any) -> str:
    """Write what a TOML file holds, as one that is read to the same."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{key} = {toml(part)}' for key, part in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml, value))}]"
    return str(value) if isinstance(value, float) else json.dumps(value)


def write(file: Path, content: dict[str, Any]) -> Path:
    file.write_text("\n".join(f"{key} = {toml(v)}" for key, v in content.items()), "utf-8")
    return file


@pytest.mark.parametrize("name", FAULTS)
def test_a_plan_that_makes_no_sense_is_refused_with_where_and_what_to_do(
    tmp_path: Path, name: str
) -> None:
    content = tomllib.loads(EXAMPLE.read_text("utf-8"))
    FAULTS[name](content)
    file = write(tmp_path / "plan.toml", content)
    with pytest.raises(ContractError, match="plan new FILE --line NAME") as caught:
        load_plan(file)
    same_as_kept(str(caught.value).replace(f"{tmp_path}/", ""))


@pytest.mark.parametrize("content", ["line = ", "\x00", "[[changes]]\n[changes]"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(content, "utf-8")
    with pytest.raises(ContractError, match="not a change plan"):
        load_plan(file)
    with pytest.raises(ContractError, match="cannot be read"):
        load_plan(tmp_path / "none.toml")


def test_the_example_fits_the_task_and_criteria_of_what_is_not_audited_do_not(task: Task) -> None:
    plan = load_plan(EXAMPLE)
    assert misfits(plan, task) == []
    without = task.model_copy(update={"sensitive": task.sensitive[:1], "milestones": ()})
    assert misfits(plan, without) == [
        "criteria 3, attributes, age band: the task does not audit it (it has sex)"
    ]
    first, *rest = plan.criteria
    wide = first.model_copy(update={"worse_by_at_most": 66.0})
    milestone = first.model_copy(update={"metric": type(first.metric)("Brier score")})
    odd = plan.model_copy(update={"criteria": (wide, milestone, *rest)})
    assert [fault.partition(":")[0] for fault in misfits(odd, without)] == [
        "criteria 4, attributes, age band",
        "criteria 1, worse_by_at_most is 66, but the whole scale has 66 points, so no version"
        " could break it",
        "criteria 2, metric, Brier score",
    ]


def test_a_plan_is_known_by_its_content_and_not_by_its_layout(tmp_path: Path) -> None:
    other = write(tmp_path / "plan.toml", tomllib.loads(EXAMPLE.read_text("utf-8")))
    assert load_plan(other).digest == load_plan(EXAMPLE).digest


def test_a_plan_may_say_its_form_and_is_the_same_plan(tmp_path: Path) -> None:
    text, file = EXAMPLE.read_text("utf-8"), tmp_path / "plan.toml"
    file.write_text(f'format = "rehabcast-change-plan/1"\n{text}', "utf-8")
    assert load_plan(file).digest == load_plan(EXAMPLE).digest
    file.write_text(f'format = "rehabcast-change-plan/2"\n{text}', "utf-8")
    with pytest.raises(ContractError, match=r"rehabcast-change-plan/2.*or a later one"):
        load_plan(file)


def test_the_example_of_the_docs_is_the_one_that_is_written() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "change-plan.md").read_text("utf-8")
    shown = page.partition("```toml\n")[2].partition("```")[0]
    shipped = EXAMPLE.read_text("utf-8")
    assert shown == shipped[shipped.index('line = "arm"') :]
    assert [kind for kind in ChangeKind if kind not in page] == []
    comment = " ".join(shipped.replace("#", " ").split())
    assert [kind for kind in ChangeKind if kind not in comment] == []
