//! `restart_cluster`: restarts a running cluster and waits until it runs again.

use databricks::requests::compute::clusters;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::cleanup::Lasting;
use crate::context::Context;
use crate::definition::{Composite, Work};
use crate::domain::compute::lifecycle::{self, ComputeHandle, WaitArguments, is_race};
use crate::domain::compute::state::{Compute, ComputeKind, Phase};
use crate::domain::wait::{PollState, watch};
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run, work: WORK);

/// A restart cannot be undone.
static WORK: Work = work!(ComputeHandle, look: lifecycle::look);

const KIND: ComputeKind = ComputeKind::Cluster;
/// So often a cluster that was told to restart may still look as if it had not heard.
const MOST_STALE: usize = 3;

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Id of a running cluster, from `list_clusters`.
    cluster_id: String,
    #[serde(flatten)]
    waiting: WaitArguments,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let id = input.cluster_id;
    let mut wait = input.waiting.wait();
    let compute = KIND.get(&context, &id).await?;
    match compute.phase {
        Phase::Running => {}
        Phase::Starting => {
            // A start or restart is under way: what it brings is as fresh as another would.
            let started = lifecycle::start(&context, KIND, &id, &mut wait).await?;
            return Ok(lifecycle::answer(&context, KIND, &id, &started, &wait));
        }
        Phase::Stopped | Phase::Stopping => return Err(not_running(&id, &compute)),
        Phase::Broken => return Err(KIND.failure(&id, &compute)),
    }
    if let Err(error) = context.client.send(clusters::Restart::new(&id)).await {
        // Somebody else may have restarted or stopped it since it was looked at, or the answer was lost on its way.
        let now = KIND.get(&context, &id).await?;
        match now.phase {
            Phase::Starting if is_race(&error) || error.status().is_none() => {}
            Phase::Stopped | Phase::Stopping if is_race(&error) => return Err(not_running(&id, &now)),
            _ => return Err(error.into()),
        }
    }
    let restart = Lasting::new(format!("restart of cluster {id}"));
    let (mut looks, mut has_begun) = (0, false);
    let look = |compute: &Compute| {
        looks += 1;
        has_begun |= compute.phase != Phase::Running;
        let is_over = match compute.phase {
            // Right after the request it still looks as it did before.
            Phase::Running => has_begun || looks > MOST_STALE,
            Phase::Stopped | Phase::Broken => true,
            Phase::Starting | Phase::Stopping => false,
        };
        PollState { state: compute.state.clone(), done: None, is_over }
    };
    let name = format!("cluster {id}");
    let compute = watch(&context, &name, &mut wait, || KIND.get(&context, &id), look).await;
    restart.settle();
    let compute = compute.map_err(|error| error.after(format!("{name}: restart requested")))?;
    if matches!(compute.phase, Phase::Stopped | Phase::Broken) {
        return Err(KIND.failure(&id, &compute));
    }
    lifecycle::hand_over(&context, KIND, &id, &compute, false);
    let mut answer = KIND.answer(&context, &id, &compute);
    if compute.phase != Phase::Running || !(has_begun || looks > MOST_STALE) {
        shape::put(&mut answer, "still_running", true);
        shape::put(&mut answer, "hint", "it is restarting; keep waiting with `start_cluster`");
    } else {
        shape::put(&mut answer, "duration_ms", wait.milliseconds());
    }
    Ok(answer)
}

fn not_running(id: &str, compute: &Compute) -> Error {
    Error::failed(format!("cluster `{id}` is {}: only a running one can be restarted", compute.state))
        .with_hint("start it with `start_cluster`")
}
