//! The result of a command: text, a table, pictures or an error.

use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::domain::runs::output::words;
use crate::domain::text::{Keep, excerpt, plain};
use crate::error::Error;
use crate::images::Image;
use crate::shape::{self, Budget};

/// How much of an error and its trace goes into the text of an error.
const ROOM_OF_ERROR: usize = 1_500;
/// A client may refuse an answer with more than this.
const MOST_IMAGES: usize = 5;
/// Characters of base64, in all.
const MOST_OF_IMAGES: usize = 1_500_000;

/// Adds results to an answer; code that failed is an error.
pub(crate) fn put(context: &Context, answer: &mut Value, results: &Value) -> Result<(), Error> {
    let kind = results.get("resultType").and_then(Value::as_str).unwrap_or("text");
    if kind == "error" {
        let text = |name: &str| results.get(name).and_then(Value::as_str);
        let words = words(text("summary"), text("cause"), ROOM_OF_ERROR);
        return Err(Error::failed(format!("the code failed: {words}")));
    }
    shape::put(answer, "result_type", kind);
    let is_cut = results.get("truncated").and_then(Value::as_bool).unwrap_or_default();
    match kind {
        "table" => table(context, answer, results, is_cut),
        "image" | "images" => images(context, answer, results),
        _ => {
            let data = match results.get("data") {
                Some(Value::String(text)) => plain(text),
                None | Some(Value::Null) => String::new(),
                Some(other) => other.to_string(),
            };
            let cut = excerpt(&data, context.budget.characters * 3 / 4, Keep::Ends);
            shape::put(answer, "output", cut.text);
            let of_cluster = is_cut.then(|| "the cluster truncated it".to_owned());
            if let Some(notice) = cut.notice.or(of_cluster) {
                shape::put(answer, "truncated", true);
                shape::put(answer, "hint", format!("output: {notice}; print less, or write it to a file"));
            }
        }
    }
    Ok(())
}

fn table(context: &Context, answer: &mut Value, results: &Value, is_cut: bool) {
    let columns = results.get("schema").and_then(Value::as_array).into_iter().flatten().map(|column| {
        let kind = column.get("type").and_then(Value::as_str).map(|kind| kind.trim_matches('"'));
        json!({ "name": column.get("name"), "type": kind })
    });
    let columns: Vec<_> = columns.collect();
    let rows = results.get("data").and_then(Value::as_array).cloned().unwrap_or_default();
    let total = rows.len();
    let room = context.budget.characters.saturating_sub(100 * columns.len() + 400);
    let exact = rows.into_iter().map(|mut row| {
        shape::exact(&mut row);
        row
    });
    let page = shape::fill(exact, Budget { characters: room }, shape::fit_row);
    shape::put(answer, "columns", columns);
    shape::put(answer, "returned", page.taken);
    shape::put(answer, "rows", page.items);
    shape::put(answer, "total_rows", total);
    shape::put(answer, "truncated", is_cut || page.taken < total);
    if page.taken < total {
        let hint = format!("the first {} of {total} rows; select less, or aggregate", page.taken);
        shape::put(answer, "hint", hint);
    } else if is_cut {
        shape::put(answer, "hint", "the cluster truncated the table; select less, or aggregate");
    }
    shape::notice(answer, page.cuts, "select fewer or shorter columns");
}

fn images(context: &Context, answer: &mut Value, results: &Value) {
    let one = results.get("fileName").or_else(|| results.get("data")).and_then(Value::as_str);
    let several = results.get("fileNames").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let (mut shown, mut used, mut told) = (0, 0, Vec::new());
    for text in one.into_iter().chain(several) {
        let Some((mime_type, base64)) = data_url(text) else {
            // A file that the cluster keeps.
            told.push(json!({ "file": text }));
            continue;
        };
        let mut entry = Map::new();
        entry.insert("mime_type".into(), json!(mime_type));
        entry.insert("bytes".into(), json!(base64.len() / 4 * 3));
        if shown < MOST_IMAGES && used + base64.len() <= MOST_OF_IMAGES {
            (shown, used) = (shown + 1, used + base64.len());
            context.media.add(Image { base64: base64.to_owned(), mime_type: mime_type.to_owned() });
        } else {
            entry.insert("left_out".into(), json!("too large, or too many: draw fewer or smaller ones"));
        }
        told.push(Value::Object(entry));
    }
    shape::put(answer, "images", told);
}

/// Type and content of `data:image/png;base64,…`.
fn data_url(text: &str) -> Option<(&str, &str)> {
    let (head, base64) = text.strip_prefix("data:")?.split_once(',')?;
    let mime_type = head.strip_suffix(";base64")?.split(';').next()?;
    let is_base64 = |letter: u8| letter.is_ascii_alphanumeric() || matches!(letter, b'+' | b'/' | b'=');
    (mime_type.starts_with("image/") && base64.bytes().all(is_base64)).then_some((mime_type, base64))
}
