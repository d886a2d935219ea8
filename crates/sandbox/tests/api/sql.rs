//! What statements give, as a table of statement and result.

use std::error::Error;

use databricks_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::client::{Checked, post, start};

const WAREHOUSE: &str = "a1b2c3d4e5f60718";

pub(crate) async fn run(sandbox: &Sandbox, sql: &str) -> Result<Value, Box<dyn Error>> {
    let body = json!({"warehouse_id": WAREHOUSE, "statement": sql, "wait_timeout": "50s"});
    Ok(post(sandbox, "/api/2.0/sql/statements", body).await?.json())
}

fn text<'a>(value: &'a Value, pointer: &str) -> Option<&'a str> {
    value.pointer(pointer)?.as_str()
}

fn list(value: &Value, pointer: &str) -> Vec<Value> {
    value.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default()
}

/// `name:TYPE` of each column, then the rows with cells by `|`, or the error's condition.
async fn shown(sandbox: &Sandbox, sql: &str) -> Result<String, Box<dyn Error>> {
    let reply = run(sandbox, sql).await?;
    if let Some(message) = text(&reply, "/status/error/message") {
        return Ok(message.split(']').next().unwrap_or_default().trim().to_owned() + "]");
    }
    let columns = list(&reply, "/manifest/schema/columns");
    let part = |column: &Value, pointer| text(column, pointer).unwrap_or("?").to_owned();
    let columns: Vec<_> =
        columns.iter().map(|column| part(column, "/name") + ":" + &part(column, "/type_text")).collect();
    let mut lines = vec![columns.join(" ")];
    for row in list(&reply, "/result/data_array") {
        let cells: Vec<_> =
            row.as_array().into_iter().flatten().map(|cell| cell.as_str().unwrap_or("∅").to_owned()).collect();
        lines.push(cells.join("|"));
    }
    Ok(lines.join(" / "))
}

