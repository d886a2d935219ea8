//! What a command would do to a client's file, before it does it.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::difference;
use super::file::{self, File};
use super::format::{self, Splice, Spot, Text};
use super::launch::{self, Launch};
use super::places::{Machine, Scope};
use super::receipts::{Receipt, Receipts, digest_of};
use super::table::{CLIENTS, Client, Layout};
use crate::error::Error;

/// What is to become of one client's file.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) client: &'static Client,
    /// The name of the server.
    name: String,
    pub(super) file: File,
    pub(super) step: Step,
}

/// What to do.
#[derive(Debug)]
pub(super) enum Step {
    /// Nothing, and why; but a receipt for what is gone is forgotten.
    Nothing(&'static str),
    /// Write another text; `was` is the entry that there was, and the one that there is then.
    Write { text: String, receipt: Box<Receipt>, was: Option<(Value, Value)> },
    /// Take the entry out. Whether the file is then as it was before `install`, byte for byte, where that is known.
    TakeOut { text: String, is_as_before: bool },
    /// Remove the file, which `install` has made.
    Remove,
}

/// The name that a server has in the clients, and whose files they are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) machine: &'a Machine,
    pub(super) scope: Scope,
    pub(super) name: &'a str,
}

impl Target<'_> {
    fn file(&self, client: &Client) -> Result<File, Error> {
        let within = (self.scope == Scope::Project).then(|| self.machine.project());
        File::read(self.machine.file(client, self.scope, self.name)?, within)
    }
}

/// What a file says about a server.
struct Found<'a> {
    client: &'static Client,
    layout: &'a Layout,
    text: Text,
    value: Value,
    spot: Spot<'a>,
}

impl<'a> Found<'a> {
    fn new(client: &'static Client, file: &File, name: &'a str) -> Result<Self, Error> {
        let text = Text::new(file.text().to_owned());
        let value = client.format.value(text.plain()).map_err(|why| unreadable(&file.path, &why))?;
        let newer = client.newer.as_ref().filter(|newer| format::map_at(&value, newer.servers).is_some());
        let layout = newer.unwrap_or(&client.layout);
        Ok(Self { client, layout, text, value, spot: Spot { servers: layout.servers, name } })
    }

    fn entry(&self) -> Option<&Value> {
        format::map_at(&self.value, self.spot.servers)?.get(self.spot.name)
    }

    /// The text without the entry: exactly what it was, if what was written is there unchanged.
    fn taken_out(&self, receipt: Option<&Receipt>) -> Result<String, String> {
        let made = receipt.map_or(0, |receipt| receipt.made_maps);
        let splice = receipt.and_then(|receipt| receipt.splice.as_ref());
        let undone = splice.and_then(|splice| self.client.format.undone(&self.text, self.spot, made, splice));
        undone.map_or_else(|| self.client.format.without(&self.text, self.spot, made), Ok)
    }
}

/// What `install` would do.
pub(super) fn install(
    client: &'static Client,
    target: Target<'_>,
    launch: &Launch,
    receipts: &Receipts,
) -> Result<Plan, Error> {
    let file = target.file(client)?;
    let found = Found::new(client, &file, target.name)?;
    let receipt = receipts.get(&file.path, target.name);
    let ours = launch.entry(found.layout, target.name);
    let there = found.entry();
    if let Some(there) = there {
        if receipt.is_none() && !launch::is_ours(there) {
            let message = format!("another server is called `{}` in `{}`", target.name, file.path.display());
            return Err(Error::failed(message).with_hint("choose another name with `--name`"));
        }
        if launch::merged(there, &ours, found.layout) == *there {
            return Ok(Plan::nothing(client, target.name, file, "has this server already"));
        }
    }
    let refused = |why: String| by_hand(&file.path, &why, found.spot, &ours);
    let base = if there.is_some() { found.taken_out(receipt).map_err(refused)? } else { file.text().to_owned() };
    let entry = there.map_or_else(|| ours.clone(), |there| launch::merged(there, &ours, found.layout));
    let base_text = Text::new(base.clone());
    let before = client.format.value(base_text.plain()).map_err(|why| unreadable(&file.path, &why))?;
    let maps = format::maps_there(&before, found.spot.servers).map_err(|why| unreadable(&file.path, &why))?;
    // Where it is, if there is one already.
    let replaced = there.and_then(|_| client.format.replaced(&found.text, found.spot, &entry).ok());
    let text = replaced.map_or_else(|| client.format.with(&base_text, found.spot, &entry), Ok).map_err(refused)?;
    let mut receipt = Receipt {
        client: client.name.to_owned(),
        path: file.path.clone(),
        name: target.name.to_owned(),
        made_file: !file.exists() || receipt.is_some_and(|receipt| receipt.made_file),
        made_maps: (found.spot.servers.len() - maps).max(receipt.map_or(0, |receipt| receipt.made_maps)),
        made_directories: receipt.map_or_else(Vec::new, |receipt| receipt.made_directories.clone()),
        before: digest_of(&base),
        splice: (entry == ours).then(|| Splice::between(&base, &text)),
    };
    receipt.has_made(file.missing_directories());
    let was = there.map(|there| (there.clone(), entry));
    let step = Step::Write { text, receipt: Box::new(receipt), was };
    Ok(Plan { client, name: target.name.to_owned(), step, file })
}

/// What `uninstall` would do.
pub(super) fn uninstall(client: &'static Client, target: Target<'_>, receipts: &Receipts) -> Result<Plan, Error> {
    let file = target.file(client)?;
    taking_out(client, file, target.name, receipts)
}

