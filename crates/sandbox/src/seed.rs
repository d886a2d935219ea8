//! What a new workspace holds. Everything is computed from fixed numbers and hangs on the clock's epoch.

mod billing;
mod compute;
mod document;
mod notebooks;
mod plant;
mod retail;
mod schedule;
mod securables;
mod taxi;

pub use document::Seed;

use crate::workspace::Workspace;

pub(crate) const DAY: i64 = 86_400_000;

/// Fills a new workspace: with the samples, or with what no workspace is without.
pub(crate) fn fill(workspace: &Workspace, samples: bool) -> Result<(), String> {
    if !samples {
        securables::bare(workspace);
        return notebooks::folders(workspace).map_err(|error| format!("{error:?}"));
    }
    securables::fill(workspace);
    retail::fill(workspace)?;
    taxi::fill(workspace)?;
    billing::fill(workspace)?;
    securables::views(workspace)?;
    compute::fill(workspace);
    notebooks::fill(workspace).map_err(|error| format!("{error:?}"))?;
    schedule::fill(workspace);
    Ok(())
}
