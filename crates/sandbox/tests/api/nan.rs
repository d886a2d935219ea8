//! NaN among doubles: where it comes from, that it equals itself, that it is the largest, and what is made of it.

use crate::client::Checked;
use crate::queries::{Cases, check};

#[tokio::test]
async fn nan_is_a_number_as_databricks_has_it() -> Checked {
    check(NUMBERS).await
}

const NUMBERS: Cases = &[
    ("SELECT double('NaN'), CAST('nan' AS FLOAT), CAST(' NaN ' AS DOUBLE), try_cast('NaN' AS INT)", "NaN|NaN|NaN|∅"),
    ("SELECT double('inf') - double('inf'), double('Infinity') * 0, double('-inf') + double('inf')", "NaN|NaN|NaN"),
    (
        "SELECT sqrt(-1), acos(2), power(-1, 0.5), double('inf') / double('inf'), mod(double('inf'), 2D)",
        "NaN|NaN|NaN|NaN|NaN",
    ),
    (
        "SELECT double('NaN') + 1, 1 - double('NaN'), -double('NaN'), double('NaN') * 0, 1 / double('NaN')",
        "NaN|NaN|NaN|NaN|NaN",
    ),
    (
        "SELECT abs(double('NaN')), sign(double('NaN')), round(double('NaN'), 2), float(double('NaN')), exp(double('NaN'))",
        "NaN|NaN|NaN|NaN|NaN",
    ),
    ("SELECT abs(-1.5D), sign(-2.5D), sign(0D), negative(2.5D), -(1.5D), signum(3)", "1.5|-1.0|0.0|-2.5|-1.5|1.0"),
    (
        "SELECT double('NaN') = double('NaN'), double('NaN') <> double('NaN'), double('NaN') <=> NULL",
        "true|false|false",
    ),
    (
        "SELECT double('NaN') > double('inf'), double('NaN') > 1, 1 < double('NaN'), double('NaN') BETWEEN 0 AND 1",
        "true|true|true|false",
    ),
    (
        "SELECT greatest(double('NaN'), 1D), least(double('NaN'), 1D), double('NaN') IN (1D, double('NaN'))",
        "NaN|1.0|true",
    ),
    (
        "SELECT isnan(double('NaN')), isnan(1), isnan(NULL), nanvl(double('NaN'), 2), nanvl(1D, 2D)",
        "true|false|false|2.0|1.0",
    ),
    (
        "SELECT string(double('NaN')), boolean(double('NaN')), concat('a', double('NaN')), typeof(double('NaN'))",
        "NaN|true|aNaN|double",
    ),
    ("SELECT int(double('NaN'))", "[CAST_OVERFLOW]"),
    (
        "SELECT x FROM VALUES (double('NaN')), (1D), (NULL), (double('inf')) AS t(x) ORDER BY x DESC",
        "NaN / Infinity / 1.0 / ∅",
    ),
    (
        "SELECT x, count(*) FROM VALUES (double('NaN')), (1D), (double('NaN')) AS t(x) GROUP BY x ORDER BY x",
        "1.0|1 / NaN|2",
    ),
    (
        "SELECT sum(x), avg(x), min(x), max(x), count(x), count(DISTINCT x) FROM VALUES (double('NaN')), (1D), (NULL) AS t(x)",
        "NaN|NaN|1.0|NaN|2|2",
    ),
    ("SELECT sum(x), avg(x) FROM VALUES (double('inf')), (1D) AS t(x)", "Infinity|Infinity"),
    ("SELECT sum(x), avg(x) FROM VALUES (double('inf')), (double('-inf')) AS t(x)", "NaN|NaN"),
    ("SELECT sum(x), avg(x) FROM VALUES (CAST(NULL AS DOUBLE)) AS t(x)", "∅|∅"),
    (
        "SELECT stddev(x), median(x), skewness(x), max_by(y, x), corr(x, y) FROM VALUES (double('NaN'), 1D), (1D, 2D), (2D, 3D) AS t(x, y)",
        "NaN|2.0|NaN|1.0|NaN",
    ),
    (
        "SELECT y, sum(x) OVER (ORDER BY y ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM VALUES (double('NaN'), 1), (1D, 2), (2D, 3) AS t(x, y) ORDER BY y",
        "1|NaN / 2|NaN / 3|3.0",
    ),
    (
        "SELECT sum(x), avg(x), sum(DISTINCT x) FROM VALUES (0.1D), (0.2D), (0.2D) AS t(x)",
        "0.5|0.16666666666666666|0.30000000000000004",
    ),
    (
        "SELECT array(double('NaN'), 1D), array_max(array(double('NaN'), 1D)), sort_array(array(double('NaN'), 1D))",
        "[\"NaN\",\"1.0\"]|NaN|[\"1.0\",\"NaN\"]",
    ),
    (
        "SELECT array(double('NaN'))[0] + 1, to_json(named_struct('a', double('NaN'))), transform(array(1D), x -> x * double('NaN'))",
        "NaN|{\"a\":\"NaN\"}|[\"NaN\"]",
    ),
    ("CREATE OR REPLACE TABLE main.default.nans (x DOUBLE, y FLOAT)", ""),
    ("INSERT INTO main.default.nans VALUES (double('NaN'), 1D), (2D, double('NaN'))", "2|2"),
    ("SELECT * FROM main.default.nans WHERE x > 2 OR isnan(y) ORDER BY x", "2.0|NaN / NaN|1.0"),
    ("SELECT a.x FROM main.default.nans a JOIN main.default.nans b ON a.x = b.x ORDER BY 1", "2.0 / NaN"),
];
