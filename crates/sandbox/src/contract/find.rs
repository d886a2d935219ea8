//! From a method and a path to the operations that they may be.

use std::collections::HashMap;

use super::exemptions::ALIASES;
use super::table::Operation;
use super::{Contract, Entry};
use crate::text::percent_decode;

/// So many segments of a path lead to the operations that are worth a look.
const KEY_SEGMENTS: usize = 3;

/// Operations by method and first segments of the path, the plainest first.
#[derive(Debug)]
pub(super) struct Index(HashMap<String, Vec<usize>>);

impl Index {
    pub(super) fn new(entries: &[Entry]) -> Self {
        let mut index: HashMap<_, Vec<usize>> = HashMap::new();
        for (at, entry) in entries.iter().enumerate() {
            index.entry(key(&entry.operation.method, &entry.operation.shape)).or_default().push(at);
        }
        for bucket in index.values_mut() {
            bucket.sort_by_key(|at| entries.get(*at).map(|entry| entry.shape.vagueness()));
        }
        Self(index)
    }
}

/// The method and the first segments, or fewer where a parameter comes earlier.
fn key(method: &str, path: &str) -> String {
    let mut key = method.to_owned();
    for segment in path.trim_start_matches('/').split('/').take(KEY_SEGMENTS) {
        if segment.contains('{') {
            break;
        }
        key.push('/');
        key.push_str(segment);
    }
    key
}

/// The template with multi-segment parameters marked as such.
pub(super) fn greedy(operation: &Operation) -> String {
    let multi = operation.parameters.iter().filter(|parameter| parameter.multi_segment);
    multi.fold(operation.path.clone(), |path, parameter| {
        path.replace(&format!("{{{}}}", parameter.name), &format!("{{*{}}}", parameter.name))
    })
}

/// An operation that a request may be, and its path parameters, decoded.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    pub(crate) operation: &'static Operation,
    pub(crate) path: Vec<(&'static str, String)>,
}

impl Contract {
    /// What a request may be. More than one where the specs do not tell operations apart; nothing where no
    /// operation has the path and method.
    pub(crate) fn find(&'static self, method: &str, path: &str) -> Vec<Found> {
        let path = path.strip_suffix('/').unwrap_or(path);
        let found = self.find_as_written(method, path);
        if !found.is_empty() {
            return found;
        }
        let alias = ALIASES.iter().find_map(|alias| Some((alias, path.strip_prefix(alias.prefix)?)));
        alias.map(|(alias, rest)| self.find_as_written(method, &format!("{}{rest}", alias.of))).unwrap_or_default()
    }

    fn find_as_written(&'static self, method: &str, path: &str) -> Vec<Found> {
        let full = key(method, path);
        for key in std::iter::successors(Some(full.as_str()), |key| Some(key.rsplit_once('/')?.0)) {
            let bucket = self.index.0.get(key).into_iter().flatten().filter_map(|at| self.operations.get(*at));
            let mut matching = bucket.filter(|entry| entry.shape.matches(path));
            let Some(first) = matching.next() else { continue };
            let equals = matching.take_while(|entry| entry.shape.vagueness() == first.shape.vagueness());
            return std::iter::once(first).chain(equals).map(|entry| found(entry, path)).collect();
        }
        Vec::new()
    }
}

fn found(entry: &'static Entry, path: &str) -> Found {
    let values = entry.template.captures(path).unwrap_or_default();
    let names = entry.operation.path.split('{').skip(1).filter_map(|part| part.split('}').next());
    let path = names.zip(values).map(|(name, value)| (name, percent_decode(value))).collect();
    Found { operation: &entry.operation, path }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(method: &str, path: &str) -> Vec<&'static str> {
        Contract::get().find(method, path).into_iter().map(|found| found.operation.id.as_str()).collect()
    }

    #[test]
    fn operations_are_told_apart() {
        assert_eq!(ids("GET", "/api/2.2/jobs/get"), ["jobs.jobs.get"]);
        assert_eq!(ids("GET", "/api/2.1/clusters/get/"), ["compute.clusters.get"]);
        assert_eq!(ids("GET", "/api/2.0/clusters/get"), ["compute.clusters.get"]);
        assert_eq!(ids("GET", "/api/2.0/postgres/projects/a/branches/b"), ["postgres.postgres.get_branch"]);
        assert_eq!(ids("GET", "/api/2.0/postgres/projects/a"), ["postgres.postgres.get_project"]);
        assert_eq!(ids("GET", "/api/2.0/sandboxes/a"), ["sandbox.sandbox.get_sandbox"]);
        assert_eq!(ids("PUT", "/api/2.0/fs/files/Volumes/a/b/c/d%20e"), ["files.files.upload"]);
        assert_eq!(ids("POST", "/serving-endpoints/a/invocations"), ["serving.serving_endpoints.query"]);
        assert_eq!(ids("GET", "/api/2.0/permissions/notebooks/1").len(), 2);
        assert_eq!(ids("GET", "/api/2.0/permissions/jobs/1"), ["jobs.jobs.get_permissions"]);
    }

    #[test]
    fn unknown_paths_and_methods_are_nothing() {
        for (method, path) in
            [("POST", "/api/2.2/jobs/get"), ("GET", "/api/2.0/none"), ("GET", "/"), ("GET", "/api/2.2")]
        {
            assert!(ids(method, path).is_empty(), "{method} {path}");
        }
    }

    #[test]
    fn path_parameters_are_decoded() {
        let found = Contract::get().find("GET", "/api/2.0/fs/files/Volumes/a%20b/c");
        assert_eq!(found[0].path, [("file_path", "/Volumes/a b/c".to_owned())]);
    }
}