pub(crate) async fn check(cases: &[(&str, &str)]) -> Checked {
    let sandbox = start().await?;
    let mut wrong = Vec::new();
    for (sql, expected) in cases {
        let found = shown(&sandbox, sql).await?;
        if found != *expected {
            wrong.push(format!("{sql}\n  expected {expected}\n  found    {found}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[tokio::test]
async fn literals_and_types() -> Checked {
    check(&[
        ("SELECT 1", "1:INT / 1"),
        ("SELECT NULL", "NULL:VOID / ∅"),
        ("SELECT 'it''s' AS a, \"b\" AS b, true AS c", "a:STRING b:STRING c:BOOLEAN / it's|b|true"),
        ("SELECT 3000000000 AS big, 5L AS long, 1.50 AS exact, 1e3 AS double", "big:BIGINT long:BIGINT exact:DECIMAL(3,2) double:DOUBLE / 3000000000|5|1.50|1000.0"),
        ("SELECT DATE '2024-02-29' AS d, TIMESTAMP '2024-02-29 12:34:56.789' AS t", "d:DATE t:TIMESTAMP / 2024-02-29|2024-02-29T12:34:56.789Z"),
        ("SELECT CAST('12.345' AS DECIMAL(5,2)) AS a, '7'::INT AS b, CAST(2.7 AS INT) AS c, try_cast('x' AS INT) AS d", "a:DECIMAL(5,2) b:INT c:INT d:INT / 12.35|7|2|∅"),
        ("SELECT CAST('x' AS INT)", "[CAST_INVALID_INPUT]"),
        ("SELECT CAST(TIMESTAMP '2024-01-01 00:00:00' AS STRING) AS s, CAST(1.5D AS STRING) AS d", "s:STRING d:STRING / 2024-01-01 00:00:00|1.5"),
        ("SELECT string(TIMESTAMP '2024-01-01 00:00:00.5') AS s, string(true) AS b, string(DATE '2024-01-01') AS d", "s:STRING b:STRING d:STRING / 2024-01-01 00:00:00.5|true|2024-01-01"),
        ("SELECT array(1, 2) AS a, named_struct('x', 1, 'y', 'z') AS s", "a:ARRAY<INT> s:STRUCT<x: INT, y: STRING> / [\"1\",\"2\"]|{\"x\":\"1\",\"y\":\"z\"}"),
    ])
    .await
}

#[tokio::test]
async fn arithmetic() -> Checked {
    check(&[
        ("SELECT 7 / 2 AS a, 7 % 3 AS b, -7 % 3 AS d", "a:DOUBLE b:INT d:INT / 3.5|1|-1"),
        ("SELECT 1 / 0", "[DIVIDE_BY_ZERO]"),
        ("SELECT try_divide(1, 0) AS a", "a:DOUBLE / ∅"),
        (
            "SELECT 0.1 + 0.2 AS a, 1.10 * 3 AS b, 1.00 / 3 AS c",
            "a:DECIMAL(2,1) b:DECIMAL(5,2) c:DECIMAL(7,6) / 0.3|3.30|0.333333",
        ),
        ("SELECT 2147483647 + 1", "[ARITHMETIC_OVERFLOW]"),
        (
            "SELECT round(2.345, 2) AS a, round(2.5) AS b, round(1234.5e0, 1) AS c, ceil(1.2) AS d, floor(-1.2e0) AS e",
            "a:DECIMAL(4,2) b:DECIMAL(2,0) c:DOUBLE d:DECIMAL(2,0) e:BIGINT / 2.35|3|1234.5|2|-2",
        ),
        (
            "SELECT abs(-3) AS a, power(2, 10) AS b, sqrt(16) AS c, greatest(1, NULL, 3) AS d, pmod(-7, 3) AS e",
            "a:INT b:DOUBLE c:DOUBLE d:INT e:INT / 3|1024.0|4.0|3|2",
        ),
        ("SELECT '5' + 1 AS a, '5' = 5 AS b, 1 < 1.5 AS c", "a:BIGINT b:BOOLEAN c:BOOLEAN / 6|true|true"),
        ("SELECT 1 + true", "[DATATYPE_MISMATCH]"),
    ])
    .await
}

#[tokio::test]
async fn strings_and_conditions() -> Checked {
    check(&[
        ("SELECT concat('a', 1, NULL) AS a, concat_ws('-', 'a', NULL, 'b') AS b, 'x' || 'y' AS c", "a:STRING b:STRING c:STRING / ∅|a-b|xy"),
        ("SELECT upper('é') AS a, substring('spark', -3) AS b, left('spark', 2) AS c, lpad('7', 3, '0') AS d, instr('spark', 'r') AS e", "a:STRING b:STRING c:STRING d:STRING e:INT / É|ark|sp|007|4"),
        ("SELECT trim('  x ') AS a, replace('aba', 'a', 'c') AS b, split_part('a,b,c', ',', 2) AS c, regexp_extract('id-42', '(\\\\d+)', 1) AS d", "a:STRING b:STRING c:STRING d:STRING / x|cbc|b|42"),
        ("SELECT 'Spark' LIKE 's%' AS a, 'Spark' ILIKE 's%' AS b, 'Spark' RLIKE '^S.*k$' AS c, 'a_b' LIKE 'a\\\\_b' AS d", "a:BOOLEAN b:BOOLEAN c:BOOLEAN d:BOOLEAN / false|true|true|true"),
        ("SELECT if(1 > 2, 'a', 'b') AS a, coalesce(NULL, 2) AS b, nvl(NULL, 'x') AS c, nullif(1, 1) AS d, CASE WHEN 1 = 1 THEN 1.5 ELSE 2 END AS e", "a:STRING b:INT c:STRING d:INT e:DECIMAL(11,1) / b|2|x|∅|1.5"),
        ("SELECT CASE 2 WHEN 1 THEN 'one' WHEN 2 THEN 'two' END AS a, 2 BETWEEN 1 AND 3 AS b, 2 NOT IN (1, 3) AS c, NULL IS NULL AS d", "a:STRING b:BOOLEAN c:BOOLEAN d:BOOLEAN / two|true|true|true"),
    ])
    .await
}

#[tokio::test]
async fn dates() -> Checked {
    check(&[
        ("SELECT current_date() AS a, current_timestamp() > TIMESTAMP '2026-03-02 08:59:59' AS b", "a:DATE b:BOOLEAN / 2026-03-02|true"),
        ("SELECT date_trunc('month', TIMESTAMP '2024-05-17 10:20:30') AS a, date_format(DATE '2024-05-17', 'yyyy/MM/dd EEEE') AS b", "a:TIMESTAMP b:STRING / 2024-05-01T00:00:00.000Z|2024/05/17 Friday"),
        ("SELECT year('2024-05-17') AS a, quarter(DATE '2024-05-17') AS b, dayofweek(DATE '2024-05-17') AS c, weekofyear(DATE '2024-01-01') AS d", "a:INT b:INT c:INT d:INT / 2024|2|6|1"),
        ("SELECT DATE '2024-01-31' + INTERVAL 1 MONTH AS a, DATE '2024-03-01' - INTERVAL '1' DAY AS b, date_add(DATE '2024-02-28', 2) AS c, add_months('2024-01-31', 1) AS d", "a:DATE b:DATE c:DATE d:DATE / 2024-02-29|2024-02-29|2024-03-01|2024-02-29"),
        ("SELECT datediff('2024-03-01', '2024-02-01') AS a, datediff(MONTH, '2024-01-15', '2024-03-14') AS b, dateadd(HOUR, 5, TIMESTAMP '2024-01-01 00:00:00') AS c", "a:INT b:BIGINT c:TIMESTAMP / 29|1|2024-01-01T05:00:00.000Z"),
        ("SELECT to_date('17.05.2024', 'dd.MM.yyyy') AS a, last_day(DATE '2024-02-01') AS b, unix_timestamp(TIMESTAMP '1970-01-02 00:00:00') AS c, extract(YEAR FROM DATE '2024-05-17') AS d", "a:DATE b:DATE c:BIGINT d:INT / 2024-05-17|2024-02-29|86400|2024"),
    ])
    .await
}

#[tokio::test]
async fn queries() -> Checked {
    check(&[
        ("SELECT count(*) FROM samples.retail.orders", "count(1):BIGINT / 1500"),
        ("SELECT id, text FROM greetings ORDER BY id DESC LIMIT 2", "id:INT text:STRING / 4|∅ / 3|Bonjour"),
        ("SELECT * EXCEPT (text) FROM `main`.`default`.`greetings` WHERE id < 3", "id:INT language:STRING / 1|en / 2|nl"),
        ("SELECT language, count(text) AS n FROM main.default.greetings GROUP BY ALL HAVING n = 0", "language:STRING n:BIGINT / ja|0"),
        ("SELECT upper(language) AS l FROM greetings GROUP BY upper(language) ORDER BY 1 LIMIT 1", "l:STRING / EN"),
        ("SELECT id, sum(id) FROM greetings", "[MISSING_AGGREGATION]"),
        ("SELECT g.id, h.text FROM greetings g LEFT JOIN greetings h ON h.id = g.id + 2 ORDER BY g.id", "id:INT text:STRING / 1|Bonjour / 2|∅ / 3|∅ / 4|∅"),
        ("SELECT id FROM greetings JOIN (SELECT 2 AS id UNION ALL SELECT 3) USING (id)", "id:INT / 2 / 3"),
        ("SELECT id FROM greetings g LEFT ANTI JOIN (VALUES (1), (2)) AS v(id) ON v.id = g.id", "id:INT / 3 / 4"),
        ("WITH t AS (SELECT id, id % 2 AS odd FROM greetings) SELECT odd, max(id) AS m FROM t GROUP BY odd ORDER BY odd", "odd:INT m:INT / 0|4 / 1|3"),
        ("SELECT id, row_number() OVER (PARTITION BY id % 2 ORDER BY id DESC) AS n FROM greetings QUALIFY n = 1 ORDER BY id", "id:INT n:INT / 3|1 / 4|1"),
        ("SELECT id * 2 AS double_id, double_id + 1 AS next FROM greetings WHERE id = 1", "double_id:INT next:INT / 2|3"),
        ("SELECT id FROM greetings g WHERE EXISTS (SELECT 1 FROM greetings h WHERE h.id = g.id * 2) ORDER BY id", "id:INT / 1 / 2"),
        ("SELECT (SELECT max(id) FROM greetings) AS m, 3 IN (SELECT id FROM greetings) AS i", "m:INT i:BOOLEAN / 4|true"),
        ("SELECT (SELECT id FROM greetings)", "[SCALAR_SUBQUERY_TOO_MANY_ROWS]"),
        ("SELECT 1 AS a UNION SELECT 2.5 ORDER BY a DESC", "a:DECIMAL(11,1) / 2.5 / 1.0"),
        ("SELECT DISTINCT id % 2 AS odd FROM greetings ORDER BY odd", "odd:INT / 0 / 1"),
        ("SELECT sum(id) AS s, avg(id) AS a, count_if(id > 2) AS c, count(DISTINCT text) AS d, collect_list(id) AS l FROM greetings", "s:BIGINT a:DOUBLE c:BIGINT d:BIGINT l:ARRAY<INT> / 10|2.5|2|3|[\"1\",\"2\",\"3\",\"4\"]"),
        ("SELECT avg(price) IS NOT NULL AS a, sum(price) = sum(price) AS b FROM samples.retail.products", "a:BOOLEAN b:BOOLEAN / true|true"),
        ("SELECT median(id) AS m, max_by(text, id) AS t, percentile(id, 0.25) AS p, stddev_pop(id) > 1 AS s FROM greetings", "m:DOUBLE t:STRING p:DOUBLE s:BOOLEAN / 2.5|∅|1.75|true"),
        ("SELECT sum(u.usage_quantity * p.pricing.effective_list.default) > 0 AS cost FROM system.billing.usage u JOIN system.billing.list_prices p ON u.sku_name = p.sku_name AND u.cloud = p.cloud AND u.usage_end_time >= p.price_start_time AND (p.price_end_time IS NULL OR u.usage_end_time < p.price_end_time) WHERE u.usage_metadata.job_id IS NOT NULL", "cost:BOOLEAN / true"),
        ("SELECT table_name FROM main.information_schema.tables WHERE table_schema = 'sales' ORDER BY table_name", "table_name:STRING / daily_revenue / top_customers"),
        ("SELECT column_name, full_data_type FROM samples.information_schema.columns WHERE table_name = 'products' ORDER BY ordinal_position LIMIT 1", "column_name:STRING full_data_type:STRING / product_id|bigint"),
    ])
    .await
}

#[tokio::test]
async fn errors() -> Checked {
    check(&[
        ("SELECT * FROM nothing", "[TABLE_OR_VIEW_NOT_FOUND]"),
        ("SELECT nam FROM samples.retail.customers", "[UNRESOLVED_COLUMN.WITH_SUGGESTION]"),
        ("INSER INTO x VALUES (1)", "[PARSE_SYNTAX_ERROR]"),
        ("SELECT 'open", "[PARSE_SYNTAX_ERROR]"),
        ("OPTIMIZE samples.taxi.trips", "[UNSUPPORTED_FEATURE.SANDBOX]"),
        ("SELECT 7 div 2 AS a", "a:BIGINT / 3"),
        ("COPY INTO t FROM '/Volumes/x' FILEFORMAT = CSV", "[UNSUPPORTED_FEATURE.SANDBOX]"),
        ("ALTER TABLE t SET TAGS ('a' = 'b')", "[UNSUPPORTED_FEATURE.SANDBOX]"),
        ("SELECT inline(array(1))", "[DATATYPE_MISMATCH]"),
        ("OPTIMIZE main.default.greetings", "[UNSUPPORTED_FEATURE.SANDBOX]"),
        ("SELECT id FROM greetings g JOIN greetings h ON g.id = h.id", "[AMBIGUOUS_REFERENCE]"),
        ("SELECT 1; SELECT 2", "[PARSE_SYNTAX_ERROR]"),
        ("CREATE TABLE main.missing.t (a INT)", "[SCHEMA_NOT_FOUND]"),
        ("DROP TABLE main.sales.top_customers", "[WRONG_COMMAND_FOR_OBJECT_TYPE]"),
        ("SELECT sum(id) FROM greetings WHERE sum(id) > 1", "[INVALID_WHERE_CONDITION]"),
        ("SELECT :missing", "[UNBOUND_SQL_PARAMETER]"),
    ])
    .await
}

#[tokio::test]
async fn changes() -> Checked {
    check(&[
        ("CREATE SCHEMA main.lab COMMENT 'for tests'", ""),
        ("CREATE TABLE main.lab.t (id INT NOT NULL, name STRING COMMENT 'who', price DECIMAL(10,2)) USING DELTA COMMENT 'x'", ""),
        ("CREATE TABLE main.lab.t (id INT)", "[TABLE_ALREADY_EXISTS]"),
        ("CREATE TABLE IF NOT EXISTS main.lab.t (id INT)", ""),
        ("INSERT INTO main.lab.t VALUES (1, 'a', 9.99), (2, 'b', NULL)", "num_affected_rows:BIGINT num_inserted_rows:BIGINT / 2|2"),
        ("INSERT INTO main.lab.t (id, name) SELECT id + 10, language FROM greetings WHERE id = 1", "num_affected_rows:BIGINT num_inserted_rows:BIGINT / 1|1"),
        ("INSERT INTO main.lab.t (name) VALUES ('no id')", "[DELTA_NOT_NULL_CONSTRAINT_VIOLATED]"),
        ("INSERT INTO main.lab.t VALUES (1)", "[INSERT_COLUMN_ARITY_MISMATCH.NOT_ENOUGH_DATA_COLUMNS]"),
        ("UPDATE main.lab.t SET price = price * 2, name = upper(name) WHERE id = 1", "num_affected_rows:BIGINT / 1"),
        ("DELETE FROM main.lab.t AS x WHERE x.id = 2", "num_affected_rows:BIGINT / 1"),
        ("SELECT * FROM main.lab.t ORDER BY id", "id:INT name:STRING price:DECIMAL(10,2) / 1|A|19.98 / 11|en|∅"),
        ("CREATE OR REPLACE TABLE main.lab.t AS SELECT id, price FROM main.lab.t", ""),
        ("DESCRIBE TABLE main.lab.t", "col_name:STRING data_type:STRING comment:STRING / id|int|∅ / price|decimal(10,2)|∅"),
        ("CREATE VIEW main.lab.v AS SELECT id AS key FROM main.lab.t", ""),
        ("SELECT key FROM main.lab.v WHERE key > 1", "key:INT / 11"),
        ("SHOW TABLES IN main.lab", "database:STRING tableName:STRING isTemporary:BOOLEAN / lab|t|false / lab|v|false"),
        ("SHOW SCHEMAS IN main LIKE 'l*'", "databaseName:STRING / lab"),
        ("SHOW CATALOGS", "catalog:STRING / main / samples / system"),
        ("DROP SCHEMA main.lab", "[SCHEMA_NOT_EMPTY]"),
        ("TRUNCATE TABLE main.lab.t", ""),
        ("SELECT count(*) AS n FROM main.lab.v", "n:BIGINT / 0"),
        ("DROP SCHEMA main.lab CASCADE", ""),
        ("SELECT * FROM main.lab.t", "[TABLE_OR_VIEW_NOT_FOUND]"),
        ("CREATE TABLE main.default.c (g INT)", ""),
        ("DROP TABLE main.default.c", ""),
        ("DROP TABLE IF EXISTS main.default.c", ""),
    ])
    .await
}
