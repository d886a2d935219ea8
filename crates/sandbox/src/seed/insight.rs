//! What people look at: a dashboard, a query, alerts, an app, Genie spaces; a repo, and tags.

use serde_json::json;

use super::compute::WAREHOUSE;
use crate::areas::{alerts, apps, dashboards, external, genie, lakebase, queries, repos, sharing, tags};
use crate::error::ApiError;
use crate::workspace::{USER, Workspace};

const QUERY: &str = "0b1c2d3e-0001-4000-8000-000000000001";

pub(super) fn fill(workspace: &Workspace) -> Result<(), ApiError> {
    let page = json!({
        "datasets": [{"name": "top", "displayName": "Top customers", "queryLines": ["SELECT name, country, revenue FROM main.sales.top_customers"]}],
        "pages": [{"name": "main", "displayName": "Revenue", "layout": []}],
    });
    let fields = json!({"display_name": "Revenue", "parent_path": "/Shared/reports", "warehouse_id": WAREHOUSE, "serialized_dashboard": page.to_string()});
    dashboards::seed(workspace, dashboards::REVENUE, fields)?;
    queries::seed(
        workspace,
        QUERY,
        json!({"display_name": "Revenue per channel", "warehouse_id": WAREHOUSE, "catalog": "main", "schema": "sales",
            "query_text": "SELECT channel, sum(revenue) AS revenue FROM main.sales.daily_revenue GROUP BY channel", "tags": ["retail"]}),
    );
    alerts::seed(
        workspace,
        json!({"display_name": "No orders yesterday", "warehouse_id": WAREHOUSE,
            "query_text": "SELECT count(*) AS orders FROM samples.retail.orders",
            "evaluation": {"comparison_operator": "LESS_THAN", "source": {"name": "orders"}, "threshold": {"value": {"double_value": 1}}, "state": "OK"},
            "schedule": {"quartz_cron_schedule": "0 0 7 * * ?", "timezone_id": "UTC", "pause_status": "UNPAUSED"}}),
    )?;
    apps::seed(workspace, "order-desk", "Looks up an order.", "/Workspace/Shared/reports");
    genie::seed(
        workspace,
        genie::RETAIL,
        "Retail questions",
        "Answers questions on orders, customers and revenue.",
        WAREHOUSE,
        &["main.sales.top_customers", "samples.retail.customers", "samples.retail.orders"],
    );
    genie::seed(
        workspace,
        genie::TAXI,
        "Taxi questions",
        "Answers questions on trips and fares.",
        WAREHOUSE,
        &["samples.taxi.trips"],
    );
    let url = "https://git.example.test/acme/retail-pipelines.git";
    repos::clone(workspace, &format!("/Repos/{USER}/retail-pipelines"), url, "gitHub", json!(null))?;
    repos::seed_credential(workspace, "gitHub", "sandbox-user");
    tags::seed(workspace, "tables", "samples.retail.customers", "contains_pii", "true");
    tags::seed(workspace, "schemas", "main.sales", "team", "retail");
    external::seed(workspace);
    sharing::seed(workspace);
    lakebase::seed(workspace);
    Ok(())
}
