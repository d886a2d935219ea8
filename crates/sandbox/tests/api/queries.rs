//! What people commonly write in Databricks SQL: each is right, or refused.
//!
//! The expected rows of queries over seeded data were computed from the tables' rows by another program; those of
//! expressions by hand.

use serde_json::{Value, json};

use crate::client::{Checked, post, start};

const WAREHOUSE: &str = "a1b2c3d4e5f60718";

pub(crate) type Cases = &'static [(&'static str, &'static str)];

/// The rows with cells by `|`, or the error's condition.
fn shown(reply: &Value) -> String {
    if let Some(message) = reply.pointer("/status/error/message").and_then(Value::as_str) {
        return message.split(']').next().unwrap_or_default().trim().to_owned() + "]";
    }
    let rows = reply.pointer("/result/data_array").and_then(Value::as_array).cloned().unwrap_or_default();
    let row = |row: &Value| {
        let cells = row.as_array().into_iter().flatten().map(|cell| cell.as_str().unwrap_or("∅"));
        cells.collect::<Vec<_>>().join("|")
    };
    rows.iter().map(row).collect::<Vec<_>>().join(" / ")
}

pub(crate) async fn check(cases: Cases) -> Checked {
    let sandbox = start().await?;
    let mut wrong = Vec::new();
    for (sql, expected) in cases {
        let body = json!({"warehouse_id": WAREHOUSE, "statement": sql, "wait_timeout": "50s", "catalog": "samples", "schema": "retail"});
        let found = shown(&post(&sandbox, "/api/2.0/sql/statements", body).await?.json());
        if found != *expected {
            wrong.push(format!("{sql}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[tokio::test]
async fn queries_over_seeded_data() -> Checked {
    check(ORDERS).await
}

#[tokio::test]
async fn more_queries_over_seeded_data() -> Checked {
    check(MORE).await
}

#[tokio::test]
async fn expressions_and_refusals() -> Checked {
    check(EXPRESSIONS).await
}

const ORDERS: Cases = &[
    ("SELECT count(*) FROM orders", "1500"),
    (
        "SELECT status, count(*) AS n FROM orders GROUP BY status ORDER BY n DESC, status",
        "shipped|661 / cancelled|216 / new|215 / returned|207 / paid|201",
    ),
    (
        "SELECT channel, sum(total) AS t FROM orders WHERE status <> 'cancelled' GROUP BY channel ORDER BY channel",
        "app|119374.02 / store|110601.41 / web|226706.68",
    ),
    ("SELECT round(avg(total), 2) AS a, min(total) AS lo, max(total) AS hi FROM orders", "355.90|2.77|1226.46"),
    (
        "SELECT c.country, count(DISTINCT c.customer_id) AS customers, count(*) AS orders, sum(o.total) AS revenue FROM customers c JOIN orders o ON o.customer_id = c.customer_id GROUP BY c.country ORDER BY revenue DESC LIMIT 3",
        "FR|47|250|92840.65 / US|44|211|73919.46 / GB|39|210|73794.48",
    ),
    (
        "SELECT count(*) FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id WHERE o.order_id IS NULL",
        "1",
    ),
    ("SELECT count(*) FROM customers c LEFT ANTI JOIN orders o ON o.customer_id = c.customer_id", "1"),
    (
        "SELECT count(*) FROM customers c LEFT SEMI JOIN orders o ON o.customer_id = c.customer_id AND o.status = 'returned'",
        "152",
    ),
    (
        "SELECT count(*) FROM customers WHERE customer_id NOT IN (SELECT customer_id FROM orders WHERE channel = 'app')",
        "88",
    ),
    ("SELECT count(*) FROM customers WHERE email IS NULL", "29"),
    ("SELECT count(email), count(*) - count(email) FROM customers", "271|29"),
    (
        "SELECT upper(country) AS c, count_if(is_active) AS active FROM customers GROUP BY 1 ORDER BY 1 LIMIT 2",
        "BE|29 / DE|28",
    ),
    (
        "SELECT segment, round(avg(CASE WHEN is_active THEN 1 ELSE 0 END), 4) AS share FROM customers GROUP BY segment ORDER BY segment",
        "business|0.8065 / consumer|0.7895 / public|0.806",
    ),
    (
        "SELECT year(order_ts) AS y, month(order_ts) AS m, count(*) AS n FROM orders GROUP BY ALL ORDER BY ALL",
        "2025|9|239 / 2025|10|282 / 2025|11|262 / 2025|12|248 / 2026|1|230 / 2026|2|230 / 2026|3|9",
    ),
    (
        "SELECT date_trunc('week', order_ts) AS w, sum(total) AS t FROM orders GROUP BY 1 ORDER BY 1 LIMIT 2",
        "2025-09-01T00:00:00.000Z|13886.77 / 2025-09-08T00:00:00.000Z|21372.25",
    ),
    (
        "SELECT dayofweek(order_ts) AS d, count(*) AS n FROM orders GROUP BY d ORDER BY d",
        "1|215 / 2|172 / 3|243 / 4|234 / 5|224 / 6|185 / 7|227",
    ),
    (
        "SELECT hour(order_ts) AS h, count(*) AS n FROM orders GROUP BY h HAVING n > 70 ORDER BY n DESC, h",
        "9|76 / 6|75 / 4|73 / 5|71 / 21|71",
    ),
    ("SELECT count(*) FROM orders WHERE order_ts >= current_timestamp() - INTERVAL 30 DAYS", "245"),
    ("SELECT count(*) FROM orders WHERE order_ts BETWEEN '2026-01-01' AND '2026-02-01'", "230"),
    ("SELECT count(*) FROM orders WHERE CAST(order_ts AS DATE) = DATE '2026-01-03'", "10"),
    (
        "SELECT datediff(DATE '2026-03-02', max(signup_date)) AS d, min(signup_date) AS first FROM customers",
        "35|2023-08-19",
    ),
    (
        "SELECT channel, round(100 * sum(total) / sum(sum(total)) OVER (), 2) AS share FROM orders GROUP BY channel ORDER BY channel",
        "app|25.57 / store|24.08 / web|50.34",
    ),
    (
        "SELECT round(sum(CASE WHEN status = 'returned' THEN 1 ELSE 0 END) * 100.0 / count(*), 2) AS pct FROM orders",
        "13.80",
    ),
    ("SELECT round(sum(total) / count(*), 4) AS a FROM orders", "355.8979"),
    (
        "SELECT p.category, sum(i.quantity) AS units, sum(i.quantity * i.unit_price) AS gross FROM order_items i JOIN products p USING (product_id) GROUP BY p.category ORDER BY gross DESC",
        "books|2645|141209.35 / kitchen|3024|140815.72 / tools|1925|113885.02 / toys|2124|84742.90 / garden|1382|72348.98",
    ),
    ("SELECT count(*) FROM order_items WHERE discount_percent IS NULL OR discount_percent = 0", "3026"),
    (
        "SELECT coalesce(discount_percent, -1) AS d, count(*) AS n FROM order_items GROUP BY 1 ORDER BY 1",
        "-1|438 / 0|2588 / 10|369 / 25|380",
    ),
    (
        "SELECT avg(n) AS a, max(n) AS m FROM (SELECT order_id, count(*) AS n FROM order_items GROUP BY order_id)",
        "2.5166666666666666|4",
    ),
    (
        "SELECT customer_id, order_id FROM orders QUALIFY row_number() OVER (PARTITION BY customer_id ORDER BY order_ts, order_id) = 1 ORDER BY customer_id LIMIT 3",
        "1|755 / 2|311 / 3|1382",
    ),
    (
        "SELECT order_id, sum(total) OVER (ORDER BY order_id) AS running FROM orders ORDER BY order_id LIMIT 4",
        "1|677.13 / 2|1751.12 / 3|2161.72 / 4|2868.22",
    ),
    (
        "SELECT order_id, sum(total) OVER w AS running FROM orders WINDOW w AS (ORDER BY order_id ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) ORDER BY order_id LIMIT 4",
        "1|677.13 / 2|1751.12 / 3|2161.72 / 4|2868.22",
    ),
    (
        "SELECT order_id, lag(total) OVER w AS before, lead(order_id, 2) OVER w AS after FROM orders WINDOW w AS (ORDER BY order_id) ORDER BY order_id LIMIT 3",
        "1|∅|3 / 2|677.13|4 / 3|1073.99|5",
    ),
    (
        "SELECT country, n, rank() OVER (ORDER BY n DESC) AS r, dense_rank() OVER (ORDER BY n DESC) AS d FROM (SELECT country, count(*) AS n FROM customers GROUP BY country) ORDER BY n DESC, country LIMIT 4",
        "FR|48|1|1 / US|44|2|2 / GB|39|3|3 / NL|39|3|3",
    ),
    (
        "SELECT ntile(4) OVER (ORDER BY customer_id) AS t, count(*) OVER () AS n FROM customers ORDER BY customer_id DESC LIMIT 1",
        "4|300",
    ),
    (
        "SELECT median(total) AS m, percentile(total, 0.5) AS p, percentile_cont(0.5) WITHIN GROUP (ORDER BY total) AS c FROM orders",
        "324.605|324.605|324.605",
    ),
    ("SELECT percentile_approx(total, 0.5) AS p, approx_count_distinct(customer_id) AS d FROM orders", "324.57|299"),
    (
        "SELECT round(stddev_samp(distance_miles), 6) AS s, round(var_pop(distance_miles), 6) AS v FROM samples.taxi.trips",
        "5.166324|26.680232",
    ),
];

const MORE: Cases = &[
    ("SELECT min_by(order_id, total) AS lo, max_by(order_id, total) AS hi FROM orders", "1235|1014"),
    (
        "SELECT mode(channel) AS m, any_value(1) AS one, bool_and(total > 0) AS every, bool_or(status = 'lost') AS some FROM orders",
        "web|1|true|false",
    ),
    ("SELECT array_join(array_sort(collect_set(status)), ',') AS s FROM orders", "cancelled,new,paid,returned,shipped"),
    (
        "SELECT string_agg(channel, '-') WITHIN GROUP (ORDER BY channel DESC) AS c FROM (SELECT DISTINCT channel FROM orders)",
        "web-store-app",
    ),
    (
        "SELECT count(*) FILTER (WHERE status = 'new') AS n, sum(total) FILTER (WHERE channel = 'app') AS t FROM orders",
        "215|136527.67",
    ),
    ("SELECT count(DISTINCT customer_id, channel) AS n FROM orders", "702"),
    (
        "WITH big AS (SELECT * FROM orders WHERE total > 1000), per AS (SELECT customer_id, count(*) AS n FROM big GROUP BY customer_id) SELECT n, count(*) AS customers FROM per GROUP BY n ORDER BY n",
        "1|20 / 2|2",
    ),
    (
        "SELECT customer_id FROM orders WHERE status = 'new' INTERSECT SELECT customer_id FROM orders WHERE status = 'returned' ORDER BY customer_id LIMIT 3",
        "2 / 13 / 17",
    ),
    ("SELECT count(*) FROM (SELECT customer_id FROM customers EXCEPT SELECT customer_id FROM orders)", "1"),
    ("SELECT count(*) FROM (SELECT channel FROM orders UNION SELECT status FROM orders)", "8"),
    (
        "SELECT c.name, (SELECT count(*) FROM orders o WHERE o.customer_id = c.customer_id) AS n FROM customers c ORDER BY n DESC, c.customer_id LIMIT 2",
        "Barbara Turing|13 / Ken Wirth|12",
    ),
    ("SELECT count(*) FROM orders o WHERE total > (SELECT avg(total) FROM orders WHERE channel = o.channel)", "662"),
    (
        "SELECT count(*) FROM orders a JOIN orders b ON a.customer_id = b.customer_id AND a.order_id < b.order_id",
        "3820",
    ),
    (
        "SELECT name FROM customers WHERE name LIKE 'Ada %' AND city IN ('Ghent', 'Lyon') ORDER BY customer_id LIMIT 2",
        "Ada Perlman / Ada Liskov",
    ),
    (
        "SELECT split_part(email, '@', 2) AS domain, count(*) AS n FROM customers WHERE email IS NOT NULL GROUP BY 1",
        "mail.test|271",
    ),
    (
        "SELECT substring(name, 1, instr(name, ' ') - 1) AS first, count(*) AS n FROM customers GROUP BY first ORDER BY n DESC, first LIMIT 2",
        "Edsger|36 / Radia|31",
    ),
    ("SELECT regexp_extract(email, '(\\\\d+)@', 1) AS n FROM customers WHERE customer_id = 7", "7"),
    (
        "SELECT width, count(*) AS n FROM (SELECT floor(total / 500) AS width FROM orders) GROUP BY width ORDER BY width",
        "0|1123 / 1|353 / 2|24",
    ),
    (
        "SELECT payment, round(avg(tip_amount / fare_amount), 4) AS share FROM samples.taxi.trips WHERE tip_amount IS NOT NULL GROUP BY payment ORDER BY payment",
        "app|0.1215 / card|0.1204",
    ),
    (
        "SELECT round(avg((unix_timestamp(dropoff_time) - unix_timestamp(pickup_time)) / 60), 3) AS minutes FROM samples.taxi.trips",
        "31.584",
    ),
    ("SELECT sum(timestampdiff(MINUTE, pickup_time, dropoff_time)) AS m FROM samples.taxi.trips", "78961"),
    (
        "SELECT passengers, max(distance_miles) AS far FROM samples.taxi.trips GROUP BY passengers ORDER BY passengers",
        "1|18.3 / 2|18.3 / 3|18.3 / 4|18.3",
    ),
    (
        "SELECT pickup_zip, count(*) AS n FROM samples.taxi.trips GROUP BY pickup_zip ORDER BY n DESC, pickup_zip LIMIT 3 OFFSET 1",
        "10023|79 / 10005|78 / 10002|77",
    ),
    (
        "SELECT day, sum(orders) AS n FROM main.sales.daily_revenue GROUP BY day ORDER BY day LIMIT 2",
        "2025-09-03|5 / 2025-09-04|5",
    ),
    ("SELECT count(*) FROM open_orders", "416"),
    ("SELECT count(*) FROM orders o, customers c WHERE o.customer_id = c.customer_id AND c.country = 'NL'", "194"),
    ("SELECT sum(id) AS s, count(*) AS n FROM range(1, 1001)", "500500|1000"),
    (
        "WITH RECURSIVE d AS (SELECT DATE '2026-02-26' AS day UNION ALL SELECT day + INTERVAL 1 DAY FROM d WHERE day < DATE '2026-03-01') SELECT d.day, count(o.order_id) AS n FROM d LEFT JOIN orders o ON CAST(o.order_ts AS DATE) = d.day GROUP BY d.day ORDER BY d.day",
        "2026-02-26|11 / 2026-02-27|5 / 2026-02-28|9 / 2026-03-01|9",
    ),
    ("SELECT sum(size(a)) AS n FROM (SELECT collect_list(order_id) AS a FROM orders GROUP BY customer_id)", "1500"),
    (
        "SELECT aggregate(collect_list(total), CAST(0 AS DECIMAL(22,2)), (s, x) -> s + x) = sum(total) AS same FROM orders WHERE customer_id = 5",
        "[DATATYPE_MISMATCH]",
    ),
    ("SELECT size(filter(collect_list(total), t -> t > 500)) AS n FROM orders", "377"),
    ("SELECT count(*) FROM orders LATERAL VIEW explode(sequence(1, 3)) s AS n WHERE n < 3", "3000"),
    (
        "SELECT max(r.seconds) AS s FROM (SELECT (unix_timestamp(period_end_time) - unix_timestamp(period_start_time)) AS seconds FROM system.lakeflow.job_run_timeline WHERE result_state = 'SUCCEEDED') r WHERE r.seconds < 0",
        "∅",
    ),
    (
        "SELECT count(*) FROM system.billing.usage u LEFT ANTI JOIN system.billing.list_prices p ON u.sku_name = p.sku_name AND u.usage_end_time >= p.price_start_time AND (p.price_end_time IS NULL OR u.usage_end_time < p.price_end_time)",
        "0",
    ),
    (
        "SELECT count(*) FROM system.billing.usage u LEFT ANTI JOIN system.lakeflow.jobs j ON u.usage_metadata.job_id = j.job_id WHERE u.billing_origin_product = 'JOBS'",
        "0",
    ),
    (
        "SELECT count(*) FROM system.access.table_lineage l LEFT ANTI JOIN system.information_schema.tables t ON concat_ws('.', t.table_catalog, t.table_schema, t.table_name) = l.target_table_full_name WHERE l.target_table_full_name IS NOT NULL",
        "0",
    ),
    (
        "SELECT count(*) FROM system.access.column_lineage l LEFT ANTI JOIN system.information_schema.columns c ON concat_ws('.', c.table_catalog, c.table_schema, c.table_name) = l.source_table_full_name AND c.column_name = l.source_column_name",
        "0",
    ),
    (
        "SELECT count(*) FROM system.compute.warehouse_events e LEFT ANTI JOIN system.compute.warehouses w ON e.warehouse_id = w.warehouse_id",
        "0",
    ),
];

const EXPRESSIONS: Cases = &[
    (
        "SELECT transform(array(1, 2, 3), x -> x * 2), filter(array(1, NULL, 3), x -> x > 1), exists(array(1, 2), x -> x = 2), forall(array(1, NULL), x -> x > 0)",
        "[\"2\",\"4\",\"6\"]|[\"3\"]|true|∅",
    ),
    (
        "SELECT aggregate(array(1, 2, 3), 0, (a, x) -> a + x), reduce(array(1, 2, 3), 0, (a, x) -> a + x, a -> a * 10)",
        "6|60",
    ),
    (
        "SELECT transform(array('a', 'b'), (x, i) -> concat(x, i)), transform(CAST(NULL AS ARRAY<INT>), x -> x)",
        "[\"a0\",\"b1\"]|∅",
    ),
    ("SELECT transform(array(1, 2), x -> transform(array(10), y -> x + y))", "[[\"11\"],[\"12\"]]"),
    ("SELECT transform(array(1), (a, b, c) -> a)", "[INVALID_LAMBDA_FUNCTION_CALL.NUM_ARGS_MISMATCH]"),
    (
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT sum(n), count(*) FROM t",
        "15|5",
    ),
    (
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t) SELECT count(*) FROM t",
        "[RECURSION_LEVEL_LIMIT_EXCEEDED]",
    ),
    (
        "WITH RECURSIVE f(n, a, b) AS (SELECT 1, 0, 1 UNION ALL SELECT n + 1, b, a + b FROM f WHERE n < 10) SELECT max(b) FROM f",
        "55",
    ),
    ("SELECT id FROM range(10, 0, -3)", "10 / 7 / 4 / 1"),
    ("SELECT explode(sequence(3, 1))", "3 / 2 / 1"),
    (
        "SELECT array_distinct(array(1, 2, 2)), array_max(array(3, 9, 1)), array_min(array(3, NULL, 1)), slice(array(1, 2, 3, 4), 2, 2), slice(array(1, 2, 3), -2, 2)",
        "[\"1\",\"2\"]|9|1|[\"2\",\"3\"]|[\"2\",\"3\"]",
    ),
    (
        "SELECT flatten(array(array(1), array(2, 3))), array_union(array(1, 2), array(2, 3)), array_except(array(1, 2), array(2)), array_intersect(array(1, 2), array(2, 3)), arrays_overlap(array(1), array(2))",
        "[\"1\",\"2\",\"3\"]|[\"1\",\"2\",\"3\"]|[\"1\"]|[\"2\"]|false",
    ),
    (
        "SELECT array_position(array('a', 'b'), 'b'), array_remove(array(1, 2, 1), 1), sort_array(array(3, 1, 2), false), array_sort(array(2, NULL, 1)), concat(array(1), array(2)), reverse(array(1, 2))",
        "2|[\"2\"]|[\"3\",\"2\",\"1\"]|[\"1\",\"2\",null]|[\"1\",\"2\"]|[\"2\",\"1\"]",
    ),
    (
        "SELECT size(map('a', 1, 'b', 2)), map('a', 1)['a'], map_keys(map('a', 1)), map_values(map('a', 1)), element_at(array(5, 6), -1), try_element_at(array(1), 3)",
        "2|1|[\"a\"]|[\"1\"]|6|∅",
    ),
    (
        "SELECT to_json(named_struct('a', 1, 'b', 'x', 'c', true, 'd', 1.50, 'e', DATE '2024-01-01', 'n', NULL))",
        "{\"a\":1,\"b\":\"x\",\"c\":true,\"d\":1.50,\"e\":\"2024-01-01\"}",
    ),
    ("SELECT struct(1 AS x, 'b' AS y).y, named_struct('p', 2).p", "b|2"),
    ("SELECT get_json_object('{\"a\":[1,2]}', '$.a[1]'), '{\"a\":{\"b\":5}}':a.b::INT + 1", "2|6"),
    ("SELECT explode(array('a', 'b'))", "a / b"),
    ("SELECT posexplode(array('a', 'b'))", "0|a / 1|b"),
    ("SELECT order_id, e FROM orders LATERAL VIEW OUTER explode(array()) t AS e WHERE order_id = 1", "1|∅"),
    (
        "SELECT try_cast('12' AS INT), try_cast('x' AS DATE), try_divide(1, 0), CAST('2024-01-01T10:00:00Z' AS TIMESTAMP)",
        "12|∅|∅|2024-01-01T10:00:00.000Z",
    ),
    (
        "SELECT equal_null(NULL, NULL), NULL <=> 1, decode(2, 1, 'a', 2, 'b', 'c'), nvl2(NULL, 1, 2), nullif(1, 1), ifnull(NULL, 0)",
        "true|false|b|2|∅|0",
    ),
    (
        "SELECT make_timestamp(2024, 1, 2, 3, 4, 5.5), next_day(DATE '2024-05-17', 'MON'), next_day(DATE '2024-05-13', 'Monday'), date_from_unix_date(1)",
        "2024-01-02T03:04:05.500Z|2024-05-20|2024-05-20|1970-01-02",
    ),
    (
        "SELECT months_between(DATE '2024-03-31', DATE '2024-02-29'), add_months(DATE '2024-01-31', 1), last_day(DATE '2023-02-10'), weekday(DATE '2024-05-17')",
        "1.0|2024-02-29|2023-02-28|4",
    ),
    (
        "SELECT date_format(TIMESTAMP '2024-05-17 14:05:09', 'dd.MM.yy HH:mm:ss'), to_date('17/05/2024', 'dd/MM/yyyy'), unix_timestamp('1970-01-02', 'yyyy-MM-dd'), from_unixtime(86400)",
        "17.05.24 14:05:09|2024-05-17|86400|1970-01-02 00:00:00",
    ),
    (
        "SELECT DATE '2024-03-31' - INTERVAL 1 MONTH, TIMESTAMP '2024-01-01 00:00:00' - INTERVAL 90 MINUTES, dateadd(WEEK, 1, DATE '2024-01-01'), date_diff(DAY, DATE '2024-01-01', DATE '2024-03-01')",
        "2024-02-29|2023-12-31T22:30:00.000Z|2024-01-08|60",
    ),
    (
        "SELECT base64('abc'), unbase64('YWJj'), hex('abc'), hex(255), levenshtein('kitten', 'sitting'), substring_index('a.b.c', '.', 2), substring_index('a.b.c', '.', -1)",
        "YWJj|616263|616263|FF|3|a.b|c",
    ),
    (
        "SELECT regexp_replace('a1b22', '\\\\d+', '#'), regexp_extract_all('a1b22', '(\\\\d+)', 1), regexp_count('a1b22', '\\\\d'), 'abc' RLIKE '^a.c$'",
        "a#b#|[\"1\",\"22\"]|3|true",
    ),
    (
        "SELECT concat_ws('-', array('a', 'b')), concat_ws(',', 'x', NULL, 'y'), lpad('7', 3, '0'), translate('abc', 'ab', 'xy'), initcap('hello world'), reverse('abc'), repeat('ab', 2), left('spark', 2)",
        "a-b|x,y|007|xyc|Hello World|cba|abab|sp",
    ),
    (
        "SELECT 7 / 2, 7 % 3, pmod(-7, 3), mod(-7, 3), power(2, 10), sqrt(16), cbrt(27), abs(-3.5), sign(-2), ceil(1.2), floor(-1.2), round(2.5), round(-2.5), round(1234.567, -2)",
        "3.5|1|2|-1|1024.0|4.0|3.0|3.5|-1.0|2|-2|3|-3|1200",
    ),
    (
        "SELECT greatest(1, 2.5, NULL), least('b', 'a'), coalesce(NULL, NULL, 3), if(1 > 2, 'y', 'n'), CASE 2 WHEN 1 THEN 'one' WHEN 2 THEN 'two' END",
        "2.5|a|3|n|two",
    ),
    (
        "SELECT 5 & 3, 5 | 3, 10 BETWEEN 1 AND 10, 'b' NOT IN ('a', 'c'), 'Spark' ILIKE 'sp%', 'a_c' LIKE 'a\\\\_c'",
        "1|7|true|true|true|true",
    ),
    (
        "SELECT typeof(1), typeof(1.5), typeof('a'), typeof(array(1)), typeof(DATE '2024-01-01'), typeof(NULL)",
        "int|decimal(2,1)|string|array<int>|date|void",
    ),
    ("SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS t(id, name)", "1|a / 2|b"),
    ("SELECT 1 AS a UNION ALL SELECT 2 ORDER BY a DESC", "2 / 1"),
    ("SELECT nth_value(id, 2) OVER (ORDER BY id) FROM range(3) ORDER BY id", "∅ / 1 / 1"),
    (
        "SELECT first_value(id) OVER (ORDER BY id DESC), last_value(id) OVER (ORDER BY id ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) FROM range(3) ORDER BY id LIMIT 1",
        "2|2",
    ),
    ("SELECT id % 2 AS odd, sum(id) AS s FROM range(10) GROUP BY odd HAVING s > 20", "1|25"),
    ("SELECT name FROM products VERSION AS OF 0 WHERE product_id = 1", "books item 1"),
    ("SELECT count(*) FROM products VERSION AS OF 7", "[DELTA_VERSION_NOT_FOUND]"),
    ("SELECT count(*) FROM products TIMESTAMP AS OF '2020-01-01'", "[DELTA_TIMESTAMP_EARLIER_THAN_COMMIT_RETENTION]"),
    ("SELECT count(*) FROM products TIMESTAMP AS OF '2030-01-01'", "[DELTA_TIMESTAMP_GREATER_THAN_COMMIT]"),
    ("SELECT count(*) FROM open_orders VERSION AS OF 0", "[UNSUPPORTED_FEATURE.TIME_TRAVEL]"),
    ("SELECT count(*) FROM products@v0", "[UNSUPPORTED_FEATURE.SANDBOX]"),
    ("SELECT rank() OVER w FROM range(3) WINDOW w AS (PARTITION BY id)", "[WINDOW_FUNCTION_WITHOUT_ORDER_BY]"),
    ("DESCRIBE QUERY SELECT 1 AS a, 'x' AS b", "a|int|∅ / b|string|∅"),
    ("SHOW COLUMNS IN products IN retail", "product_id / name / category / price"),
    (
        "SHOW TABLES IN CATALOG samples SCHEMA LIKE 'ret*' LIKE 'cust*'",
        "retail|customers|false||samples|TABLE|One row per customer of the shop",
    ),
    ("SHOW TABLES IN ALL CATALOGS LIKE 'trips'", "taxi|trips|false||samples|TABLE|One row per ride"),
    ("SHOW TABLES IN CATALOG nowhere", "[NO_SUCH_CATALOG_EXCEPTION]"),
    (
        "SELECT table_name, constraint_type FROM samples.information_schema.table_constraints WHERE constraint_type = 'PRIMARY KEY' ORDER BY ALL",
        "customers|PRIMARY KEY / order_items|PRIMARY KEY / orders|PRIMARY KEY / products|PRIMARY KEY",
    ),
    (
        "SELECT column_name, ordinal_position FROM samples.information_schema.key_column_usage WHERE constraint_name = 'order_items_pk' ORDER BY 2",
        "order_id|1 / line|2",
    ),
    (
        "SELECT constraint_name, unique_constraint_name FROM samples.information_schema.referential_constraints ORDER BY 1",
        "order_items_order_id_fk|orders_pk / order_items_product_id_fk|products_pk / orders_customer_id_fk|customers_pk",
    ),
    (
        "SELECT table_name, column_name FROM samples.information_schema.constraint_column_usage WHERE constraint_name = 'orders_customer_id_fk'",
        "customers|customer_id",
    ),
    (
        "SELECT grantee, privilege_type, inherited_from FROM samples.information_schema.table_privileges WHERE table_name = 'customers' ORDER BY ALL",
        "auditors|APPLY_TAG|NONE / auditors|SELECT|NONE / users|SELECT|SCHEMA",
    ),
    ("SELECT routine_name FROM system.information_schema.routines ORDER BY 1", "mask_email / net_amount"),
    ("SELECT count(*) FROM main.information_schema.table_tags", "0"),
    ("SELECT * FROM main.information_schema.nothing", "[TABLE_OR_VIEW_NOT_FOUND]"),
    (
        "SELECT job_id, result_state, count(*) FROM system.lakeflow.job_run_timeline WHERE run_name = 'retail-pipeline' GROUP BY ALL ORDER BY ALL",
        "620114300000105|FAILED|5 / 620114300000105|SUCCEEDED|22",
    ),
    (
        "SELECT task_key, result_state FROM system.lakeflow.job_task_run_timeline WHERE job_id = '620114300000105' AND result_state <> 'SUCCEEDED' ORDER BY 1",
        "check|FAILED / report|SKIPPED",
    ),
    (
        "SELECT depends_on_keys FROM system.lakeflow.job_tasks WHERE job_id = '620114300000105' AND task_key = 'report'",
        "[\"clean\",\"check\"]",
    ),
    (
        "SELECT warehouse_name, warehouse_size FROM system.compute.warehouses ORDER BY 1",
        "Reporting warehouse|2X_SMALL / Shared warehouse|SMALL",
    ),
    (
        "SELECT DISTINCT source_column_name FROM system.access.column_lineage WHERE target_table_full_name = 'main.sales.daily_revenue' ORDER BY 1",
        "channel / order_ts / total",
    ),
    ("SELECT channel, count(*) FROM orders GROUP BY ROLLUP (channel)", "app|377 / store|367 / web|756 / ∅|1500"),
    ("SELECT * FROM (SELECT channel, total FROM orders) PIVOT (sum(total) FOR channel IN ('web'))", "268756.42"),
    ("SELECT from_json('{\"a\":1}', 'a INT')", "{\"a\":\"1\"}"),
    ("SELECT CAST(array(1) AS STRING)", "[1]"),
    ("SELECT DATE '2024-03-01' - DATE '2024-02-01'", "29 00:00:00.000000000"),
    ("SELECT percentile_approx(total, array(0.25, 0.5)) FROM orders", "[\"162.26\",\"324.57\"]"),
    ("SELECT 1 AS a UNION ALL BY NAME SELECT 2 AS a", "1 / 2"),
    ("SELECT lag(email) IGNORE NULLS OVER (ORDER BY customer_id) FROM customers", "[UNSUPPORTED_FEATURE.SANDBOX]"),
    (
        "SELECT channel, rank() OVER (ORDER BY count(*)) FROM orders GROUP BY ROLLUP (channel)",
        "[UNSUPPORTED_FEATURE.SANDBOX]",
    ),
    ("SELECT array_sort(array(1), (a, b) -> b - a)", "[UNSUPPORTED_FEATURE.SANDBOX]"),
    ("SELECT rand(42)", "[UNSUPPORTED_FEATURE.SANDBOX]"),
    ("SELECT parse_json('{}')", "[UNSUPPORTED_FEATURE.SANDBOX]"),
    ("SELECT ai_query('model', 'hello')", "[UNSUPPORTED_FEATURE.SANDBOX]"),
    ("SELECT * FROM read_files('/Volumes/x')", "[PATH_NOT_FOUND]"),
    ("TABLE main.default.greetings", "[UNSUPPORTED_FEATURE.SANDBOX]"),
    (
        "SHOW GRANTS ON TABLE customers",
        "auditors|APPLY TAG|TABLE|samples.retail.customers / auditors|SELECT|TABLE|samples.retail.customers",
    ),
    ("ANALYZE TABLE orders COMPUTE STATISTICS", "[UNSUPPORTED_FEATURE.SANDBOX]"),
    ("EXPLAIN INSERT INTO main.default.greetings VALUES (1, 'a', 'b')", "[UNSUPPORTED_FEATURE.SANDBOX]"),
    ("SELECT sum(id) OVER missing FROM range(3)", "[MISSING_WINDOW_SPECIFICATION]"),
];
