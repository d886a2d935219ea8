//! SQL that changes tables and their shape, and SQL that makes rows out of nested values.

use crate::client::Checked;
use crate::sql::check;

#[tokio::test]
async fn merge_updates_deletes_and_inserts() -> Checked {
    check(&[
        ("CREATE TABLE stock (sku STRING, amount INT, note STRING)", ""),
        ("INSERT INTO stock VALUES ('a', 1, 'old'), ('b', 2, 'old'), ('c', 3, 'old')", "num_affected_rows:BIGINT num_inserted_rows:BIGINT / 3|3"),
        ("CREATE TABLE news (sku STRING, amount INT, gone BOOLEAN)", ""),
        ("INSERT INTO news VALUES ('a', 10, false), ('b', 0, true), ('d', 4, false), ('e', 5, true)", "num_affected_rows:BIGINT num_inserted_rows:BIGINT / 4|4"),
        (
            "MERGE INTO stock AS t USING news AS s ON t.sku = s.sku \
             WHEN MATCHED AND s.gone THEN DELETE \
             WHEN MATCHED THEN UPDATE SET t.amount = t.amount + s.amount, note = 'new' \
             WHEN NOT MATCHED AND NOT s.gone THEN INSERT (sku, amount) VALUES (s.sku, s.amount) \
             WHEN NOT MATCHED BY SOURCE THEN UPDATE SET note = 'stale'",
            "num_affected_rows:BIGINT num_updated_rows:BIGINT num_deleted_rows:BIGINT num_inserted_rows:BIGINT / 4|2|1|1",
        ),
        ("SELECT * FROM stock ORDER BY sku", "sku:STRING amount:INT note:STRING / a|11|new / c|3|stale / d|4|∅"),
        (
            "MERGE INTO stock USING (SELECT sku, 7 AS amount, 'star' AS note FROM VALUES ('a'), ('z') AS v(sku)) s ON stock.sku = s.sku \
             WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
            "num_affected_rows:BIGINT num_updated_rows:BIGINT num_deleted_rows:BIGINT num_inserted_rows:BIGINT / 2|1|0|1",
        ),
        ("SELECT sku, amount FROM stock WHERE note = 'star' ORDER BY 1", "sku:STRING amount:INT / a|7 / z|7"),
        (
            "MERGE INTO stock t USING (SELECT 'a' AS sku UNION ALL SELECT 'a') s ON t.sku = s.sku WHEN MATCHED THEN UPDATE SET amount = 0",
            "[DELTA_MULTIPLE_SOURCE_ROW_MATCHING_TARGET_ROW_IN_MERGE]",
        ),
        ("SELECT amount FROM stock WHERE sku = 'a'", "amount:INT / 7"),
        ("MERGE INTO nowhere USING news ON true WHEN MATCHED THEN DELETE", "[TABLE_OR_VIEW_NOT_FOUND]"),
    ])
    .await
}

