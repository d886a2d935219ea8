//! Shapes the API's answer for a model: the fields that matter, within a budget, with an exact note of what was left
//! out.

mod fields;
mod fit;
mod part;
mod units;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use databricks::Projection;
use serde_json::Value;

/// How many characters of JSON a token stands for: identifiers, digits and punctuation make more tokens than prose does.
pub(crate) const CHARACTERS_PER_TOKEN: usize = 3;

pub(crate) use fields::Fields;
pub(crate) use fit::{fit, fit_around_page, fit_parts, fit_row, size};
pub(crate) use part::part;

/// How much one answer may hold.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Characters of compact JSON.
    pub characters: usize,
}

impl Budget {
    /// A budget of so many tokens, at three characters of JSON each: identifiers, digits and punctuation
    /// make more tokens of a text than prose does.
    pub fn tokens(tokens: usize) -> Self {
        Self { characters: tokens.saturating_mul(CHARACTERS_PER_TOKEN) }
    }

    /// What is left of it for the items of a list, besides what the answer says about them.
    pub(crate) fn for_items(self) -> Self {
        Self { characters: self.characters - ENVELOPE.min(self.characters / 4) }
    }
}

/// Integers beyond this lose digits in JavaScript clients.
const MOST_EXACT: u64 = 1 << 53;

/// What an answer says besides its items: how many there are, how to go on, what was cut.
const ENVELOPE: usize = 1_000;
/// Characters of a notice of what was cut.
const NOTICE: usize = 120;

/// A list within its budget.
#[derive(Debug)]
pub(crate) struct Page {
    /// The items that fit.
    pub(crate) items: Vec<Value>,
    /// How many were given.
    pub(crate) taken: usize,
    /// What was cut inside the items.
    pub(crate) cuts: Vec<String>,
    /// The characters that are left.
    pub(crate) left: usize,
}

/// Only the fields at these dotted paths, through lists too.
pub(crate) fn keep(mut value: Value, paths: &[&'static str]) -> Value {
    Projection::of(paths.iter().copied()).cut(&mut value);
    value
}

/// The field at a dotted path.
pub(crate) fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    value.pointer(&pointer(path))
}

/// The same, to be changed.
pub(crate) fn at_mut<'a>(value: &'a mut Value, path: &str) -> Option<&'a mut Value> {
    value.pointer_mut(&pointer(path))
}

fn pointer(path: &str) -> String {
    format!("/{}", path.replace('.', "/"))
}

/// Turns base64 fields into text. What is no base64 or no text stays as it is.
pub(crate) fn decode(value: &mut Value, paths: &[&str]) {
    for path in paths {
        let Some(field) = at_mut(value, path) else { continue };
        let bytes = field.as_str().and_then(|text| STANDARD.decode(text).ok());
        if let Some(text) = bytes.and_then(|bytes| String::from_utf8(bytes).ok()) {
            *field = Value::String(text);
        }
    }
}

/// Gives integers above 2^53 as text, so that no client rounds them.
pub(crate) fn exact(value: &mut Value) {
    match value {
        Value::Number(number) => {
            let size = number.as_i64().map(i64::unsigned_abs).or_else(|| number.as_u64());
            if size.is_some_and(|size| size > MOST_EXACT) {
                *value = Value::String(number.to_string());
            }
        }
        Value::Array(items) => items.iter_mut().for_each(exact),
        Value::Object(fields) => fields.values_mut().for_each(exact),
        _ => {}
    }
}

/// As many items as fit into an answer, cut between items; a single item that is too large is cut inside.
pub(crate) fn page(items: impl IntoIterator<Item = Value>, budget: Budget) -> Page {
    fill(items, budget.for_items(), fit)
}

/// As many items as take this room; if the first one is too large alone, it is cut by `cut`.
pub(crate) fn fill(
    items: impl IntoIterator<Item = Value>,
    room: Budget,
    cut: impl Fn(&mut Value, Budget) -> Vec<String>,
) -> Page {
    let mut page = Page { items: Vec::new(), taken: 0, cuts: Vec::new(), left: room.characters };
    for mut item in items {
        // Each item is followed by a comma or the end of the list.
        let Some(size) = page.left.checked_sub(1).and_then(|left| size(&item, left)) else {
            if page.items.is_empty() {
                page.cuts = cut(&mut item, room);
                page.items.push(item);
                (page.taken, page.left) = (1, 0);
            }
            break;
        };
        page.left -= size + 1;
        page.items.push(item);
        page.taken += 1;
    }
    page
}

/// An object of these fields. Unlike `json!`, it takes long lists as they are and does not copy them.
pub(crate) fn object<const N: usize>(fields: [(&str, Value); N]) -> Value {
    Value::Object(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Sets a field of an answer, which is an object.
pub(crate) fn put(answer: &mut Value, name: &str, value: impl Into<Value>) {
    if let Some(fields) = answer.as_object_mut() {
        fields.insert(name.to_owned(), value.into());
    }
}

/// Adds to an object what was cut inside it.
pub(crate) fn notice(value: &mut Value, mut cuts: Vec<String>, advice: &str) {
    if cuts.is_empty() {
        return;
    }
    let more = cuts.len().saturating_sub(5);
    cuts.truncate(5);
    for cut in cuts.iter_mut().filter(|cut| cut.chars().count() > NOTICE) {
        *cut = cut.chars().take(NOTICE).chain(['…']).collect();
    }
    if more > 0 {
        cuts.push(format!("and {more} more"));
    }
    put(value, "truncated", true);
    advise(value, &format!("cut {}; {advice}", cuts.join(", ")));
}

/// Adds advice to an answer, after what it advises already.
pub(crate) fn advise(answer: &mut Value, advice: &str) {
    let before = answer.get("hint").and_then(Value::as_str).map(|hint| format!("{hint}; ")).unwrap_or_default();
    put(answer, "hint", format!("{before}{advice}"));
}

/// A time of the API, in milliseconds since 1970, as people read it. Zero is what has not come yet.
pub(crate) fn time(milliseconds: i64) -> Option<Value> {
    let time = jiff::Timestamp::from_millisecond(Some(milliseconds).filter(|time| *time > 0)?).ok()?;
    Some(Value::String(time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()))
}

#[cfg(test)]
mod tests;
