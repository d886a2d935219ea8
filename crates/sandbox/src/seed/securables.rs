//! Catalogs, schemas, volumes, functions, models, grants; and how seeds make tables.

use rusqlite::types::Value as Cell;
use serde_json::{Map, Value, json};

use super::DAY;
use crate::ids::mix;
use crate::sql::{Cancel, Column, Limits, Type};
use crate::workspace::catalog::{Catalog, Name, Node, Table};
use crate::workspace::{USER, Workspace, lock};

fn node(workspace: &Workspace, comment: &str) -> Node {
    let at = workspace.clock.epoch() - 60 * DAY;
    let comment = (!comment.is_empty()).then(|| comment.to_owned());
    Node {
        id: workspace.ids.uuid(),
        owner: USER.to_owned(),
        comment,
        created_at: at,
        updated_at: at,
        ..Node::default()
    }
}

fn name(full_name: &str) -> Name {
    let mut parts = full_name.split('.').map(str::to_owned);
    [parts.next().unwrap_or_default(), parts.next().unwrap_or_default(), parts.next().unwrap_or_default()]
}

/// A column of a seeded table: name, type, comment.
pub(super) type Spec = (&'static str, Type, &'static str);

/// Makes a table with its rows.
pub(super) fn table(
    workspace: &Workspace,
    full_name: &str,
    comment: &str,
    columns: &[Spec],
    rows: impl Iterator<Item = Vec<Cell>>,
) -> Result<(), String> {
    let columns: Vec<_> = columns
        .iter()
        .map(|(name, kind, comment)| Column {
            comment: (!comment.is_empty()).then(|| (*comment).to_owned()),
            ..Column::new(*name, kind.clone())
        })
        .collect();
    workspace.engine.load(full_name, &columns, rows).map_err(|error| error.message)?;
    let table = Table {
        name: name(full_name),
        node: node(workspace, comment),
        kind: "MANAGED",
        columns,
        view_definition: None,
    };
    lock(&workspace.catalog).tables.insert(table.name.clone(), table);
    Ok(())
}

/// A number below `bound` that looks random and is the same at every start.
pub(crate) fn pick(seed: usize, salt: u64, bound: u64) -> i64 {
    let seed = u64::try_from(seed).unwrap_or_default();
    i64::try_from(mix(seed.wrapping_mul(0x1_0000).wrapping_add(salt)) % bound.max(1)).unwrap_or_default()
}

/// One of several texts.
pub(super) fn one_of<'a>(texts: &[&'a str], seed: usize, salt: u64) -> &'a str {
    let bound = u64::try_from(texts.len()).unwrap_or(1);
    usize::try_from(pick(seed, salt, bound)).ok().and_then(|index| texts.get(index)).copied().unwrap_or_default()
}

const DEFAULT: (&str, &str, &str) = ("main", "default", "The default schema.");
const SYSTEM: [(&str, &str, &str); 6] = [
    ("system", "information_schema", ""),
    ("system", "billing", "Usage and list prices."),
    ("system", "access", "Lineage."),
    ("system", "lakeflow", "Jobs."),
    ("system", "query", "Statements."),
    ("system", "compute", "Warehouses and clusters."),
];

fn schemas(catalog: &mut Catalog, workspace: &Workspace, schemas: &[(&str, &str, &str)]) {
    for (parent, schema, comment) in schemas {
        catalog.schemas.insert([*parent, *schema].map(str::to_owned), node(workspace, comment));
    }
}

/// The catalogs that every workspace has, with their schemas.
pub(super) fn bare(workspace: &Workspace) {
    let mut catalog = lock(&workspace.catalog);
    for name in ["main", "system"] {
        catalog.catalogs.insert(name.to_owned(), node(workspace, ""));
    }
    schemas(&mut catalog, workspace, &[DEFAULT, ("main", "information_schema", "")]);
    schemas(&mut catalog, workspace, &SYSTEM);
}

pub(super) fn fill(workspace: &Workspace) {
    let mut catalog = lock(&workspace.catalog);
    for (name, comment) in [
        ("main", "Where the team keeps its own data."),
        ("samples", "Data to learn on."),
        ("system", "What the platform tells about itself."),
    ] {
        catalog.catalogs.insert(name.to_owned(), node(workspace, comment));
    }
    let own = [
        DEFAULT,
        ("main", "information_schema", ""),
        ("main", "sales", "Sales figures derived from samples.retail."),
        ("main", "ml", "Models and their features."),
        ("samples", "default", ""),
        ("samples", "information_schema", ""),
        ("samples", "retail", "A small shop: customers, products, orders."),
        ("samples", "taxi", "Taxi trips."),
    ];
    schemas(&mut catalog, workspace, &own);
    schemas(&mut catalog, workspace, &SYSTEM);
    catalog.volumes.insert(name("main.default.landing"), node(workspace, "Files as they arrive."));
    catalog
        .volumes
        .insert(name("samples.retail.raw"), node(workspace, "The files that the retail tables were made from."));
    functions(&mut catalog, workspace);
    catalog.models.insert(name("main.ml.churn_model"), node(workspace, "Predicts which customers leave."));
    catalog.models.insert(name("main.ml.demand_forecast"), node(workspace, "Predicts orders per day."));
    let grants = [
        ("catalog", "main", "users", ["USE_CATALOG", "USE_SCHEMA"]),
        ("catalog", "samples", "users", ["USE_CATALOG", "USE_SCHEMA"]),
        ("schema", "samples.retail", "users", ["SELECT", "EXECUTE"]),
        ("schema", "main.sales", "analysts", ["SELECT", "MODIFY"]),
        ("table", "samples.retail.customers", "auditors", ["SELECT", "APPLY_TAG"]),
    ];
    for (kind, securable, principal, privileges) in grants {
        let entry = catalog.grants.entry((kind.to_owned(), securable.to_owned())).or_default();
        entry.insert(principal.to_owned(), privileges.map(str::to_owned).into());
    }
    drop(catalog);
    let at = workspace.clock.epoch() - 20 * DAY;
    let mut files = lock(&workspace.files);
    files.put("/Volumes/main/default/landing/README.md", "# Landing\n\nFiles arrive here once a day.\n", at);
    files.put("/Volumes/main/default/landing/2026/03/01/orders.csv", "order_id,total\n1,19.99\n2,5.00\n", at);
    files.put("/Volumes/main/default/landing/2026/03/02/orders.json", "{\"order_id\": 3, \"total\": 7.5}\n", at);
    files.put("/Volumes/samples/retail/raw/customers.csv", "customer_id,name\n1,Ada Lovelace\n", at);
}

