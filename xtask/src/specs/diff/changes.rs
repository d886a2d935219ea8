//! The changes between two surfaces. A change breaks when a call that was right may fail or may mean something else,
//! or when something that a caller could read is gone.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::surface::{Field, Operation, Shape, Surface};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Change {
    pub(crate) package: String,
    pub(crate) breaking: bool,
    pub(crate) what: What,
    pub(crate) how: How,
    /// The operation or schema.
    pub(crate) id: String,
    pub(crate) detail: String,
    /// The parameter or property, or the value of an enum; empty where the change is of the whole.
    #[serde(skip)]
    pub(crate) field: String,
}

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum What {
    Operation,
    Parameter,
    Body,
    Response,
    Type,
    Field,
    EnumValue,
}

/// How it changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum How {
    Added,
    Removed,
    Changed,
}

/// Which way a shape travels.
#[derive(Debug, Clone, Copy)]
struct Direction {
    sent: bool,
    received: bool,
}

const SENT: Direction = Direction { sent: true, received: false };
const RECEIVED: Direction = Direction { sent: false, received: true };

/// Compares two states; the changes are sorted by package, operations before types.
pub(crate) fn compare(old: &Surface, new: &Surface) -> Vec<Change> {
    let mut changes = Changes(Vec::new());
    for (id, (old, new)) in pairs(&old.operations, &new.operations) {
        match (old, new) {
            (Some(old), Some(new)) => changes.operation(id, old, new),
            (Some(old), None) => changes.whole_operation(id, old, How::Removed),
            (None, Some(new)) => changes.whole_operation(id, new, How::Added),
            (None, None) => {}
        }
    }
    for (id, (before, after)) in pairs(&old.schemas, &new.schemas) {
        let direction = Direction {
            sent: old.sent.contains(id) || new.sent.contains(id),
            received: old.received.contains(id) || new.received.contains(id),
        };
        let package = id.split('.').next().unwrap_or_default();
        let at = At { package, id, what: What::Type, direction };
        match (before, after) {
            (Some(before), Some(after)) => changes.shape(&at, before, after),
            // What referred to it has changed too, and says whether that breaks.
            (Some(_), None) => changes.push(&at, How::Removed, false, ""),
            (None, Some(_)) => changes.push(&at, How::Added, false, ""),
            (None, None) => {}
        }
    }
    let mut changes = changes.0;
    changes.sort_by(|left, right| {
        let is_type = |change: &Change| change.what >= What::Type && !change.id.contains(' ');
        (&left.package, is_type(left), &left.id).cmp(&(&right.package, is_type(right), &right.id))
    });
    changes
}

/// Both sides of each key.
fn pairs<'a, T>(
    old: &'a BTreeMap<String, T>,
    new: &'a BTreeMap<String, T>,
) -> BTreeMap<&'a str, (Option<&'a T>, Option<&'a T>)> {
    let keys: BTreeSet<&str> = old.keys().chain(new.keys()).map(String::as_str).collect();
    keys.into_iter().map(|key| (key, (old.get(key), new.get(key)))).collect()
}

struct At<'a> {
    package: &'a str,
    id: &'a str,
    what: What,
    direction: Direction,
}

struct Changes(Vec<Change>);

impl Changes {
    fn push(&mut self, at: &At<'_>, how: How, breaking: bool, detail: impl Into<String>) {
        self.push_field(at, "", how, breaking, detail);
    }

    fn push_field(&mut self, at: &At<'_>, field: &str, how: How, breaking: bool, detail: impl Into<String>) {
        self.0.push(Change {
            package: at.package.to_owned(),
            breaking,
            what: at.what,
            how,
            id: at.id.to_owned(),
            detail: detail.into(),
            field: field.to_owned(),
        });
    }

    fn whole_operation(&mut self, id: &str, operation: &Operation, how: How) {
        let at = At { package: &operation.package, id, what: What::Operation, direction: SENT };
        self.push(&at, how, how == How::Removed, format!("{} {}", operation.method, operation.path));
    }

