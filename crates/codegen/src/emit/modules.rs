//! The modules of the functions that are written by hand: composites and readers of resources.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use proc_macro2::TokenStream;
use quote::quote;

use super::names;

/// The Rust files of a directory: the stems of its own, and those of each of its folders.
#[derive(Debug, Default)]
pub struct Functions {
    /// Absolute, as the generated code names it.
    pub directory: PathBuf,
    /// Stems by folder; the empty name is the directory itself.
    pub stems: BTreeMap<String, Vec<String>>,
}

impl Functions {
    /// Finds them.
    ///
    /// # Errors
    /// When the directory cannot be read, or a folder has folders.
    pub fn find(directory: &Path) -> Result<Self> {
        let directory = std::path::absolute(directory)?;
        let mut found = Self { directory: directory.clone(), stems: BTreeMap::new() };
        found.add(&directory, "")?;
        Ok(found)
    }

    fn add(&mut self, directory: &Path, folder: &str) -> Result<()> {
        let unreadable = || format!("cannot read `{}`", directory.display());
        for entry in std::fs::read_dir(directory).with_context(unreadable)? {
            let path = entry.with_context(unreadable)?.path();
            let Some(stem) = path.file_stem().and_then(|stem| stem.to_str()) else { continue };
            if path.is_dir() {
                if !folder.is_empty() {
                    bail!("`{}` is a folder; functions are files here", path.display());
                }
                self.add(&path, stem)?;
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                self.stems.entry(folder.to_owned()).or_default().push(stem.to_owned());
            }
        }
        self.stems.entry(folder.to_owned()).or_default().sort();
        Ok(())
    }

    /// The names of the files as `folder/stem`, or `stem`.
    pub fn names(&self) -> impl Iterator<Item = String> {
        self.stems.iter().flat_map(|(folder, stems)| stems.iter().map(move |stem| name(folder, stem)))
    }
}

/// The name of a function: its folder, if it has one, and its stem.
pub(crate) fn name(folder: &str, stem: &str) -> String {
    if folder.is_empty() { stem.to_owned() } else { format!("{folder}/{stem}") }
}

/// A module for each file, within one for each folder.
pub fn modules(functions: &Functions) -> Result<TokenStream> {
    let mut all = TokenStream::new();
    for (folder, stems) in &functions.stems {
        let files = stems.iter().map(|stem| {
            let path = functions.directory.join(folder).join(format!("{stem}.rs"));
            let path = path.to_str().with_context(|| format!("`{}` is not UTF-8", path.display()))?;
            let module = names::identifier(stem)?;
            Ok(quote!(#[path = #path] pub(crate) mod #module;))
        });
        let files = files.collect::<Result<Vec<_>>>()?;
        if folder.is_empty() {
            all.extend(files);
        } else {
            let module = names::identifier(folder)?;
            all.extend(quote!(pub(crate) mod #module { #(#files)* }));
        }
    }
    Ok(all)
}
