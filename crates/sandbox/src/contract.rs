//! The specs, embedded: which operation a request is, and whether it keeps to what the operation says.

mod check;
mod exemptions;
mod find;
mod table;

use std::sync::{LazyLock, OnceLock};

pub(crate) use check::{check, misfit};
pub(crate) use exemptions::is_exempt_route;
pub(crate) use find::Found;
pub(crate) use table::{Operation, Property, Response, Schema};

use crate::pattern::Pattern;
use find::Index;

static OPERATIONS: &str = include_str!(concat!(env!("OUT_DIR"), "/operations.jsonl"));
static SCHEMAS: &str = include_str!(concat!(env!("OUT_DIR"), "/schemas.jsonl"));
static CONTRACT: LazyLock<Contract> = LazyLock::new(Contract::read);

/// Every operation of the specs. It never changes, so all sandboxes of a process share one.
#[derive(Debug)]
pub(crate) struct Contract {
    operations: Vec<Entry>,
    index: Index,
    schemas: Vec<(&'static str, OnceLock<Schema>)>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) operation: Operation,
    pub(crate) shape: Pattern,
    /// As the specs write the path, so that what is captured are the parameters.
    pub(crate) template: Pattern,
}

impl Contract {
    pub(crate) fn get() -> &'static Self {
        &CONTRACT
    }

    fn read() -> Self {
        // A line that does not parse would be a fault of the build script; a test looks at all of them.
        let operations = OPERATIONS.lines().filter_map(|line| serde_json::from_str::<Operation>(line).ok());
        let operations: Vec<_> = operations
            .map(|operation| Entry {
                shape: Pattern::template(&operation.shape),
                template: Pattern::template(&find::greedy(&operation)),
                operation,
            })
            .collect();
        let index = Index::new(&operations);
        Self { index, operations, schemas: SCHEMAS.lines().map(|line| (line, OnceLock::new())).collect() }
    }

    pub(crate) fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.operations.iter().map(|entry| &entry.operation)
    }

    /// The schema behind a reference, or the schema itself.
    pub(crate) fn resolve<'a>(&'a self, schema: &'a Schema) -> &'a Schema {
        let mut schema = schema;
        while let Schema::Reference(line) = schema {
            schema = match self.schemas.get(*line) {
                Some((text, parsed)) => parsed.get_or_init(|| serde_json::from_str(text).unwrap_or(Schema::Any)),
                None => &Schema::Any,
            };
        }
        schema
    }

    /// The schema of a field, looking through references.
    pub(crate) fn field<'a>(&'a self, schema: &'a Schema, name: &str) -> Option<&'a Schema> {
        match self.resolve(schema) {
            Schema::Object(properties) => {
                properties.iter().find(|Property(known, ..)| known == name).map(|Property(_, _, schema)| schema)
            }
            Schema::Map(values) => Some(values),
            _ => None,
        }
    }
}

/// The name most like `name`, if one is alike enough to be what was meant.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(likeness, _)| *likeness >= 0.8)
        .max_by(|left, right| left.0.total_cmp(&right.0))
        .map(|(_, known)| known)
}

/// `; did you mean '…'?`, or nothing.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map(|known| format!("; did you mean '{known}'?")).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_read() {
        let contract = Contract::get();
        assert_eq!(contract.operations.len(), OPERATIONS.lines().count());
        for (line, _) in &contract.schemas {
            serde_json::from_str::<Schema>(line).unwrap();
        }
    }

    #[test]
    fn the_table_stays_small() {
        assert!(OPERATIONS.len() + SCHEMAS.len() < 1_500_000);
    }
}
