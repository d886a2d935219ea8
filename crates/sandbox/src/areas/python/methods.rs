//! Attributes and methods of values.

use std::collections::HashSet;
use std::sync::Arc;

use super::builtin::sorted;
use super::frame::{Frame, Grouped, Writer, identifier};
use super::library::{self, Arguments};
use super::operate;
use super::run::{Failure, Script};
use super::value::{Items, Value};

const OF_TEXTS: [&str; 20] = [
    "count",
    "endswith",
    "find",
    "isalpha",
    "isdigit",
    "join",
    "lower",
    "lstrip",
    "replace",
    "rstrip",
    "split",
    "splitlines",
    "startswith",
    "strip",
    "title",
    "upper",
    "capitalize",
    "removeprefix",
    "removesuffix",
    "zfill",
];
const OF_LISTS: [&str; 10] =
    ["append", "clear", "copy", "count", "extend", "index", "insert", "pop", "reverse", "sort"];
const OF_DICTS: [&str; 6] = ["get", "items", "keys", "pop", "update", "values"];
const OF_FRAMES: [&str; 22] = [
    "cache",
    "collect",
    "count",
    "crossJoin",
    "distinct",
    "drop",
    "dropna",
    "filter",
    "first",
    "groupBy",
    "groupby",
    "head",
    "isEmpty",
    "limit",
    "orderBy",
    "persist",
    "select",
    "show",
    "sort",
    "take",
    "union",
    "where",
];

/// An attribute of a value; a method is called later.
pub(super) fn attribute(value: Value, name: &str) -> Result<Value, Failure> {
    let methods: &[&str] = match &value {
        Value::Known(path) => return library::member(path, name),
        Value::Row(row) => match row.get(name) {
            Some(value) => return Ok(value),
            None => &["asDict"],
        },
        Value::Class(class) if name == "__name__" => return Ok(Value::text(class)),
        Value::Frame(frame) if name == "columns" => {
            return Ok(Value::list(frame.columns.iter().map(|column| Value::text(&column.name)).collect()));
        }
        Value::Frame(frame) if name == "write" => {
            let writer = Writer { frame: Arc::clone(frame), mode: "errorifexists".to_owned() };
            return Ok(Value::Writer(Arc::new(writer)));
        }
        Value::Text(_) => &OF_TEXTS,
        Value::List(_) => &OF_LISTS,
        Value::Tuple(_) => &["count", "index"],
        Value::Dict(_) => &OF_DICTS,
        Value::Frame(_) => &OF_FRAMES,
        Value::Grouped(_) => &["count"],
        Value::Writer(_) => &["format", "mode", "saveAsTable"],
        Value::None => {
            let message = format!("'NoneType' object has no attribute '{name}'");
            return Err(Failure::raised("AttributeError", message));
        }
        _ => &[],
    };
    if methods.contains(&name) {
        return Ok(Value::Method(Arc::new((value, name.to_owned()))));
    }
    Err(Failure::refused(&format!("`.{name}` of a {}", value.type_name())))
}

pub(super) fn call(
    script: &mut Script<'_>,
    value: &Value,
    name: &str,
    arguments: &Arguments,
) -> Result<Value, Failure> {
    match value {
        Value::Text(text) => of_text(script, text, name, arguments),
        Value::List(items) => of_list(script, items, name, arguments),
        Value::Tuple(items) => of_sequence(script, items, name, arguments),
        Value::Dict(items) => of_dict(script, items, name, arguments),
        Value::Row(row) => {
            arguments.of([])?;
            let entries =
                row.names.iter().zip(&row.values).flat_map(|(name, value)| [Value::text(name), value.clone()]);
            Ok(Value::Dict(Items::new(entries.collect())))
        }
        Value::Frame(frame) => of_frame(script, frame, name, arguments),
        Value::Grouped(grouped) => {
            arguments.of([])?;
            let columns: Vec<_> = grouped.columns.iter().map(|column| identifier(column)).collect();
            let columns = columns.join(", ");
            let sql = grouped.frame.query()?;
            let query = format!("SELECT {columns}, count(*) AS `count` FROM ({sql}\n) GROUP BY {columns}");
            Frame::of_query(
                script,
                if columns.is_empty() { format!("SELECT count(*) AS `count` FROM ({sql}\n)") } else { query },
            )
        }
        Value::Writer(writer) => write(script, writer, name, arguments),
        other => Err(Failure::refused(&format!("`.{name}` of a {}", other.type_name()))),
    }
}

