//! JSON with comments and trailing commas.

use jsonc_parser::ast::{self, Object, ObjectProp};
use jsonc_parser::common::Ranged as _;
use jsonc_parser::cst::{CstObject, CstRootNode};
use jsonc_parser::tokens::{Token, TokenAndRange};
use jsonc_parser::{CollectOptions, CommentCollectionStrategy, ParseOptions, parse_to_ast};
use serde_json::{Map, Value};

use super::Spot;

/// What is taken besides JSON: comments and trailing commas, which editors write.
const OPTIONS: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};

pub(super) fn value(text: &str) -> Result<Value, String> {
    let root = CstRootNode::parse(text, &OPTIONS).map_err(|error| fault(text, error.range().start, error.kind()))?;
    match root.value() {
        Some(value) => value.to_serde_value().ok_or_else(|| "it holds a value that is no JSON".to_owned()),
        None => Ok(Value::Null),
    }
}

/// An error by its place and kind, as its text quotes the file.
fn fault(text: &str, at: usize, kind: &impl ToString) -> String {
    let before = text.get(..at).unwrap_or_default();
    let column = before.chars().rev().take_while(|letter| *letter != '\n').count() + 1;
    format!("line {}, column {column}: {}", before.matches('\n').count() + 1, kind.to_string().to_lowercase())
}

pub(super) fn insert(text: &str, spot: Spot<'_>, entry: &Value) -> Result<String, String> {
    let collect = CollectOptions { comments: CommentCollectionStrategy::AsTokens, tokens: true };
    let parsed = parse_to_ast(text, &collect, &OPTIONS).map_err(|error| error.to_string())?;
    let tokens = parsed.tokens.unwrap_or_default();
    let Some(ast::Value::Object(root)) = parsed.value else {
        // Nothing but blanks and comments, which stay above.
        let whole = serde_json::to_string_pretty(&nested(spot.servers, spot.name, entry)).map_err(|e| e.to_string())?;
        let gap = if text.is_empty() || text.ends_with('\n') { "" } else { "\n" };
        return Ok(format!("{text}{gap}{whole}\n"));
    };
    let (mut object, mut missing) = (&root, spot.servers);
    let mut null = None;
    while let Some((key, rest)) = missing.split_first() {
        match object.properties.iter().find(|property| property.name.as_str() == *key) {
            Some(ObjectProp { value: ast::Value::Object(inner), .. }) => (object, missing) = (inner, rest),
            Some(ObjectProp { value: ast::Value::NullKeyword(keyword), .. }) => {
                null = Some(keyword.range);
                missing = rest;
                break;
            }
            Some(_) => return Err(format!("its `{key}` is no map")),
            None => break,
        }
    }
    let style = Style::of(text, &root);
    if let Some(range) = null {
        let value = style.written(&nested(missing, spot.name, entry), &line_indent(text, range.start))?;
        return Ok([before(text, range.start), &value, after(text, range.end)].concat());
    }
    let (name, value) = match missing.split_first() {
        Some((key, rest)) => (*key, nested(rest, spot.name, entry)),
        None => (spot.name, entry.clone()),
    };
    Place { text, tokens: &tokens, object, style: &style }.with(name, &value)
}

/// The entry within the maps that are missing.
fn nested(keys: &[&str], name: &str, entry: &Value) -> Value {
    let inner = Value::Object(Map::from_iter([(name.to_owned(), entry.clone())]));
    keys.iter().rev().fold(inner, |inner, key| Value::Object(Map::from_iter([((*key).to_owned(), inner)])))
}

/// How the file is written.
struct Style {
    /// One step to the right.
    step: String,
    /// Everything on one line, maybe without blanks.
    one_line: bool,
    compact: bool,
}

