"""Seeded mutants of the gate: each is a fault somebody could make, and a test must notice it.

A mutant is one changed place in a copy of the source; the tests named beside it are run against the
copy and must fail. Unchanged, the same tests pass.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from contracts.digests import PACKAGES

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Mutant:
    name: str
    module: str
    before: str
    after: str
    tests: str


MUTANTS = (
    Mutant("flipped sign: at most passes above", "audits/measure/disparity.py",
           "Direction.AT_MOST: value - limit,", "Direction.AT_MOST: limit - value,",
           "judging/test_policy.py"),
    Mutant("flipped sign: at least passes below", "audits/measure/disparity.py",
           "Direction.AT_LEAST: limit - value,", "Direction.AT_LEAST: value - limit,",
           "judging/test_policy.py"),
    Mutant("an interval across both limits blocks", "audits/judging/decision.py",
           "bad = min(low, high) > 0 and same_side", "bad = min(low, high) > 0",
           "judging/test_policy.py"),
    Mutant("flipped sign: group less the rest", "audits/measure/disparity.py",
           "statistic_RG = value_RG - rest_RG", "statistic_RG = rest_RG - value_RG",
           "measure/test_disparity.py"),
    Mutant("flipped sign: candidate less comparator", "audits/measure/disparity.py",
           "candidate.value_RGM[:, :, column] - comparator.value_RGM[:, :, column]",
           "comparator.value_RGM[:, :, column] - candidate.value_RGM[:, :, column]",
           "measure/test_disparity.py"),
    Mutant("flipped sign: p-value", "audits/measure/disparity.py",
           "norm.sf(excess / error)", "norm.cdf(excess / error)", "measure/test_disparity.py"),
    Mutant("skipped group: the last", "audits/measure/disparity.py",
           "for group in range(value_RG.shape[1]):", "for group in range(value_RG.shape[1] - 1):",
           "measure/test_disparity.py"),
    Mutant("skipped group: not recorded", "audits/measure/groups.py",
           "    labels_G, group_N = np.unique(label_N.to_numpy(dtype=str), return_inverse=True)",
           "    label_N = label_N.replace('not recorded', 'male')\n"
           "    labels_G, group_N = np.unique(label_N.to_numpy(dtype=str), return_inverse=True)",
           "judging/test_judge.py::test_a_small_group_is_insufficient_evidence_and_never_dropped"),
    Mutant("skipped group: too small a one passes", "audits/judging/findings.py",
           "too_small = evidence.shortage is not None", "too_small = False", "judging/test_findings.py"),
    Mutant("skipped group: without a value it is left out", "audits/measure/disparity.py",
           "undefined_R = np.isnan(value_RG).any(axis=1)",
           "undefined_R = np.isnan(value_RG).all(axis=1)\n"
           "    value_RG = np.nan_to_num(value_RG, nan=np.nanmin(value_RG, initial=9e9))\n"
           "    undefined_R = undefined_R",
           "measure/test_disparity.py"),
    Mutant("dropped horizon: each is judged as all", "audits/judging/gather.py",
           "horizons(table) if rule.each_horizon else (None,)", "(None,)",
           "judging/test_judge.py::test_a_gap_at_one_horizon_is_found_there"),
    Mutant("dropped horizon: the last", "audits/measure/metrics.py",
           "for day in np.unique(table[HORIZON].to_numpy()))",
           "for day in np.unique(table[HORIZON].to_numpy())[:-1])", "measure/test_metrics.py"),
    Mutant("swapped bound: low and high", "audits/measure/intervals.py",
           "np.quantile(defined_R, [tail, 1 - tail])", "np.quantile(defined_R, [1 - tail, tail])",
           "measure/test_intervals.py"),
    Mutant("swapped bound: pass by the low end", "audits/judging/decision.py",
           "good = max(low, high) <= 0", "good = min(low, high) <= 0", "judging/test_policy.py"),
    Mutant("swapped bound: NaN is let through", "audits/judging/decision.py",
           "if interval is None or not all(map(math.isfinite, "
           "(estimate, interval.low, interval.high))):",
           "if interval is None:", "judging/test_policy.py"),
    Mutant("drawn by row and not by person", "audits/measure/intervals.py",
           "_, subject_N = np.unique(table[SUBJECT].to_numpy(), return_inverse=True)",
           "subject_N = np.arange(len(table))", "measure/test_intervals.py"),
    Mutant("no Benjamini-Hochberg", "audits/judging/findings.py",
           "false_discovery_control(p_values)", "p_values", "judging/test_findings.py"),
    Mutant("gravest is mildest", "audits/judging/decision.py",
           "return max(outcomes, key", "return min(outcomes, key", "judging/test_policy.py"),
    Mutant("leaks do not bind", "audits/judging/validation.py",
           "        binding=True,", "        binding=False,", "judging/test_validation.py"),
    Mutant("a missing champion's forecasts are no obstacle", "audits/judging/rules.py",
           "if rule.comparator == CHAMPION and champion is None:",
           "if rule.comparator == CHAMPION:", "judging/test_judge.py"),
    Mutant("gate: a blocked audit can be overridden", "audits/ledger/gate.py",
           "audit.outcome in {Outcome.INSUFFICIENT, Outcome.REVIEW} and override is not None",
           "override is not None", "ledger/test_gate.py"),
    Mutant("gate: an old report will do", "audits/ledger/gate.py",
           "if presented.report_digest != audit.report_digest:", "if False:", "ledger/test_gate.py"),
    Mutant("gate: other bytes will do", "audits/ledger/gate.py",
           "if presented.bundle_digest != audit.bundle_digest:", "if False:", "ledger/test_gate.py"),
    Mutant("gate: an edited policy will do", "audits/ledger/gate.py",
           "if presented.policy_digest != audit.policy_digest:", "if False:", "ledger/test_gate.py"),
    Mutant("gate: an audit never ends", "audits/ledger/gate.py",
           "if not audit.recorded_at <= now < audit.valid_until:",
           "if not audit.recorded_at <= now:", "ledger/test_gate.py"),
    Mutant("gate: an override never ends", "audits/ledger/gate.py",
           "if override.until <= now:", "if False:", "ledger/test_gate.py"),
    Mutant("gate: one person is two", "audits/ledger/gate.py",
           "if same_person(people[Role.ML_OWNER], people[Role.GOVERNANCE]):", "if False:",
           "ledger/test_gate.py"),
    Mutant("ledger: the swap does not compare", "audits/ledger/promotions.py",
           ".where(columns.model == champion.model, columns.epoch == seen)",
           ".where(columns.model == champion.model)", "ledger/test_ledger.py"),
    Mutant("ledger: an edit is not noticed", "audits/ledger/trail.py",
           "if _hash(entry) != entry.hash:", "if False:", "ledger/test_ledger.py"),
    Mutant("ledger: a cut is not noticed", "audits/ledger/consistency.py",
           "if len(stored) < anchor.length:", "if False:", "ledger/test_ledger.py"),
)  # fmt: skip

SLICE = (3, 7, 13, 22)
"""Three that the policy can be got wrong by, and one of the gate; the rest is run by `make soak`."""


def failing(tree: Path, tests: str) -> bool:
    """Run tests against a copy of the source; tell whether any failed."""
    # On the path before the checkout's own packages, which are installed as editable.
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", "-k",
         "not postgresql", f"tests/audits/{tests}"],
        capture_output=True, text=True, cwd=tree, env=environment, check=False, timeout=600,
    )  # fmt: skip
    assert done.returncode in {0, 1}, done.stdout[-2000:] + done.stderr[-2000:]
    return done.returncode == 1


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    copy = tmp_path / "tree"
    # With what was compiled of it, which is still right of all but the file that is changed.
    for package in PACKAGES:
        shutil.copytree(ROOT / package, copy / package)
    shutil.copytree(ROOT / "tests" / "audits", copy / "tests" / "audits")
    shutil.copy(ROOT / "tests" / "refusals.py", copy / "tests" / "refusals.py")
    shutil.copy(ROOT / "pyproject.toml", copy / "pyproject.toml")
    return copy


def killed(tree: Path, mutant: Mutant) -> bool:
    path = tree / mutant.module
    text = path.read_text("utf-8")
    assert text.count(mutant.before) == 1, f"{mutant.name}: the code to change is not found once"
    path.write_text(text.replace(mutant.before, mutant.after), "utf-8")
    return failing(tree, mutant.tests)


@pytest.mark.parametrize("mutant", [MUTANTS[n] for n in SLICE], ids=lambda mutant: mutant.name)
def test_a_mutant_is_killed(tree: Path, mutant: Mutant) -> None:
    assert killed(tree, mutant)


@pytest.mark.soak
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_every_mutant_is_killed(tree: Path, mutant: Mutant) -> None:
    assert killed(tree, mutant)


def test_every_place_to_change_is_there() -> None:
    for mutant in MUTANTS:
        assert (ROOT / mutant.module).read_text("utf-8").count(mutant.before) == 1, mutant.name


@pytest.mark.soak
@pytest.mark.parametrize("tests", sorted({mutant.tests for mutant in MUTANTS}))
def test_the_copy_unchanged_passes(tree: Path, tests: str) -> None:
    assert not failing(tree, tests)
