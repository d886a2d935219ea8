//! Which fields of an answer a model gets: the usual ones, or those that the caller names.

use databricks::Projection;
use serde_json::Value;

use crate::arguments::meant;
use crate::error::Error;
use crate::shape::{exact, units};

/// Each name is looked for in every item.
const MOST_NAMED: usize = 100;
/// So many items are looked at for the names that there are.
const MOST_SEEN: usize = 20;
/// Names of fields are known down to this depth.
const DEPTH: usize = 3;
/// An error shows so many names of fields.
const MOST_SHOWN: usize = 20;

/// The fields that are shown.
#[derive(Debug)]
pub(crate) struct Fields {
    /// Paths that the caller names; their numbers stay as the API gives them.
    named: Vec<String>,
    /// What is shown, by the names of a readable answer and those of the API.
    shown: Projection,
    /// The paths of the usual fields.
    usual: &'static [&'static str],
    /// Paths of the caller that nothing had so far.
    missing: Vec<String>,
    /// Paths that there are.
    known: Vec<String>,
    seen: usize,
}

impl Fields {
    /// The fields that the caller names, or the usual ones where there are none; no usual ones are all.
    pub(crate) fn new(usual: &'static [&'static str], named: Vec<String>) -> Result<Self, Error> {
        if named.len() > MOST_NAMED {
            let message = format!("`fields` has {} names, and at most {MOST_NAMED} are allowed", named.len());
            return Err(Error::failed(message).with_hint("pass `[\"*\"]` for all fields"));
        }
        let readable = || usual.iter().flat_map(|path| [(*path).to_owned(), units::readable_path(path)]);
        let paths: Vec<String> = if named.is_empty() { readable().collect() } else { named.clone() };
        let shown = match paths.is_empty() {
            true => Projection::whole(),
            false => Projection::of(paths.iter().map(String::as_str)),
        };
        let missing = named.iter().filter(|path| *path != "*").cloned().collect();
        Ok(Self { known: readable().collect(), named, shown, usual, missing, seen: 0 })
    }

    /// What has to be read of an object to show it, with the fields that are looked at besides. Where the caller names
    /// fields it is everything: only then it shows which other names there are.
    pub(crate) fn reading(&self, besides: impl IntoIterator<Item = &'static str>) -> Projection {
        if self.is_chosen() || self.usual.is_empty() {
            return Projection::whole();
        }
        Projection::of(self.usual.iter().copied().chain(besides))
    }

    /// Whether the caller names this field, or all.
    pub(crate) fn names(&self, field: &str) -> bool {
        self.named.iter().any(|path| path == "*" || path.split('.').next() == Some(field))
    }

    /// Whether the caller names any.
    pub(crate) fn is_chosen(&self) -> bool {
        !self.named.is_empty()
    }

    /// An object of the API as it is shown.
    pub(crate) fn of(&mut self, mut object: Value) -> Value {
        units::make_readable(&mut object, &self.named);
        if !self.missing.is_empty() {
            self.missing.retain(|path| !has(&object, path));
            if self.seen < MOST_SEEN {
                collect(&object, "", DEPTH, &mut self.known);
            }
        }
        self.seen += 1;
        self.shown.cut(&mut object);
        exact(&mut object);
        object
    }

    /// What to say of names that nothing has, if anything was there to have them.
    pub(crate) fn unknown(&self) -> Option<String> {
        if self.missing.is_empty() || self.seen == 0 {
            return None;
        }
        let mut known: Vec<&str> = self.known.iter().map(String::as_str).collect();
        known.sort_unstable();
        known.dedup();
        let one = |path: &String| match meant(path, &known) {
            Some(meant) => format!("`{path}` (did you mean `{meant}`?)"),
            None => format!("`{path}`"),
        };
        let missing: Vec<_> = self.missing.iter().map(one).collect();
        let top: Vec<_> = known.iter().copied().filter(|path| !path.contains('.')).take(MOST_SHOWN).collect();
        Some(format!("nothing here has the field {}; there are: {}", missing.join(", "), top.join(", ")))
    }
}

