//! Statements that are nearly right: whatever they are, the engine answers and never gives up.

use serde_json::json;

use crate::client::{Checked, post, start};

const WAREHOUSE: &str = "a1b2c3d4e5f60718";
const ROUNDS: usize = 1200;

const STATEMENTS: &[&str] = &[
    "SELECT category, count(*) AS n, avg(price) FROM samples.retail.products WHERE price > 5.5 GROUP BY ALL HAVING n > 1 ORDER BY n DESC NULLS LAST LIMIT 3 OFFSET 1",
    "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT sum(n) FROM t",
    "SELECT transform(array(1, 2, NULL), (x, i) -> x * i), filter(array('a'), x -> x LIKE '%a'), aggregate(array(1), 0, (s, x) -> s + x)",
    "SELECT row_number() OVER w, lag(price, 1, 0) OVER (PARTITION BY category ORDER BY price) FROM samples.retail.products WINDOW w AS (ORDER BY name) QUALIFY 1 = 1",
    "SELECT p.*, g.text FROM samples.retail.products p LEFT JOIN main.default.greetings g ON g.id = p.product_id AND g.text IS NOT NULL",
    "SELECT CAST('2024-02-29' AS DATE) + INTERVAL 1 MONTH, date_trunc('week', TIMESTAMP '2024-05-17 10:20:30'), make_date(2024, 13, 1)",
    "SELECT '{\"a\":[1,2]}':a[1]::INT, named_struct('x', 1).x, map('k', 2)['k'], array(1, 2)[5]",
    "MERGE INTO main.default.greetings t USING (SELECT 9 AS id, 'de' AS language) s ON t.id = s.id WHEN MATCHED THEN UPDATE SET language = s.language WHEN NOT MATCHED THEN INSERT (id, language) VALUES (s.id, s.language)",
    "INSERT INTO main.default.greetings (id, text) VALUES (7, 'x'), (8, NULL)",
    "UPDATE main.default.greetings SET text = upper(text) WHERE id IN (1, 2) AND language = 'en'",
    "DELETE FROM main.default.greetings WHERE id > (SELECT max(product_id) FROM samples.retail.products)",
    "CREATE OR REPLACE TABLE main.default.z (id INT NOT NULL, name STRING COMMENT 'n', CONSTRAINT pk PRIMARY KEY (id)) USING DELTA TBLPROPERTIES ('a' = 'b')",
    "CREATE TEMPORARY VIEW v (a, b) AS SELECT 1, 'x'",
    "ALTER TABLE main.default.greetings ADD COLUMNS (extra STRUCT<a: INT, b: ARRAY<STRING>>)",
    "DESCRIBE HISTORY main.default.greetings",
    "SHOW TABLES IN CATALOG samples SCHEMA LIKE 'r*' LIKE '*s'",
    "EXPLAIN FORMATTED SELECT DISTINCT name FROM samples.retail.products WHERE product_id = 3 UNION ALL SELECT text FROM main.default.greetings",
    "SELECT * FROM samples.retail.products VERSION AS OF 0",
    "SELECT explode(sequence(1, 5, 2)), id FROM range(0, 10, 3) AS r(id)",
    "SELECT constraint_name FROM samples.information_schema.table_constraints ORDER BY ALL",
    "SELECT round(-1.005, 2), 9223372036854775807 + 1, 1 / 0, CAST(1e300 AS INT), -(-9223372036854775808), abs(-9223372036854775808)",
    "SELECT repeat('a', 2147483647), lpad('x', -1, ''), substring('é', 0, 9223372036854775807), regexp_replace('a', '(', 'b'), format_number(1, -5)",
];

const WORDS: &[&str] = &[
    "SELECT",
    "(",
    ")",
    ",",
    "*",
    "NULL",
    "->",
    "::",
    ":",
    "[",
    "]",
    "'",
    "\"",
    "`",
    "-",
    "--",
    "/*",
    "é",
    "\u{0}",
    "0",
    "-1",
    "9223372036854775808",
    "1e999",
    "OVER",
    "WITH",
    "RECURSIVE",
    "AS",
    "FROM",
    "LATERAL",
    "EXISTS",
    "INTERVAL",
    "DATE",
    ".",
    ";",
    "@",
    "?",
    ":p",
    "<=>",
    "ORDER BY ALL",
    "GROUP BY",
    "IN CATALOG",
    "VERSION AS OF",
    "x -> x",
    "{}",
];

/// The same numbers at each run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(bound.max(1)).unwrap_or(1)).unwrap_or(0)
    }
}

#[expect(clippy::indexing_slicing, reason = "places are below the length")]
fn mutated(numbers: &mut Numbers) -> String {
    let pick = |numbers: &mut Numbers, texts: &[&'static str]| texts[numbers.below(texts.len())];
    let mut words: Vec<String> = pick(numbers, STATEMENTS).split(' ').map(str::to_owned).collect();
    for _ in 0..numbers.below(4) {
        let at = numbers.below(words.len());
        match numbers.below(7) {
            0 if words.len() > 1 => {
                words.remove(at);
            }
            1 => words.insert(at, pick(numbers, WORDS).to_owned()),
            2 => words[at] = pick(numbers, WORDS).to_owned(),
            3 => words.insert(at, words[numbers.below(words.len())].clone()),
            4 => {
                let other: Vec<_> = pick(numbers, STATEMENTS).split(' ').map(str::to_owned).collect();
                let from = numbers.below(other.len());
                words.splice(at.., other[from..].iter().cloned());
            }
            5 => {
                let word: Vec<char> = words[at].chars().collect();
                words[at] = word[..numbers.below(word.len() + 1)].iter().collect();
            }
            _ => words.truncate(at + 1),
        }
    }
    words.join(" ")
}

#[tokio::test]
async fn mutated_statements_are_answered() -> Checked {
    let sandbox = start().await?;
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    let formats = [("INLINE", "JSON_ARRAY"), ("EXTERNAL_LINKS", "CSV"), ("INLINE_OR_EXTERNAL_LINKS", "ARROW_STREAM")];
    let (mut succeeded, mut failed) = (0, 0);
    for round in 0..ROUNDS {
        let sql = mutated(&mut numbers);
        let (disposition, format) = formats[round % formats.len()];
        let body = json!({"warehouse_id": WAREHOUSE, "statement": sql, "wait_timeout": "5s", "on_wait_timeout": "CANCEL",
            "disposition": disposition, "format": format, "row_limit": 100});
        let reply = post(&sandbox, "/api/2.0/sql/statements", body).await?;
        let state = reply.at("/status/state");
        let message = reply.at("/status/error/message").as_str().unwrap_or_default().to_owned();
        assert!(!message.contains("gave up"), "{sql}: {message}");
        match state.as_str().unwrap_or_default() {
            "SUCCEEDED" => succeeded += 1,
            "FAILED" => {
                // Every refusal has its condition and its state.
                assert!(message.trim_start().starts_with('[') && message.contains("SQLSTATE: "), "{sql}: {message}");
                failed += 1;
            }
            "CANCELED" => {}
            _ => assert_eq!(reply.status, 400, "{sql}: {}", reply.json()),
        }
    }
    assert!(succeeded > ROUNDS / 10 && failed > ROUNDS / 5, "{succeeded} succeeded and {failed} failed");
    Ok(())
}