fn of_text(script: &mut Script<'_>, text: &str, name: &str, arguments: &Arguments) -> Result<Value, Failure> {
    script.spend(text.len() / 16)?;
    let letters = |given: &Option<Value>| match given {
        None | Some(Value::None) => Ok(None),
        Some(Value::Text(letters)) => Ok(Some(letters.chars().collect::<HashSet<_>>())),
        Some(other) => Err(Failure::refused(&format!("`.{name}` of a {}", other.type_name()))),
    };
    Ok(match name {
        "upper" => Value::text(&text.to_uppercase()),
        "lower" => Value::text(&text.to_lowercase()),
        "title" | "capitalize" if !text.is_ascii() => return Err(Failure::refused(&format!("`.{name}` of this text"))),
        "capitalize" => {
            let (first, rest) = text.split_at(text.len().min(1));
            Value::text(&(first.to_uppercase() + &rest.to_lowercase()))
        }
        "title" => {
            let mut inside = false;
            let titled = text.chars().map(|letter| {
                let letter = if inside { letter.to_ascii_lowercase() } else { letter.to_ascii_uppercase() };
                inside = letter.is_ascii_alphabetic();
                letter
            });
            Value::text(&titled.collect::<String>())
        }
        "strip" | "lstrip" | "rstrip" => {
            let [given] = arguments.of(["chars"])?;
            let letters = letters(&given)?;
            let is_outer = |letter: char| match &letters {
                Some(letters) => letters.contains(&letter),
                None => letter.is_whitespace(),
            };
            Value::text(match name {
                "strip" => text.trim_matches(is_outer),
                "lstrip" => text.trim_start_matches(is_outer),
                _ => text.trim_end_matches(is_outer),
            })
        }
        "split" => match arguments.of(["sep"])? {
            [None | Some(Value::None)] => Value::list(text.split_whitespace().map(Value::text).collect()),
            [Some(Value::Text(separator))] if !separator.is_empty() => {
                Value::list(text.split(separator.as_ref()).map(Value::text).collect())
            }
            _ => return Err(Failure::raised("ValueError", "empty separator")),
        },
        "splitlines" => {
            arguments.of([])?;
            Value::list(text.lines().map(Value::text).collect())
        }
        "join" => {
            let [parts] = arguments.all(["iterable"])?;
            let mut joined = String::new();
            for (index, part) in script.items(&parts)?.into_iter().enumerate() {
                let Value::Text(part) = part else {
                    let message = format!("sequence item {index}: expected str instance, {} found", part.type_name());
                    return Err(Failure::raised("TypeError", message));
                };
                if index > 0 {
                    joined.push_str(text);
                }
                joined.push_str(&part);
                operate::check_length(joined.len())?;
            }
            Value::text(&joined)
        }
        "replace" => {
            let [old, new] = arguments.texts(["old", "new"])?;
            operate::check_length(text.len() + (text.matches(&old).count()).saturating_mul(new.len()))?;
            Value::text(&text.replace(&old, &new))
        }
        "startswith" => Value::Bool(text.starts_with(&arguments.texts(["prefix"])?[0])),
        "endswith" => Value::Bool(text.ends_with(&arguments.texts(["suffix"])?[0])),
        "removeprefix" => Value::text(text.strip_prefix(&arguments.texts(["prefix"])?[0]).unwrap_or(text)),
        "removesuffix" => Value::text(text.strip_suffix(&arguments.texts(["suffix"])?[0]).unwrap_or(text)),
        "count" => {
            let [part] = arguments.texts(["sub"])?;
            Value::Int(i64::try_from(text.matches(&part).count()).unwrap_or(i64::MAX))
        }
        "find" => {
            let [part] = arguments.texts(["sub"])?;
            let place = text.find(&part).and_then(|at| text.get(..at)).map(|before| before.chars().count());
            Value::Int(place.and_then(|place| i64::try_from(place).ok()).unwrap_or(-1))
        }
        "isdigit" => Value::Bool(!text.is_empty() && text.chars().all(|letter| letter.is_ascii_digit())),
        "isalpha" => Value::Bool(!text.is_empty() && text.chars().all(char::is_alphabetic)),
        "zfill" if !text.starts_with(['+', '-']) => match arguments.all(["width"])? {
            [Value::Int(width @ 0..=1000)] => {
                let missing = usize::try_from(width).unwrap_or_default().saturating_sub(text.chars().count());
                Value::text(&("0".repeat(missing) + text))
            }
            _ => return Err(Failure::refused("`.zfill` to this width")),
        },
        _ => return Err(Failure::refused(&format!("`.{name}` of this text"))),
    })
}

