//! Statements of every kind, and statements that pretend to be of another.

use crate::domain::sql::read_only::{Circumstances, functions, names, thread};
use crate::error::Error;

fn check(sql: &str) -> Result<(), Error> {
    super::only_reads(sql, &Circumstances::default())
}

fn check_planned(sql: &str) -> Result<(), Error> {
    super::only_plans(sql, &Circumstances::default())
}

#[test]
fn queries_pass() {
    for sql in [
        "SELECT 1",
        "select 1;",
        "  \n\tSELECT 1  ;  \n",
        "SELECT 1; -- and nothing else",
        "select * from a.b.c where x = :day limit 3;",
        "SELECT DISTINCT a, b FROM t ORDER BY a DESC NULLS LAST OFFSET 5",
        "WITH t AS (SELECT 1 AS n) SELECT n FROM t UNION ALL SELECT 2",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT * FROM t",
        "(SELECT 1) INTERSECT (SELECT 1)",
        "SELECT 1 EXCEPT SELECT 2",
        "VALUES (1, 2)",
        "FROM t SELECT a",
        "SELECT * EXCEPT (a) FROM t",
        "SELECT a, count(*) FROM t GROUP BY ALL HAVING count(*) > 1",
        "SELECT a FROM t GROUP BY ROLLUP (a)",
        "SELECT sum(x) OVER (PARTITION BY a ORDER BY b ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t",
        "SELECT * FROM t QUALIFY row_number() OVER (PARTITION BY a ORDER BY b) = 1",
        "SELECT * FROM t TABLESAMPLE (10 PERCENT)",
        "SELECT * FROM t VERSION AS OF 3",
        "SELECT * FROM t TIMESTAMP AS OF '2026-01-01'",
        "SELECT * FROM a JOIN b USING (id) LEFT JOIN c ON a.x = c.x",
        "SELECT * FROM a CROSS JOIN b",
        "SELECT * FROM a LEFT SEMI JOIN b ON a.x = b.x",
        "SELECT * FROM a LEFT ANTI JOIN b ON a.x = b.x",
        "SELECT * FROM t LATERAL VIEW explode(xs) e AS x",
        "SELECT explode(array(1, 2))",
        "SELECT transform(xs, x -> x + 1) FROM t",
        "SELECT CASE WHEN a THEN 1 ELSE 2 END FROM t",
        "SELECT CAST(a AS DECIMAL(10, 2)), a::STRING FROM t",
        "SELECT DATE '2026-01-01', TIMESTAMP '2026-01-01 00:00:00', X'1F'",
        "SELECT current_date() - INTERVAL 7 DAYS",
        "SELECT * FROM IDENTIFIER(:name)",
        "SELECT * FROM `a-b`.`c``d`.`e f`",
        "SELECT 'DROP TABLE x' AS text -- DELETE FROM x",
        "SELECT 'it''s', 'it\\'s', \"quoted\", r'raw', R\"raw\"",
        "SELECT '; DROP TABLE t'",
        "SELECT `insert`, `delete`, `drop` FROM `update`",
        "SELECT 'a' 'b'",
        "SELECT insert_time, update_count, deleted FROM drops",
        "SELECT \"-- no comment\", '/* neither */'",
        "-- first a word\nSELECT 1",
        "/* INSERT INTO t */ SELECT 1 /* DROP */",
        "SELECT /*+ BROADCAST(t), REPARTITION(3) */ * FROM t",
        "SELECT 1 -- ended by a carriage return\r\n + 1",
        "SELECT 'größer', '日本語', '$dollar', '${x}'",
        "SELECT read_files, http_request, reflect FROM t",
        "SELECT * FROM read_files('/Volumes/a/b/c', format => 'csv')",
        "SELECT ai_summarize(text), ai_classify(text, array('a', 'b')) FROM t",
        "SELECT * FROM vector_search(index => 'a.b.c', query_text => 'x')",
        "SELECT main.tools.discount(price) FROM t",
        "SHOW TABLES IN samples.retail",
        "SHOW CATALOGS",
        "show schemas in main like 's*'",
        "SHOW GRANTS ON TABLE a.b.c",
        "SHOW CREATE TABLE a.b.c",
        "SHOW PARTITIONS t",
        "/* what is there */ SHOW TBLPROPERTIES t",
        "DESCRIBE TABLE samples.retail.orders",
        "DESCRIBE EXTENDED a.b.c AS JSON",
        "desc detail samples.retail.orders;",
        "DESCRIBE HISTORY a.b.c LIMIT 5",
        "DESCRIBE QUERY SELECT 1",
        "EXPLAIN SELECT count(*) FROM t",
        "EXPLAIN FORMATTED SELECT count(*) FROM t",
        "explain extended with t as (select 1) select * from t",
        "EXPLAIN COST SELECT 1",
        "EXPLAIN CODEGEN SELECT 1",
        "SELECT * FROM t PIVOT (sum(a) FOR b IN ('x', 'y'))",
        "SELECT raw:a.b[0]::INT, `key` FROM t",
        "SELECT named_struct('a', 1).a, m['x'] FROM t",
        "SELECT ai_gen('a haiku'), ai_forecast FROM t",
    ] {
        assert!(check(sql).is_ok(), "{sql}: {:?}", check(sql).map_err(|error| error.to_string()));
    }
}

