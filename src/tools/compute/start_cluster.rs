//! `start_cluster`: starts a cluster and waits until it runs.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::context::Context;
use crate::definition::{Composite, Work};
use crate::domain::compute::lifecycle::{self, ComputeHandle, WaitArguments};
use crate::domain::compute::state::ComputeKind;
use crate::error::Error;

pub(crate) static COMPOSITE: Composite = composite!(Input, run, work: WORK);

static WORK: Work = work!(ComputeHandle, look: lifecycle::look, cancel: lifecycle::cancel);

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Cluster id, from `list_clusters`.
    cluster_id: String,
    #[serde(flatten)]
    waiting: WaitArguments,
}

async fn run(context: Context, Input { cluster_id, waiting }: Input) -> Result<Value, Error> {
    let mut wait = waiting.wait();
    let started = lifecycle::start(&context, ComputeKind::Cluster, &cluster_id, &mut wait).await?;
    Ok(lifecycle::answer(&context, ComputeKind::Cluster, &cluster_id, &started, &wait))
}
