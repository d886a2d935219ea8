//! `start_cluster`: starts a cluster and waits until it runs.

use schemars::JsonSchema;
use serde::Deserialize;

use super::machine::Kind;
use super::power::{self, Patience};
use super::{Composite, input, input_schema};

pub(crate) static COMPOSITE: Composite = Composite {
    schema: input_schema::<Input>,
    run: |context, arguments| {
        Box::pin(async move {
            let Input { cluster_id, patience } = input(arguments)?;
            let mut wait = patience.wait();
            let started = power::start(&context, Kind::Cluster, &cluster_id, &mut wait).await?;
            Ok(power::answer(&context, Kind::Cluster, &cluster_id, &started, &wait))
        })
    },
};

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Cluster id, from `list_clusters`.
    cluster_id: String,
    #[serde(flatten)]
    patience: Patience,
}