#[test]
fn statements_that_do_something_are_refused() {
    for sql in [
        "INSERT INTO t VALUES (1)",
        "INSERT OVERWRITE t SELECT * FROM s",
        "INSERT OVERWRITE DIRECTORY '/x' USING csv SELECT 1",
        "INSERT INTO t REPLACE WHERE a = 1 SELECT * FROM s",
        "UPDATE t SET a = 1",
        "DELETE FROM t",
        "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE",
        "COPY INTO t FROM '/Volumes/x' FILEFORMAT = CSV",
        "LOAD DATA INPATH '/x' INTO TABLE t",
        "TRUNCATE TABLE t",
        "DROP TABLE t",
        "DROP TABLE IF EXISTS t",
        "DROP VIEW v",
        "DROP SCHEMA s CASCADE",
        "DROP CATALOG c CASCADE",
        "DROP FUNCTION f",
        "DROP VOLUME v",
        "DROP TEMPORARY VARIABLE v",
        "UNDROP TABLE t",
        "CREATE TABLE t AS SELECT 1",
        "CREATE OR REPLACE TABLE t (a INT)",
        "CREATE TABLE t USING DELTA LOCATION 's3://x'",
        "CREATE TABLE t SHALLOW CLONE s",
        "CREATE VIEW v AS SELECT 1",
        "CREATE TEMPORARY VIEW v AS SELECT 1",
        "CREATE MATERIALIZED VIEW v AS SELECT 1",
        "CREATE STREAMING TABLE t AS SELECT 1",
        "CREATE SCHEMA s",
        "CREATE CATALOG c",
        "CREATE VOLUME v",
        "CREATE FUNCTION f(x INT) RETURNS INT RETURN x",
        "CREATE OR REPLACE FUNCTION f() RETURNS INT LANGUAGE PYTHON AS $$ import os $$",
        "CREATE PROCEDURE p() LANGUAGE SQL AS BEGIN DROP TABLE t; END",
        "CREATE CONNECTION c TYPE http OPTIONS (host 'x')",
        "CREATE EXTERNAL LOCATION l URL 's3://x' WITH (STORAGE CREDENTIAL c)",
        "CREATE SHARE s",
        "CREATE RECIPIENT r",
        "CREATE POLICY p ON TABLE t",
        "ALTER TABLE t ADD COLUMN a INT",
        "ALTER TABLE t SET TAGS ('a' = 'b')",
        "ALTER TABLE t OWNER TO x",
        "ALTER SCHEMA s SET OWNER TO x",
        "ALTER CATALOG c DISABLE PREDICTIVE OPTIMIZATION",
        "ALTER VIEW v AS SELECT 2",
        "ALTER SHARE s ADD TABLE t",
        "COMMENT ON TABLE t IS 'x'",
        "GRANT SELECT ON t TO `a@b.test`",
        "GRANT ALL PRIVILEGES ON CATALOG main TO `account users`",
        "REVOKE SELECT ON t FROM x",
        "DENY SELECT ON t TO x",
        "MSCK REPAIR TABLE t",
        "REPAIR TABLE t SYNC METADATA",
        "REPAIR PRIVILEGES ON t",
        "SYNC SCHEMA a FROM b",
        "REFRESH TABLE t",
        "REFRESH MATERIALIZED VIEW v",
        "REFRESH FOREIGN CATALOG c",
        "CACHE TABLE t",
        "CACHE SELECT * FROM t",
        "UNCACHE TABLE t",
        "CLEAR CACHE",
        "OPTIMIZE t",
        "OPTIMIZE t ZORDER BY (a)",
        "VACUUM t",
        "VACUUM t RETAIN 0 HOURS",
        "REORG TABLE t APPLY (PURGE)",
        "RESTORE TABLE t TO VERSION AS OF 1",
        "FSCK REPAIR TABLE t",
        "ANALYZE TABLE t COMPUTE STATISTICS",
        "CONVERT TO DELTA t",
        "GENERATE symlink_format_manifest FOR TABLE t",
        "USE CATALOG main",
        "USE SCHEMA s",
        "USE main.default",
        "SET x = 1",
        "SET spark.sql.variable.substitute = true",
        "SET TIME ZONE 'UTC'",
        "SET VAR v = 1",
        "SET ROLE admin",
        "RESET x",
        "DECLARE VARIABLE v INT DEFAULT 1",
        "CALL p()",
        "CALL main.default.p(1, 'x')",
        "EXECUTE IMMEDIATE 'DROP TABLE t'",
        "EXECUTE IMMEDIATE :sql USING 1 AS a",
        "PREPARE p AS DELETE FROM t",
        "EXECUTE p",
        "DEALLOCATE p",
        "BEGIN DROP TABLE t; END",
        "BEGIN TRANSACTION",
        "COMMIT",
        "ROLLBACK",
        "IF true THEN DROP TABLE t; END IF",
        "ADD JAR '/x.jar'",
        "ADD FILE '/x'",
        "LIST JAR",
        "PUT '/x' INTO '/Volumes/x'",
        "GET '/Volumes/x' TO '/x'",
        "REMOVE '/Volumes/x'",
        "KILL 1",
        "LOCK TABLES t WRITE",
        "ATTACH DATABASE 'x' AS y",
        "PRAGMA writable_schema = 1",
        "COPY t TO '/x'",
        "TABLE t; DROP TABLE t",
        "RENAME TABLE a TO b",
        "START REPLICA",
        "SIGNAL SQLSTATE '45000'",
        "not sql at all",
    ] {
        assert!(check(sql).is_err(), "{sql}");
    }
}

