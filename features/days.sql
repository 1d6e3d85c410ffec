-- Minutes to daily biomarkers. A day's value is there when its quantity was measured in a minute
-- that was worn (or whose wear can't be judged), and missing otherwise. Sums are of thousandths as
-- integers, so that the order of adding doesn't matter.
WITH minutes AS (
    SELECT *, CAST(time AS DATE) AS day FROM read_parquet($files)
),
counted AS (
    SELECT *, worn IS NOT FALSE AS counts_in, worn AND placement LIKE '%wrist%' AS on_wrist
    FROM minutes
),
body AS (
    SELECT subject_id, day,
        SUM(CAST(ROUND(enmo_mg * 1000) AS BIGINT)) FILTER (counts_in) / 1000.0
            / NULLIF(COUNT(enmo_mg) FILTER (counts_in), 0) AS "REHABCAST//ACTIVITY",
        SUM(CAST(ROUND(counts * 1000) AS BIGINT)) FILTER (counts_in) / 1000.0
            / NULLIF(COUNT(counts) FILTER (counts_in), 0) AS "REHABCAST//ACTIVITY_COUNTS",
        IF(COUNT(enmo_mg) FILTER (on_wrist) > 0,
            COUNT(*) FILTER (on_wrist AND enmo_mg >= $active_mg), NULL)
            AS "REHABCAST//ACTIVE_TIME",
        SUM(CAST(ROUND(standing * 1000) AS BIGINT)) FILTER (counts_in)
            / NULLIF(SUM(CAST(ROUND((standing + sitting + lying) * 1000) AS BIGINT))
                FILTER (counts_in), 0) AS "REHABCAST//UPRIGHT_SHARE",
        SUM(CAST(ROUND(lying * 1000) AS BIGINT)) FILTER (counts_in) / 60000.0
            AS "REHABCAST//LYING_TIME",
        SUM(CAST(ROUND(sitting * 1000) AS BIGINT)) FILTER (counts_in) / 60000.0
            AS "REHABCAST//SITTING_TIME",
        SUM(CAST(rises AS BIGINT)) FILTER (counts_in) AS "REHABCAST//SIT_TO_STAND"
    FROM counted WHERE main GROUP BY subject_id, day
),
device AS (
    SELECT subject_id, day,
        SUM(CAST(ROUND(steps * 1000) AS BIGINT)) FILTER (counts_in) / 1000.0 AS steps,
        SUM(CAST(ROUND(heart_rate * 1000) AS BIGINT)) FILTER (counts_in) / 1000.0
            / NULLIF(COUNT(heart_rate) FILTER (counts_in), 0) AS heart,
        IF(COUNT(heart_rate) FILTER (counts_in) >= $resting_minutes,
            QUANTILE_CONT(heart_rate, $resting_share) FILTER (counts_in), NULL) AS resting
    FROM counted WHERE steps IS NOT NULL OR heart_rate IS NOT NULL
    GROUP BY subject_id, day, placement, device
),
-- Two devices count the same steps: the one that saw more of them speaks for the day.
best AS (
    SELECT subject_id, day, MAX(steps) AS "LOINC//41950-7",
        MAX(heart) AS "REHABCAST//HEART_RATE", MIN(resting) AS "LOINC//40443-4"
    FROM device GROUP BY subject_id, day
),
wear AS (
    SELECT subject_id, day, COUNT(*) FILTER (worn_somewhere) / 60.0 AS "REHABCAST//WEAR_TIME"
    FROM (
        SELECT subject_id, day, time, BOOL_OR(worn) AS worn_somewhere
        FROM minutes WHERE worn IS NOT NULL GROUP BY subject_id, day, time
    ) GROUP BY subject_id, day
),
-- A night from noon to noon counts for the day of waking.
night AS (
    SELECT subject_id, CAST(time + INTERVAL 12 HOUR AS DATE) AS day,
        COUNT(*) FILTER (asleep) / 60.0 AS "REHABCAST//SLEEP"
    FROM minutes WHERE main AND asleep IS NOT NULL
    GROUP BY subject_id, CAST(time + INTERVAL 12 HOUR AS DATE)
    HAVING COUNT(*) FILTER (asleep) > 0
),
pair AS (
    SELECT subject_id, day, MAX(use_s) FILTER (side = 'affected') AS affected_s,
        MAX(use_s) FILTER (side = 'other') AS other_s
    FROM minutes WHERE worn AND side IS NOT NULL
    GROUP BY subject_id, day, time HAVING COUNT(DISTINCT side) = 2
),
arms AS (
    SELECT subject_id, day,
        SUM(CAST(ROUND(affected_s * 1000) AS BIGINT)) / 3600000.0 AS "REHABCAST//ARM_USE",
        SUM(CAST(ROUND(affected_s * 1000) AS BIGINT))
            / NULLIF(SUM(CAST(ROUND(other_s * 1000) AS BIGINT)), 0) AS "REHABCAST//ARM_USE_RATIO"
    FROM pair GROUP BY subject_id, day
),
every_value AS (
    UNPIVOT body ON COLUMNS(* EXCLUDE (subject_id, day)) INTO NAME code VALUE value
    UNION ALL BY NAME
    UNPIVOT best ON COLUMNS(* EXCLUDE (subject_id, day)) INTO NAME code VALUE value
    UNION ALL BY NAME
    UNPIVOT wear ON COLUMNS(* EXCLUDE (subject_id, day)) INTO NAME code VALUE value
    UNION ALL BY NAME
    UNPIVOT night ON COLUMNS(* EXCLUDE (subject_id, day)) INTO NAME code VALUE value
    UNION ALL BY NAME
    UNPIVOT arms ON COLUMNS(* EXCLUDE (subject_id, day)) INTO NAME code VALUE value
)
SELECT subject_id, CAST(day AS TIMESTAMP) AS time, code, CAST(value AS FLOAT) AS numeric_value
FROM every_value ORDER BY subject_id, time, code
