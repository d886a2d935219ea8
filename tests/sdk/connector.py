"""Drives the sandbox with the official SQL connector, over the REST backend: `connector.py BINARY`.

Results come as JSON: the connector asks for Arrow by default (`use_cloud_fetch`), which the sandbox does not write.
Of JSON results the connector reads the first chunk only, so no query here gives more than a thousand rows.
"""

import datetime
import logging
import sys
from decimal import Decimal
from urllib.parse import urlsplit

from workspace import environment, sandbox

from report import Report, expect, skipped  # noqa: E402

WAREHOUSE = "a1b2c3d4e5f60718"


def main():
    report = Report()
    with sandbox() as (host, token):
        queries(report, host, token)
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
        use_cloud_fetch=False,
        enable_telemetry=False,
        _retry_stop_after_attempts_count=2,
        **options,
    )


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