/// The same for each file of the receipts.
pub(super) fn uninstall_all(receipts: &Receipts) -> Vec<(String, Result<Plan, Error>)> {
    let plan = |receipt: &Receipt| {
        let client = CLIENTS.iter().find(|client| client.name == receipt.client).ok_or_else(|| {
            Error::failed(format!("`{}` is no client that this version knows", receipt.client))
                .with_hint(format!("take the server out of `{}` by hand", receipt.path.display()))
        })?;
        taking_out(client, File::read(receipt.path.clone(), None)?, &receipt.name, receipts)
    };
    receipts.iter().map(|receipt| (receipt.client.clone(), plan(receipt))).collect()
}

fn taking_out(client: &'static Client, file: File, name: &str, receipts: &Receipts) -> Result<Plan, Error> {
    let found = Found::new(client, &file, name)?;
    let receipt = receipts.get(&file.path, name);
    let Some(there) = found.entry() else {
        return Ok(Plan::nothing(client, name, file, "does not have this server"));
    };
    if receipt.is_none() && !launch::is_ours(there) {
        return Ok(Plan::nothing(client, name, file, "has another server under this name"));
    }
    let text = found.taken_out(receipt).map_err(|why| {
        let message = format!("cannot take the server out of `{}`: {why}", file.path.display());
        Error::failed(message).with_hint(format!("remove `{name}` from `{}` by hand", found.spot.servers.join(".")))
    })?;
    let step = match receipt {
        Some(receipt) if receipt.made_file && is_nothing(&text) => Step::Remove,
        Some(receipt) => Step::TakeOut { is_as_before: digest_of(&text) == receipt.before, text },
        None => Step::TakeOut { is_as_before: false, text },
    };
    Ok(Plan { client, name: name.to_owned(), step, file })
}

impl Plan {
    fn nothing(client: &'static Client, name: &str, file: File, why: &'static str) -> Self {
        Self { client, name: name.to_owned(), file, step: Step::Nothing(why) }
    }

    /// What differs, for a person.
    pub(super) fn difference(&self) -> String {
        match &self.step {
            Step::Write { was: Some((old, new)), .. } => difference::of_entries(&self.name, old, new),
            _ => difference::shown(self.file.text(), self.after()),
        }
    }

    /// The file's text after this.
    fn after(&self) -> &str {
        match &self.step {
            Step::Nothing(_) => self.file.text(),
            Step::Write { text, .. } | Step::TakeOut { text, .. } => text,
            Step::Remove => "",
        }
    }

    /// Whether the file changes.
    pub(super) fn changes(&self) -> bool {
        !matches!(self.step, Step::Nothing(_))
    }

    /// Does it. Says where the file that was there is kept, if it still matters.
    pub(super) fn apply(&self, receipts: &mut Receipts) -> Result<Option<PathBuf>, Error> {
        let (path, name) = (&self.file.path, self.name.as_str());
        match &self.step {
            Step::Nothing(_) => receipts.drop(path, name).map(|()| None),
            Step::Write { text, receipt, .. } => {
                let backup = self.file.exists().then(|| receipts.back_up(path, self.file.text())).transpose()?;
                let known = receipts.get(path, name).cloned();
                // Before the file, so that nothing is written that nobody knows of.
                receipts.put((**receipt).clone())?;
                let directories = self.file.missing_directories();
                let done = file::make(&directories).and_then(|()| self.file.replace(text));
                if done.is_err() {
                    file::unmake(&directories);
                    match known {
                        Some(known) => receipts.put(known)?,
                        None => receipts.drop(path, name)?,
                    }
                }
                done.map(|()| backup)
            }
            Step::TakeOut { text, is_as_before } => {
                let backup = if *is_as_before { None } else { Some(receipts.back_up(path, self.file.text())?) };
                self.file.replace(text)?;
                self.forget(receipts, *is_as_before)?;
                Ok(backup)
            }
            Step::Remove => {
                self.file.remove()?;
                let made = receipts.get(path, name).map(|receipt| receipt.made_directories.clone());
                file::unmake(&made.unwrap_or_default());
                self.forget(receipts, true)?;
                Ok(None)
            }
        }
    }

    fn forget(&self, receipts: &mut Receipts, is_as_before: bool) -> Result<(), Error> {
        if is_as_before {
            receipts.drop_backups(&self.file.path);
        }
        receipts.hand_over(&self.file.path, &self.name);
        receipts.drop(&self.file.path, &self.name)
    }
}

/// Whether a text is but an empty map.
fn is_nothing(text: &str) -> bool {
    let mut visible = text.chars().filter(|letter| !letter.is_whitespace());
    matches!((visible.next(), visible.next(), visible.next()), (None, ..) | (Some('{'), Some('}'), None))
}

fn unreadable(path: &Path, why: &str) -> Error {
    Error::failed(format!("cannot read `{}`, and nothing in it was changed: {why}", path.display()))
        .with_hint("correct the file, or add the server by hand")
}

/// What to write where this command cannot.
fn by_hand(path: &Path, why: &str, spot: Spot<'_>, entry: &Value) -> Error {
    Error::failed(format!("cannot change `{}`: {why}", path.display())).with_hint(format!(
        "add this to `{}` by hand, in the way of the file: {}",
        spot.servers.join("."),
        serde_json::json!({ spot.name: entry })
    ))
}
