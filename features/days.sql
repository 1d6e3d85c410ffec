-- Minutes to daily biomarkers, in one pass over the minutes and another over heart rates.
-- A day's value is there when its quantity was measured in a minute that was worn (or whose wear
-- can't be judged), and missing otherwise. Measured columns are decimals, whose sums are exact, so
-- that the order of adding doesn't matter.
WITH by_quarter AS (
    -- Quarters of a day since 1970, always counted downwards: integer division cuts towards zero.
    SELECT subject_id, CAST(FLOOR(epoch_us(time) / 21600000000) AS INTEGER) AS quarter,
        wearable, worn IS NOT FALSE AS counts_in,
        ANY_VALUE(main) AS main, ANY_VALUE(on_wrist) AS on_wrist,
        COUNT(*) AS minutes, COUNT(*) FILTER (asleep) AS asleep_minutes,
        COUNT(*) FILTER (speaks_for_wear) AS worn_minutes,
        COUNT(speaks_for_wear) AS judged_minutes,
        SUM(enmo_mg) AS enmo, COUNT(enmo_mg) AS enmo_minutes,
        SUM(mad_mg) AS mad, COUNT(mad_mg) AS mad_minutes,
        COUNT(*) FILTER (enmo_mg >= $active_mg) AS active_minutes,
        SUM(counts) AS counts, COUNT(counts) AS count_minutes,
        SUM(steps) AS steps, COUNT(steps) AS step_minutes,
        SUM(heart_rate) AS heart, COUNT(heart_rate) AS heart_minutes,
        SUM(use_s) FILTER (other_use_s IS NOT NULL) AS use, SUM(other_use_s) AS other_use,
        SUM(standing) AS standing, SUM(sitting) AS sitting, SUM(lying) AS lying,
        SUM(rises) AS rises
    FROM read_parquet($files)
    GROUP BY ALL
),
dated AS (
    SELECT *, DATE '1970-01-01' + CAST(FLOOR(quarter / 4) AS INTEGER) AS day,
        6 * (quarter - 4 * FLOOR(quarter / 4)) AS from_hour, counts_in AND main AS speaks
    FROM by_quarter
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
-- Sleep is judged from noon to noon. It counts for the day of waking, as in every source
-- (measurements/wall_clock.py): for the next day if it begins in the evening or lasts until after
-- midnight, else it was a nap of the day itself.
slept AS (
    SELECT subject_id, IF(from_hour >= 12, day, day - 1) AS noon_day,
        SUM(asleep_minutes) AS asleep_minutes,
        MIN(from_hour) < 12 OR MIN(from_hour) >= $night_from_hour AS of_next_day
    FROM dated WHERE main AND asleep_minutes > 0 GROUP BY subject_id, noon_day
),
night AS (
    SELECT subject_id, noon_day + CAST(of_next_day AS INTEGER) AS day,
        SUM(asleep_minutes) / 60.0 AS "REHABCAST//SLEEP"
    FROM slept GROUP BY ALL
),
device AS (
    SELECT subject_id, day, wearable, SUM(minutes) AS minutes,
        SUM(steps) AS steps, SUM(step_minutes) AS step_minutes,
        SUM(heart) AS heart, SUM(heart_minutes) AS heart_minutes
    FROM dated WHERE counts_in GROUP BY subject_id, day, wearable
),
-- Of several devices the one that measured a quantity in most minutes of the day counts for it,
-- never the one with the largest value. Between equals: for an amount the larger, since a device
-- that was not carried only misses; then the one that was worn more; then by placement and name.
steps_of AS (
    SELECT subject_id, day, CAST(steps AS DOUBLE) AS "LOINC//41950-7"
    FROM device WHERE step_minutes > 0
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY subject_id, day
        ORDER BY step_minutes DESC, steps DESC, minutes DESC, wearable) = 1
),
heart_of AS (
    SELECT subject_id, day, wearable, CAST(heart AS DOUBLE) / heart_minutes AS "REHABCAST//HEART_RATE"
    FROM device WHERE heart_minutes > 0
    QUALIFY ROW_NUMBER() OVER (
        PARTITION BY subject_id, day
        ORDER BY heart_minutes DESC, minutes DESC, wearable) = 1
),
resting AS (
    SELECT subject_id, CAST(time AS DATE) AS day, wearable,
        QUANTILE_CONT(CAST(heart_rate AS DOUBLE), $resting_share) AS "LOINC//40443-4"
    FROM read_parquet($files) WHERE heart_rate IS NOT NULL AND worn IS NOT FALSE
    GROUP BY subject_id, CAST(time AS DATE), wearable
    HAVING COUNT(*) >= $resting_minutes
),
resting_of AS (
    SELECT subject_id, day, "LOINC//40443-4"
    FROM resting SEMI JOIN heart_of USING (subject_id, day, wearable)
),
every_value AS (
    UNPIVOT body ON COLUMNS(* EXCLUDE (subject_id, day)) INTO NAME code VALUE value
    UNION ALL BY NAME
    UNPIVOT night ON COLUMNS(* EXCLUDE (subject_id, day)) INTO NAME code VALUE value
    UNION ALL BY NAME
    UNPIVOT steps_of ON COLUMNS(* EXCLUDE (subject_id, day)) INTO NAME code VALUE value
    UNION ALL BY NAME
    UNPIVOT heart_of ON COLUMNS(* EXCLUDE (subject_id, day, wearable)) INTO NAME code VALUE value
    UNION ALL BY NAME
    UNPIVOT resting_of ON COLUMNS(* EXCLUDE (subject_id, day)) INTO NAME code VALUE value
)
SELECT subject_id, CAST(day AS TIMESTAMP) AS time, code, CAST(value AS FLOAT) AS numeric_value
FROM every_value ORDER BY subject_id, time, code
