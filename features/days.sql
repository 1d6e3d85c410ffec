-- Minutes to daily biomarkers, in one pass over the minutes and another over heart rates.
-- A day's value is there when its quantity was measured in a minute that was worn (or whose wear
-- can't be judged), and missing otherwise. Measured columns are decimals, whose sums are exact, so
-- that the order of adding doesn't matter.
WITH half AS (
    SELECT subject_id, epoch_us(time) // 43200000000 AS half_day,
        wearable, main, on_wrist, worn IS NOT FALSE AS counts_in,
        COUNT(*) FILTER (speaks_for_wear) AS worn_minutes,
        COUNT(speaks_for_wear) AS judged_minutes,
        COUNT(*) FILTER (asleep) AS asleep_minutes,
        SUM(enmo_mg) AS enmo, COUNT(enmo_mg) AS enmo_minutes,
        SUM(mad_mg) AS mad, COUNT(mad_mg) AS mad_minutes,
        COUNT(*) FILTER (enmo_mg >= $active_mg) AS active_minutes,
        SUM(counts) AS counts, COUNT(counts) AS count_minutes,
        SUM(steps) AS steps,
        SUM(heart_rate) AS heart, COUNT(heart_rate) AS heart_minutes,
        SUM(use_s) FILTER (other_use_s IS NOT NULL) AS use, SUM(other_use_s) AS other_use,
        SUM(standing) AS standing, SUM(sitting) AS sitting, SUM(lying) AS lying,
        SUM(rises) AS rises
    FROM read_parquet($files)
    GROUP BY ALL
),
dated AS (
    SELECT *, DATE '1970-01-01' + CAST(half_day // 2 AS INTEGER) AS day,
        half_day % 2 = 1 AS afternoon, counts_in AND main AS speaks
    FROM half
),
body AS (
    SELECT subject_id, day,
        SUM(worn_minutes) / IF(SUM(judged_minutes) > 0, 60.0, NULL) AS "REHABCAST//WEAR_TIME",
        CAST(SUM(enmo) FILTER (speaks) AS DOUBLE) / NULLIF(SUM(enmo_minutes) FILTER (speaks), 0)
            AS "REHABCAST//ACTIVITY",
        CAST(SUM(mad) FILTER (speaks) AS DOUBLE) / NULLIF(SUM(mad_minutes) FILTER (speaks), 0)
            AS "REHABCAST//AMPLITUDE_DEVIATION",
        SUM(active_minutes) FILTER (speaks AND on_wrist)
            / IF(SUM(enmo_minutes) FILTER (speaks AND on_wrist) > 0, 1.0, NULL)
            AS "REHABCAST//ACTIVE_TIME",
        CAST(SUM(counts) FILTER (speaks) AS DOUBLE)
            / NULLIF(SUM(count_minutes) FILTER (speaks), 0) AS "REHABCAST//ACTIVITY_COUNTS",
        CAST(SUM(use) AS DOUBLE) / 3600 AS "REHABCAST//ARM_USE",
        CAST(SUM(use) AS DOUBLE) / NULLIF(CAST(SUM(other_use) AS DOUBLE), 0)
            AS "REHABCAST//ARM_USE_RATIO",
        -- One device has a posture, whichever is the main one (biomarkers/posture.py).
        CAST(SUM(standing) FILTER (counts_in) AS DOUBLE)
            / NULLIF(CAST(SUM(standing + sitting + lying) FILTER (counts_in) AS DOUBLE), 0)
            AS "REHABCAST//UPRIGHT_SHARE",
        CAST(SUM(standing) FILTER (counts_in) AS DOUBLE) / 60 AS "REHABCAST//STANDING_TIME",
        CAST(SUM(lying) FILTER (counts_in) AS DOUBLE) / 60 AS "REHABCAST//LYING_TIME",
        CAST(SUM(sitting) FILTER (counts_in) AS DOUBLE) / 60 AS "REHABCAST//SITTING_TIME",
        CAST(SUM(rises) FILTER (counts_in) AS DOUBLE) AS "REHABCAST//SIT_TO_STAND"
    FROM dated GROUP BY subject_id, day
),
-- A night from noon to noon counts for the day of waking.
night AS (
    SELECT subject_id, IF(afternoon, day + 1, day) AS day,
        SUM(asleep_minutes) / 60.0 AS "REHABCAST//SLEEP"
    FROM dated WHERE main GROUP BY subject_id, IF(afternoon, day + 1, day)
    HAVING SUM(asleep_minutes) > 0
),
device AS (
    SELECT subject_id, day, wearable, CAST(SUM(steps) AS DOUBLE) AS steps,
        CAST(SUM(heart) AS DOUBLE) / NULLIF(SUM(heart_minutes), 0) AS heart
    FROM dated WHERE counts_in GROUP BY subject_id, day, wearable
),
-- Two devices count the same steps: the one that saw more of them speaks for the day.
best AS (
    SELECT subject_id, day, MAX(steps) AS "LOINC//41950-7", MAX(heart) AS "REHABCAST//HEART_RATE"
    FROM device GROUP BY subject_id, day
),
resting AS (
    SELECT subject_id, CAST(time AS DATE) AS day,
        QUANTILE_CONT(CAST(heart_rate AS DOUBLE), $resting_share) AS rate
    FROM read_parquet($files) WHERE heart_rate IS NOT NULL AND worn IS NOT FALSE
    GROUP BY subject_id, CAST(time AS DATE), wearable
    HAVING COUNT(*) >= $resting_minutes
),
lowest AS (
    SELECT subject_id, day, MIN(rate) AS "LOINC//40443-4" FROM resting GROUP BY subject_id, day
),
every_value AS (
    UNPIVOT body ON COLUMNS(* EXCLUDE (subject_id, day)) INTO NAME code VALUE value
    UNION ALL BY NAME
    UNPIVOT night ON COLUMNS(* EXCLUDE (subject_id, day)) INTO NAME code VALUE value
    UNION ALL BY NAME
    UNPIVOT best ON COLUMNS(* EXCLUDE (subject_id, day)) INTO NAME code VALUE value
    UNION ALL BY NAME
    UNPIVOT lowest ON COLUMNS(* EXCLUDE (subject_id, day)) INTO NAME code VALUE value
)
SELECT subject_id, CAST(day AS TIMESTAMP) AS time, code, CAST(value AS FLOAT) AS numeric_value
FROM every_value ORDER BY subject_id, time, code