impl Style {
    fn of(text: &str, root: &Object<'_>) -> Self {
        let first = root.properties.first();
        let indents = first.is_some_and(|property| !before_on_line(text, property.range.start).contains('{'));
        let step = first.filter(|_| indents).map(|property| line_indent(text, property.range.start));
        let outer = line_indent(text, root.range.start);
        let step = step.and_then(|step| step.strip_prefix(&outer).map(str::to_owned)).filter(|step| !step.is_empty());
        let whole = text.get(root.range.start..root.range.end).unwrap_or_default();
        Self {
            step: step.unwrap_or_else(|| "  ".to_owned()),
            one_line: first.is_some() && !whole.contains('\n'),
            compact: first.is_some_and(|property| !after(text, property.name.range().end).starts_with([' ', '\t']))
                && first.is_some_and(|property| {
                    after(text, property.name.range().end).starts_with(":\"")
                        || after(text, property.name.range().end).starts_with(":{")
                }),
        }
    }

    /// A value as it stands at this indentation.
    fn written(&self, value: &Value, indent: &str) -> Result<String, String> {
        if self.one_line {
            return Ok(if self.compact { value.to_string() } else { spaced(value) });
        }
        let mut text = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(self.step.as_bytes());
        let mut serializer = serde_json::Serializer::with_formatter(&mut text, formatter);
        serde::Serialize::serialize(value, &mut serializer).map_err(|error| error.to_string())?;
        let text = String::from_utf8(text).map_err(|error| error.to_string())?;
        Ok(text.replace('\n', &format!("\n{indent}")))
    }
}

/// A value on one line, with blanks after commas and colons.
fn spaced(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let parts: Vec<_> =
                map.iter().map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), spaced(value))).collect();
            if parts.is_empty() { "{}".to_owned() } else { format!("{{ {} }}", parts.join(", ")) }
        }
        Value::Array(items) => format!("[{}]", items.iter().map(spaced).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// The object that gets a property.
struct Place<'a> {
    text: &'a str,
    tokens: &'a [TokenAndRange<'a>],
    object: &'a Object<'a>,
    style: &'a Style,
}

impl Place<'_> {
    fn with(&self, name: &str, value: &Value) -> Result<String, String> {
        let Self { text, object, style, .. } = self;
        let range = object.range;
        let inside = text.get(range.start + 1..range.end.saturating_sub(1)).unwrap_or_default();
        let colon = if style.one_line && style.compact { ":" } else { ": " };
        let property =
            |indent: &str| Ok::<_, String>(format!("{}{colon}{}", Value::from(name), style.written(value, indent)?));
        let Some(last) = object.properties.last() else {
            let outer = line_indent(text, range.start);
            if style.one_line {
                let blank = if style.compact { "" } else { " " };
                return Ok(format!(
                    "{}{blank}{}{blank}{}",
                    before(text, range.start + 1),
                    property("")?,
                    after(text, range.end - 1)
                ));
            }
            let indent = format!("{outer}{}", style.step);
            // Comments stay above what is new.
            let kept = inside.trim_end();
            return Ok(format!(
                "{}{kept}\n{indent}{}\n{outer}{}",
                before(text, range.start + 1),
                property(&indent)?,
                after(text, range.end - 1)
            ));
        };
        let ends = last.range.end;
        let comma = self.token_after(ends).filter(|(_, end)| before(text, *end).ends_with(','));
        if !inside.contains('\n') {
            let gap = if style.compact { "" } else { " " };
            return Ok(match comma {
                Some((_, end)) => {
                    format!("{}{gap}{},{}", before(text, end), self.in_line(name, value)?, after(text, end))
                }
                None => format!("{},{gap}{}{}", before(text, ends), self.in_line(name, value)?, after(text, ends)),
            });
        }
        let indent = line_indent(text, last.range.start);
        // A comment on the line of the last property belongs to it.
        let behind = comma.map_or(ends, |(_, end)| end);
        let end_of_line = self.end_of_line(behind);
        let (first, second) = match comma {
            Some(_) => (String::new(), ","),
            None => (",".to_owned(), ""),
        };
        Ok(format!(
            "{}{first}{}\n{indent}{}{second}{}",
            before(text, behind),
            text.get(behind..end_of_line).unwrap_or_default(),
            property(&indent)?,
            after(text, end_of_line)
        ))
    }

    /// The property for an object that is on one line in a file that is not.
    fn in_line(&self, name: &str, value: &Value) -> Result<String, String> {
        let style = Style { step: self.style.step.clone(), one_line: true, compact: self.style.compact };
        let colon = if style.compact { ":" } else { ": " };
        Ok(format!("{}{colon}{}", Value::from(name), style.written(value, "")?))
    }

    /// The first token from here on that is no comment.
    fn token_after(&self, at: usize) -> Option<(usize, usize)> {
        let is_comment = |token: &Token<'_>| matches!(token, Token::CommentLine(_) | Token::CommentBlock(_));
        let token = self.tokens.iter().find(|token| token.range.start >= at && !is_comment(&token.token))?;
        Some((token.range.start, token.range.end))
    }

    /// Where the comments on this line end.
    fn end_of_line(&self, at: usize) -> usize {
        let comments = self.tokens.iter().filter(|token| token.range.start >= at);
        let comments =
            comments.take_while(|token| matches!(token.token, Token::CommentLine(_) | Token::CommentBlock(_)));
        let mut end = at;
        for comment in comments {
            if self.text.get(end..comment.range.start).is_none_or(|gap| gap.contains('\n')) {
                break;
            }
            end = comment.range.end;
        }
        end
    }
}

