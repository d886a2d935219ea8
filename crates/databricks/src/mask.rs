//! Removes secrets from text that leaves the program: errors, logs and results may repeat what they were sent.

mod tokens;
mod view;

use std::borrow::Cow;
use std::ops::Range;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use serde_json::Value;

use crate::secret::Secret;
pub use tokens::without_tokens;
use view::View;

/// What stands in the place of a secret.
const MASK: &str = "***";
/// A shorter value may be a part of any word, so it is masked only where it stands alone.
const SHORTEST_INSIDE_WORDS: usize = 7;
/// A part of a secret of this length is masked as well: services quote requests only as far as they like.
const SHORTEST_PART: usize = 16;

/// The secrets of a client or a call, to be taken out of text.
///
/// A secret is found as it is, and also as JSON, a URL, a form or HTML would write it, in Base64, and with control or
/// zero-width characters in between.
///
/// ```
/// use databricks::{Mask, Secret};
///
/// let mask = Mask::new([Secret::from("dapi-very-secret")]);
/// assert_eq!(mask.text("no access for dapi-very-secret"), "no access for ***");
/// assert_eq!(mask.text(r"no access for dapi\u002dvery\u002dsecret"), "no access for ***");
/// ```
#[derive(Debug, Clone, Default)]
pub struct Mask {
    secrets: Vec<Hidden>,
}

/// A secret as it is searched for: without characters that nobody sees.
#[derive(Clone, PartialEq, Eq)]
struct Hidden {
    text: String,
    characters: Vec<char>,
    /// As it was given: Base64 keeps what nobody sees.
    secret: Secret,
}

/// Not what is in it.
impl std::fmt::Debug for Hidden {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(MASK)
    }
}

impl Mask {
    /// A mask for these secrets. Empty ones hide nothing.
    pub fn new(secrets: impl IntoIterator<Item = Secret>) -> Mask {
        let mut mask = Mask::default();
        mask.extend(secrets);
        mask
    }

    /// A mask for credentials. A shorter one than any of Databricks may be a common word, and hides nothing.
    pub(crate) fn credentials(secrets: impl IntoIterator<Item = Secret>) -> Mask {
        Mask::new(secrets.into_iter().filter(|secret| secret.expose().chars().count() >= SHORTEST_INSIDE_WORDS))
    }

    /// Hides these secrets, too.
    pub fn extend(&mut self, secrets: impl IntoIterator<Item = Secret>) {
        for secret in secrets {
            let characters: Vec<char> = View::of(secret.expose()).characters().collect();
            let hidden = Hidden { text: characters.iter().collect(), characters, secret };
            if !hidden.characters.is_empty() && !self.secrets.contains(&hidden) {
                self.secrets.push(hidden);
            }
        }
    }

    /// Forgets the oldest secrets until so many are left.
    pub(crate) fn keep_newest(&mut self, number: usize) {
        self.secrets.drain(..self.secrets.len().saturating_sub(number));
    }

    /// Hides what the other mask hides, too.
    #[must_use]
    pub fn and(mut self, other: &Mask) -> Mask {
        for secret in &other.secrets {
            if !self.secrets.contains(secret) {
                self.secrets.push(secret.clone());
            }
        }
        self
    }

    /// Whether there is nothing to hide.
    pub fn is_empty(&self) -> bool {
        self.secrets.is_empty()
    }

    /// A text without the secrets, nor any longer part of one. The work grows linearly with the text.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.replace(text, Hidden::parts)
    }

    /// A text without the secrets, where they stand whole: for long texts, in which a part of one says little.
    pub fn whole<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.may_be_in(text) { self.replace(text, Hidden::whole) } else { Cow::Borrowed(text) }
    }

    /// Takes the secrets out of every text of a JSON value, names of fields included.
    pub fn json(&self, value: &mut Value) {
        if self.is_empty() {
            return;
        }
        match value {
            Value::String(text) => {
                if let Cow::Owned(masked) = self.whole(text) {
                    *text = masked;
                }
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.json(item)),
            Value::Object(fields) => {
                fields.values_mut().for_each(|field| self.json(field));
                if fields.keys().any(|name| self.may_be_in(name)) {
                    let masked = std::mem::take(fields).into_iter();
                    *fields = masked.map(|(name, field)| (self.whole(&name).into_owned(), field)).collect();
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// A quick look, so that plain text without secrets costs next to nothing.
    fn may_be_in(&self, text: &str) -> bool {
        let is_plain = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'\\' | b'%' | b'&');
        !text.bytes().all(is_plain) || self.secrets.iter().any(|secret| text.contains(&secret.text))
    }

    fn replace<'a>(&self, text: &'a str, find: fn(&Hidden, &View) -> Vec<Range<usize>>) -> Cow<'a, str> {
        if self.is_empty() || text.is_empty() {
            return Cow::Borrowed(text);
        }
        let views = View::all(text);
        let mut found: Vec<Range<usize>> =
            views.iter().flat_map(|view| self.secrets.iter().flat_map(move |secret| find(secret, view))).collect();
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        found.sort_by_key(|range| range.start);
        let (mut masked, mut end) = (String::with_capacity(text.len()), 0);
        for range in found {
            if range.end <= end {
                continue;
            }
            // A range that begins inside of the one before continues it.
            if range.start >= end {
                masked.push_str(text.get(end..range.start).unwrap_or_default());
                masked.push_str(MASK);
            }
            end = range.end;
        }
        masked.push_str(text.get(end..).unwrap_or_default());
        Cow::Owned(masked)
    }
}

impl Hidden {
    /// Where the whole secret stands, in bytes of the original text.
    fn whole(&self, view: &View) -> Vec<Range<usize>> {
        let alone = self.characters.len() < SHORTEST_INSIDE_WORDS;
        view.find(&self.characters)
            .filter(|at| !alone || view.stands_alone(at.clone()))
            .map(|at| view.bytes(at))
            .collect()
    }

    /// Where the secret, a longer part of it, or what Base64 makes of it stands, in bytes of the original text.
    fn parts(&self, view: &View) -> Vec<Range<usize>> {
        let mut found = match self.characters.len() < SHORTEST_PART {
            true => self.whole(view),
            false => view.find_parts(&self.characters, SHORTEST_PART).into_iter().map(|at| view.bytes(at)).collect(),
        };
        // Made only here, for texts of errors: a mask is made for each request.
        for encoded in in_base64(self.secret.expose()) {
            found.extend(view.find(&encoded).map(|at| view.bytes(at)));
        }
        found
    }
}

/// What of a secret can be recognized in Base64, alone or inside of other text such as a `Basic` credential: its groups of three bytes, counted from its first, second or third byte,
/// since what stands before it decides where a group begins.
fn in_base64(secret: &str) -> Vec<Vec<char>> {
    let mut encoded: Vec<Vec<char>> = Vec::new();
    for skipped in 0..3 {
        let bytes = secret.as_bytes().get(skipped..).unwrap_or_default();
        let whole = bytes.get(..bytes.len() - bytes.len() % 3).unwrap_or_default();
        if whole.len() < SHORTEST_INSIDE_WORDS {
            continue;
        }
        for text in [STANDARD_NO_PAD.encode(whole), URL_SAFE_NO_PAD.encode(whole)] {
            let characters = text.chars().collect();
            if !encoded.contains(&characters) {
                encoded.push(characters);
            }
        }
    }
    encoded
}

#[cfg(test)]
mod tests;