#[test]
fn statements_within_statements_are_refused() {
    for sql in [
        "WITH s AS (SELECT 1) INSERT INTO t SELECT * FROM s",
        "WITH s AS (SELECT 1) DELETE FROM t WHERE a IN (SELECT * FROM s)",
        "WITH s AS (SELECT 1) UPDATE t SET a = 1",
        "WITH s AS (SELECT 1) MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE",
        "WITH s AS (DELETE FROM t RETURNING *) SELECT * FROM s",
        "WITH s AS (INSERT INTO t VALUES (1) RETURNING *) SELECT * FROM s",
        "WITH s AS (UPDATE t SET a = 1 RETURNING *) SELECT * FROM s",
        "SELECT * FROM (DELETE FROM t RETURNING *)",
        "SELECT (INSERT INTO t VALUES (1))",
        "SELECT * FROM FINAL TABLE (INSERT INTO t VALUES (1))",
        "FROM s INSERT INTO t SELECT *",
        "FROM s INSERT OVERWRITE TABLE t SELECT * INSERT INTO u SELECT *",
        "SELECT 1 INTO t",
        "SELECT * INTO TABLE t FROM s",
        "SELECT * INTO OUTFILE '/x' FROM s",
        "SELECT TRANSFORM (a) USING 'sh -c true' AS (b) FROM t",
        "MAP a USING 'sh' FROM t",
        "EXPLAIN DELETE FROM t",
        "EXPLAIN ANALYZE DELETE FROM t",
        "EXPLAIN FORMATTED INSERT INTO t VALUES (1)",
        "EXPLAIN EXTENDED DROP TABLE t",
        "EXPLAIN EXPLAIN DELETE FROM t",
        "EXPLAIN",
        "EXPLAIN FORMATTED",
        "SELECT 1; DROP TABLE t",
        "SELECT 1;; DROP TABLE t",
        "SELECT 1; SELECT 2",
        "SHOW TABLES; DROP TABLE t",
        "SHOW TABLES;SELECT 1",
        "DESCRIBE t;;DROP TABLE t",
        "EXPLAIN SELECT 1; DROP TABLE t",
        "`SHOW` TABLES",
        "'SHOW' TABLES",
        "WITH s AS (SELECT 1) FROM s INSERT INTO t SELECT *",
        "FROM (SELECT 1) INSERT INTO t SELECT *",
        "FROM (SELECT 1 AS a) x INSERT OVERWRITE TABLE t SELECT a",
        "FROM s x INSERT INTO t SELECT * INSERT INTO u SELECT *",
        "FROM s LATERAL VIEW explode(xs) e AS x INSERT INTO t SELECT x",
        "FROM a JOIN b USING (id) INSERT INTO t SELECT *",
        "FROM a, b INSERT INTO t SELECT *",
        "FROM s WHERE a > 1 INSERT INTO t SELECT *",
        "(FROM s INSERT INTO t SELECT *)",
        "(INSERT INTO t SELECT 1)",
        "(DELETE FROM t)",
        "WITH s AS (FROM x INSERT INTO t SELECT *) SELECT 1",
        "WITH s AS (SELECT 1) (INSERT INTO t SELECT * FROM s)",
        "WITH s AS (SELECT 1) CREATE TABLE t AS SELECT * FROM s",
        "WITH s AS (SELECT 1) EXECUTE IMMEDIATE 'DROP TABLE t'",
        "SELECT 1 UNION ALL (INSERT INTO t VALUES (1))",
        "SELECT * FROM t |> INSERT INTO u",
        "FROM t |> DROP a |> INSERT INTO u",
        "EXPLAIN EXECUTE IMMEDIATE 'DROP TABLE t'",
        "EXPLAIN CALL p()",
        "EXPLAIN BEGIN DROP TABLE t; END",
        "EXPLAIN (DELETE FROM t)",
        "EXPLAIN WITH s AS (SELECT 1) DELETE FROM t",
        "EXPLAIN LOGICAL DELETE FROM t",
        "FROM t REDUCE a USING 'sh' AS b",
        "FROM t MAP a USING 'sh' AS b",
        "SELECT TRANSFORM(a) USING 'sh' FROM t",
        "SELECT TRANSFORM(*) USING 'sh' AS (b STRING) FROM t",
        "REDUCE a USING 'sh' FROM t",
        "SELECT 1; -- \n DROP TABLE t",
        "SELECT 1 ; ; ; DROP TABLE t",
        "SHOW TABLES /* ; */ ; DROP TABLE t",
        "DESCRIBE QUERY SELECT 1; DROP TABLE t",
        "TABLE t |> AGGREGATE count(*); DELETE FROM t",
    ] {
        assert!(check(sql).is_err(), "{sql}");
    }
}

