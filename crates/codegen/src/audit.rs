//! What nobody has decided on, what a review looked at, and what changed since.
//!
//! Every operation of the specs must be decided. What was decided is recorded in a lock file,
//! `allowlist/exposure.lock`: what each tool can do, what the API accepts and returns for it, nested schemas included,
//! and each exclusion. A change of the API or of a decision shows up as a difference that a person reviews.

use std::collections::BTreeMap;

use crate::allowlist::Allowlist;
use crate::api::Api;

mod difference;
mod evidence;
mod lock;
mod schemas;

pub use difference::differences;
pub use evidence::{Reads, evidence, reads};
pub use lock::{lock, tool_lines};
pub(crate) use schemas::digest;
pub use schemas::type_name;

/// Name of the lock file in the allowlist's directory.
pub const LOCK_FILE: &str = "exposure.lock";

/// How the operations of a package stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Package {
    /// Operations in the specs.
    pub operations: usize,
    /// Operations behind a tool, a resource or a composite.
    pub exposed: usize,
    /// Operations behind an executor only.
    pub reachable: usize,
    /// Operations excluded with a reason.
    pub excluded: usize,
    /// Ids that nobody has decided on.
    pub undecided: Vec<String>,
}

/// How each package of the specs stands.
pub fn packages(api: &Api, allowlist: &Allowlist) -> BTreeMap<String, Package> {
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    for (id, operation) in &api.operations {
        let package = packages.entry(operation.package().to_owned()).or_default();
        package.operations += 1;
        match allowlist.decisions.get(id) {
            None => package.undecided.push(id.clone()),
            Some(decision) if decision.excluded.is_some() => package.excluded += 1,
            Some(decision) if decision.reachable.is_some() => package.reachable += 1,
            Some(_) => package.exposed += 1,
        }
    }
    packages
}
