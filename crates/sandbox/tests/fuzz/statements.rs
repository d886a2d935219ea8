//! Statements that are made of good ones.

use serde_json::json;

use crate::long;
use crate::random::{NASTY, Random};
use crate::wire::Sent;

const GOOD: [&str; 56] = [
    "SELECT * FROM samples.retail.orders LIMIT 5",
    "SELECT channel, count(*) AS n, sum(total) FROM samples.retail.orders GROUP BY channel HAVING count(*) > 1 ORDER BY n DESC",
    "SELECT c.name, o.total FROM samples.retail.customers c JOIN samples.retail.orders o ON o.customer_id = c.customer_id WHERE o.total > 10",
    "SELECT CAST('2026-01-31' AS DATE) + INTERVAL 1 MONTH, date_trunc('MONTH', current_date())",
    "WITH t AS (SELECT 1 AS a UNION ALL SELECT 2) SELECT a, row_number() OVER (ORDER BY a DESC) FROM t",
    "SELECT CASE WHEN total > 100 THEN 'big' ELSE 'small' END AS size, avg(total) FROM samples.retail.orders GROUP BY ALL",
    "SELECT concat('a', upper('b'), substring('hello', 2, 3), regexp_replace('aaa', 'a', 'b'), split('a,b', ',')[0])",
    "SELECT array(1, 2, 3), map('a', 1), named_struct('x', 1), explode(array(1, 2))",
    "SELECT * FROM (VALUES (1, 'a'), (2, NULL)) AS t(n, s) WHERE s IS NOT NULL",
    "SELECT decimal(1.23) * 4.56, 7 / 2, 7 DIV 2, 7 % 2, -5 % 3, round(2.5), abs(-1), power(2, 10)",
    "CREATE TABLE main.default.fuzz (a INT NOT NULL, b STRING COMMENT 'x', c DECIMAL(10,2)) COMMENT 'y'",
    "CREATE OR REPLACE TABLE main.default.fuzz AS SELECT order_id AS a, channel AS b, total AS c FROM samples.retail.orders LIMIT 10",
    "INSERT INTO main.default.fuzz VALUES (1, 'x', 2.50), (2, NULL, NULL)",
    "UPDATE main.default.fuzz SET b = 'z', c = c + 1 WHERE a = 1",
    "DELETE FROM main.default.fuzz WHERE a IN (SELECT 1)",
    "MERGE INTO main.default.fuzz t USING (SELECT 1 AS a, 'm' AS b) s ON t.a = s.a WHEN MATCHED THEN UPDATE SET b = s.b WHEN NOT MATCHED THEN INSERT (a, b) VALUES (s.a, s.b)",
    "ALTER TABLE main.default.fuzz ADD COLUMN d BIGINT",
    "ALTER TABLE main.default.fuzz RENAME TO main.default.fuzz2",
    "DROP TABLE IF EXISTS main.default.fuzz",
    "CREATE OR REPLACE VIEW main.default.v AS SELECT a FROM main.default.fuzz",
    "SHOW TABLES IN main.sales LIKE 'd*'",
    "SHOW SCHEMAS IN samples",
    "DESCRIBE TABLE EXTENDED samples.retail.orders",
    "DESCRIBE HISTORY main.default.fuzz",
    "EXPLAIN SELECT * FROM samples.taxi.trips",
    "SELECT table_name FROM system.information_schema.tables WHERE table_schema = 'retail'",
    "SELECT usage_metadata.job_id, sum(usage_quantity) FROM system.billing.usage GROUP BY 1",
    "SELECT lag(total) OVER (PARTITION BY channel ORDER BY order_ts ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM samples.retail.orders LIMIT 3",
    "SELECT count(DISTINCT channel), collect_list(channel), percentile(total, 0.5) FROM samples.retail.orders",
    "SELECT to_json(named_struct('a', 1)), from_json('{\"a\":1}', 'a INT'), get_json_object('{\"a\":1}', '$.a')",
    "SELECT * FROM samples.retail.orders EXCEPT SELECT * FROM samples.retail.orders WHERE total > 5",
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM samples.retail.customers WHERE name LIKE 'A%')",
    "CREATE SCHEMA IF NOT EXISTS main.fuzzing COMMENT 'x'",
    "USE CATALOG samples",
    "GRANT SELECT ON TABLE main.default.fuzz TO `users`",
    "SELECT channel, status, count(*), grouping(status) FROM samples.retail.orders GROUP BY ROLLUP (channel, status) ORDER BY 1",
    "SELECT a, sum(v) FROM VALUES (1, 2), (3, 4) AS t(a, v) GROUP BY GROUPING SETS ((a), ()) HAVING sum(v) > 1",
    "SELECT * FROM (SELECT status, channel, total FROM samples.retail.orders) PIVOT (sum(total) AS s, count(*) AS n FOR channel IN ('web' AS w, 'app'))",
    "SELECT * FROM (SELECT 1 AS id, 2 AS a, 3 AS b) UNPIVOT INCLUDE NULLS (v FOR k IN (a, b AS c)) AS u",
    "SELECT count(*) FROM samples.retail.orders TABLESAMPLE (10 PERCENT) REPEATABLE (3) AS o",
    "SELECT * FROM samples.retail.orders o FULL JOIN samples.retail.customers c USING (customer_id) LIMIT 2",
    "SELECT sum(total) OVER (ORDER BY order_ts RANGE BETWEEN INTERVAL 7 DAYS PRECEDING AND CURRENT ROW) FROM samples.retail.orders LIMIT 2",
    "SELECT last_value(a) IGNORE NULLS OVER (ORDER BY a), stddev(a) FILTER (WHERE a > 1) OVER () FROM VALUES (1), (NULL) AS t(a)",
    "SELECT max(dropoff_time - pickup_time), INTERVAL '1 02:03:04' DAY TO SECOND * 2, INTERVAL '1-2' YEAR TO MONTH, INTERVAL '3 days' FROM samples.taxi.trips",
    "SELECT sequence(DATE '2026-01-31', DATE '2026-12-31', INTERVAL 1 MONTH), stack(2, 'a', 1, 'b', 2) AS (k, v)",
    "SELECT from_json('[{\"a\":1}]', 'ARRAY<STRUCT<a: INT>>')[0].a, map_filter(map('a', 1), (k, v) -> v > 0), zip_with(array(1), array(2), (x, y) -> x + y)",
    "SELECT date_format(current_timestamp(), 'EEEE, d MMM yyyy HH:mm:ss.SSS XXX'), to_date('01 Mar 24', 'dd MMM yy'), datediff(MONTH, DATE '2026-01-31', DATE '2026-02-28')",
    "SELECT format_string('%05.2f %-8s|%,d', 1.5D, 'x', 12345), regexp_replace('a1b2', '([a-z])(\\\\d)', '$2$1'), overlay('abc' PLACING 'x' FROM 2 FOR 1)",
    "SELECT try_add(2147483647, 1), bround(2.5), ceil(1.234, 2), shiftleft(1, 40), conv('ff', 16, 2), 5 ^ 3, ~5, 1 << 3",
    "SELECT corr(total, order_id), skewness(total), percentile(total, array(0.1, 0.9)), regr_slope(total, order_id), bit_xor(order_id) FROM samples.retail.orders",
    "CREATE OR REPLACE FUNCTION main.default.fuzzed(x INT, y STRING) RETURNS STRING COMMENT 'z' RETURN concat(y, x)",
    "SELECT main.default.fuzzed(1, 'a'), main.sales.net_amount(10, 0.1), IDENTIFIER('total') FROM IDENTIFIER('samples.retail.orders') LIMIT 1",
    "INSERT INTO main.default.fuzz REPLACE WHERE a = 1 SELECT 1, 'x', 2.5",
    "INSERT INTO main.default.fuzz BY NAME SELECT 'x' AS b, 1 AS a",
    "SHOW GRANTS `users` ON SCHEMA samples.retail",
    "SELECT try_cast('x' AS INT), coalesce(NULL, 1), nullif(1, 1), if(true, 1, 2), :p",
];