#[test]
fn functions_that_reach_out_are_refused_however_they_are_written() {
    for sql in [
        "SELECT http_request(conn => 'c', method => 'POST', path => '/x')",
        "SELECT HTTP_REQUEST('c')",
        "SELECT `http_request`('c')",
        "SELECT `Http_Request` ('c')",
        "SELECT http_request /* … */ ('c')",
        "SELECT http_request -- …\n('c')",
        "SELECT http_request /*+ x */ ('c')",
        "SELECT system.builtin.http_request('c')",
        "SELECT `builtin`.`http_request`('c')",
        "SELECT upper(http_request('c'))",
        "SELECT transform(xs, x -> http_request(x)) FROM t",
        "SELECT 1 WHERE EXISTS (SELECT http_request('c'))",
        "SELECT 1 ORDER BY http_request('c')",
        "WITH s AS (SELECT http_request('c')) SELECT 1",
        "SELECT * FROM t JOIN s ON http_request('c') = 1",
        "SELECT CASE WHEN true THEN http_request('c') END",
        "VALUES (http_request('c'))",
        "EXPLAIN SELECT http_request('c')",
        "SELECT ai_query('agent', 'do it')",
        "SELECT * FROM remote_query('c', database => 'd', query => 'DELETE FROM t')",
        "SELECT java_method('java.lang.System', 'exit', 1)",
        "SELECT reflect('java.lang.Runtime', 'getRuntime')",
        "SELECT try_reflect('java.lang.System', 'gc')",
        "SELECT * FROM read_pubsub(subscriptionId => 's')",
        "SELECT IDENTIFIER('http_' || 'request')('c')",
        "SELECT IDENTIFIER(:name)('c')",
        "SELECT identifier (concat('a', ('b'))) ('c')",
        "SELECT system.builtin.IDENTIFIER('http_request')('c')",
        "SELECT IDENTIFIER('system').builtin.http_request('c')",
        "SELECT \"http_request\"('c')",
        "SELECT \"http_request\" ('c') AS x",
        "SELECT system.ai.python_exec('import os')",
        "SELECT `system`.`ai`.`python_exec`('import os')",
        "SELECT * FROM STREAM read_pulsar(serviceUrl => 'x')",
        "DESCRIBE QUERY SELECT http_request('c')",
        "SHOW TABLES LIKE http_request('c')",
        "FROM t |> SELECT http_request('c')",
        "SELECT * FROM a.b.http_request('c')",
        "SELECT http_request\r('c')",
        "SELECT http_request\t\n('c')",
    ] {
        assert!(check(sql).is_err(), "{sql}");
    }
}

