//! `get_job_costs`: what jobs have cost, by job or by day.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::context::Context;
use crate::definition::Composite;
use crate::domain::sql::costs::{Period, Subject, costs};
use crate::error::Error;
use crate::input::Identifier;

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

/// The newest name of each job.
const NAMES: &str = "(SELECT workspace, id, name FROM (SELECT workspace_id AS workspace, job_id AS id, name, row_number() \
                     OVER (PARTITION BY workspace_id, job_id ORDER BY change_time DESC) AS version FROM \
                     system.lakeflow.jobs) versions WHERE version = 1)";

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Only this job, from `list_jobs`.
    job_id: Option<Identifier>,
    #[serde(flatten)]
    period: Period,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let subject = Subject {
        field: "job_id",
        id: input.job_id.map(|id| id.0.to_string()),
        names: Some(NAMES),
        without: "runs on all-purpose clusters are not included: their usage belongs to the cluster, not to a job",
        whole: "`share_percent` is the share of the list cost of all jobs in the period",
    };
    costs(&context, subject, input.period).await
}
