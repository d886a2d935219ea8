//! YAML, as far as an entry of a block map at the top of a file goes.
//!
//! The crates that edit YAML touch, now and then, what they were not asked to. An entry of a map is whole lines, so lines
//! are what this adds and takes away; where the map is written in another way, it refuses. The caller reads the result
//! again and compares.

use serde_json::Value;

use super::Spot;

pub(super) fn value(text: &str) -> Result<Value, String> {
    serde_saphyr::from_str(text).map_err(|error| {
        // The rest of its text shows the file.
        let text = error.to_string();
        text.lines().next().unwrap_or("it is no YAML").to_owned()
    })
}

/// The lines of a map under a key of the outermost one.
struct Block {
    /// The line of its key.
    key: usize,
    /// The line after its last.
    end: usize,
    /// The blanks before each of its keys; `None` if it has none.
    indent: Option<usize>,
}

pub(super) fn insert(text: &str, spot: Spot<'_>, entry: &Value) -> Result<String, String> {
    let [key] = spot.servers else { return Err("a map that is not at the top".to_owned()) };
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    refuse_several(&lines)?;
    let Some(block) = block(&lines, key)? else {
        let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return Ok(format!("{text}{gap}{key}:\n{}", written(spot.name, entry, 2)));
    };
    let head = lines.get(..block.end).unwrap_or_default().concat();
    let tail = lines.get(block.end..).unwrap_or_default().concat();
    let added = written(spot.name, entry, block.indent.unwrap_or(2));
    if block.indent.is_some() {
        let gap = if head.ends_with('\n') { "" } else { "\n" };
        return Ok(format!("{head}{gap}{added}{tail}"));
    }
    // `key: {}`, or nothing after the colon.
    let above = lines.get(..block.key).unwrap_or_default().concat();
    let line = lines.get(block.key).copied().unwrap_or_default();
    let (name, rest) = line.split_once(':').ok_or("a key without its colon")?;
    let comment = rest
        .find('#')
        .and_then(|start| rest.get(start..))
        .map_or(String::new(), |text| format!(" {}", text.trim_end()));
    Ok(format!("{above}{name}:{comment}\n{added}{tail}"))
}

/// Where an entry is: the map that it is in, and the lines from its key to before the next.
fn entry_lines(lines: &[&str], spot: Spot<'_>) -> Result<(Block, usize, usize), String> {
    let [key] = spot.servers else { return Err("a map that is not at the top".to_owned()) };
    refuse_several(lines)?;
    let gone = || "the entry is not there".to_owned();
    let block = block(lines, key)?.ok_or_else(gone)?;
    let indent = block.indent.ok_or_else(gone)?;
    let start = (block.key + 1..block.end)
        .find(|line| lines.get(*line).is_some_and(|line| is_key(line, spot.name, indent)))
        .ok_or_else(gone)?;
    let is_within = |line: &&&str| line.trim().is_empty() || indent_of(line) > indent;
    let length = lines.get(start + 1..block.end).unwrap_or_default().iter().take_while(is_within).count();
    let blank = lines.get(start + 1..start + 1 + length).unwrap_or_default().iter().rev();
    let end = start + 1 + length - blank.take_while(|line| line.trim().is_empty()).count();
    Ok((block, start, end))
}

pub(super) fn replace(text: &str, spot: Spot<'_>, entry: &Value) -> Result<String, String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (block, start, end) = entry_lines(&lines, spot)?;
    let (head, tail) = (lines.get(..start).unwrap_or_default(), lines.get(end..).unwrap_or_default());
    Ok([head.concat(), written(spot.name, entry, block.indent.unwrap_or(2)), tail.concat()].concat())
}

pub(super) fn remove(text: &str, spot: Spot<'_>, made: usize) -> Result<String, String> {
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let (block, mut start, mut end) = entry_lines(&lines, spot)?;
    let mut instead = String::new();
    if !super::emptied(&value(text)?, spot, 1).is_empty() {
        start = block.key;
        end = end.max(block.end);
        if made == 0 {
            instead = format!("{}: {{}}\n", spot.servers.concat());
        }
    }
    let (head, tail) = (lines.get(..start).unwrap_or_default(), lines.get(end..).unwrap_or_default());
    Ok([&head.concat(), instead.as_str(), &tail.concat()].concat())
}