/// Each of these is a query to a reader that takes comments, strings or ends of lines otherwise than Spark does.
#[test]
fn what_reads_in_two_ways_is_refused() {
    for sql in [
        "--\rDROP TABLE t /*\n SELECT 1 --*/",
        "-- \\\n/*\nDROP TABLE t --*/ SELECT 1",
        "SELECT 1 -- \\\n INTO t",
        "/* /*+ */ DROP TABLE t -- */ */ SELECT 1",
        "/* /* */ DROP TABLE t /* */ */ SELECT 1",
        "/* SELECT */ DROP TABLE t",
        "/*/ DROP TABLE t /*/ SELECT 1",
        "/* SELECT 1",
        "SELECT 1 /*",
        "SELECT /*+ x -- */ 1, \n */ http_request('c')",
        "SELECT /*+ x('*/') */ 1",
        "WITH x AS (SELECT '\\'' AS a) INSERT INTO t SELECT * FROM x -- ') SELECT 1",
        "WITH x AS (SELECT r'\\' AS a) INSERT INTO t SELECT * FROM x -- ') SELECT 1",
        "WITH x AS (SELECT 'a'r'\\' AS a) INSERT INTO t SELECT * FROM x -- ') SELECT 1",
        "SELECT r'\\' AS a, 1 AS b -- '",
        "SELECT \"\\\" AS a, http_request('c') -- \"",
        "SELECT 'unended",
        "SELECT \"unended",
        "SELECT `unended",
        "SELECT 'a\\",
        "SELECT $$ x $$",
        "SELECT $tag$ x $tag$",
        "SELECT ${x}",
        "SELECT ${env:HOME}",
        "SELECT 1 \u{0}; DROP TABLE t",
        "SELECT\u{a0}1",
        "SELECT\u{2028}1",
        "SELECT 1 \u{c} DROP",
        "ＳＥＬＥＣＴ 1",
        "# comment\nDROP TABLE t",
        "SELECT 1 # DROP\n",
        "SELECT 1 // DROP\n FROM",
    ] {
        assert!(check(sql).is_err(), "{sql:?}");
    }
}

