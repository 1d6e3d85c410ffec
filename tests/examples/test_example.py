"""The example's tables are what the simulator writes, and its notebook runs from top to bottom."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import nbformat
import pytest
from nbclient import NotebookClient

import rehabcast
from inference.bundle import Bundle
from rehabcast.settings import Settings
from tests.conftest import ROOT
from tests.rehabcast.test_pyfunc import registered

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:.*Pydantic.*", "ignore::UserWarning"),
]

EXAMPLES = ROOT / "examples"
NOTEBOOK = EXAMPLES / "from-csv-to-forecast.ipynb"
CELLS = nbformat.read(NOTEBOOK, as_version=4).cells


def test_the_tables_are_those_that_the_simulator_writes(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("write_csv", EXAMPLES / "write_csv.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.main(tmp_path)
    made = sorted(path.relative_to(tmp_path) for path in tmp_path.rglob("*.csv"))
    assert made == sorted(path.relative_to(EXAMPLES) for path in EXAMPLES.rglob("*.csv"))
    assert [
        file for file in made if (tmp_path / file).read_bytes() != (EXAMPLES / file).read_bytes()
    ] == []


def test_the_notebook_says_that_its_people_are_simulated_and_is_kept_without_outputs() -> None:
    assert "**SIMULATED:**" in CELLS[0].source
    assert [cell.id for cell in CELLS if cell.cell_type == "code" and cell.outputs] == []


@pytest.fixture
def in_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(EXAMPLES)
    for name in [name for name in os.environ if name.startswith("REHABCAST_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    yield tmp_path
    os.environ.pop("REHABCAST_HOME", None)


def test_the_notebooks_cells_run_with_a_model_that_is_there_already(
    in_examples: Path, bundle: Bundle, bundle_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole notebook is a soak; here, training and audit are the only parts left out."""

    def train(
        cohort: rehabcast.Cohort, task: rehabcast.Task, *, model: str, parameters: object
    ) -> object:
        assert (model, task.name) == ("arm", bundle.task.name)
        version = registered(Settings(), bundle_folder, in_examples / "made" / "bundle")
        return SimpleNamespace(model_version=str(version))

    finding = SimpleNamespace(outcome="pass", binding=True)
    verdict = SimpleNamespace(outcome="insufficient evidence", findings=[finding])
    monkeypatch.setattr(rehabcast, "train", train)
    monkeypatch.setattr(rehabcast, "audit", lambda version: SimpleNamespace(verdict=verdict))
    monkeypatch.setattr(rehabcast, "evaluate", lambda version, cohort, output: scores())
    known: dict[str, object] = {}
    with mpl.rc_context({"backend": "agg"}):
        for cell in CELLS:
            if cell.cell_type == "code":
                exec(compile(cell.source, f"{NOTEBOOK.name} {cell.id}", "exec"), known)  # noqa: S102  (our own cells)
    answer = known["answer"]
    assert isinstance(answer, rehabcast.ForecastAnswer)
    assert answer.status == "forecast", answer.reason


def scores() -> SimpleNamespace:
    horizon = SimpleNamespace(weeks=12.0, outcomes=2, mae=5.0, crps=4.0)
    return SimpleNamespace(
        validation="external", overlap=SimpleNamespace(new=12), horizons=[horizon]
    )


@pytest.mark.soak
def test_the_whole_notebook_runs_as_it_stands(in_examples: Path) -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        resources={"metadata": {"path": str(EXAMPLES)}},
    ).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert [output for output in shown if output.output_type == "error"] == []
    assert [output for output in shown if "image/png" in output.get("data", {})]
    said = "".join(output.get("text", "") for output in shown)
    assert "Verdict: insufficient evidence" in said
    assert "Nobody has let arm/1 into service" in said