fn refuse_several(lines: &[&str]) -> Result<(), String> {
    let marks = lines.iter().filter(|line| line.trim_end() == "---" || line.starts_with("--- ")).count();
    let first = lines.iter().position(|line| !line.trim().is_empty() && !line.starts_with('#'));
    let starts = first.and_then(|line| lines.get(line)).is_some_and(|line| line.starts_with("---"));
    if marks > usize::from(starts) || lines.iter().any(|line| line.trim_end() == "...") {
        return Err("it holds several documents".to_owned());
    }
    Ok(())
}

fn block(lines: &[&str], key: &str) -> Result<Option<Block>, String> {
    let Some(start) = lines.iter().position(|line| is_key(line, key, 0)) else { return Ok(None) };
    let after = lines.get(start).and_then(|line| line.split_once(':')).map_or("", |(_, after)| after).trim();
    let after = if after.starts_with('#') { "" } else { after.split(" #").next().unwrap_or_default().trim() };
    let belongs = |line: &&&str| line.trim().is_empty() || line.starts_with([' ', '\t']) || line.starts_with('#');
    let own = lines.get(start + 1..).unwrap_or_default();
    let length = own.iter().take_while(belongs).count();
    // Blank lines and comments at the margin belong to what follows.
    let loose = own.get(..length).unwrap_or_default().iter().rev();
    let length = length - loose.take_while(|line| line.trim().is_empty() || line.starts_with('#')).count();
    let first = own.get(..length).unwrap_or_default().iter().find(|line| !is_remark(line));
    match (after, first) {
        ("", Some(line)) if line.contains('\t') && line.trim_start_matches(' ').starts_with('\t') => {
            Err("it is indented with tabs, which YAML does not take".to_owned())
        }
        ("", Some(line)) => Ok(Some(Block { key: start, end: start + 1 + length, indent: Some(indent_of(line)) })),
        ("" | "{}" | "null" | "~", None) => Ok(Some(Block { key: start, end: start + 1, indent: None })),
        _ => Err(format!("its `{key}` is not written as a block of lines")),
    }
}

fn is_remark(line: &str) -> bool {
    line.trim().is_empty() || line.trim_start().starts_with('#')
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

/// Whether a line begins the value of a key at this indentation.
fn is_key(line: &str, key: &str, indent: usize) -> bool {
    let Some(rest) = line.get(indent..).filter(|_| indent_of(line) == indent) else { return false };
    let rest = [key.to_owned(), format!("\"{key}\""), format!("'{key}'")]
        .iter()
        .find_map(|key| rest.strip_prefix(key.as_str()).map(str::trim_start));
    rest.and_then(|rest| rest.strip_prefix(':'))
        .is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\n', '\t']))
}

/// An entry as lines.
fn written(name: &str, entry: &Value, indent: usize) -> String {
    let mut text = format!("{}{name}:", " ".repeat(indent));
    write(&mut text, entry, indent);
    text
}

fn write(text: &mut String, value: &Value, indent: usize) {
    let deeper = " ".repeat(indent + 2);
    match value {
        Value::Object(map) if !map.is_empty() => {
            text.push('\n');
            for (key, value) in map {
                text.push_str(&format!("{deeper}{}:", plain(key)));
                write(text, value, indent + 2);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            text.push('\n');
            for item in items {
                // JSON is YAML, and no string is taken for a number or a date.
                text.push_str(&format!("{deeper}- {item}\n"));
            }
        }
        other => text.push_str(&format!(" {other}\n")),
    }
}

/// A key, in quotes unless it is a word.
fn plain(key: &str) -> String {
    let is_word = key.starts_with(|letter: char| letter.is_ascii_alphabetic())
        && key.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_' || letter == '-')
        && !["true", "false", "yes", "no", "on", "off", "null", "y", "n"].contains(&key.to_lowercase().as_str());
    if is_word { key.to_owned() } else { Value::from(key).to_string() }
}