#[test]
fn depth_and_length_are_no_way_around() {
    let deep = format!("SELECT {}1{}", "(".repeat(20_000), ")".repeat(20_000));
    assert!(check(&deep).is_err());
    let long = format!("SELECT {}1; DROP TABLE t", "1, ".repeat(100_000));
    assert!(check(&long).is_err());
}

#[test]
fn what_has_a_plan_is_told_from_what_explain_could_run() {
    for sql in [
        "DELETE FROM t",
        "SELECT ';';",
        "SELECT 1 -- ; x",
        " SELECT 1 ; ",
        "(SELECT 1) UNION (SELECT 2)",
        "with t as (select 1) insert into u select * from t",
        "MERGE INTO t USING s ON t.id = s.id WHEN MATCHED THEN DELETE",
        "CREATE OR REPLACE TABLE t AS SELECT 1",
        "FROM t SELECT a",
    ] {
        assert!(check_planned(sql).is_ok(), "{sql}: {:?}", check_planned(sql).map_err(|error| error.to_string()));
    }
    for sql in [
        "",
        ";",
        "SELECT 1; SELECT 2",
        "SELECT 'x",
        "-- \\\n; DROP TABLE t",
        "EXECUTE IMMEDIATE 'DROP TABLE t'",
        "EXECUTE IMMEDIATE :sql",
        "BEGIN DROP TABLE t; END",
        "CALL p()",
        "EXPLAIN SELECT 1",
        "SHOW TABLES",
        "SELECT http_request('c')",
        "INSERT INTO t SELECT ai_query('agent', 'do it')",
        "INSERT INTO t SELECT new_function(1)",
        "SELECT * FROM csv.`https://elsewhere.test/x`",
        "INSERT INTO t REPLACE WHERE a = 1 SELECT * FROM csv.`https://elsewhere.test/x`",
        "INSERT INTO t REPLACE WHERE a = 1 SELECT * FROM read_files('https://elsewhere.test/x')",
        "SELECT * FROM remote_query('c', query => 'DELETE FROM t')",
        "SELECT IDENTIFIER(:name)('c')",
    ] {
        assert!(check_planned(sql).is_err(), "{sql}");
    }
}

/// Chains that the parser makes into trees as deep as the chains are long: as many links as a statement may have, and
/// more. A stack that overflows would end this test. The threads of the runtime have small stacks.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn no_chain_ends_the_server() {
    for (start, link) in CHAINS {
        let tokens = super::tokens(link).expect(link);
        let queries = tokens.iter().filter(|token| super::joins_query(token)).count();
        let longest = ((thread::MOST_TOKENS - 10) / tokens.len()).min((super::MOST_QUERY_WORDS - 1) / queries.max(1));
        for (count, is_too_long) in [(longest, false), (1_000_000, true)] {
            let sql = format!("{start}{}", link.repeat(count));
            let checked = tokio::spawn(async move { super::check(&sql, Circumstances::default()).await })
                .await
                .expect("no panic");
            let error = checked.map_or_else(|error| error.to_string(), |()| String::new());
            let told = ["tokens", "bytes", "queries and joins"].iter().any(|bound| error.contains(bound));
            assert_eq!(told, is_too_long, "{count} times {link:?}: {error}");
        }
    }
}

/// The parser tries `position(a IN b)` first and `position(a, b)` then, on each level.
#[test]
fn work_that_doubles_with_each_level_comes_to_an_end() {
    let nested = |depth| format!("SELECT {}1{}", "position(".repeat(depth), ", 2)".repeat(depth));
    assert!(check(&nested(8)).is_ok());
    // This would take days.
    let refusal = check(&nested(40)).expect_err("a refusal").to_string();
    assert!(refusal.contains("not understood well enough"), "{refusal}");
}

