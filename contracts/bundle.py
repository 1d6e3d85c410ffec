"""The model bundle: a folder that can be served, with no pickle in it.

=========================  =====================================================================
`manifest.json`            `Manifest`: SHA-256 of every other file, and what the model rests on
`encoder.onnx`             past and person -> embeddings, one per modality (late fusion)
`head.onnx`                embeddings and which modalities are present -> quantiles
`coalitions.onnx`          embeddings and which parts each coalition knows -> medians
`curves.onnx`              embeddings and which modalities are present -> the curves of recovery
                           that a forecast consists of, to ask about other plans of therapy
                           (`inference.twin`); only of the hybrid, and not of earlier versions
`tensors.safetensors`      calibration offsets added to the quantiles: `calibration_HQ` for
                           everybody, `calibration_GHQ` on top for each group of the manifest,
                           `calibration_late_Q` late after onset, in part between the two
                           `calibration_onset_days_2` (`inference.offsets`; not in earlier forms);
                           `people_seen_*`, how many people alike were seen, in broad classes and
                           rounded (`inference.similar`); `doses_seen_*`, how many of them had so
                           much therapy (`inference.twin.support`); `courses_seen_*`, and over the
                           weeks that followed (`inference.twin.courses`), which earlier bundles
                           lack; `by_people_H`, what more people would settle; `outcomes_H`,
                           how many at each horizon;
                           `visit_correlation_1` and `chances_moved_MH` of the milestones
                           (`inference.milestones`); and `reference_*`, mean and spread of the
                           training people on all their days (no row)
`task.json`                the task, as `contracts.task.Task`
`model-card.md`            for people
`people.sealed`            who was trained on or held out, encrypted (`inference.people`); bundles
                           of earlier versions lack it, and whom they saw is then not known
`profile.json`             quartiles of how people stood at each time since onset, rounded, of at
                           least 11 people (`inference.people_at_times`); bundles of earlier
                           versions lack it, and people at that time are then not known
`vocabulary.toml`          what those codes mean that rehabcast does not ship (`Additions`); only
                           where the model was made with any
=========================  =====================================================================

The ONNX graphs carry their own normalisation. With B subjects, T days, C channels, S person
covariates, M modalities, D embedding width, H horizons and Q quantile levels:

encoder.onnx
    in `values` float32 (B, T, C), `observed` float32 (B, T, C) of 0 and 1,
    `days_since_onset` float32 (B, T), `origin_day` float32 (B,), `person` float32 (B, S),
    `person_known` float32 (B, S)
    out `embeddings` float32 (B, M, D)
head.onnx
    in `embeddings` float32 (B, M, D), or (1, M, D) for many coalitions of one pair, and `present`
    float32 (B, M) of 0 and 1
    out `quantiles` float32 (B, H, Q), before the calibration offsets, rising along Q
coalitions.onnx
    in `embeddings` float32 (V, M, D), V views of one pair's past, and `shown` float32 (K, V, M) of
    0 and 1, at most one view of a modality; all K agree on the modalities that have no parts
    (time since onset, therapy: view 0 or none); `horizon` int64 (1,), its index, which
    bundles of earlier versions lack
    out `medians` float32 (K, 1), the same as the middle of `quantiles` there; (K, H) of earlier
    versions
curves.onnx
    in `embeddings` float32 (B, M, D) and `present` float32 (B, M) of 0 and 1
    out, for N members and P curves each, of each pair `weight` (N, B, P), `onset` (N, B) days,
    `shift` and `spread` (N, B, H) on the share of the scale; of all `latent` (N, P, 5), logit
    start, logit rate, log time constant in days, gain after enrolment in logits and the log of its
    time constant, and `effect` (N, P), the part by which as much therapy as can be given speeds
    recovery up. Curves of the groups follow each other, as many of each
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from contracts.groups import GroupName
from contracts.sequences import PersonCovariate
from contracts.vocabulary.additions import VOCABULARY_FILE

MANIFEST_FILE = "manifest.json"
ENCODER_FILE = "encoder.onnx"
HEAD_FILE = "head.onnx"
COALITIONS_FILE = "coalitions.onnx"
CURVES_FILE = "curves.onnx"
CURVES_OF_PAIRS = ("weight", "onset", "shift", "spread")
CURVES_OF_ALL = ("latent", "effect")
TENSORS_FILE = "tensors.safetensors"
TASK_FILE = "task.json"
CARD_FILE = "model-card.md"
PEOPLE_FILE = "people.sealed"
PROFILE_FILE = "profile.json"
CODES_FILE = VOCABULARY_FILE
REGISTRY_NOTE = "registered_model_meta"
"""File that MLflow's client writes into a bundle which it downloads, and into the registry's own
where that is a local folder: which version it was. Nothing reads it, so it may be there or not."""
CALIBRATION = "calibration_HQ"
GROUP_CALIBRATION = "calibration_GHQ"
LATE_CALIBRATION, ONSET_DAYS = "calibration_late_Q", "calibration_onset_days_2"
REFERENCE_MEAN, REFERENCE_COVARIANCE = "reference_mean_F", "reference_covariance_FF"
REFERENCE_LIMIT = "reference_limit_1"
PEOPLE_SEEN, PEOPLE_SEEN_FROM = "people_seen_DSKH", "people_seen_from_1"
CAUTION = "people_seen_caution_1"
BY_PEOPLE = "by_people_H"
DOSES_SEEN, DOSES_SEEN_FROM = "doses_seen_KDSB", "doses_seen_from_1"
COURSES_SEEN, COURSES_SEEN_FROM = "courses_seen_WDSB", "courses_seen_from_1"
OUTCOMES, VISIT_CORRELATION, CHANCES_MOVED = "outcomes_H", "visit_correlation_1", "chances_moved_MH"


Joined = Literal["weights", "forecasts"]
WEIGHTS: Joined = "weights"
FORECASTS: Joined = "forecasts"


class Judging(BaseModel):
    """How the forecasts were made that an audit judges a bundle by.

    Parameters
    ----------
    folds
        Folds by subject.
    members
        Networks that were trained; the service gives what all of them are together.
    members_unseen
        Those of them that were trained without a subject of the cohort: the audit judges what these
        are together.
    joined
        By what they are one: the mean of their weights, one network in the bundle, or that of their
        forecasts, as in bundles from before there was a choice.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folds: int
    members: int
    members_unseen: int
    joined: Joined = FORECASTS


