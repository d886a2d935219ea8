"""Drives the sandbox with the official SQL connector, over the REST backend: `connector.py BINARY`.

Results come in each form that the connector asks for: JSON within the reply, Arrow behind links (`use_cloud_fetch`), and
Arrow within the reply where it is small (`use_hybrid_disposition`).
"""

import datetime
import json
import logging
import sys
from decimal import Decimal
from urllib.parse import urlsplit

from workspace import environment, sandbox

from report import Report, expect, skipped  # noqa: E402

WAREHOUSE = "a1b2c3d4e5f60718"
FORMS = {
    "JSON": {"use_cloud_fetch": False},
    "Arrow behind links": {"use_cloud_fetch": True},
    "Arrow in the reply": {"use_cloud_fetch": True, "use_hybrid_disposition": True},
}


def main():
    report = Report()
    with sandbox() as (host, token):
        queries(report, host, token)
        for name, form in FORMS.items():
            forms(report, host, token, name, form)
    return report.close()


def connect(host, token, **options):
    from databricks import sql

    address = urlsplit(host)
    return sql.connect(
        server_hostname=f"http://{address.hostname}",
        _port=address.port,
        http_path=f"/sql/1.0/warehouses/{WAREHOUSE}",
        access_token=token,
        use_sea=True,
        enable_telemetry=False,
        _retry_stop_after_attempts_count=2,
        **{"use_cloud_fetch": False, **options},
    )


def forms(report, host, token, name, form):
    """What holds for results in every form."""
    with report.check(f"{name}: all chunks of a result"), connect(host, token, **form) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT trip_id, payment, tip_amount FROM samples.taxi.trips ORDER BY trip_id")
            rows = cursor.fetchmany(1500) + cursor.fetchall()
            expect([row.trip_id for row in rows] == list(range(1, 2501)), f"{len(rows)} rows")
            tips = [row.tip_amount is None for row in rows if row.payment == "cash"]
            expect(len(tips) > 100 and all(tips), "tips paid in cash")

    with report.check(f"{name}: a hundred thousand rows"), connect(host, token, **form) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT id, id % 7 AS seventh FROM range(100001)")
            rows = cursor.fetchall()
            expect([tuple(row) for row in rows] == [(id, id % 7) for id in range(100_001)], f"{len(rows)} rows")

    with report.check(f"{name}: types become Python's"), connect(host, token, **form) as connection:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT 1Y AS tiny, 2S AS small, 3 AS i, 3000000000 AS l, -12.30 AS d, 0.5D AS f, CAST(1.5 AS FLOAT) AS s, "
                "'é' AS text, true AS b, DATE '2024-02-29' AS day, TIMESTAMP '2024-02-29 12:34:56.789' AS at, "
                "CAST('ab' AS BINARY) AS bytes, NULL AS n, CAST(NULL AS INT) AS missing"
            )
            at = datetime.datetime(2024, 2, 29, 12, 34, 56, 789_000, tzinfo=datetime.timezone.utc)
            wanted = (1, 2, 3, 3_000_000_000, Decimal("-12.30"), 0.5, 1.5, "é", True, datetime.date(2024, 2, 29), at)
            row = tuple(cursor.fetchone())
            expect(row == (*wanted, b"ab", None, None), row)
            cursor.execute("SELECT array(1, 2) AS a, named_struct('x', 'y') AS s, map('k', true) AS m")
            row = [json.loads(cell) for cell in cursor.fetchone()]
            expect(row == [["1", "2"], {"x": "y"}, {"k": "true"}], row)

    with report.check(f"{name}: nothing, and what has no columns"), connect(host, token, **form) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT trip_id FROM samples.taxi.trips WHERE false")
            expect(cursor.fetchall() == [], "rows of nothing")
            cursor.execute("CREATE OR REPLACE TABLE main.default.empty (a INT)")
            expect(cursor.fetchall() == [], "rows of a table's creation")
            cursor.execute("INSERT INTO main.default.empty VALUES (1)")
            expect(cursor.fetchone().num_inserted_rows == 1, "no row inserted")

    with report.check(f"{name}: catalogs, schemas, tables and columns"), connect(host, token, **form) as connection:
        with connection.cursor() as cursor:
            cursor.catalogs()
            expect({"main", "samples", "system"} <= {row[0] for row in cursor.fetchall()}, "catalogs are missing")
            cursor.schemas(catalog_name="samples", schema_name="ret%")
            expect([row[0] for row in cursor.fetchall()] == ["retail"], "other schemas")
            cursor.tables(catalog_name="samples", schema_name="retail", table_types=["VIEW"])
            expect([row.tableName for row in cursor.fetchall()] == ["open_orders"], "other views")
            cursor.tables()
            expect({"orders", "trips", "usage"} <= {row.tableName for row in cursor.fetchall()}, "tables are missing")
            cursor.columns(catalog_name="samples", schema_name="retail", table_name="products")
            columns = [(row.col_name, row.columnType) for row in cursor.fetchall()]
            expect(columns[0] == ("product_id", "BIGINT") and len(columns) == 4, columns)

    with report.check(f"{name}: a session has views of its own"), connect(host, token, **form) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY VIEW few AS SELECT id FROM range(3)")
            cursor.execute("SELECT sum(id) FROM few")
            expect(cursor.fetchone()[0] == 3, "another sum")