fn functions(catalog: &mut Catalog, workspace: &Workspace) {
    let functions = [
        (
            "main.sales.net_amount",
            "DECIMAL",
            "gross * (1 - discount)",
            "What remains of an amount after its discount.",
            &["gross", "discount"][..],
        ),
        (
            "main.default.mask_email",
            "STRING",
            "concat(left(email, 1), '***')",
            "Hides an email address.",
            &["email"][..],
        ),
    ];
    for (full_name, kind, body, comment, names) in functions {
        let parameter_type = if kind == "STRING" { "string" } else { "decimal(12,2)" };
        let parameters = (0_u32..).zip(names).map(
            |(place, name)| json!({"name": name, "type_text": parameter_type, "type_name": kind, "position": place}),
        );
        let parameters: Vec<_> = parameters.collect();
        let extra = json!({"data_type": kind, "full_data_type": kind, "routine_body": "SQL", "routine_definition": body,
            "is_deterministic": true, "sql_data_access": "CONTAINS_SQL", "security_type": "DEFINER", "parameter_style": "S", "is_null_call": false,
            "specific_name": full_name.rsplit('.').next(),
            "input_params": {"parameters": parameters}});
        let extra: Map<String, Value> = extra.as_object().cloned().unwrap_or_default();
        catalog.functions.insert(name(full_name), Node { extra, ..node(workspace, comment) });
    }
}

/// Views, and tables that are made of others, by the engine itself.
pub(super) fn views(workspace: &Workspace) -> Result<(), String> {
    let statements = [
        "CREATE TABLE main.default.greetings (id INT NOT NULL COMMENT 'Row number', language STRING COMMENT 'ISO 639-1 code', text STRING) COMMENT 'Hello in some languages'",
        "INSERT INTO main.default.greetings VALUES (1, 'en', 'Hello'), (2, 'nl', 'Hallo'), (3, 'fr', 'Bonjour'), (4, 'ja', NULL)",
        "CREATE TABLE main.sales.daily_revenue COMMENT 'Revenue and number of orders per day and channel' AS SELECT CAST(order_ts AS DATE) AS day, channel, count(*) AS orders, sum(total) AS revenue FROM samples.retail.orders WHERE status <> 'cancelled' GROUP BY ALL",
        "CREATE VIEW main.sales.top_customers COMMENT 'The hundred customers with the highest revenue' AS SELECT c.customer_id, c.name, c.country, count(*) AS orders, sum(o.total) AS revenue FROM samples.retail.customers c JOIN samples.retail.orders o ON o.customer_id = c.customer_id GROUP BY c.customer_id, c.name, c.country ORDER BY revenue DESC, c.customer_id LIMIT 100",
        "CREATE VIEW samples.retail.open_orders AS SELECT order_id, customer_id, order_ts, total FROM samples.retail.orders WHERE status IN ('new', 'paid')",
    ];
    run(workspace, &statements)
}

/// A chain of tables, the last two of which are made of each other, as a forecast is that goes back to where it came from.
pub(super) fn forecast(workspace: &Workspace) -> Result<(), String> {
    let statements = [
        "CREATE TABLE main.ml.demand COMMENT 'Orders per day, and those that are expected' AS SELECT day, sum(orders) AS orders, false AS is_expected FROM main.sales.daily_revenue GROUP BY day",
        "CREATE TABLE main.ml.forecast COMMENT 'Orders that are expected on the next day' AS SELECT date_add(max(day), 1) AS day, CAST(avg(orders) AS BIGINT) AS orders FROM main.ml.demand",
        "INSERT INTO main.ml.demand SELECT day, orders, true FROM main.ml.forecast",
    ];
    run(workspace, &statements)
}

fn run(workspace: &Workspace, statements: &[&str]) -> Result<(), String> {
    let session = workspace.session();
    for sql in statements {
        workspace
            .engine
            .run(&workspace.catalog, &session, sql, Limits::default(), &Cancel::default())
            .map_err(|error| format!("{sql}: {}", error.message))?;
    }
    let mut catalog = lock(&workspace.catalog);
    for table in catalog.tables.values_mut().filter(|table| table.node.id.is_empty()) {
        table.node.id = workspace.ids.uuid();
    }
    Ok(())
}