const WORDS: [&str; 44] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "LIMIT",
    "NULL",
    "(",
    ")",
    ",",
    "*",
    "1",
    "-1",
    "9223372036854775807",
    "99999999999999999999999999",
    "1e400",
    "0.1",
    "''",
    "'🚀'",
    "\"x\"",
    "`x`",
    ";",
    "--",
    "/*",
    "*/",
    "AND",
    "OR",
    "NOT",
    "IN",
    "BETWEEN",
    "CAST(1 AS STRING)",
    "INTERVAL 1 DAY",
    "DATE '2026-02-30'",
    "TIMESTAMP '9999-12-31'",
    "UNION",
    "OVER ()",
    "substring('é', -9, 3)",
    "repeat('x', 1000000)",
    "sequence(1, 10000000)",
    "lpad('x', 100000000, 'y')",
    "[0]",
    ".a",
    "::INT",
    "=>",
];

/// A statement by chance, and how it is sent.
pub(crate) fn request(random: &mut Random) -> Sent {
    let sql = if random.one_in(100) { long::statement(random) } else { statement(random) };
    sent(random, &sql)
}

/// A statement in a request with options by chance.
pub(crate) fn sent(random: &mut Random, sql: &str) -> Sent {
    let mut body = json!({"statement": sql, "warehouse_id": "a1b2c3d4e5f60718", "wait_timeout": "5s", "on_wait_timeout": "CANCEL"});
    if random.one_in(3) {
        let kinds = ["INT", "STRING", "DATE", "DECIMAL(10,2)", "ARRAY<INT>", "x", ""];
        let value = random.pick(&NASTY).copied();
        body["parameters"] = json!([{"name": "p", "value": value, "type": random.pick(&kinds)}]);
    }
    if random.one_in(5) {
        body["row_limit"] = json!(random.below(3));
    }
    if random.one_in(5) {
        body["byte_limit"] = json!(random.below(100));
    }
    let headers = vec![("content-type", "application/json".to_owned())];
    Sent { headers, ..long::posted("/api/2.0/sql/statements", body.to_string().into_bytes()) }
}

