//! From a method and a path to the operations that they may be.

use super::Contract;
use super::Entry;
use super::exemptions::ALIASES;
use super::key::key;
use super::table::Operation;
use crate::text::percent_decode;

const METHODS: [&str; 6] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];

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

    /// The other methods that the path takes.
    pub(crate) fn other_methods(&'static self, method: &str, path: &str) -> Vec<&'static str> {
        let is_other = |other: &&str| *other != method && !self.find(other, path).is_empty();
        METHODS.into_iter().filter(is_other).collect()
    }

    fn find_as_written(&'static self, method: &str, path: &str) -> Vec<Found> {
        let full = key(method, path);
        for key in std::iter::successors(Some(full.as_str()), |key| Some(key.rsplit_once('/')?.0)) {
            let bucket = self.index.get(key).into_iter().flatten().filter_map(|at| self.entries.get(*at));
            let matching: Vec<_> = bucket.filter(|entry| entry.shape().matches(path)).collect();
            // The plainest; more than one where the specs do not tell them apart.
            let Some(least) = matching.iter().map(|entry| entry.shape().vagueness()).min() else { continue };
            let equals = matching.into_iter().filter(|entry| entry.shape().vagueness() == least);
            return equals.filter_map(|entry| found(entry, path)).collect();
        }
        Vec::new()
    }
}

fn found(entry: &'static Entry, path: &str) -> Option<Found> {
    let operation = entry.operation()?;
    let values = entry.template().captures(path).unwrap_or_default();
    let names = operation.path.split('{').skip(1).filter_map(|part| part.split('}').next());
    let path = names.zip(values).map(|(name, value)| (name, percent_decode(value))).collect();
    Some(Found { operation, path })
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
    fn a_known_path_names_its_methods() {
        let others = |method, path| Contract::get().other_methods(method, path);
        assert_eq!(others("PUT", "/api/2.2/jobs/list"), ["GET"]);
        assert_eq!(others("POST", "/api/2.1/unity-catalog/catalogs/a"), ["GET", "PATCH", "DELETE"]);
        assert!(others("GET", "/api/2.0/none").is_empty() && others("POST", "/x/y").is_empty());
    }

    #[test]
    fn path_parameters_are_decoded() {
        let found = Contract::get().find("GET", "/api/2.0/fs/files/Volumes/a%20b/c");
        assert_eq!(found[0].path, [("file_path", "/Volumes/a b/c".to_owned())]);
    }
}
