//! The workspace tree.

use crate::areas::objects::{Kind, Language};
use crate::error::ApiError;
use crate::workspace::{USER, Workspace, lock};

const PYTHON: Kind = Kind::Notebook(Language::Python);
const SQL: Kind = Kind::Notebook(Language::Sql);

/// How long all of this has been there, in milliseconds.
const AGE: i64 = 30 * 24 * 60 * 60 * 1_000;

const TREE: [(&str, Kind, &str); 14] = [
    (
        "/Shared/etl/load_orders",
        PYTHON,
        "# MAGIC %md\n# MAGIC # Load orders\n\n# COMMAND ----------\n\ndbutils.widgets.text(\"run_date\", \"2026-03-01\")\nrun_date = dbutils.widgets.get(\"run_date\")\n\n# COMMAND ----------\n\ndbutils.notebook.exit(dbutils.widgets.get(\"run_date\"))\n",
    ),
    (
        "/Shared/etl/clean_orders",
        PYTHON,
        "orders = spark.table(\"samples.retail.orders\")\nclean = orders.dropna()\n\n# COMMAND ----------\n\ndbutils.notebook.exit(\"1500 rows cleaned\")\n",
    ),
    (
        "/Shared/etl/failing_check",
        PYTHON,
        "expected = 1500\nfound = 1492\n\n# COMMAND ----------\n\nraise ValueError(\"expected 1500 rows, found 1492\")\n",
    ),
    (
        "/Shared/etl/flaky_source",
        PYTHON,
        "# sandbox: flaky\nsource = \"https://feed.example.test\"\nraise ConnectionError(\"the source did not answer in time\")\n\n# COMMAND ----------\n\ndbutils.notebook.exit(\"fetched\")\n",
    ),
    (
        "/Shared/etl/slow_export",
        PYTHON,
        "import time\n\ntime.sleep(30)\n\n# COMMAND ----------\n\ndbutils.notebook.exit(\"exported\")\n",
    ),
    (
        "/Shared/etl/wide_join",
        PYTHON,
        "# sandbox: driver out of memory\norders = spark.table(\"samples.retail.orders\")\npairs = orders.crossJoin(orders).collect()\n",
    ),
    (
        "/Shared/etl/list_regions",
        PYTHON,
        "regions = [\"north\", \"south\", \"east\", \"west\"]\ndbutils.jobs.taskValues.set(key=\"regions\", value=regions)\ndbutils.notebook.exit(f\"{regions}\")\n",
    ),
    (
        "/Shared/etl/load_region",
        PYTHON,
        "# sandbox: flaky\ndbutils.widgets.text(\"region\", \"north\")\nregion = dbutils.widgets.get(\"region\")\nraise ConnectionError(f\"no answer from {region}\")\n\n# COMMAND ----------\n\ndbutils.notebook.exit(f\"loaded {region}\")\n",
    ),
    (
        "/Shared/reports/daily_revenue",
        SQL,
        "-- MAGIC %md\n-- MAGIC # Daily revenue\n\n-- COMMAND ----------\n\nSELECT day, sum(revenue) AS revenue FROM main.sales.daily_revenue GROUP BY day ORDER BY day DESC LIMIT 7\n",
    ),
    (
        "/Shared/reports/revenue.sql",
        Kind::File,
        "SELECT channel, sum(revenue) AS revenue\nFROM main.sales.daily_revenue\nGROUP BY channel\n",
    ),
    ("/Shared/README.md", Kind::File, "# Shared\n\nNotebooks that the jobs run.\n"),
    (
        "/Users/sandbox.user@example.test/exploration",
        PYTHON,
        "df = spark.table(\"samples.taxi.trips\")\ndisplay(df.groupBy(\"payment\").count())\n",
    ),
    ("/Users/sandbox.user@example.test/scratch", SQL, "SELECT 1 AS one\n"),
    ("/Users/sandbox.user@example.test/helper.py", Kind::File, "greeting = \"hello\"\nprint(greeting)\n"),
];

/// The folders that every workspace has.
pub(super) fn folders(workspace: &Workspace) -> Result<(), ApiError> {
    let mut objects = lock(&workspace.objects);
    for folder in ["/Shared".to_owned(), format!("/Users/{USER}"), format!("/Repos/{USER}")] {
        objects.make_directories(&folder, workspace)?;
    }
    Ok(())
}

pub(super) fn fill(workspace: &Workspace) -> Result<(), ApiError> {
    folders(workspace)?;
    let mut objects = lock(&workspace.objects);
    objects.make_directories("/Shared/empty", workspace)?;
    for (path, kind, content) in TREE {
        if let Some((folder, _)) = path.rsplit_once('/') {
            objects.make_directories(folder, workspace)?;
        }
        objects.put(path, kind, content.as_bytes().to_vec(), workspace);
    }
    // Older than the runs of the past, so that these did not fail for a change.
    objects.date_back(workspace.clock.now() - AGE);
    Ok(())
}