fn statement(random: &mut Random) -> String {
    let good = random.pick(&GOOD).copied().unwrap_or_default();
    if random.one_in(8) {
        return good.to_owned();
    }
    let mut words: Vec<String> = good.split(' ').map(str::to_owned).collect();
    for _ in 0..=random.below(4) {
        let (at, other) = (random.below(words.len()), random.below(words.len()));
        match random.below(8) {
            0 => drop(words.remove(at)),
            1 => words.insert(at, words.get(other).cloned().unwrap_or_default()),
            2 => words.swap(at, other),
            3 => words.insert(at, random.pick(&WORDS).copied().unwrap_or_default().to_owned()),
            4 => {
                if let Some(word) = words.get_mut(at) {
                    *word = random.pick(&WORDS).copied().unwrap_or_default().to_owned();
                }
            }
            5 => {
                let more = random.pick(&GOOD).copied().unwrap_or_default();
                words.truncate(at.max(1));
                words.extend(more.split(' ').skip(random.below(6)).map(str::to_owned));
            }
            6 => {
                if let Some(word) = words.get_mut(at) {
                    let depth = random.below(300);
                    *word = format!("{}{word}{}", "(".repeat(depth), ")".repeat(depth));
                }
            }
            _ => {
                if let Some(word) = words.get_mut(at) {
                    word.push_str(random.pick(&NASTY).copied().unwrap_or_default());
                }
            }
        }
        if words.is_empty() {
            words.push("SELECT 1".to_owned());
        }
    }
    words.join(" ")
}