fn of_sequence(
    script: &mut Script<'_>,
    items: &Arc<Items>,
    name: &str,
    arguments: &Arguments,
) -> Result<Value, Failure> {
    let [wanted] = arguments.all(["value"])?;
    let mut places = Vec::new();
    for (index, item) in (0..).zip(items.all().iter()) {
        if operate::equals(item, &wanted, &script.budget)? {
            places.push(index);
        }
    }
    match (name, places.first()) {
        ("index", Some(place)) => Ok(Value::Int(*place)),
        ("index", None) => {
            Err(Failure::raised("ValueError", format!("{} is not in list", wanted.to_repr(&script.budget)?)))
        }
        _ => Ok(Value::Int(i64::try_from(places.len()).unwrap_or(i64::MAX))),
    }
}

fn of_list(script: &mut Script<'_>, items: &Arc<Items>, name: &str, arguments: &Arguments) -> Result<Value, Failure> {
    match name {
        "append" => {
            let [value] = arguments.all(["object"])?;
            script.check_fits(items, &value)?;
            items.change(|items| items.push(value));
        }
        "extend" => {
            let [more] = arguments.all(["iterable"])?;
            let more = script.items(&more)?;
            script.extend(items, more)?;
        }
        "insert" => {
            let [place, value] = arguments.all(["index", "object"])?;
            script.check_fits(items, &value)?;
            script.spend(items.len())?;
            let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
            let place = place.whole().ok_or_else(|| Failure::refused("`.insert` at this place"))?;
            let place = if place < 0 { place.saturating_add(length) } else { place }.clamp(0, length);
            items.change(|items| items.insert(usize::try_from(place).unwrap_or_default(), value));
        }
        "pop" => {
            let [place] = arguments.of(["index"])?;
            let place = place.map_or(Some(-1), |place| place.whole()).unwrap_or(i64::MAX);
            script.spend(items.len())?;
            let at = operate::place(place, items.len());
            let popped = at.map(|at| items.change(|items| items.remove(at)));
            return popped.ok_or_else(|| Failure::raised("IndexError", "pop index out of range"));
        }
        "clear" => {
            arguments.of([])?;
            drop(items.take());
        }
        "copy" => {
            arguments.of([])?;
            return script.made(Value::list(items.all().to_vec()));
        }
        "reverse" => {
            arguments.of([])?;
            items.change(|items| items.reverse());
        }
        "sort" => {
            let [_no_key, reverse] = arguments.of(["", "reverse"])?;
            let values = items.all().to_vec();
            script.spend(values.len())?;
            let values = sorted(values, reverse.is_some_and(|reverse| reverse.is_true()), &script.budget)?;
            items.change(|items| *items = values);
        }
        _ => return of_sequence(script, items, name, arguments),
    }
    Ok(Value::None)
}

fn of_dict(script: &mut Script<'_>, items: &Arc<Items>, name: &str, arguments: &Arguments) -> Result<Value, Failure> {
    script.spend(items.len())?;
    match name {
        "get" | "pop" => {
            let [key, default] = arguments.of(["key", "default"])?;
            let key = key.unwrap_or_default();
            operate::check_key(&key)?;
            let found = items.place(&key).and_then(|place| match name {
                "pop" => items.change(|items| items.drain(place - 1..=place).next_back()),
                _ => items.get(place),
            });
            match found.or(default) {
                Some(value) => Ok(value),
                None if name == "get" => Ok(Value::None),
                None => Err(operate::key_error(&key, &script.budget)),
            }
        }
        "update" => {
            let [Value::Dict(more)] = arguments.all(["other"])? else {
                return Err(Failure::refused("`.update` with anything but a dictionary"));
            };
            for (key, value) in more.entries() {
                script.spend(items.len())?;
                script.check_fits(items, &value)?;
                items.set_entry(key, value);
            }
            Ok(Value::None)
        }
        _ => {
            arguments.of([])?;
            let entries = items.entries().into_iter();
            let values = match name {
                "keys" => entries.map(|(key, _)| key).collect(),
                "values" => entries.map(|(_, value)| value).collect(),
                _ => entries.map(|(key, value)| Value::Tuple(Items::new(vec![key, value]))).collect(),
            };
            // Python's views are no lists, and cannot be shown or indexed as such.
            Ok(Value::Once("dict_view", Items::new(values)))
        }
    }
}

