# Statements that only read, in Databricks SQL, one a line; `\n` is a line break. They come from what users and agents
# sent to the server, and from going through the forms that the SQL reference of Databricks documents.
SELECT 7 DIV 2
SELECT * FROM t FOR SYSTEM_VERSION AS OF 3
SELECT * FROM t@20260101000000000
SELECT t.* EXCEPT (a, b.c) FROM t
SELECT CAST(a AS INTERVAL DAY TO SECOND) FROM t
SELECT * FROM f(TABLE(t) PARTITION BY a ORDER BY b)
EXPLAIN LOGICAL SELECT 1
LIST '/Volumes/a/b/c'
FROM t |> OFFSET 3
SELECT INTERVAL 1 YEAR 2 MONTHS
SELECT substring(x FROM 1 FOR 2), trim(BOTH 'x' FROM s), trim(s), trim(LEADING FROM s) FROM t
SELECT a << 2, a >> 1 FROM t
SELECT start, end, position, current, offset, first, last, interval FROM t
SELECT struct(*), s.* FROM t
SELECT "say \"hi\""
SELECT 'a' 'b' "c"
SELECT /*+ SKEW('t', 'a') */ * FROM t
-- path C:\dir\
TABLE a.b.c
SELECT a, b, count(*) FROM t GROUP BY GROUPING SETS ((a), (b), ())
SELECT raw:store.fruit[0].weight::DOUBLE FROM t
SELECT a IS TRUE, a IS NOT FALSE, a IS UNKNOWN FROM t
SELECT * FROM t WHERE d >= :start AND d < :end AND a = :`my param`
SELECT region, MEASURE(total_revenue) FROM mv GROUP BY ALL
SELECT * FROM t LEFT JOIN LATERAL (SELECT * FROM u WHERE u.id = t.id) ON true
SELECT CAST(a AS STRUCT<x INT, y STRING>) FROM t
SELECT * FROM t TIMESTAMP AS OF '2026-01-01'
SELECT * FROM t FOR SYSTEM_TIME AS OF '2026-01-01'
SELECT * FROM a LEFT JOIN (b JOIN c USING (y)) USING (x)
SELECT * FROM (WITH x AS (SELECT 1 AS a) SELECT * FROM x)
SHOW GRANTS ON SCHEMA a.b
SELECT a AND b OR NOT c, a XOR b FROM t
SELECT * EXCEPT (a) FROM t
SELECT INTERVAL -3 DAYS
SELECT CAST(a AS TIMESTAMP_NTZ) FROM t
SHOW VOLUMES IN a.b
DESCRIBE QUERY SELECT 1
VALUES (1, 2), (3, 4)
SELECT * FROM a NATURAL JOIN b
SELECT * FROM inline(array(struct(1, 'a'))) AS t(id, name)
SELECT split(x, ',')[0], element_at(m, 'k'), from_json(j, 'a INT').a FROM t
SELECT * FROM t LATERAL VIEW OUTER posexplode(xs) e AS pos, x
DESCRIBE FUNCTION EXTENDED upper
SELECT a, b, count(*) FROM t GROUP BY CUBE (a, b)
SELECT map('a', 1)['a'], array(1, 2)[0], struct(1 AS a).a
SELECT url_encode(a), parse_url(a, 'HOST') FROM t
SELECT insert(a, 1, 2, 'x') FROM t
SELECT parse_json('{"a":1}'):a::INT
SELECT forall(xs, x -> x % 2 = 0) FROM t
SELECT aggregate(xs, 0, (acc, x) -> acc + x, acc -> acc * 10) FROM t
SELECT * FROM t WHERE (a, b) IN (SELECT c, d FROM u)
SELECT * FROM oncall UNPIVOT ((name, email) FOR precedence IN ((name1, email1) AS a, (name2, email2) AS b))
-- see https://x.y/z?a=b#c\nSELECT 1
SELECT * FROM t TABLESAMPLE (BUCKET 4 OUT OF 10)
SELECT * FROM table_changes('a.b.t', '2026-01-01')
SELECT regexp_extract(s, r'(\d+)', 1), R"\w+" FROM t
SELECT is_account_group_member('x'), is_member('y'), current_metastore()
DESCRIBE HISTORY delta.`/x`
SELECT a, count(*) FROM t GROUP BY a, b WITH CUBE
SELECT * FROM t VERSION AS OF 1 AS a JOIN t VERSION AS OF 2 AS b ON a.id = b.id
SELECT exists(xs, x -> x > 1) FROM t
SELECT 1 /* 🎉 done */
SELECT a <=> b FROM t
FROM t SELECT a, count(*) GROUP BY a
SELECT CAST(a AS VARIANT), a::VARIANT FROM t
FROM t |> AGGREGATE count(*) AS n GROUP BY a |> ORDER BY n DESC |> LIMIT 5
SELECT * FROM t OFFSET 5
SELECT array_sort(xs, (l, r) -> CASE WHEN l < r THEN -1 WHEN l > r THEN 1 ELSE 0 END) FROM t
FROM t |> UNION ALL (SELECT 1)
SELECT a, count(*) FROM t GROUP BY ALL
SELECT date(d) AS day, count(*) FROM t GROUP BY date(d)
SELECT a FROM t SORT BY a DESC
SELECT * FROM range(1, 10, 2)
SELECT * REPLACE (a + 1 AS a) FROM t
DESCRIBE TABLE EXTENDED a.b.c AS JSON
SELECT * FROM 2024_sales
SELECT * FROM t TABLESAMPLE (10 PERCENT) REPEATABLE (7)
FROM t |> TABLESAMPLE (10 PERCENT)
SELECT a, b FROM t ORDER BY ALL
SELECT count(*) FILTER (WHERE a > 1) FROM t
SELECT main.tools.f(a => 1, b => 2)
SELECT 'a' COLLATE UTF8_LCASE = 'A'
SELECT CASE x WHEN 1 THEN 'a' ELSE 'b' END, if(a, 1, 2), nvl(a, b) FROM t
SELECT !a, NOT b, a != b, a == b, a <> b FROM t
SELECT t.order, t.group, t.select, t.from, t.end FROM t
SELECT * FROM t WHERE a NOT IN (1, 2) AND b BETWEEN 1 AND 2 OR NOT c
SELECT * FROM explode(array(1, 2)) AS t(x)
SELECT * FROM t PIVOT (sum(a) AS s, avg(a) AS m FOR b IN ('x' AS x, 'y' AS y))
SELECT first_value(x) IGNORE NULLS OVER (PARTITION BY a ORDER BY b) FROM t
SHOW CREATE TABLE a.b.c
SELECT * FROM t QUALIFY row_number() OVER (PARTITION BY a ORDER BY b) = 1
SELECT last(x) IGNORE NULLS FROM t
SELECT a & b, a | b, a ^ b, ~a FROM t
SELECT 1;
SELECT a FROM t ORDER BY a COLLATE UNICODE_CI
SELECT a FROM t CLUSTER BY a
SELECT d + make_interval(0, 1) FROM t
SELECT * FROM t LIMIT ALL OFFSET 3
SELECT a, sum(b) s FROM t GROUP BY 1 HAVING s > 1 ORDER BY 2 DESC NULLS LAST
SELECT 'größer', '日本語' -- ünïcode
SELECT /*+ BROADCAST(t), REPARTITION(3, a) */ * FROM t
SELECT overlay(a PLACING 'b' FROM 1 FOR 2), position('a' IN s) FROM t
SELECT current_date() - INTERVAL 7 DAYS, now() - INTERVAL '2' HOUR
SELECT a LIKE '50/%' ESCAPE '/' FROM t
SELECT explode(m) AS (k, v) FROM t
SELECT (SELECT max(a) FROM t) AS m, EXISTS (SELECT 1 FROM u) AS e
SELECT INTERVAL '1 02:03:04' DAY TO SECOND
SELECT main.tools.discount(price) FROM t
SELECT regexp_replace(s, '(a)', '$1') FROM t
EXPLAIN SELECT 1
SELECT listagg(x, ',') WITHIN GROUP (ORDER BY x) FROM t
SELECT decode(a, 1, 'x', 2, 'y'), nullif(a, 0) FROM t
SELECT current_date, current_timestamp, current_user, session_user
DESCRIBE EXTENDED a.b.c
SELECT a.b[0].c['k'].d FROM t
SELECT * FROM t TABLESAMPLE (5 ROWS)
SELECT * FROM delta.`s3://bucket/x`
SELECT 1L, 2S, 3Y, 1.5BD, 1e5, 2D, 3F, 0.5f, X'1F', DATE'2026-01-01', TIMESTAMP'2026-01-01 00:00:00', TIMESTAMP_NTZ'2026-01-01'
SELECT filter(xs, x -> x IS NOT NULL AND x > 1) FROM t
SELECT * FROM t ORDER BY a LIMIT 10 OFFSET 20
SELECT * FROM table_changes('a.b.t', 0, 10)
SELECT variant_get(v, '$.a[0]', 'int') FROM t
DESC t
SELECT CAST(a AS STRUCT<x: INT, y: ARRAY<STRING>>) FROM t
SELECT a || 'x' || b FROM t
SELECT * FROM (a JOIN b ON a.x = b.x)
SELECT * FROM t |> WHERE a = 1
SELECT * FROM t TIMESTAMP AS OF current_timestamp() - INTERVAL 1 HOUR
SELECT 1 -- one\n+ 2
SELECT DISTINCT ON_TIME FROM t
SELECT a, b FROM t GROUP BY a, b WITH ROLLUP
SELECT * FROM t WHERE a LIKE ANY ('x', 'y') AND b ILIKE 'z%' AND c NOT RLIKE 'w'
SELECT * FROM t WHERE a LIKE ALL ('x%', '%y') OR b REGEXP 'c'
SELECT extract(DAY FROM d), extract(YEAROFWEEK FROM d), date_part('year', d) FROM t
SELECT timestampadd(MINUTE, 5, ts), timestampdiff(DAY, a, b), dateadd(MONTH, 1, d), date_add(DAY, 1, d) FROM t
SELECT CAST(x AS MAP<STRING, ARRAY<INT>>), x::MAP<STRING, INT>, try_cast(a AS BIGINT) FROM t
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY x) OVER (PARTITION BY a) FROM t
SELECT sum(x) OVER w FROM t WINDOW w AS (PARTITION BY a ORDER BY b)
SELECT sum(x) OVER (ORDER BY d RANGE BETWEEN INTERVAL 7 DAYS PRECEDING AND CURRENT ROW) FROM t
SELECT * FROM VALUES (1, 'a'), (2, 'b') AS t(id, name)
SELECT * FROM a, LATERAL explode(a.xs) AS e(x)
SELECT * FROM a CROSS JOIN LATERAL (SELECT a.x + 1 AS y)
SELECT raw:items[*].price, raw:['zip code'], raw:`zip code` FROM t
SELECT x?::INT FROM t
SELECT count(DISTINCT a, b), any_value(c) FILTER (WHERE d) FROM t
WITH t(a, b) AS (SELECT 1, 2) SELECT * FROM t
WITH RECURSIVE r(n) MAX RECURSION LEVEL 10 AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT * FROM r
SELECT * FROM a LEFT OUTER JOIN b ON a.x = b.x FULL OUTER JOIN c ON b.y = c.y
SELECT * FROM t ORDER BY ALL DESC LIMIT :n OFFSET :m
SELECT * FROM t UNPIVOT INCLUDE NULLS (v FOR n IN (a, b))
FROM t |> EXTEND a + 1 AS b |> SET b = b * 2 |> DROP a |> AS u |> SELECT u.b
FROM t |> JOIN u USING (id) |> WHERE a > 1 |> LIMIT 3
SELECT INTERVAL '1-2' YEAR TO MONTH, INTERVAL 3 WEEKS, INTERVAL '3' DAY
SELECT a.b.c.d, e['f'].g FROM t
SELECT aggregate(xs, 0, (acc, x) -> acc + x), transform(xs, (x, i) -> x + i) FROM t
SELECT map_filter(m, (k, v) -> v > 1), zip_with(a, b, (x, y) -> x || y) FROM t
SELECT named_struct('a', 1, 'b', array(1, 2)) AS s, struct(1 AS a, 'x' AS b)
SELECT * FROM t WHERE (a, b) IN ((1, 2), (3, 4))
SELECT * FROM t WHERE d BETWEEN DATE '2026-01-01' AND DATE'2026-02-01'
SELECT h3_longlatash3(lon, lat, 9), st_distance(st_point(a, b), p) FROM t
SELECT session_user(), current_catalog(), current_schema(), version()
SELECT * FROM parquet.`/Volumes/a/b/c/d.parquet`
SELECT * FROM csv.`dbfs:/Volumes/a/b/c`
SELECT * FROM text.`/Volumes/a/b/c/notes.txt`
SELECT * FROM delta.`abfss://c@a.dfs.core.windows.net/x` VERSION AS OF 3
SELECT * FROM read_files('/Volumes/a/b/c', format => 'csv', header => true, schemaHints => 'a INT')
SELECT * FROM read_files('/Volumes/a/' || 'b/c', format => 'csv')
SELECT ai_parse_document(content) FROM read_files('/Volumes/a/b/c', format => 'binaryFile')
SELECT ai_parse_document(content, map('version', '2.0', 'pageRange', '1-3')) FROM t
SELECT from_json(j, 'a INT', map('mode', 'PERMISSIVE')), from_avro(b, '{"type":"int"}'), to_avro(x) FROM t
SELECT * FROM event_log(TABLE(main.sales.orders))
SELECT * FROM IDENTIFIER('main.sales.' || 'orders')
SELECT IDENTIFIER('upper')(name) FROM t
SELECT * FROM IDENTIFIER(:unbound)
SELECT builtin.upper(a), system.builtin.lower(b) FROM t
SELECT * FROM main.tools.recent(10)
DESCRIBE SELECT 1
DESC QUERY WITH x AS (SELECT 1) SELECT * FROM x
DESCRIBE TABLE a.b.c PARTITION (d = '2026-01-01')
DESCRIBE TABLE a.b.c column_a
DESCRIBE a.b.c d.e
DESCRIBE DETAIL delta.`s3://bucket/x`
DESCRIBE HISTORY a.b.c LIMIT 3
DESCRIBE DETAIL '/Volumes/a/b/c'
DESCRIBE CATALOG EXTENDED main
DESCRIBE SCHEMA EXTENDED main.sales
DESCRIBE VOLUME a.b.c
DESCRIBE EXTERNAL LOCATION l
DESCRIBE STORAGE CREDENTIAL c
DESCRIBE FUNCTION main.tools.f
DESCRIBE `drop`
SHOW ALL FUNCTIONS
SHOW CATALOGS LIKE 'm*'
SHOW COLUMNS IN orders IN sales
SHOW CREATE TABLE IDENTIFIER(:t)
SHOW EXTERNAL LOCATIONS
SHOW FUNCTIONS IN main.tools LIKE 'a*|b*'
SHOW GRANTS `a@b.test` ON SCHEMA main.sales
SHOW GRANTS ON METASTORE
SHOW PARTITIONS a.b.c PARTITION (d = '2026')
SHOW SCHEMAS IN main LIKE 's*'
SHOW SHARES
SHOW TABLE EXTENDED IN main.sales LIKE 'o*'
SHOW TABLES DROPPED IN main.sales LIMIT 10
SHOW TABLES FROM main.sales 'o*'
SHOW TBLPROPERTIES a.b.c ('delta.minReaderVersion')
SHOW USERS
SHOW VIEWS IN main.sales
LIST 'dbfs:/Volumes/a/b/c' LIMIT 5
EXPLAIN LOGICAL TABLE t
TABLE t UNION ALL TABLE u
-- path C:\dir\\nSELECT 1
SELECT "{\"a\": 1}"
SELECT from_xml(x, 'a INT', map('rowTag', 'r')) FROM t
SELECT from_xml(x, schema_of_xml('<a/>')) FROM t
SELECT to_xml(struct(1 AS a), map('rowTag', 'r'))
SELECT from_avro(b, '{"type":"int"}', map('mode', 'FAILFAST')) FROM t
SELECT * FROM read_files(TABLE(a.b.t))
SELECT a DIV b, (a) DIV -1, upper(a) DIV left(b, 1), a[0] DIV :n, 'x' DIV `y`, 1 DIV 2 DIV 3 * 4 FROM t
SELECT t.div, a AS div FROM t div JOIN u ON t.div = u.div WHERE t.div > 1
SELECT * FROM f(TABLE(t))
SELECT * FROM main.f.g(x => TABLE(a.b.t), y => 2)
SELECT * FROM main.f.g(TABLE(SELECT * FROM a.b.t WHERE x IN (1, 2)) PARTITION BY a ORDER BY b, horizon => 3)
SELECT * FROM ai_forecast(TABLE(a.b.t), horizon => '2026-12-31', time_col => 'ds', value_col => 'y')
SELECT * FROM event_log('04c78631-3dd7-4856-b2a6-7d84e9b2638b')
SELECT * FROM table_changes('`a`.`b c`.t', '2026-01-01 00:00:00.000+01:00', '2026-01-02T00:00:00Z')
SELECT * FROM vector_search(index => 'a.b.i', query_text => 'how to reach /mnt/x or s3://y', num_results => 3)
SELECT * FROM csv.`/Volumes/a/b/c/2026-*/part-?.[ct]sv`
SELECT * FROM json.`/Volumes/a/b/c/{2025}/`
SELECT * FROM read_files('/Volumes/a/b/c/.hidden/..data/x...json')
SELECT * FROM text.`/Workspace/Users/me@acme.test/notes.txt`
SELECT * FROM read_files('dbfs:/databricks-datasets/nyctaxi/*.csv')
LIST '/Volumes/a/b/c/d/'
DESCRIBE DETAIL '/tmp/events'
SHOW GROUPS WITH USER `me@acme.test`
SHOW GROUPS WITH USER u
SHOW GROUPS WITH GROUP analysts LIKE 'a*'
SHOW FUNCTIONS abs
SHOW FUNCTIONS main.tools.discount
SHOW FUNCTIONS LIKE main.tools.discount
SHOW SYSTEM FUNCTIONS abs
SHOW USER FUNCTIONS IN main.tools discount
SELECT CAST(a AS STRING COLLATE UTF8_LCASE), try_cast(a AS STRING COLLATE `UNICODE_CI`) FROM t
SELECT CAST(a AS ARRAY<STRING COLLATE UTF8_LCASE>), CAST(b AS STRUCT<x: STRING COLLATE UNICODE, y: INT>) FROM t
SELECT string COLLATE UTF8_LCASE AS a, upper(string COLLATE UTF8_LCASE) FROM t
FROM t |> UNION ALL SELECT 1
FROM t |> UNION SELECT 1 |> WHERE a > 1 |> UNION ALL VALUES (1), (2) |> LIMIT 3
FROM t |> UNION ALL TABLE u
FROM t |> EXCEPT ALL SELECT a FROM u WHERE b IN (SELECT c FROM v)
FROM t |> INTERSECT FROM u |> EXCEPT DISTINCT (SELECT 1)
SELECT * FROM (FROM t |> UNION ALL SELECT 1) AS x WHERE a = (SELECT b FROM u |> UNION ALL SELECT 2 |> LIMIT 1)
