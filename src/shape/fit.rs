//! Cuts an answer to its budget. Each part gets an equal share of the space, and what one part does not need goes to
//! the others: small facts stay complete, and long lists, maps and texts lose their ends, with an exact note.

use std::io;

use serde_json::Value;

use crate::shape::Budget;

/// Room for the notice of what was cut.
const NOTICE: usize = 800;
/// A list or map keeps about so many large parts rather than more of them, cut to less.
const LARGE_PARTS: usize = 16;
/// A part is left out rather than cut to less than this.
const LEAST_PART: usize = 60;
/// Characters of a name within a notice.
const NAME: usize = 60;

/// Cuts a value until it fits, together with the notice of it, and says what was cut.
pub(crate) fn fit(value: &mut Value, budget: Budget) -> Vec<String> {
    fit_with(value, budget, shrink)
}

/// As [`fit`], for the cells of a row: cells are cut, and none is left out.
pub(crate) fn fit_row(row: &mut Value, budget: Budget) -> Vec<String> {
    fit_with(row, budget, |row, room, path, notices| match row {
        Value::Array(cells) => {
            let room = room.saturating_sub(2 + cells.len());
            share(numbered(cells, path), room, notices);
        }
        other => shrink(other, room, path, notices),
    })
}

/// Cuts parts of an answer until they take no more than this room together, the small ones last, and says how many were
/// cut: for an answer that tells of it in its own words.
pub(crate) fn fit_parts<'a>(parts: impl IntoIterator<Item = &'a mut Value>, room: usize) -> usize {
    let mut parts: Vec<_> = parts.into_iter().map(|part| (String::new(), part)).collect();
    parts.sort_by_cached_key(|(_, part)| size(part, room).unwrap_or(usize::MAX));
    let (mut left, mut waiting, mut cut) = (room, parts.len(), 0);
    for (path, part) in parts {
        let mut notices = Vec::new();
        shrink(part, left.checked_div(waiting).unwrap_or_default(), &path, &mut notices);
        cut += usize::from(!notices.is_empty());
        left = left.saturating_sub(size(part, left).unwrap_or(left));
        waiting -= 1;
    }
    cut
}

/// The parts of an answer that a cursor or an offset continues.
const PAGES: [&str; 3] = ["items", "rows", "content"];
/// What an answer says that has such a part.
const PAGED: [&str; 4] = ["returned", "offset", "next_offset", "next_page_token"];
/// The cursor and the hints of a page are not cut, however small the budget is.
const BESIDE_PAGE: usize = 1_000;

/// As [`fit`], for an answer whose tool made its page fit: the page stays whole, as what was cut from its end would lie
/// before its cursor, and be lost.
pub(crate) fn fit_around_page(answer: &mut Value, budget: Budget) -> Vec<String> {
    if size(answer, budget.characters).is_some() {
        return Vec::new();
    }
    let Some(fields) = answer.as_object_mut().filter(|fields| PAGED.iter().any(|name| fields.contains_key(*name)))
    else {
        return fit(answer, budget);
    };
    let pages: Vec<_> = PAGES.iter().filter_map(|name| Some((*name, fields.get_mut(*name)?.take()))).collect();
    let taken: usize = pages.iter().filter_map(|(_, page)| size(page, usize::MAX)).sum();
    let room = Budget { characters: budget.characters.saturating_sub(taken).max(BESIDE_PAGE) };
    let cuts = fit(answer, room);
    for (name, page) in pages {
        super::put(answer, name, page);
    }
    cuts
}

fn fit_with(
    value: &mut Value,
    budget: Budget,
    shrink: impl Fn(&mut Value, usize, &str, &mut Vec<String>),
) -> Vec<String> {
    let mut notices = Vec::new();
    let most = budget.characters;
    if size(value, most).is_none() {
        shrink(value, most - NOTICE.min(most / 2), "", &mut notices);
    }
    notices
}

/// How many characters a value takes as compact JSON; `None` if more than `most`. A large value costs no more to
/// measure than what is within the limit.
pub(crate) fn size(value: &Value, most: usize) -> Option<usize> {
    let mut meter = Meter { most, used: 0 };
    serde_json::to_writer(&mut meter, value).ok().map(|()| meter.used)
}

/// Counts the characters that are written to it, and refuses those beyond a limit.
struct Meter {
    most: usize,
    used: usize,
}

