//! What an import is going to make, before any of it is made.

use std::collections::BTreeMap;

use super::archive::MOST_ENTRIES;
use super::export::too_large;
use super::notebook::Notebook;
use super::{Kind, LARGEST, parent};
use crate::error::ApiError;

/// A thing to be made.
pub(super) struct Made {
    pub(super) kind: Kind,
    pub(super) content: Vec<u8>,
}

impl From<Notebook> for Made {
    fn from(notebook: Notebook) -> Self {
        Self { kind: Kind::Notebook(notebook.language), content: notebook.source().into_bytes() }
    }
}

/// All things by path, folders before what is in them.
#[derive(Default)]
pub(super) struct Plan(pub(super) BTreeMap<String, Made>);

impl Plan {
    /// Of one thing.
    pub(super) fn of(path: String, made: Made) -> (String, Self) {
        (path.clone(), Self(BTreeMap::from([(path, made)])))
    }

    /// Of a folder, empty so far.
    pub(super) fn folder(root: &str) -> Result<Self, ApiError> {
        let mut plan = Self::default();
        plan.add_folder(root, root)?;
        Ok(plan)
    }

    /// Adds a folder below the root, and those between.
    pub(super) fn add_folder(&mut self, root: &str, path: &str) -> Result<(), ApiError> {
        let mut path = path;
        loop {
            match self.0.get(path) {
                Some(Made { kind: Kind::Directory, .. }) => return Ok(()),
                Some(_) => return Err(twice(path)),
                None => self.insert(path.to_owned(), Made { kind: Kind::Directory, content: Vec::new() })?,
            }
            if path == root {
                return Ok(());
            }
            path = parent(path);
        }
    }

    pub(super) fn add(&mut self, root: &str, path: String, made: Made) -> Result<(), ApiError> {
        self.add_folder(root, parent(&path))?;
        if self.0.contains_key(&path) {
            return Err(twice(&path));
        }
        if made.content.len() > LARGEST {
            return Err(too_large(made.content.len()));
        }
        self.insert(path, made)
    }

    /// The names of a few files can make very many folders.
    fn insert(&mut self, path: String, made: Made) -> Result<(), ApiError> {
        self.0.insert(path, made);
        if self.0.len() > MOST_ENTRIES {
            let message = format!("The archive makes more than {MOST_ENTRIES} objects: import its folders one by one");
            return Err(ApiError::invalid_parameter(message));
        }
        Ok(())
    }
}

fn twice(path: &str) -> ApiError {
    ApiError::invalid_parameter(format!("The archive has more than one object for the path {path}"))
}