class Manifest(BaseModel):
    """What a bundle is made of and made from.

    Parameters
    ----------
    format
        Form of the bundle (`contracts.naming.formats`).
    files
        SHA-256 of every file of the bundle but this one, by name.
    family
        Model family, such as `gru`.
    modalities
        Order of the modalities along M.
    channels, channel_modalities, person
        Order of the channels, their modalities, and the person covariates.
    horizon_days
        Horizons, days after enrolment.
    calibration_groups
        Order of the groups along G.
    judging
        How the out-of-fold forecasts were made; None in bundles from before it was recorded, where
        single networks were judged and their mean was served.
    pretrained_on
        Cohort that the networks learned from before this one; empty when none.
    prior
        Name of the recovery population that its networks started from; None of families without
        one, and in bundles from before it was recorded (`contracts.priors.started_from`).
    cohort_name, simulated
        What it was trained on; True when no real person is in it.
    data_digest, task_digest, config_digest, code_digest, predictions_digest
        Cohort, task, training parameters, source code, and out-of-fold prediction table.
    follow_up_digest
        What became of the outcomes that were due; None for bundles made before it was recorded.
    seed, subjects, created
        Seed of all randomness; people trained on; UTC time in ISO 8601.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[
        "rehabcast-bundle/1", "rehabcast-bundle/2", "rehabcast-bundle/3", "rehabcast-bundle/4",
        "rehabcast-bundle/5", "rehabcast-bundle/6",
    ] = "rehabcast-bundle/1"  # fmt: skip
    files: dict[str, str]
    family: str
    modalities: tuple[str, ...]
    channels: tuple[str, ...]
    channel_modalities: tuple[str, ...]
    person: tuple[PersonCovariate, ...]
    horizon_days: tuple[int, ...]
    calibration_groups: tuple[GroupName, ...] = ()
    judging: Judging | None = None
    pretrained_on: str = ""
    prior: str | None = None
    cohort_name: str
    simulated: bool
    data_digest: str
    task_digest: str
    config_digest: str
    code_digest: str
    predictions_digest: str
    follow_up_digest: str | None = None
    seed: int
    subjects: int
    created: str