impl io::Write for Meter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A character of UTF-8 has one byte that does not continue another.
        self.used += bytes.iter().filter(|byte| **byte & 0xC0 != 0x80).count();
        if self.used > self.most {
            return Err(io::ErrorKind::WriteZero.into());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn shrink(value: &mut Value, room: usize, path: &str, notices: &mut Vec<String>) {
    if size(value, room).is_some() {
        return;
    }
    let name = if path.is_empty() { "the answer" } else { path };
    let mut packing = Packing::new(room);
    match value {
        Value::String(text) => {
            let length = text.chars().count();
            let kept = shorten(text, room);
            notices.push(format!("{name}: first {kept} of {length} characters"));
        }
        Value::Array(items) => {
            let total = items.len();
            let kept = items.iter().take_while(|item| packing.takes(1, item)).count();
            items.truncate(kept);
            if kept < total {
                notices.push(format!("{name}: first {kept} of {total} items"));
            }
            share(numbered(items, path), room.saturating_sub(packing.overhead), notices);
        }
        Value::Object(fields) => {
            let total = fields.len();
            fields.retain(|key, field| packing.takes_field(key, field));
            let kept = fields.len();
            if kept < total {
                notices.push(format!("{name}: {kept} of {total} fields"));
            }
            let parts = fields.iter_mut().map(|(key, field)| (joined(path, key), field));
            share(parts.collect(), room.saturating_sub(packing.overhead), notices);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Decides which parts of a list or map stay: those that fit if the large ones are cut.
struct Packing {
    left: usize,
    large: usize,
    /// What names and separators take.
    overhead: usize,
    is_full: bool,
}

impl Packing {
    fn new(room: usize) -> Self {
        let large = (room / LARGE_PARTS).max(LEAST_PART);
        Self { left: room.saturating_sub(2), large, overhead: 2, is_full: false }
    }

    fn takes(&mut self, overhead: usize, part: &Value) -> bool {
        let used = overhead + size(part, self.large).unwrap_or(self.large);
        self.is_full |= used > self.left;
        if self.is_full {
            return false;
        }
        self.left -= used;
        self.overhead += overhead;
        true
    }

    fn takes_field(&mut self, key: &str, field: &Value) -> bool {
        // Its quotes, and the signs after it and after its value.
        let name = escaped(key.chars()).sum::<usize>() + 4;
        // A name cannot be cut: it would be another one.
        name <= self.large && self.takes(name, field)
    }
}

/// Shares room among parts, the smallest first.
fn share(mut parts: Vec<(String, &mut Value)>, mut room: usize, notices: &mut Vec<String>) {
    parts.sort_by_cached_key(|(_, value)| size(value, room).unwrap_or(usize::MAX));
    let mut waiting = parts.len();
    for (path, value) in parts {
        shrink(value, room.checked_div(waiting).unwrap_or_default(), &path, notices);
        room = room.saturating_sub(size(value, room).unwrap_or(room));
        waiting -= 1;
    }
}

fn numbered<'a>(items: &'a mut [Value], path: &str) -> Vec<(String, &'a mut Value)> {
    items.iter_mut().enumerate().map(|(index, item)| (format!("{path}[{index}]"), item)).collect()
}

/// The path of a field, as a notice shows it.
fn joined(path: &str, key: &str) -> String {
    let path = if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
    match path.char_indices().nth(NAME) {
        Some((end, _)) => format!("{}…", path.get(..end).unwrap_or_default()),
        None => path,
    }
}

/// Cuts a text to what takes this room within JSON, and says how many characters are left.
fn shorten(text: &mut String, room: usize) -> usize {
    // Quotes and the mark of the cut.
    let mut left = room.saturating_sub(3);
    let mut kept = 0;
    let mut end = 0;
    for ((at, letter), size) in text.char_indices().zip(escaped(text.chars())) {
        if size > left {
            break;
        }
        left -= size;
        kept += 1;
        end = at + letter.len_utf8();
    }
    text.truncate(end);
    text.push('…');
    kept
}

/// How many characters each letter takes within a JSON text.
fn escaped(letters: impl Iterator<Item = char>) -> impl Iterator<Item = usize> {
    letters.map(|letter| match letter {
        '"' | '\\' | '\n' | '\r' | '\t' | '\u{8}' | '\u{c}' => 2,
        '\0'..'\u{20}' => 6,
        _ => 1,
    })
}
