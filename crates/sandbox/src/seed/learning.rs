//! Machine learning: an experiment with runs, registered models, serving endpoints, and an index to search.

use rusqlite::types::Value as Cell;
use serde_json::{Value, json};

use super::DAY;
use super::securables::table;
use crate::areas::mlflow::runs::Logged;
use crate::areas::mlflow::{experiments, registry, runs};
use crate::areas::{models, serving, vectorsearch};
use crate::json::Members;
use crate::request::Fields;
use crate::sql::Type::{BigInt, String as Text};
use crate::workspace::{USER, Workspace};

const EXPERIMENT: &str = "700100200300401";
const BEST: &str = "5e1ec7ed0000000000000000000000a2";

/// Title, topic, text; the id is the place.
const ARTICLES: [(&str, &str, &str); 10] = [
    (
        "Return an order",
        "orders",
        "Customers may return an order within 30 days. Print the return label, pack the products and hand the parcel in.",
    ),
    (
        "Refunds",
        "payments",
        "A refund is paid to the card or account that paid the order, five days after the return arrives.",
    ),
    (
        "Track a parcel",
        "delivery",
        "The tracking number is in the delivery mail. Parcels are scanned at each depot on the way.",
    ),
    (
        "Late delivery",
        "delivery",
        "If a parcel is more than three days late, open a delivery claim; we send the products again or refund the order.",
    ),
    (
        "Change an address",
        "account",
        "The address of an order can be changed until it is packed. Change the default address in the account.",
    ),
    (
        "Reset a password",
        "account",
        "Choose forgot password on the login page; a link arrives by mail and works for an hour.",
    ),
    (
        "Payment methods",
        "payments",
        "We take cards, bank transfer and invoice. A payment by invoice is due within 14 days.",
    ),
    ("Gift cards", "payments", "A gift card pays any order; what is left stays on the card for three years."),
    ("Damaged products", "orders", "Send a photo of damaged products within a week; we replace them without a return."),
    (
        "Delete an account",
        "account",
        "An account can be deleted when no order is open; invoices are kept as the law demands.",
    ),
];

fn fields(value: &Value) -> Fields {
    Fields(value.as_object().cloned().unwrap_or_default())
}

pub(super) fn fill(workspace: &Workspace) -> Result<(), String> {
    tracking(workspace).map_err(|error| format!("{error:?}"))?;
    let epoch = workspace.clock.epoch();
    for (number, comment) in [(1, "The first try."), (2, "More features, better recall."), (3, "Deeper trees.")] {
        models::seed_version(workspace, "main.ml.churn_model", number, comment, BEST, epoch - (10 - number) * DAY);
    }
    for (number, comment) in [(1, "Weekly seasons."), (2, "Weekly and yearly seasons.")] {
        models::seed_version(workspace, "main.ml.demand_forecast", number, comment, BEST, epoch - (8 - number) * DAY);
    }
    let churn = ["main", "ml", "churn_model"].map(str::to_owned);
    for (alias, number) in [("champion", 2), ("challenger", 3)] {
        models::point(workspace, &churn, alias, number).map_err(|error| format!("{error:?}"))?;
    }
    let external = |model: &str, task: &str| json!({"name": format!("{model}-served"), "external_model": {"name": model, "provider": "custom", "task": task}});
    let served = |name: &str, model: &str, version: &str| json!({"name": name, "entity_name": model, "entity_version": version, "workload_size": "Small", "scale_to_zero_enabled": true});
    let endpoints = [
        ("sandbox-chat", "llm/v1/chat", external("echo-1", "llm/v1/chat")),
        ("sandbox-completions", "llm/v1/completions", external("echo-1", "llm/v1/completions")),
        ("sandbox-embeddings", "llm/v1/embeddings", external("hash-8", "llm/v1/embeddings")),
        ("churn-model", "", served("churn-model-1", "main.ml.churn_model", "2")),
        ("demand-forecast", "", served("demand-forecast-broken", "main.ml.demand_forecast", "2")),
    ];
    for (name, task, mut entity) in endpoints {
        if task.starts_with("llm") {
            entity.set("name", format!("{name}-1"));
        }
        serving::seed(workspace, name, task, &entity);
    }
    table(
        workspace,
        "main.default.support_articles",
        "What the shop's help pages say",
        &[
            ("id", BigInt, "Primary key"),
            ("title", Text, ""),
            ("topic", Text, "orders, payments, delivery or account"),
            ("text", Text, ""),
        ],
        ARTICLES.iter().zip(1..).map(|((title, topic, text), id)| {
            let texts = [title, topic, text].map(|text| Cell::Text((*text).to_owned()));
            std::iter::once(Cell::Integer(id)).chain(texts).collect()
        }),
    )?;
    vectorsearch::seed(
        workspace,
        "support-search",
        json!({"name": "main.default.support_articles_index", "endpoint_name": "support-search", "index_type": "DELTA_SYNC", "primary_key": "id",
            "delta_sync_index_spec": {"source_table": "main.default.support_articles", "pipeline_type": "TRIGGERED",
                "embedding_source_columns": [{"name": "text", "embedding_model_endpoint_name": "sandbox-embeddings"}]}}),
    )
}

fn tracking(workspace: &Workspace) -> Result<(), crate::error::ApiError> {
    let name = format!("/Users/{USER}/churn");
    experiments::make(
        workspace,
        EXPERIMENT,
        &fields(&json!({"name": name, "tags": [{"key": "team", "value": "retail"}]})),
    )?;
    let files = json!([{"path": "model", "is_dir": true}, {"path": "model/MLmodel", "is_dir": false, "file_size": 412},
        {"path": "model/model.pkl", "is_dir": false, "file_size": 90_112}, {"path": "confusion.png", "is_dir": false, "file_size": 18_204}]);
    let started = workspace.clock.epoch() - 12 * DAY;
    let past = [
        ("5e1ec7ed0000000000000000000000a1", "shallow-trees", "FINISHED", "3", &[0.61, 0.68, 0.71][..], files.clone()),
        (BEST, "more-features", "FINISHED", "5", &[0.64, 0.74, 0.82][..], files.clone()),
        ("5e1ec7ed0000000000000000000000a3", "deep-trees", "FINISHED", "9", &[0.70, 0.79, 0.80][..], files),
        ("5e1ec7ed0000000000000000000000a4", "too-deep", "FAILED", "40", &[0.52][..], json!([])),
    ];
    for ((id, name, status, depth, auc, artifacts), day) in past.into_iter().zip(0..) {
        let params = [("max_depth", depth), ("learning_rate", "0.1")];
        let metrics = [("auc", auc)];
        let logged =
            Logged { name, status, started: started + day * DAY, params: &params, metrics: &metrics, artifacts };
        runs::seed(workspace, id, EXPERIMENT, &logged)?;
    }
    let model = json!({"name": "churn", "description": "Which customers leave, in the registry of the workspace."});
    registry::make(workspace, &fields(&model))?;
    for run in ["5e1ec7ed0000000000000000000000a1", BEST] {
        let source = format!("dbfs:/databricks/mlflow-tracking/{EXPERIMENT}/{run}/artifacts/model");
        registry::make_version(workspace, &fields(&json!({"name": "churn", "source": source, "run_id": run})))?;
    }
    Ok(())
}
