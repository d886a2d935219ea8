//! The formats of clients' files: what a file says, and one entry put in or taken out with everything else left alone.
//!
//! Each editor works on text with `\n` and gives the whole text back. What it gives is not believed: the file is read
//! again, and has to say what it said before, plus or minus the one entry.

mod jsonc;
mod text;
mod toml;
mod yaml;

use serde_json::{Map, Value};

pub(super) use text::{Splice, Text, same};

/// How a client writes its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    /// JSON; comments and trailing commas are kept where a client takes them.
    Json,
    Toml,
    Yaml,
}

/// Where an entry is: the keys of the map that holds it, from the outside, and its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot<'a> {
    pub(super) servers: &'a [&'a str],
    pub(super) name: &'a str,
}

impl Format {
    /// What a file says; nothing is an empty map. An error says what is wrong, without the text.
    pub(super) fn value(self, text: &str) -> Result<Value, String> {
        if text.trim().is_empty() {
            return Ok(Value::Object(Map::new()));
        }
        let value = match self {
            Self::Json => jsonc::value(text),
            Self::Toml => toml::value(text),
            Self::Yaml => yaml::value(text),
        }?;
        match value {
            Value::Null => Ok(Value::Object(Map::new())),
            Value::Object(_) => Ok(value),
            _ => Err("its outermost value is no map".to_owned()),
        }
    }

    /// The text with the entry added, which it does not have yet.
    pub(super) fn with(self, text: &Text, spot: Spot<'_>, entry: &Value) -> Result<String, String> {
        let before = self.value(text.plain())?;
        let changed = match self {
            Self::Json => jsonc::insert(text.plain(), spot, entry),
            Self::Toml => toml::insert(text.plain(), spot, entry),
            Self::Yaml => yaml::insert(text.plain(), spot, entry),
        }?;
        let mut expected = before;
        put(&mut expected, spot, entry);
        if self.value(&changed).as_ref() != Ok(&expected) || !only_adds(text.plain(), &changed) {
            return Err("it is written in a way that this command cannot add to safely".to_owned());
        }
        Ok(text.changed_to(&changed))
    }

    /// The text with another entry where there is one.
    pub(super) fn replaced(self, text: &Text, spot: Spot<'_>, entry: &Value) -> Result<String, String> {
        let mut expected = self.value(text.plain())?;
        let changed = match self {
            Self::Json => jsonc::replace(text.plain(), spot, entry),
            Self::Toml => toml::replace(text.plain(), spot, entry),
            Self::Yaml => yaml::replace(text.plain(), spot, entry),
        }?;
        put(&mut expected, spot, entry);
        if self.value(&changed).as_ref() != Ok(&expected) {
            return Err("it is written in a way that this command cannot change safely".to_owned());
        }
        Ok(text.changed_to(&changed))
    }

    /// The text without the entry, and without the `made` innermost maps around it if they are empty then.
    pub(super) fn without(self, text: &Text, spot: Spot<'_>, made: usize) -> Result<String, String> {
        let expected = self.expected(text, spot, made)?;
        let changed = match self {
            Self::Json => jsonc::remove(text.plain(), spot, made),
            Self::Toml => toml::remove(text.plain(), spot, made),
            Self::Yaml => yaml::remove(text.plain(), spot, made),
        }?;
        if self.value(&changed).as_ref() != Ok(&expected) {
            return Err("it is written in a way that this command cannot take the entry out of safely".to_owned());
        }
        Ok(text.changed_to(&changed))
    }

    /// The text with what was put in taken out again exactly, if it is all there still and is nothing but the entry.
    pub(super) fn undone(self, text: &Text, spot: Spot<'_>, made: usize, splice: &Splice) -> Option<String> {
        let undone = splice.undone(text.original())?;
        let expected = self.expected(text, spot, made).ok()?;
        let value = self.value(Text::new(undone.clone()).plain()).ok()?;
        (without_null(value, spot) == without_null(expected, spot)).then_some(undone)
    }

    fn expected(self, text: &Text, spot: Spot<'_>, made: usize) -> Result<Value, String> {
        let mut value = self.value(text.plain())?;
        take(&mut value, spot, made);
        Ok(value)
    }
}

/// The map at these keys.
pub(super) fn map_at<'a>(value: &'a Value, keys: &[&str]) -> Option<&'a Map<String, Value>> {
    keys.iter().try_fold(value, |value, key| value.get(key))?.as_object()
}

/// How many of the maps around an entry are there, from the outside. An error names what is there and is no map.
pub(super) fn maps_there(value: &Value, keys: &[&str]) -> Result<usize, String> {
    let mut current = value;
    for (index, key) in keys.iter().enumerate() {
        match current.get(key) {
            None | Some(Value::Null) => return Ok(index),
            Some(next) if next.is_object() => current = next,
            Some(_) => return Err(format!("its `{}` is no map of servers", keys.join("."))),
        }
    }
    Ok(keys.len())
}

/// The same, where a map of servers that is `null` is not there.
fn without_null(mut value: Value, spot: Spot<'_>) -> Value {
    let there = maps_there(&value, spot.servers).unwrap_or_default();
    if let (Some(outer), Some(key)) = (spot.servers.get(..there), spot.servers.get(there))
        && let Some(map) = map_at_mut(&mut value, outer)
    {
        map.shift_remove(*key);
    }
    value
}

fn put(value: &mut Value, spot: Spot<'_>, entry: &Value) {
    let mut current = value;
    for key in spot.servers {
        let Some(map) = current.as_object_mut() else { return };
        let next = map.entry(*key).or_insert_with(|| Value::Object(Map::new()));
        if next.is_null() {
            *next = Value::Object(Map::new());
        }
        current = next;
    }
    if let Some(map) = current.as_object_mut() {
        map.insert(spot.name.to_owned(), entry.clone());
    }
}

fn take(value: &mut Value, spot: Spot<'_>, made: usize) {
    if let Some(map) = map_at_mut(value, spot.servers) {
        map.shift_remove(spot.name);
    }
    for depth in emptied(value, spot, made) {
        if let Some((last, outer)) = spot.servers.get(..depth).and_then(<[_]>::split_last)
            && let Some(map) = map_at_mut(value, outer)
        {
            map.shift_remove(*last);
        }
    }
}

fn map_at_mut<'a>(value: &'a mut Value, keys: &[&str]) -> Option<&'a mut Map<String, Value>> {
    keys.iter().try_fold(value, |value, key| value.get_mut(key))?.as_object_mut()
}

/// Which of the `made` innermost maps have nothing but the entry, as the number of keys that lead there, from the
/// inside.
fn emptied(value: &Value, spot: Spot<'_>, made: usize) -> Vec<usize> {
    let mut depths = Vec::new();
    let mut inner = spot.name;
    for (depth, key) in spot.servers.iter().enumerate().rev().take(made) {
        let Some(map) = spot.servers.get(..=depth).and_then(|keys| map_at(value, keys)) else { break };
        if map.keys().any(|name| name != inner) {
            break;
        }
        depths.push(depth + 1);
        inner = key;
    }
    depths
}

/// Whether nothing that can be seen was lost, and nothing changed its order. `{}` and `null` may become a map.
fn only_adds(before: &str, after: &str) -> bool {
    let (removed, inserted) = text::difference(before, after);
    let removed = removed.trim_start();
    let removed = ["{}", "null", "~"].iter().find_map(|nothing| removed.strip_prefix(nothing)).unwrap_or(removed);
    let mut inserted = inserted.chars();
    removed.chars().filter(|letter| !letter.is_whitespace()).all(|letter| inserted.any(|other| other == letter))
}

#[cfg(test)]
mod tests;