    fn operation(&mut self, id: &str, old: &Operation, new: &Operation) {
        let at = |what, direction| At { package: &new.package, id, what, direction };
        let operation = at(What::Operation, SENT);
        let called = |operation: &Operation| format!("{} {}", operation.method, operation.path);
        if called(old) != called(new) {
            self.push(&operation, How::Changed, true, format!("{} → {}", called(old), called(new)));
        }
        let names: BTreeSet<_> = old.traits.keys().chain(new.traits.keys()).collect();
        for name in names {
            match (old.traits.get(name), new.traits.get(name)) {
                (Some(old), Some(new)) if old != new => {
                    self.push(&operation, How::Changed, true, format!("{name}: {old} → {new}"));
                }
                (Some(old), None) => self.push(&operation, How::Changed, true, format!("{name}: {old} → none")),
                (None, Some(new)) => self.push(&operation, How::Changed, false, format!("{name}: none → {new}")),
                _ => {}
            }
        }
        if old.deprecated != new.deprecated {
            let detail = if new.deprecated { "deprecated" } else { "no longer deprecated" };
            self.push(&operation, How::Changed, false, detail);
        }
        self.fields(&at(What::Parameter, SENT), &old.parameters, &new.parameters);
        self.body(&at(What::Body, SENT), old.body.as_ref(), new.body.as_ref());
        self.body(&at(What::Response, RECEIVED), old.response.as_ref(), new.response.as_ref());
    }

    fn body(&mut self, at: &At<'_>, old: Option<&Shape>, new: Option<&Shape>) {
        match (old, new) {
            (Some(old), Some(new)) => self.shape(at, old, new),
            (None, Some(new)) => {
                let needs = matches!(new, Shape::Object(fields) if fields.values().any(|field| field.required));
                let needs = needs || !matches!(new, Shape::Object(_));
                self.push(at, How::Added, at.direction.sent && needs, describe(new));
            }
            (Some(old), None) => self.push(at, How::Removed, true, describe(old)),
            (None, None) => {}
        }
    }

    fn shape(&mut self, at: &At<'_>, old: &Shape, new: &Shape) {
        match (old, new) {
            (Shape::Object(old), Shape::Object(new)) => {
                let what = if at.what == What::Type { What::Field } else { at.what };
                self.fields(&At { what, ..*at }, old, new);
            }
            (Shape::Enum(old), Shape::Enum(new)) => {
                let at = At { what: What::EnumValue, ..*at };
                for value in old.difference(new) {
                    self.push_field(&at, value, How::Removed, at.direction.sent, value);
                }
                for value in new.difference(old) {
                    self.push_field(&at, value, How::Added, false, value);
                }
            }
            _ if old != new => {
                self.push(at, How::Changed, true, format!("{} → {}", describe(old), describe(new)));
            }
            _ => {}
        }
    }

    fn fields(&mut self, at: &At<'_>, old: &BTreeMap<String, Field>, new: &BTreeMap<String, Field>) {
        for (name, (old, new)) in pairs(old, new) {
            match (old, new) {
                (Some(old), Some(new)) => {
                    if old.kind != new.kind {
                        self.push_field(at, name, How::Changed, true, format!("{name}: {} → {}", old.kind, new.kind));
                    }
                    match (old.required, new.required) {
                        (false, true) => {
                            self.push_field(at, name, How::Changed, at.direction.sent, format!("{name}: now required"));
                        }
                        (true, false) => {
                            self.push_field(
                                at,
                                name,
                                How::Changed,
                                at.direction.received,
                                format!("{name}: now optional"),
                            );
                        }
                        _ => {}
                    }
                }
                (Some(old), None) => self.push_field(at, name, How::Removed, true, format!("{name}: {}", old.kind)),
                (None, Some(new)) => {
                    let required = if new.required { ", required" } else { "" };
                    let detail = format!("{name}: {}{required}", new.kind);
                    self.push_field(at, name, How::Added, at.direction.sent && new.required, detail);
                }
                (None, None) => {}
            }
        }
    }
}

fn describe(shape: &Shape) -> String {
    match shape {
        Shape::Object(_) => "object".to_owned(),
        Shape::Enum(_) => "enum".to_owned(),
        Shape::Other(kind) => kind.clone(),
    }
}