/// Whether a dotted path leads somewhere, through lists too.
fn has(value: &Value, path: &str) -> bool {
    match value {
        Value::Array(items) => items.iter().any(|item| has(item, path)),
        Value::Object(fields) => fields.iter().any(|(name, field)| {
            let rest = path.strip_prefix(name.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.strip_prefix('.').is_some_and(|rest| has(field, rest)))
        }),
        _ => false,
    }
}

/// The dotted paths of a value.
fn collect(value: &Value, path: &str, depth: usize, known: &mut Vec<String>) {
    match value {
        Value::Array(items) => items.iter().take(1).for_each(|item| collect(item, path, depth, known)),
        Value::Object(fields) if depth > 0 => {
            for (name, field) in fields {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                collect(field, &path, depth - 1, known);
                if !known.contains(&path) {
                    known.push(path);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Fields;

    fn job() -> Value {
        json!({ "job_id": 7, "created_time": 1_772_258_400_000_i64, "settings": { "name": "load", "tags": {} } })
    }

    fn named(paths: &[&str]) -> Fields {
        Fields::new(&["job_id", "settings.name"], paths.iter().map(|path| (*path).to_owned()).collect())
            .expect("few names")
    }

    #[test]
    fn the_usual_fields_or_those_that_are_named() {
        assert_eq!(named(&[]).of(job()), json!({ "job_id": 7, "settings": { "name": "load" } }));
        assert_eq!(named(&["job_id"]).of(job()), json!({ "job_id": 7 }));
        assert_eq!(named(&["*"]).of(job())["created_time"], "2026-02-28T06:00:00Z");
        assert_eq!(named(&["created_time"]).of(job()), json!({ "created_time": 1_772_258_400_000_i64 }));
        assert_eq!(fields(&[]).of(job())["settings"]["name"], "load");
    }

    #[test]
    fn what_is_not_read_is_not_shown_either() {
        let usual =
            &["id", "start_time", "run_duration", "tasks.attempt_number", "query_end_time_ms", "tags", "none.here"];
        let run = json!({
            "id": 9_007_199_254_740_993_u64, "start_time": 1_772_258_400_000_i64, "run_duration": 5, "tags": {}, "x": { "y": 1 },
            "tasks": [{ "attempt_number": 0, "key": "a" }, null], "query_end_time_ms": "1772258400000", "none": { "there": 1 },
        });
        let mut read = run.clone();
        fields(usual).reading(["besides"]).cut(&mut read);
        assert!(read.get("x").is_none() && read["tasks"][0].get("key").is_none(), "{read}");
        assert_eq!(fields(usual).of(read), fields(usual).of(run));
        // A caller who names fields hears which others there are, so all are read.
        assert!(named(&["job_id"]).reading([]).is_whole() && fields(&[]).reading([]).is_whole());
    }

    fn fields(usual: &'static [&'static str]) -> Fields {
        Fields::new(usual, Vec::new()).expect("no names")
    }

    #[test]
    fn more_names_than_anybody_needs_are_refused() {
        let names = |count| vec!["a".to_owned(); count];
        assert!(Fields::new(&[], names(100)).is_ok());
        let error = Fields::new(&[], names(101)).expect_err("too many").to_string();
        assert!(error.contains("101 names, and at most 100"), "{error}");
    }

    #[test]
    fn a_name_that_nothing_has_is_told_with_the_nearest() {
        let mut fields = named(&["jobid", "name", "settings.tags"]);
        assert_eq!(fields.unknown(), None, "nothing was there to have it");
        assert_eq!(fields.of(job()), json!({ "settings": { "tags": {} } }));
        let told = fields.unknown().expect("unknown names");
        assert!(told.contains("`jobid` (did you mean `job_id`?)"), "{told}");
        assert!(told.contains("`name` (did you mean `settings.name`?)"), "{told}");
        assert!(!told.contains("`settings.tags`"), "{told}");
    }
}
