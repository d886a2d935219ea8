//! A release of the SDK, read from its source.

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use ruff_python_ast::{Stmt, StmtClassDef};

use super::dataclass;
use super::link;
use super::long_running::{self, Handle};
use super::model::{Api, Schema, SchemaId};
use super::python::{Module, Problem, statements};
use super::service::{self, Service};
use super::types::{Class, Index};

/// A source file: the package (the file's stem), its name in the wheel, and its text.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) package: String,
    pub(crate) file: String,
    pub(crate) text: String,
}

/// Everything that the classes say, before they are put together.
#[derive(Debug, Default)]
pub(crate) struct Release {
    pub(crate) schemas: BTreeMap<SchemaId, Schema>,
    pub(crate) services: Vec<Service>,
    pub(crate) handles: BTreeMap<SchemaId, Handle>,
}

struct Grammar {
    dataclass: dataclass::Grammar,
    service: service::Grammar,
    long_running: long_running::Grammar,
}

/// Reads the sources. All problems are reported together; with a problem there is no result.
pub(crate) fn import(sources: &[Source]) -> Result<Api> {
    let mut problems = Vec::new();
    let mut modules = Vec::new();
    for source in sources {
        match Module::parse(&source.package, &source.file, &source.text) {
            Ok(module) => modules.push(module),
            Err(problem) => problems.push(problem),
        }
    }
    let mut index = Index::default();
    for module in &modules {
        problems.extend(index.add(module)?);
    }
    let grammar = Grammar {
        dataclass: dataclass::Grammar::new()?,
        service: service::Grammar::new()?,
        long_running: long_running::Grammar::new()?,
    };
    let mut release = Release::default();
    for module in &modules {
        for statement in statements(module.body()) {
            if let Stmt::ClassDef(class) = statement {
                grammar.class(module, &index, class, &mut release, &mut problems);
            }
        }
    }
    let api = link::link(&release, &mut problems);
    problems.sort();
    problems.dedup();
    if problems.is_empty() {
        return Ok(api);
    }
    let list: String = problems.iter().map(|problem| format!("\n  {problem}")).collect();
    bail!("the SDK's source holds {} constructs that the importer does not understand:{list}", problems.len())
}

impl Grammar {
    fn class(
        &self,
        module: &Module,
        index: &Index,
        class: &StmtClassDef,
        release: &mut Release,
        problems: &mut Vec<Problem>,
    ) {
        let id = SchemaId { package: module.package.clone(), name: class.name.to_string() };
        let schema = match index.get(&id) {
            Some(Class::Object) => self.dataclass.object(module, index, class),
            Some(Class::Enum) => dataclass::Grammar::enumeration(module, class),
            Some(Class::Service) => {
                release.services.push(self.service.read(module, index, class, problems));
                return;
            }
            Some(Class::LongRunning) => {
                match self.long_running.read(module, index, class) {
                    Ok(handle) => drop(release.handles.insert(id, handle)),
                    Err(problem) => problems.push(problem),
                }
                return;
            }
            // Its problem is known already.
            Some(Class::Alias(_)) | None => return,
        };
        match schema {
            Ok(schema) => drop(release.schemas.insert(id, schema)),
            Err(problem) => problems.push(problem),
        }
    }
}
