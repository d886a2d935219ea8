//! What a new workspace holds. Everything is computed from fixed numbers and hangs on the clock's epoch.

mod compute;
mod document;
mod insight;
mod learning;
mod notebooks;
mod people;
mod plant;
mod retail;
mod schedule;
mod securables;
mod taxi;
mod tracing;

pub use document::Seed;

use crate::workspace::Workspace;
pub(crate) use compute::{RUNNING, WAREHOUSE};
pub(crate) use schedule::JOBS;
pub(crate) use securables::pick;

pub(crate) const DAY: i64 = 86_400_000;

/// Fills a new workspace: with the samples, or with what no workspace is without.
pub(crate) fn fill(workspace: &Workspace, samples: bool) -> Result<(), String> {
    if !samples {
        securables::bare(workspace);
        notebooks::folders(workspace).map_err(|error| format!("{error:?}"))?;
        people::bare(workspace);
        return crate::system::fill(workspace);
    }
    securables::fill(workspace);
    retail::fill(workspace)?;
    taxi::fill(workspace)?;
    securables::views(workspace)?;
    compute::fill(workspace);
    notebooks::fill(workspace).map_err(|error| format!("{error:?}"))?;
    schedule::fill(workspace);
    people::fill(workspace);
    learning::fill(workspace)?;
    tracing::fill(workspace).map_err(|error| format!("{error:?}"))?;
    insight::fill(workspace).map_err(|error| format!("{error:?}"))?;
    // Last, so that what was there before keeps its ids.
    securables::forecast(workspace)?;
    crate::system::fill(workspace)
}