#[tokio::test]
async fn tables_can_be_altered() -> Checked {
    check(&[
        ("CREATE TABLE shape (a INT NOT NULL COMMENT 'first') USING DELTA COMMENT 'it''s one' TBLPROPERTIES ('team' = 'retail')", ""),
        ("INSERT INTO shape VALUES (1)", "num_affected_rows:BIGINT num_inserted_rows:BIGINT / 1|1"),
        ("ALTER TABLE shape ADD COLUMNS (b STRING COMMENT 'second', c DECIMAL(10,2))", ""),
        ("ALTER TABLE shape ADD COLUMN IF NOT EXISTS b STRING", ""),
        ("ALTER TABLE shape ADD COLUMN a INT", "[FIELD_ALREADY_EXISTS]"),
        ("ALTER TABLE shape ALTER COLUMN a COMMENT 'the first'", ""),
        ("ALTER TABLE shape SET TBLPROPERTIES ('quality' = 'gold')", ""),
        ("SHOW TBLPROPERTIES shape", "key:STRING value:STRING / quality|gold / team|retail"),
        ("SELECT * FROM shape", "a:INT b:STRING c:DECIMAL(10,2) / 1|∅|∅"),
        ("ALTER TABLE shape DROP COLUMN c", "[DELTA_UNSUPPORTED_DROP_COLUMN]"),
        ("ALTER TABLE shape SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')", ""),
        ("ALTER TABLE shape DROP COLUMN c", ""),
        ("ALTER TABLE shape RENAME COLUMN b TO bee", ""),
        ("ALTER TABLE shape UNSET TBLPROPERTIES ('delta.columnMapping.mode', 'team')", ""),
        (
            "SHOW CREATE TABLE shape",
            "createtab_stmt:STRING / CREATE TABLE main.default.shape (\n  a INT NOT NULL COMMENT 'the first',\n  bee STRING COMMENT 'second')\nUSING delta\nCOMMENT 'it\\'s one'\nTBLPROPERTIES (\n  'quality' = 'gold')\n",
        ),
        ("ALTER TABLE shape RENAME TO main.sales.form", ""),
        ("SELECT a FROM shape", "[TABLE_OR_VIEW_NOT_FOUND]"),
        ("SELECT a, bee FROM main.sales.form", "a:INT bee:STRING / 1|∅"),
        ("ALTER VIEW main.sales.form SET TBLPROPERTIES ('x' = 'y')", "[EXPECT_TABLE_NOT_VIEW.NO_ALTERNATIVE]"),
        ("ALTER TABLE main.sales.form ADD CONSTRAINT c CHECK (a > 0)", "[UNSUPPORTED_FEATURE.SANDBOX]"),
    ])
    .await
}

#[tokio::test]
async fn arrays_become_rows() -> Checked {
    check(&[
        ("SELECT explode(array(10, 20)) AS n", "n:INT / 10 / 20"),
        ("SELECT posexplode(array('a', 'b'))", "pos:INT col:STRING / 0|a / 1|b"),
        ("CREATE TABLE baskets (id INT, items ARRAY<STRING>)", ""),
        ("INSERT INTO baskets VALUES (1, array('x', 'y')), (2, array('z')), (3, NULL)", "num_affected_rows:BIGINT num_inserted_rows:BIGINT / 3|3"),
        ("SELECT id, explode(items) AS item FROM baskets ORDER BY item DESC", "id:INT item:STRING / 2|z / 1|y / 1|x"),
        ("SELECT id, item FROM baskets LATERAL VIEW explode(items) t AS item ORDER BY item", "id:INT item:STRING / 1|x / 1|y / 2|z"),
        ("SELECT b.id, t.item FROM baskets b LATERAL VIEW OUTER explode(items) t AS item WHERE b.id = 3", "id:INT item:STRING / 3|∅"),
        ("SELECT item, count(*) AS n FROM baskets, LATERAL explode(items) AS t(item) GROUP BY item ORDER BY item LIMIT 1", "item:STRING n:BIGINT / x|1"),
        ("SELECT explode(1)", "[DATATYPE_MISMATCH]"),
        ("SELECT explode(array(1)), explode(array(2))", "[UNSUPPORTED_GENERATOR.MULTI_GENERATOR]"),
    ])
    .await
}

#[tokio::test]
async fn json_paths_read_strings() -> Checked {
    check(&[
        ("CREATE TABLE events (raw STRING)", ""),
        (
            r#"INSERT INTO events VALUES ('{"Store": {"bicycle": {"price": 19.95}, "fruit": [{"w": 8}, {"w": 9}]}, "zip code": "94025"}'), ('no json')"#,
            "num_affected_rows:BIGINT num_inserted_rows:BIGINT / 2|2",
        ),
        ("SELECT raw:store.bicycle.price::double AS price FROM events", "price:DOUBLE / 19.95 / ∅"),
        ("SELECT raw:Store.fruit[1].w AS w, raw:['zip code'] AS zip FROM events LIMIT 1", "w:STRING zip:STRING / 9|94025"),
        ("SELECT raw:['store'] AS s FROM events LIMIT 1", "s:STRING / ∅"),
        ("SELECT raw:Store.bicycle AS b FROM events LIMIT 1", "b:STRING / {\"price\":19.95}"),
    ])
    .await
}