/// The value of a marker is given once and may be named again and again.
#[tokio::test]
async fn a_long_value_is_not_multiplied() {
    let million = "a".repeat(1_000_000);
    let dotted = "a.".repeat(1_000_000) + "a";
    for value in [&million, &dotted] {
        for sql in [
            format!("SELECT * FROM IDENTIFIER({}:p)", ":p||".repeat(20_000)),
            format!("SHOW TABLES IN IDENTIFIER({}:p)", ":p||".repeat(20_000)),
            format!("SELECT * FROM IDENTIFIER(:p){}", ",IDENTIFIER(:p)".repeat(16_000)),
            format!("SELECT * FROM read_files({}:p)", ":p||".repeat(20_000)),
            format!("SELECT {}1", "from_xml(a, :p, map(:p, :p)),".repeat(5_000)),
        ] {
            let parameters = vec![("p".to_owned(), Some(value.clone()))];
            let circumstances = Circumstances { parameters, ..Circumstances::default() };
            let refusal = super::check(&sql, circumstances).await.expect_err(&sql[..60]).to_string();
            assert!(refusal.len() < 1_000, "{refusal:.1000}");
        }
    }
    let parameters = vec![("p".to_owned(), Some("a.b.c".to_owned()))];
    let short = Circumstances { parameters, ..Circumstances::default() };
    let many = |count| format!("SELECT * FROM IDENTIFIER(:p){}", ",IDENTIFIER(:p)".repeat(count));
    assert!(super::check(&many(10_000), short.clone()).await.is_ok());
    let refusal = super::check(&many(17_000), short).await.expect_err("a refusal").to_string();
    assert!(refusal.contains("tokens, and at most"), "{refusal}");
}

/// What a chain begins with, and what repeats.
const CHAINS: [(&str, &str); 33] = [
    ("SELECT 1", " DIV 1"),
    ("SELECT 1+1", "*1 DIV 1"),
    ("SELECT ", "position("),
    ("SELECT 1", "+1"),
    ("SELECT 1", "/1"),
    ("SELECT 1", " OR 1"),
    ("SELECT 1", " AND 1"),
    ("SELECT 1", "||1"),
    ("SELECT 1", "&1"),
    ("SELECT 1", "=1"),
    ("SELECT 1", "::INT"),
    ("SELECT 1", " IS NULL"),
    ("SELECT 1", " IS NOT DISTINCT FROM 1"),
    ("SELECT 1", " LIKE 1"),
    ("SELECT 1", " BETWEEN 1 AND 1"),
    ("SELECT 1", " IN (1)"),
    ("SELECT 1", " COLLATE x"),
    ("SELECT a", ":b"),
    ("SELECT a", ".b"),
    ("SELECT a", "[0]"),
    ("SELECT a", "(1)"),
    ("SELECT ", "NOT "),
    ("SELECT ", "- "),
    ("SELECT ", "("),
    ("SELECT ", "CASE WHEN 1 THEN "),
    ("SELECT ", "x -> "),
    ("SELECT ", "f("),
    ("SELECT CAST(1 AS ", "ARRAY<"),
    ("SELECT 1", " UNION ALL SELECT 1"),
    ("SELECT 1", " EXCEPT SELECT 1"),
    ("SELECT * FROM t", " JOIN t"),
    ("FROM t", " |> WHERE a"),
    ("", "EXPLAIN "),
];

/// The statements of a data file.
fn statements(file: &'static str) -> impl Iterator<Item = String> {
    file.lines().filter(|line| !line.starts_with("# ")).map(|line| line.replace("\\n", "\n"))
}

#[test]
fn whatever_reads_passes() {
    let refused: Vec<_> = statements(include_str!("reads.sql"))
        .filter_map(|sql| Some(format!("{sql}: {}", check(&sql).err()?)))
        .collect();
    assert!(refused.is_empty(), "{}", refused.join("\n"));
}