def queries(report, host, token):
    from databricks.sql import exc

    with report.check("connect, query and fetch one, many and all"), connect(host, token) as connection:
        with connection.cursor() as cursor:
            cursor.execute("SELECT trip_id FROM samples.taxi.trips ORDER BY trip_id LIMIT 100")
            first = cursor.fetchone()
            some = cursor.fetchmany(9)
            rest = cursor.fetchall()
            expect(len([first, *some, *rest]) == 100, f"{len(some)} and {len(rest)} rows")
            ids = [row.trip_id for row in [first, *some, *rest]]
            expect(ids == sorted(ids) and len(set(ids)) == 100, "rows twice or out of order")
            expect(cursor.fetchone() is None, "a row after the last")

    with report.check("types become Python's"), connect(host, token) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT 1 AS i, 3000000000 AS l, 1.50 AS d, 0.5D AS f, 'é' AS s, true AS b, "
            "DATE '2024-02-29' AS day, TIMESTAMP '2024-02-29 12:34:56' AS at, NULL AS n"
        )
        names = [column[0] for column in cursor.description]
        expect(names == ["i", "l", "d", "f", "s", "b", "day", "at", "n"], names)
        row = cursor.fetchone()
        at = datetime.datetime(2024, 2, 29, 12, 34, 56, tzinfo=datetime.timezone.utc)
        wanted = (1, 3_000_000_000, Decimal("1.50"), 0.5, "é", True, datetime.date(2024, 2, 29), at, None)
        expect(tuple(row) == wanted, row)

    with report.check("named parameters"), connect(host, token) as connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT order_id FROM samples.retail.orders WHERE order_id <= :most AND order_ts > :after ORDER BY 1",
            {"most": 3, "after": datetime.datetime(2000, 1, 1)},
        )
        expect([row[0] for row in cursor.fetchall()] == [1, 2, 3], "other rows")

    with report.check("a session keeps its catalog and schema"):
        with connect(host, token, catalog="samples", schema="retail") as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM orders")
            expect(cursor.fetchone()[0] > 0, "no orders")
            cursor.execute("USE samples.taxi")
            cursor.execute("SELECT current_schema(), count(*) FROM trips")
            expect(tuple(cursor.fetchone()) == ("taxi", 2500), "another schema")

    with report.check("tables are made, changed and read"), connect(host, token) as connection:
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE main.default.stock (sku STRING, amount INT)")
            cursor.execute("INSERT INTO main.default.stock VALUES ('a', 1), ('b', 2)")
            cursor.execute(
                "MERGE INTO main.default.stock t USING (SELECT 'b' AS sku, 5 AS amount) s ON t.sku = s.sku "
                "WHEN MATCHED THEN UPDATE SET *"
            )
            expect(cursor.fetchone().num_updated_rows == 1, "no row updated")
            cursor.execute("SELECT sum(amount) FROM main.default.stock")
            expect(cursor.fetchone()[0] == 6, "another sum")

    with report.check("catalogs and schemas are listed"), connect(host, token) as connection:
        with connection.cursor() as cursor:
            cursor.catalogs()
            expect({"main", "samples", "system"} <= {row[0] for row in cursor.fetchall()}, "catalogs are missing")
            cursor.schemas(catalog_name="samples")
            expect({"retail", "taxi"} <= {row[0] for row in cursor.fetchall()}, "schemas are missing")

    with report.check("a statement may run on without waiting"), connect(host, token) as connection:
        with connection.cursor() as cursor:
            cursor.execute_async("SELECT 42 AS answer")
            cursor.get_async_execution_result()
            expect(cursor.fetchone().answer == 42, "another answer")

    with report.check("errors carry Databricks' text"), connect(host, token) as connection:
        with connection.cursor() as cursor:
            try:
                cursor.execute("SELECT * FROM main.default.nowhere")
            except exc.ServerOperationError as error:
                expect("[TABLE_OR_VIEW_NOT_FOUND]" in str(error), error)
            else:
                expect(False, "no error")

    with report.check("a wrong token is refused"):
        try:
            connect(host, "dapi-wrong")
        except exc.Error:
            pass
        else:
            expect(False, "no error")


if __name__ == "__main__":
    try:
        environment.enter_venv()
    except environment.Missing as error:
        sys.exit(skipped(error))
    logging.disable(logging.CRITICAL)
    sys.exit(main())