fn of_frame(script: &mut Script<'_>, frame: &Arc<Frame>, name: &str, arguments: &Arguments) -> Result<Value, Failure> {
    let listed = |names: &[String]| names.iter().map(|name| identifier(name)).collect::<Vec<_>>().join(", ");
    let count = |value: Option<Value>, otherwise: i64| {
        let given = value.map_or(Some(otherwise), |value| value.whole());
        let count = given.and_then(|given| usize::try_from(given).ok());
        count.ok_or_else(|| Failure::refused(&format!("`.{name}` of this number of rows")))
    };
    match name {
        "count" => {
            arguments.of([])?;
            return Ok(Value::Int(frame.count(script)?));
        }
        "isEmpty" => {
            arguments.of([])?;
            return Ok(Value::Bool(frame.count(script)? == 0));
        }
        "collect" => {
            arguments.of([])?;
            let rows = frame.collect(script, None)?;
            script.spend(rows.len())?;
            return Ok(Value::list(rows));
        }
        "cache" | "persist" => {
            arguments.of([])?;
            return Ok(Value::Frame(Arc::clone(frame)));
        }
        "show" => {
            let [rows, cut] = arguments.of(["n", "truncate"])?;
            let cut = match cut {
                None => true,
                Some(Value::Bool(cut)) => cut,
                Some(_) => return Err(Failure::refused("`.show` that cuts at a number of letters")),
            };
            let shown = frame.shown(script, count(rows, 20)?, cut)?;
            script.print(&shown)?;
            return Ok(Value::None);
        }
        "first" | "head" | "take" => {
            let [rows] = arguments.of(["n"])?;
            let single = rows.is_none() && name != "take";
            let mut rows = frame.collect(script, Some(count(rows, 1)?))?;
            return Ok(if single { rows.pop().unwrap_or_default() } else { Value::list(rows) });
        }
        "groupBy" | "groupby" => {
            let columns = arguments.columns(&[])?;
            return Ok(Value::Grouped(Arc::new(Grouped { frame: Arc::clone(frame), columns })));
        }
        _ => {}
    }
    let sql = frame.query()?;
    let query = match name {
        "limit" => {
            let [rows] = arguments.of(["num"])?;
            format!("SELECT * FROM ({sql}\n) LIMIT {}", count(rows, 0)?)
        }
        "distinct" => {
            arguments.of([])?;
            format!("SELECT DISTINCT * FROM ({sql}\n)")
        }
        "dropna" => {
            arguments.of([])?;
            let tests: Vec<_> =
                frame.columns.iter().map(|column| format!("{} IS NOT NULL", identifier(&column.name))).collect();
            format!("SELECT * FROM ({sql}\n) WHERE {}", tests.join(" AND "))
        }
        "filter" | "where" => {
            let [condition] = arguments.texts(["condition"])?;
            format!("SELECT * FROM ({sql}\n) WHERE {condition}")
        }
        "select" => {
            let columns = arguments.columns(&[])?;
            let columns = if columns == ["*"] { "*".to_owned() } else { listed(&columns) };
            format!("SELECT {columns} FROM ({sql}\n)")
        }
        "drop" => format!("SELECT * EXCEPT ({}) FROM ({sql}\n)", listed(&arguments.columns(&[])?)),
        "orderBy" | "sort" => {
            let columns = arguments.columns(&["ascending"])?;
            let descending = match arguments.named.as_slice() {
                [] | [(_, Value::Bool(true))] => "",
                [(_, Value::Bool(false))] => " DESC",
                _ => return Err(Failure::refused(&format!("`.{name}` with an order for each column"))),
            };
            let terms: Vec<_> = columns.iter().map(|column| identifier(column) + descending).collect();
            format!("SELECT * FROM ({sql}\n) ORDER BY {}", terms.join(", "))
        }
        _ => {
            let [Value::Frame(other)] = arguments.all(["other"])? else {
                return Err(Failure::refused(&format!("`.{name}` with anything but a DataFrame")));
            };
            let other = other.query()?;
            match name {
                "union" => format!("SELECT * FROM ({sql}\n) UNION ALL SELECT * FROM ({other}\n)"),
                _ => format!("SELECT * FROM ({sql}\n) CROSS JOIN ({other}\n)"),
            }
        }
    };
    operate::check_length(query.len())?;
    Frame::of_query(script, query)
}

fn write(script: &mut Script<'_>, writer: &Writer, name: &str, arguments: &Arguments) -> Result<Value, Failure> {
    let [text] = arguments.texts(["name"])?;
    match (name, text.as_str()) {
        ("format", "delta") => Ok(Value::Writer(Arc::new(writer.clone()))),
        ("mode", "append" | "overwrite" | "error" | "errorifexists" | "ignore") => {
            Ok(Value::Writer(Arc::new(Writer { mode: text, ..writer.clone() })))
        }
        ("saveAsTable", table) => {
            let query = writer.frame.query()?;
            let sql = match writer.mode.as_str() {
                "overwrite" => format!("CREATE OR REPLACE TABLE {table} AS {query}"),
                "ignore" => format!("CREATE TABLE IF NOT EXISTS {table} AS {query}"),
                "append" => format!("INSERT INTO {table} {query}"),
                _ => format!("CREATE TABLE {table} AS {query}"),
            };
            Frame::of_sql(script, &sql)?;
            Ok(Value::None)
        }
        _ => Err(Failure::refused(&format!("`.{name}(\"{text}\")`"))),
    }
}
