# Statements that reach out, change something or reveal a secret, though they look like reading; one a line, `\n` is a
# line break.
SELECT ai_parse_document(content, map('imageOutputPath', '/Volumes/a/b/c')) FROM t
SELECT ai_parse_document(content, map('version', '2.0', 'imageOutputPath', '/Volumes/a/b/c')) FROM t
SELECT ai_parse_document(content, map('IMAGEOUTPUTPATH', '/Volumes/a/b/c')) FROM t
SELECT ai_parse_document(content, map(concat('image', 'OutputPath'), '/Volumes/a/b/c')) FROM t
SELECT ai_parse_document(content, map('image' 'OutputPath', '/Volumes/a/b/c')) FROM t
SELECT ai_parse_document(content, map('image\u004futputPath', '/Volumes/a/b/c')) FROM t
SELECT ai_parse_document(content, options) FROM t
SELECT ai_parse_document(content, map_from_arrays(array('imageOutputPath'), array('/Volumes/x'))) FROM t
SELECT secret('scope', 'key')
SELECT try_secret('scope', 'key')
SELECT `try_secret`('scope', 'key')
SELECT * FROM read_kafka(bootstrapServers => 'h:9092', subscribe => 't')
SELECT * FROM `read_K`afka(x => 1)
SELECT * FROM `read_Kafka`(bootstrapServers => 'h:9092')
SELECT * FROM read_kinesis(streamName => 's')
SELECT to_avro(a, 'subject', 'https://registry.test') FROM t
SELECT from_avro(a, 'subject', 'https://registry.test') FROM t
SELECT from_avro(a, '{}', map('schema.registry.address', 'https://registry.test')) FROM t
SELECT from_avro(a, '{}', options) FROM t
SELECT to_protobuf(a, map('schema.registry.address', 'https://registry.test')) FROM t
SELECT from_protobuf(a, 'm', 'https://files.test/x.desc') FROM t
SELECT * FROM read_files('s3://elsewhere/x')
SELECT * FROM read_files('https://elsewhere.test/x')
SELECT * FROM read_files('file:/etc/passwd')
SELECT * FROM read_files('//elsewhere.test/x')
SELECT * FROM read_files(path => 's3://elsewhere/x')
SELECT * FROM read_files(concat('s3:', '//elsewhere/x'))
SELECT * FROM read_files('/Volumes/a/b/c', badRecordsPath => '/Volumes/a/b/d')
SELECT * FROM read_files('/Volumes/a/b/c', path => 's3://elsewhere/x')
SELECT * FROM read_files(:path)
SELECT * FROM csv.`https://elsewhere.test/x`
SELECT * FROM csv.`s3://elsewhere/x`
SELECT * FROM text.`file:/etc/passwd`
SELECT * FROM jdbc.`jdbc:postgresql://db.test/x`
SELECT * FROM jdbc.`x`
SELECT * FROM `org.apache.spark.sql.jdbc`.`jdbc:mysql://db.test/x`
SELECT * FROM delta.`https://elsewhere.test/x`
SELECT * FROM IDENTIFIER('csv.`https://elsewhere.test/x`')
SELECT * FROM IDENTIFIER(concat('csv.`https:', '//elsewhere.test/x`'))
SELECT * FROM t JOIN csv.`https://elsewhere.test/x` ON true
TABLE csv.`https://elsewhere.test/x`
SELECT * FROM csv.`/Volumes/a/b/c` WITH ('badRecordsPath' = '/Volumes/a/b/d')
SELECT ai_agent('do it')
SELECT system.ai.python_exec('import os')
SELECT system.ai.send_mail('x')
SELECT mcp_call('server', 'tool', '{}')
SELECT system.ai.mcp_call('server', 'tool', '{}')
SELECT new_function(1)
SELECT `new_function`(1)
SELECT session.f(1)
SELECT * FROM new_table_function(1)
SELECT * FROM t LATERAL VIEW new_function(x) AS y
SELECT transform(xs, x -> new_function(x)) FROM t
SELECT IDENTIFIER(:f)(a) FROM t
SELECT IDENTIFIER('http_' || 'request')('c')
SELECT * FROM IDENTIFIER('read_kafka')(subscribe => 't')
SELECT * FROM IDENTIFIER(:f)(1)
SELECT upper(IDENTIFIER(:f)(a)) FROM t
DESCRIBE QUERY EXECUTE IMMEDIATE 'DROP TABLE t'
DESC EXECUTE IMMEDIATE 'DROP TABLE t'
DESCRIBE EXECUTE IMMEDIATE :sql
DESCRIBE CALL p()
DESCRIBE t DROP TABLE t
DESCRIBE TABLE t; DROP TABLE t
DESCRIBE QUERY SELECT secret('a', 'b')
DESCRIBE HISTORY t DELETE FROM t
DESC csv.`https://elsewhere.test/x`
SHOW CALL p()
SHOW TABLES DROP TABLE t
SHOW TABLES IN s DROP TABLE t
SHOW TABLES LIKE DROP TABLE t
SHOW TABLES LIKE concat('a', 'b')
SHOW CREATE TABLE t DROP TABLE t
SHOW EXECUTE IMMEDIATE 'DROP TABLE t'
SHOW PARTITIONS t PARTITION (d = f())
LIST 'https://elsewhere.test/x'
LIST 's3://elsewhere/x'
LIST '/Volumes/a' DROP TABLE t
FROM t |> CALL f()
SELECT * FROM t |> CALL main.tools.f(1)
SELECT * FROM t FOR UPDATE
SELECT * FROM t FOR SHARE
SELECT 'a' || "say \" , http_request('c') -- "
-- note \\nSELECT secret('a', 'b')
SELECT from_avro(b, '{"type":"int"}', map('avroSchemaUrl', 'https://elsewhere.test/x.avsc')) FROM t
SELECT schema_of_avro('{}', map('avroSchemaUrl', 'https://elsewhere.test/x.avsc'))
SELECT from_xml(x, 'a INT', map('rowValidationXSDPath', 'https://elsewhere.test/x.xsd')) FROM t
SELECT schema_of_xml('<a/>', map('rowValidationXSDPath', 'https://elsewhere.test/x.xsd'))
SELECT from_xml(x, 'a INT', options) FROM t
SELECT ai_parse_document(content, map('mode', s.*)) FROM s
SELECT ai_parse_document(content, map('mode', *)) FROM s
SELECT from_avro(b, '{"type":"int"}', map(*)) FROM t
SELECT * FROM deltaSharing.`cfg.share#s.a.t`
SELECT * FROM kafka.`x`
SELECT * FROM snowflake.`x`
SELECT * FROM xml.`x.xml`
SELECT * FROM "csv"."https://elsewhere.test/x"
SELECT * FROM 'https://elsewhere.test/x'
SELECT * FROM text.`/mnt/other-bucket/x`
SELECT * FROM read_files('dbfs:/mnt/x')
SELECT * FROM read_files(TABLE('s3://elsewhere/x'))
SELECT * FROM main.f.g(x => TABLE(text.`https://elsewhere.test/x`))
SELECT * FROM f(TABLE(csv.`s3://elsewhere/x`))
SELECT * FROM f(TABLE csv.`s3://elsewhere/x`)
SELECT * FROM f(a, TABLE csv.`s3://elsewhere/x`)
SELECT * FROM f(TABLE(IDENTIFIER('csv.`s3://elsewhere/x`')))
SELECT * FROM f(TABLE((SELECT * FROM csv.`s3://elsewhere/x`)))
SELECT * FROM main.f.g(TABLE(SELECT * FROM csv.`s3://elsewhere/x`))
SELECT * FROM main.f.g(t => TABLE(csv.`s3://elsewhere/x`) PARTITION BY a)
SELECT * FROM main.f.g(TABLE(csv.`s3://elsewhere/x`.*))
SELECT * FROM ai_forecast(TABLE(jdbc.`jdbc:mysql://elsewhere.test`), horizon => '1')
SELECT * FROM ai_forecast(TABLE(jdbc.`x`), horizon => '1')
SELECT * FROM event_log(TABLE(csv.`s3://elsewhere/x`))
SELECT * FROM event_log('csv.`s3://elsewhere/x`')
SELECT * FROM table_changes('csv.`s3://elsewhere/x`', 0)
SELECT * FROM table_changes(csv.`s3://elsewhere/x`, 0)
SELECT * FROM table_changes(TABLE(csv.`s3://elsewhere/x`), 0)
SELECT * FROM table_changes('csv.s3://elsewhere/x', 0)
SELECT * FROM table_changes('csv.' || '`s3://elsewhere/x`', 0)
SELECT * FROM table_changes(concat('csv', '.`s3://elsewhere/x`'), 0)
SELECT * FROM table_changes(table => 'csv.`s3://elsewhere/x`', start => 0)
SELECT * FROM vector_search(index => 'csv.`s3://elsewhere/x`', query_text => 'x')
SELECT * FROM TABLE(csv.`s3://elsewhere/x`)
SELECT * FROM main.f.g(LATERAL TABLE(csv.`s3://elsewhere/x`))
SELECT * FROM t, LATERAL main.f.g(TABLE(csv.`s3://elsewhere/x`))
SELECT `table`(1)
SELECT 1 + all(1)
SELECT * FROM csv.`/Volumes/../mnt/x`
SELECT * FROM csv.`/Volumes/./../mnt/x`
SELECT * FROM csv.`/Volumes/a/b/c/%2E%2e/x`
SELECT * FROM csv.`/Volumes/a/b/c/{..}/{..}/{..}/{..}/mnt/x`
SELECT * FROM csv.`/Volumes/a/b/c/{../../../../mnt}/x`
SELECT * FROM csv.`/Volumes/a/b//c`
SELECT * FROM csv.`/Volumes/*/b/c`
SELECT * FROM csv.`/./mnt/y`
SELECT * FROM csv.`/mn*/y`
SELECT * FROM csv.`/[m]nt/y`
SELECT * FROM csv.`/?nt/y`
SELECT * FROM csv.`/{mnt}/y`
SELECT * FROM csv.`/tmp/../mnt/y`
SELECT * FROM csv.`/MNT/y`
SELECT * FROM csv.`/ mnt/y`
SELECT * FROM text.`/etc/passwd`
SELECT * FROM text.`/dbfs/mnt/x`
SELECT * FROM text.`dbfs:dbfs:/mnt/x`
SELECT * FROM delta.`/mnt/x`
SELECT * FROM delta.`/mn*/x`
SELECT * FROM delta.`/tmp/../mnt/x`
SELECT * FROM read_files('/Volumes/a/b/c/../../../../mnt/x')
SELECT * FROM read_files('/Workspace/../mnt/x')
SELECT from_protobuf(a, 'm', '/Volumes/../mnt/x.desc') FROM t
LIST '/Volumes/../mnt/x'
LIST '/mnt/x'
DESCRIBE DETAIL '/mnt/x'
DESCRIBE HISTORY '/Volumes/../mnt/x'
SELECT f(1)
SELECT * FROM f(1)
SELECT f(TABLE(t)) FROM t
SELECT * FROM t LATERAL VIEW f(x) AS y
SHOW GROUPS WITH USER DROP
SHOW GROUPS WITH USER u DROP TABLE t
SHOW TABLES WITH USER u
SHOW FUNCTIONS DROP TABLE t
SHOW FUNCTIONS abs DROP TABLE t
SHOW FUNCTIONS abs(1)
SHOW FUNCTIONS http_request('c')
SHOW FUNCTIONS IN main.tools f CALL p()
SELECT CAST(a AS STRING COLLATE http_request('c'))
SELECT CAST(a AS STRING COLLATE main.f.g(secret('a', 'b')))
SELECT upper(string COLLATE c, secret('a', 'b')) FROM t
FROM t |> UNION ALL SELECT secret('a', 'b')
FROM t |> UNION ALL SELECT http_request('c') |> LIMIT 3
FROM t |> UNION ALL SELECT * FROM csv.`https://elsewhere.test/x`
FROM t |> UNION ALL TABLE csv.`https://elsewhere.test/x`
FROM t |> EXCEPT ALL FROM csv.`s3://elsewhere/x`
FROM t |> UNION ALL INSERT INTO u SELECT 1
FROM t |> UNION ALL FROM s INSERT INTO u SELECT *
FROM t |> UNION ALL SELECT 1 INTO u
FROM t |> UNION ALL SELECT 1) |> CALL f(
FROM t |> UNION ALL SELECT 1 FOR UPDATE
FROM t |> UNION ALL SELECT 1 |> CALL main.tools.f(1)