fn before(text: &str, at: usize) -> &str {
    text.get(..at).unwrap_or_default()
}

fn after(text: &str, at: usize) -> &str {
    text.get(at..).unwrap_or_default()
}

fn before_on_line(text: &str, at: usize) -> &str {
    before(text, at).rsplit('\n').next().unwrap_or_default()
}

/// The blanks at the start of the line of this place.
fn line_indent(text: &str, at: usize) -> String {
    before_on_line(text, at).chars().take_while(|letter| matches!(letter, ' ' | '\t')).collect()
}

pub(super) fn replace(text: &str, spot: Spot<'_>, entry: &Value) -> Result<String, String> {
    let parsed = parse_to_ast(text, &CollectOptions::default(), &OPTIONS).map_err(|error| error.to_string())?;
    let gone = || "the entry is not there".to_owned();
    let Some(ast::Value::Object(root)) = &parsed.value else { return Err(gone()) };
    let inner = spot.servers.iter().try_fold(root, |object, key| object.get_object(key)).ok_or_else(gone)?;
    let property = inner.get(spot.name).ok_or_else(gone)?;
    let range = property.value.range();
    let mut style = Style::of(text, root);
    style.one_line |= !text.get(inner.range.start..inner.range.end).unwrap_or_default().contains('\n');
    let value = style.written(entry, &line_indent(text, property.range.start))?;
    Ok([before(text, range.start), &value, after(text, range.end)].concat())
}

pub(super) fn remove(text: &str, spot: Spot<'_>, made: usize) -> Result<String, String> {
    let root = CstRootNode::parse(text, &OPTIONS).map_err(|error| error.to_string())?;
    let gone = || "the entry is not there".to_owned();
    let object = |keys: &[&str]| -> Option<CstObject> {
        keys.iter().try_fold(root.object_value()?, |object, key| object.object_value(key))
    };
    let depths = super::emptied(&root.to_serde_value().unwrap_or_default(), spot, made);
    let (keys, name) = match depths.last().and_then(|depth| spot.servers.get(..*depth)?.split_last()) {
        Some((last, outer)) => (outer, *last),
        None => (spot.servers, spot.name),
    };
    object(keys).and_then(|object| object.get(name)).ok_or_else(gone)?.remove();
    Ok(root.to_string())
}