#[test]
fn what_holds_no_statement_runs_nothing() {
    for sql in ["", "   ", ";", ";;", "-- nothing", "/* SELECT */"] {
        assert!(check(sql).is_ok(), "{sql}");
        assert!(check_planned(sql).is_err(), "{sql}");
    }
}

#[test]
fn what_only_looks_like_reading_is_refused() {
    let passed: Vec<_> = statements(include_str!("attacks.sql")).filter(|sql| check(sql).is_ok()).collect();
    assert!(passed.is_empty(), "{}", passed.join("\n"));
}

#[test]
fn the_table_of_functions_is_sorted_and_whole() {
    let lines: Vec<_> = functions::TABLE.lines().filter(|line| !line.starts_with('#')).collect();
    assert!(lines.windows(2).all(|pair| pair[0].split('\t').next() < pair[1].split('\t').next()), "sorted and unique");
    for line in lines {
        let (name, function) = functions::entry(line).unwrap_or_else(|| panic!("`{line}` has no known class or rule"));
        assert_eq!(names::fold(name), name, "names are written as they compare");
        assert!(function.class != functions::Class::Acts || function.rule == functions::Rule::Any, "{name}");
    }
}

#[test]
fn values_of_markers_decide() {
    let with = |name: &str, value: Option<&str>| Circumstances {
        parameters: vec![(name.to_owned(), value.map(str::to_owned))],
        ..Circumstances::default()
    };
    // A function that is named by a marker is judged by the value that the marker is given. Without one it is refused,
    // as nobody can tell which function it is.
    for (sql, name, value, passes) in [
        ("SELECT IDENTIFIER(:f)(a) FROM t", "f", Some("upper"), true),
        ("SELECT IDENTIFIER(:f)(a) FROM t", "F", Some("upper"), true),
        ("SELECT IDENTIFIER(:f)(a) FROM t", "f", Some("main.tools.discount"), true),
        ("SELECT IDENTIFIER(:f)(a) FROM t", "f", Some("http_request"), false),
        ("SELECT IDENTIFIER(:f)(a) FROM t", "f", Some("system.ai.python_exec"), false),
        ("SELECT IDENTIFIER(:f)(a) FROM t", "f", Some("upper(a), secret"), false),
        ("SELECT IDENTIFIER(:f)(a) FROM t", "f", None, false),
        ("SELECT IDENTIFIER(:f)(a) FROM t", "g", Some("upper"), false),
        ("SELECT * FROM IDENTIFIER('main.' || :s || '.orders')", "s", Some("sales"), true),
        ("SELECT * FROM IDENTIFIER(:t)", "t", Some("jdbc.`jdbc:mysql://db.test/x`"), false),
        ("SELECT * FROM IDENTIFIER(:t)", "t", Some("csv.`/Volumes/a/b/c`"), true),
        ("SELECT * FROM read_files(:path)", "path", Some("/Volumes/a/b/c"), true),
        ("SELECT * FROM read_files(:path)", "path", Some("s3://elsewhere/x"), false),
        ("LIST :path", "path", Some("/Volumes/a/b/c"), false),
    ] {
        let checked = super::only_reads(sql, &with(name, value));
        assert_eq!(checked.is_ok(), passes, "{sql} with {value:?}: {checked:?}");
    }
}

#[test]
fn functions_that_people_made_pass_unless_the_server_refuses_them() {
    let refusing = Circumstances { no_user_functions: true, ..Circumstances::default() };
    let in_system = Circumstances { catalog: Some("System".to_owned()), ..Circumstances::default() };
    for (sql, refused) in [
        ("SELECT main.tools.f(1)", true),
        ("SELECT tools.f(1)", true),
        ("SELECT upper('a')", false),
        ("SELECT builtin.upper('a')", false),
    ] {
        assert!(check(sql).is_ok(), "{sql}");
        assert_eq!(super::only_reads(sql, &refusing).is_err(), refused, "{sql}");
    }
    assert!(check("SELECT ai.send_mail('x')").is_ok(), "a schema of one's own");
    assert!(super::only_reads("SELECT ai.send_mail('x')", &in_system).is_err());
}
