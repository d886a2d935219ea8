//! What a new workspace holds. Everything is computed from fixed numbers and hangs on the clock's epoch.

mod billing;
mod compute;
mod insight;
mod learning;
mod notebooks;
mod people;
mod retail;
mod schedule;
mod securables;
mod taxi;

use crate::workspace::Workspace;

pub(crate) const DAY: i64 = 86_400_000;

pub(crate) fn fill(workspace: &Workspace) -> Result<(), String> {
    securables::fill(workspace);
    retail::fill(workspace)?;
    taxi::fill(workspace)?;
    billing::fill(workspace)?;
    securables::views(workspace)?;
    compute::fill(workspace);
    notebooks::fill(workspace).map_err(|error| format!("{error:?}"))?;
    schedule::fill(workspace);
    people::fill(workspace);
    learning::fill(workspace)?;
    insight::fill(workspace).map_err(|error| format!("{error:?}"))?;
    Ok(())
}
