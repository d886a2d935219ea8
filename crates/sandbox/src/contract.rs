//! The specs, embedded: which operation a request is, and whether it keeps to what the operation says.

mod check;
mod exemptions;
mod find;
mod key;
mod table;

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

pub(crate) use check::{check, misfit};
pub(crate) use exemptions::is_exempt_route;
pub(crate) use find::Found;
pub(crate) use table::{Operation, Property, Response, Schema};

use crate::pattern::Pattern;

static OPERATIONS: &str = include_str!(concat!(env!("OUT_DIR"), "/operations.jsonl"));
static INDEX: &str = include_str!(concat!(env!("OUT_DIR"), "/operations.tsv"));
static SCHEMAS: &str = include_str!(concat!(env!("OUT_DIR"), "/schemas.jsonl"));
static CONTRACT: LazyLock<Contract> = LazyLock::new(Contract::read);

/// Every operation of the specs. It never changes, so all sandboxes of a process share one. Each operation is read
/// when it is needed: to read all of them would take longer than anything else that a first request does.
#[derive(Debug)]
pub(crate) struct Contract {
    entries: Vec<Entry>,
    /// Operations by method and first segments of the path.
    index: HashMap<&'static str, Vec<usize>>,
    schemas: Vec<(&'static str, OnceLock<Schema>)>,
}

#[derive(Debug)]
pub(crate) struct Entry {
    id: &'static str,
    line: &'static str,
    operation: OnceLock<Option<Operation>>,
    shape: (&'static str, OnceLock<Pattern>),
    template: (&'static str, OnceLock<Pattern>),
}

impl Entry {
    /// A line that does not parse would be a fault of the build script; a test looks at all of them.
    pub(crate) fn operation(&self) -> Option<&Operation> {
        self.operation.get_or_init(|| serde_json::from_str(self.line).ok()).as_ref()
    }

    pub(crate) fn shape(&self) -> &Pattern {
        self.shape.1.get_or_init(|| Pattern::template(self.shape.0))
    }

    /// As the specs write the path, so that what is captured are the parameters.
    pub(crate) fn template(&self) -> &Pattern {
        self.template.1.get_or_init(|| Pattern::template(self.template.0))
    }
}

impl Contract {
    pub(crate) fn get() -> &'static Self {
        &CONTRACT
    }

    fn read() -> Self {
        let mut index: HashMap<_, Vec<usize>> = HashMap::new();
        let mut entries = Vec::new();
        for (line, found_by) in OPERATIONS.lines().zip(INDEX.lines()) {
            let mut parts = found_by.split('\t');
            let mut part = || parts.next().unwrap_or_default();
            let (id, key, shape, template) = (part(), part(), part(), part());
            index.entry(key).or_default().push(entries.len());
            entries.push(Entry {
                id,
                line,
                operation: OnceLock::new(),
                shape: (shape, OnceLock::new()),
                template: (template, OnceLock::new()),
            });
        }
        Self { index, entries, schemas: SCHEMAS.lines().map(|line| (line, OnceLock::new())).collect() }
    }

    /// The ids of all operations.
    pub(crate) fn ids(&self) -> impl Iterator<Item = &'static str> {
        self.entries.iter().map(|entry| entry.id)
    }

    /// The operation of an id.
    pub(crate) fn operation(&self, id: &str) -> Option<&Operation> {
        self.entries.iter().find(|entry| entry.id == id)?.operation()
    }

    #[cfg(test)]
    pub(crate) fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.entries.iter().filter_map(Entry::operation)
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
        assert_eq!(contract.operations().count(), OPERATIONS.lines().count());
        assert_eq!(INDEX.lines().count(), OPERATIONS.lines().count());
        assert!(
            contract.entries.iter().all(|entry| entry.operation().is_some_and(|operation| operation.id == entry.id))
        );
        for (line, _) in &contract.schemas {
            serde_json::from_str::<Schema>(line).unwrap();
        }
    }

    #[test]
    fn the_table_stays_small() {
        assert!(OPERATIONS.len() + SCHEMAS.len() < 1_500_000);
    }
}
