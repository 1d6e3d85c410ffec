"""The training job, and what it leaves in the registry (`registry.model_versions`, `tracking`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from mlflow.entities import Run

from audits.judging.lost.missing import violations
from contracts.bundle import CODES_FILE, MANIFEST_FILE, PROFILE_FILE, Judging, Manifest
from contracts.changes.difference import SHOWN_BY_TRAINING, differences
from contracts.changes.facts import facts_of
from contracts.cohort import ENROLMENT, Cohort, Provenance
from contracts.digests import file_digest
from contracts.errors import ContractError, EvidenceMissing, IntegrityError
from contracts.predictions import ASKED, CANDIDATE, MODEL, forecasts_of, questions_of
from contracts.task import Task
from inference.people_at_times import learn_people_at_times, read_people_at_times
from training.fitting.config import TrainingConfig
from training.fitting.preparation import training_parts
from training.registry.follow_up import fetch_follow_up
from training.registry.foreseen import foreseen
from training.registry.model_versions import (
    BUNDLE_FOLDER,
    FOLLOW_UP_FILE,
    PREDICTIONS_FILE,
    SPLITS_FILE,
    ChampionAliases,
    ModelVersion,
    fetch,
    find,
)
from training.tracking import INPUTS, KIND, OF_MODELS, Store, run
from training.train import COMPARATORS, steps, train

QUICK = TrainingConfig(max_epochs=2, folds=3, hidden=4)

# MLflow itself uses deprecated interfaces.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning"),
    pytest.mark.usefixtures("quick_training"),
]


@pytest.fixture(scope="module")
def cohort(events: pd.DataFrame) -> Cohort:
    provenance = Provenance(name="made up", source="test", simulated=True)
    return Cohort(events=events, provenance=provenance, digest="0" * 64)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    folder = tmp_path_factory.mktemp("store")
    return Store(tracking_uri=f"sqlite:///{folder}/mlflow.db", artifacts=folder / "artifacts")


@pytest.fixture(scope="module")
def trained(
    cohort: Cohort,
    task: Task,
    store: Store,
    tmp_path_factory: pytest.TempPathFactory,
    quick_training: None,
) -> ModelVersion:
    seen: list[str] = []
    version = train(
        cohort,
        task,
        QUICK,
        model="upper-limb",
        store=store,
        checkpoints=tmp_path_factory.mktemp("checkpoints"),
        advance=seen.append,
    )
    assert len(seen) == steps(QUICK)
    return version


def test_a_trained_version_can_be_found_with_its_provenance(
    trained: ModelVersion, store: Store, cohort: Cohort
) -> None:
    assert str(trained) == "upper-limb/1"
    version = find(store, "upper-limb/1")
    assert version.run_id == trained.run_id
    assert version.tags["simulated"] == "True"
    bundle = fetch(store, version, BUNDLE_FOLDER)
    manifest = Manifest.model_validate_json((bundle / MANIFEST_FILE).read_text("utf-8"))
    assert manifest.simulated
    assert manifest.data_digest == cohort.digest
    assert manifest.predictions_digest == file_digest(fetch(store, version, PREDICTIONS_FILE))
    at_times = read_people_at_times((bundle / PROFILE_FILE).read_bytes())
    assert at_times is not None
    # Of those who were held out, or tuned on, nothing is said.
    names = pd.read_parquet(fetch(store, version, SPLITS_FILE)).query("split == 'train'")
    learned_from = cohort.events[cohort.events["subject_id"].isin(names["subject_id"])]
    assert at_times == learn_people_at_times(learned_from)
    assert at_times.codes
    assert "SIMULATED" in (bundle / "model-card.md").read_text("utf-8")
    assert "MLmodel" in manifest.files


def test_the_run_holds_parameters_metrics_figures_and_digests(
    trained: ModelVersion, store: Store
) -> None:
    logged = store.client().get_run(trained.run_id)
    assert logged.info.status == "FINISHED"
    assert {"seed", "data_digest", "config_digest", "code_digest"} <= set(logged.data.params)
    assert "out_of_fold/candidate/crps" in logged.data.metrics
    assert "out_of_fold/last_observation/crps" in logged.data.metrics
    splits = pd.read_parquet(fetch(store, trained, SPLITS_FILE))
    held_out = (splits["split"] == "held_out").sum()
    # What is logged of fewer than 11 people could be about one of them.
    assert ("held_out/mae" in logged.data.metrics) == (held_out >= 11)
    table = pd.read_parquet(fetch(store, trained, PREDICTIONS_FILE))
    given = table[(table["model"] == "candidate") & ~table["refused"]]
    error = (given["q50"] - given["truth"]).abs().mean()
    # The report's rows: with the refused ones, the two would tell the errors of the refused.
    assert logged.data.metrics["out_of_fold/candidate/mae"] == pytest.approx(error)
    files = {entry.path for entry in store.client().list_artifacts(trained.run_id)}
    assert {"calibration.png", "error-by-horizon.png", "predictions.parquet"} <= files


def test_mlflow_shows_an_engineer_what_was_trained_on_and_how_it_went(
    trained: ModelVersion, store: Store, cohort: Cohort, task: Task
) -> None:
    client = store.client()
    logged = client.get_run(trained.run_id)
    assert {"task", "cohort", "simulated", INPUTS} <= set(logged.data.tags)
    (used,) = logged.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == ("made up", cohort.digest[:36])
    assert cohort.digest in used.dataset.source
    assert {tag.value for tag in used.tags} == {"training"}
    for name in ("training_loss/without folds 0 and 1", "validation_loss/without folds 0 and 1"):
        shown = client.get_metric_history(trained.run_id, name)
        # With fewer than 11 people to stop by, their loss would be about one of them.
        assert [one.step for one in shown] == ([] if name.startswith("validation") else [0, 1])
        assert all(one.value > 0 for one in shown)
    version = client.get_model_version(trained.name, trained.version)
    assert "SIMULATED" in version.description
    assert task.name in version.description
    assert "reaches nobody before its audit" in version.description
    # Its errors stand beside those of its comparators, as text that a page shows as a table.
    rows = [line for line in version.description.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0].strip("|* ") for row in rows[1:]].count("this model") == 1
    assert len(rows) - 1 == len(
        {n.split("/")[1] for n in logged.data.metrics if "out_of_fold" in n}
    )
    # The run says the same, is told from others of its model, and leads to code and version.
    assert logged.data.tags["mlflow.note.content"] == version.description
    assert logged.info.run_name == f"train {trained}"
    assert logged.data.tags["mlflow.source.name"] == "rehabcast"
    assert task.name in client.get_registered_model(trained.name).description


def test_mlflow_opens_the_pages_of_trainings_and_not_those_of_prompts(
    trained: ModelVersion, store: Store
) -> None:
    client = store.client()
    number = store.experiment_id(client)
    assert client.get_experiment(number).tags[KIND] == OF_MODELS
    # What somebody chose there stays; an experiment of an earlier version is told too.
    client.set_experiment_tag(number, KIND, "genai_development")
    assert client.get_experiment(store.experiment_id(client)).tags[KIND] == "genai_development"
    client.delete_experiment_tag(number, KIND)
    assert client.get_experiment(store.experiment_id(client)).tags[KIND] == OF_MODELS


def test_a_training_that_was_broken_off_goes_on_as_the_same_run_and_to_the_same_numbers(
    trained: ModelVersion, cohort: Cohort, task: Task, store: Store, tmp_path: Path
) -> None:
    def stop(_: str) -> None:
        raise KeyboardInterrupt

    def asked(advance: Callable[[str], None]) -> ModelVersion:
        return train(
            cohort, task, QUICK, model="stopped", store=store, checkpoints=tmp_path, advance=advance
        )

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            asked(stop)
    (killed,) = runs_of("stopped", store)
    assert killed.info.status == "KILLED"
    version = asked(lambda _: None)
    (ended,) = runs_of("stopped", store)
    assert (ended.info.run_id, ended.info.status) == (version.run_id, "FINISHED")
    # One that came to its end is another run.
    again = asked(lambda _: None)
    assert again.run_id != version.run_id
    assert len(runs_of("stopped", store)) == 2
    numbers = {
        file_digest(fetch(store, each, PREDICTIONS_FILE)) for each in (trained, version, again)
    }
    assert len(numbers) == 1


def runs_of(model: str, store: Store) -> list[Run]:
    client = store.client()
    found = client.search_runs([store.experiment_id(client)], f"run_name LIKE 'train {model}%'")
    return list(found)


def test_held_out_subjects_are_in_no_prediction(trained: ModelVersion, store: Store) -> None:
    splits = pd.read_parquet(fetch(store, trained, SPLITS_FILE))
    table = forecasts_of(pd.read_parquet(fetch(store, trained, PREDICTIONS_FILE)))
    assert splits["subject_id"].is_unique
    held_out = set(splits.loc[splits["split"] == "held_out", "subject_id"])
    assert len(held_out) == round(QUICK.held_out_share * len(splits))
    assert not held_out & set(table["subject_id"])
    assert set(table["model"]) == {CANDIDATE, *COMPARATORS}


def test_everybody_is_asked_about_on_the_newest_day_whether_held_out_or_without_outcome(
    trained: ModelVersion, store: Store, events: pd.DataFrame
) -> None:
    table = pd.read_parquet(fetch(store, trained, PREDICTIONS_FILE))
    asked = questions_of(table)
    assert asked["subject_id"].tolist() == sorted(events["subject_id"].unique())
    assert (asked["origin_day"] >= 0).all()
    # Their newest day is mostly later than the landmarks that training and audit know.
    assert (asked["origin_day"] > 21).mean() > 0.5
    assert (asked["refused"] == (asked["refusal"] != "")).all()
    assert {"group:sex", "group:hospital"} <= set(asked.columns)
    assert not {"truth", "q50"} & set(asked.columns)


def test_questions_change_no_forecast_and_no_type_of_a_column(
    trained: ModelVersion, store: Store
) -> None:
    table = pd.read_parquet(fetch(store, trained, PREDICTIONS_FILE))
    forecasts = forecasts_of(table)
    assert ASKED not in set(forecasts[MODEL])
    assert forecasts["fold"].dtype == "int64"
    assert all(forecasts[c].dtype == bool for c in forecasts if c.startswith("reached:"))
    assert forecasts["group:age band"].cat.ordered
    assert forecasts["truth"].notna().all()


def test_the_manifest_says_how_the_judged_forecasts_were_made(
    trained: ModelVersion, store: Store
) -> None:
    bundle = fetch(store, trained, BUNDLE_FOLDER)
    manifest = Manifest.model_validate_json((bundle / MANIFEST_FILE).read_text("utf-8"))
    judging = manifest.judging
    assert judging is not None
    assert judging == Judging(folds=3, members=3, members_unseen=2, joined=judging.joined)


def test_all_but_what_only_training_shows_is_foreseen(
    trained: ModelVersion, store: Store, cohort: Cohort, task: Task
) -> None:
    """From a manifest that shares nothing with it: a change plan is asked before training."""
    bundle = fetch(store, trained, BUNDLE_FOLDER)
    manifest = Manifest.model_validate_json((bundle / MANIFEST_FILE).read_text("utf-8"))
    before = Manifest(
        files={CODES_FILE: "another"}, family="another", modalities=(), channels=(),
        channel_modalities=(), person=(), horizon_days=(), cohort_name="another", simulated=False,
        data_digest="", task_digest="", config_digest="", code_digest="", predictions_digest="",
        seed=9, subjects=1, created="",
    )  # fmt: skip
    parts = training_parts(cohort, task, QUICK)
    expected = foreseen(before, cohort, parts, task, QUICK, pretrained_on="")
    assert expected.subjects == manifest.subjects
    found = differences(
        facts_of(expected, task, None), facts_of(manifest, task, None), fewer_people=False
    )
    assert {each.kind for each in found} <= set(SHOWN_BY_TRAINING)


def test_the_follow_up_table_tells_of_every_forecast_and_of_people_without_an_outcome(
    trained: ModelVersion, cohort: Cohort, task: Task, store: Store
) -> None:
    path = fetch(store, trained, FOLLOW_UP_FILE)
    bundle = fetch(store, trained, BUNDLE_FOLDER)
    manifest = Manifest.model_validate_json((bundle / MANIFEST_FILE).read_text("utf-8"))
    assert manifest.follow_up_digest == file_digest(path)
    rows = fetch_follow_up(store, trained, manifest.follow_up_digest)
    assert rows is not None
    assert fetch_follow_up(store, trained, None) is None
    with pytest.raises(IntegrityError, match="is not the one"):
        fetch_follow_up(store, trained, "0" * 64)
    table = pd.read_parquet(fetch(store, trained, PREDICTIONS_FILE))
    candidate = table[table["model"] == CANDIDATE]
    assert not list(violations(rows, candidate))
    keys = ["subject_id", "origin_day", "horizon_day"]
    observed = rows[rows["status"] == "observed"]
    # The made-up cohort gives real dates; the windows of some people are not over yet.
    assert 0 < len(observed) == len(observed.merge(candidate[keys], on=keys))
    assert (rows["status"] == "lost").any()
    early = observed[observed["early_error"].notna()]
    assert len(early)
    assert early["horizon_day"].min() > min(horizon.day for horizon in task.horizons)


def test_nothing_is_due_at_a_horizon_that_nobody_is_given(
    cohort: Cohort, task: Task, store: Store, tmp_path: Path
) -> None:
    """Few people of a real cohort had an outcome at week 52: no audit of it could ever pass."""
    events = cohort.events
    enrolled = events[events["code"] == ENROLMENT].set_index("subject_id")["time"]
    since = (events["time"] - events["subject_id"].map(enrolled)).dt.days
    few = replace(cohort, events=events[~((since > 300) & (events["subject_id"] > 12))])
    version = train(few, task, QUICK, model="few", store=store, checkpoints=tmp_path)
    rows = pd.read_parquet(fetch(store, version, FOLLOW_UP_FILE))
    table = pd.read_parquet(fetch(store, version, PREDICTIONS_FILE))
    assert not list(violations(rows, table[table["model"] == CANDIDATE]))
    assert set(rows["horizon_day"]) == {h.day for h in task.horizons} - {364}


def test_too_few_subjects_are_refused_before_a_run_is_opened(
    cohort: Cohort, task: Task, store: Store, tmp_path: Path
) -> None:
    few = replace(cohort, events=cohort.events[cohort.events["subject_id"] < 10])
    with pytest.raises(ContractError, match="9 subjects"):
        train(few, task, QUICK, model="few", store=store, checkpoints=tmp_path)


def test_a_version_that_does_not_exist_is_an_error(store: Store) -> None:
    with pytest.raises(EvidenceMissing, match="train one first"):
        find(store, "upper-limb/99")
    with pytest.raises(ContractError, match="write it as NAME/N"):
        find(store, "upper-limb")


def test_a_file_that_the_run_did_not_log_is_an_error(trained: ModelVersion, store: Store) -> None:
    with pytest.raises(EvidenceMissing, match=r"the run of upper-limb/1 has no nothing\.txt"):
        fetch(store, trained, "nothing.txt")


def test_the_alias_mirrors_the_champion(trained: ModelVersion, store: Store) -> None:
    aliases = ChampionAliases(store=store)
    assert aliases.version("upper-limb") is None
    aliases.set_version("upper-limb", trained.version)
    assert aliases.version("upper-limb") == trained.version
    aliases.set_version("upper-limb", None)
    assert aliases.version("upper-limb") is None


@pytest.mark.parametrize(
    ("raised", "status"), [(RuntimeError, "FAILED"), (KeyboardInterrupt, "KILLED")]
)
def test_a_run_that_fails_is_not_left_running(
    store: Store, raised: type[BaseException], status: str
) -> None:
    run_ids = []

    def breaking() -> None:
        with run(store, name="breaks", tags={}) as opened:
            run_ids.append(opened.run_id)
            raise raised

    with pytest.raises(raised):
        breaking()
    assert store.client().get_run(run_ids[0]).info.status == status


def test_refused_forecasts_are_marked_for_every_model_alike(
    store: Store, trained: ModelVersion
) -> None:
    table = forecasts_of(pd.read_parquet(fetch(store, trained, PREDICTIONS_FILE)))
    assert table["refused"].dtype == bool
    by_forecast = table.groupby(["subject_id", "origin_day", "horizon_day"])["refused"].nunique()
    assert (by_forecast == 1).all()
    assert 0 <= table["refused"].mean() < 0.2
