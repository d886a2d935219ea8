//! Answers for operations that have no state here, made from what the specs say of them.
//!
//! The same request gets the same answer: everything hangs on the operation, its arguments and the clock's
//! epoch. What the caller named comes back under the same name where the type fits.

#[cfg(test)]
mod tests;
mod text;

use serde_json::{Map, Value, json};

use crate::contract::{Contract, Found, Operation, Property, Response, Schema, misfit};
use crate::ids::mix;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::Request;
use crate::text::rfc3339;

/// The header by which a client knows such an answer.
pub(crate) const HEADER: &str = "x-sandbox-synthesized";

/// Lists have so many items.
const ITEMS: usize = 2;
/// Below this depth objects have their required fields only, and twice as deep nothing.
const DEPTH: usize = 5;
/// After so many values an answer is brought to its end.
const MOST_VALUES: usize = 3_000;
/// Fields that a plain success does not have.
const ABSENT: [&str; 6] =
    ["error", "error_code", "error_message", "next_page_token", "prev_page_token", "previous_page_token"];

/// The answer to a request for an operation; `epoch` is where the workspace's clock started.
pub(crate) fn answer(contract: &'static Contract, found: &Found, request: &Request, epoch: i64) -> Reply {
    let operation = found.operation;
    let reply = match &operation.response {
        Response::Empty => Reply::nothing(),
        Response::Bytes(media_type) => {
            Reply::bytes(media_type, format!("A synthesized answer of the sandbox to {}.\n", operation.id))
                .with_header("last-modified", crate::text::http_date(epoch))
        }
        Response::Json(schema) => Reply::json(json(contract, found, request, schema, epoch)),
    };
    reply.with_header(HEADER, "true")
}

fn json(contract: &'static Contract, found: &Found, request: &Request, schema: &Schema, epoch: i64) -> Value {
    let operation = found.operation;
    let mut echoes: Map<String, Value> = Map::new();
    let texts = found.path.iter().map(|(name, value)| (*name, value.as_str()));
    let queries = request.queries().iter().map(|(name, value)| (name.as_str(), value.as_str()));
    for (name, value) in texts.chain(queries) {
        echoes.insert(name.to_owned(), json!(value));
    }
    let named = echoes.clone();
    echoes.extend(request.fields().unwrap_or_default().0);
    let seed = hash(&operation.id, 0);
    let seed = echoes.iter().fold(seed, |seed, (name, value)| hash(&value.to_string(), hash(name, seed)));
    let mut maker = Maker { contract, echoes: &echoes, epoch, left: MOST_VALUES, path: Vec::new() };
    let mut value = maker.value(schema, "", seed, 0);
    if let Some(long_running) = &operation.long_running {
        finish(&mut value, &mut maker, &operation.id, long_running.response.as_ref(), seed);
    } else if value.get("done").is_some_and(Value::is_boolean) {
        // Somebody asks how a long-running operation is doing; its name says which one began it.
        let begun_by =
            value.at("name").as_str().and_then(|name| name.rsplit('/').next()).unwrap_or_default().to_owned();
        let begun = contract.operation(&begun_by);
        let response = begun.and_then(|operation| operation.long_running.as_ref()?.response.as_ref());
        finish(&mut value, &mut maker, &begun_by, response, seed);
    }
    if let Some(target) = &operation.target {
        set_at(&mut value, &target.path, json!(target.value));
    }
    end_paging(&mut value, operation, &named);
    value
}

/// Makes the value that of an operation that is over.
fn finish(value: &mut Value, maker: &mut Maker, begun_by: &str, response: Option<&Schema>, seed: u64) {
    value.set("done", true);
    let holder = maker.echoes.get("name").or_else(|| maker.echoes.get("parent")).and_then(Value::as_str);
    let name = match holder {
        Some(name) if name.contains("operations/") => name.to_owned(),
        Some(name) => format!("{name}/operations/{begun_by}"),
        None => format!("operations/{begun_by}"),
    };
    value.set("name", name);
    value.set("response", response.map_or(json!({}), |response| maker.value(response, "", seed, 0)));
}

fn set_at(value: &mut Value, path: &[String], new: Value) {
    let Some((last, above)) = path.split_last() else { return };
    let mut place = value;
    for name in above {
        let Some(members) = place.as_object_mut() else { return };
        place = members.entry(name.clone()).or_insert_with(|| json!({}));
    }
    place.set(last, new);
}

/// Takes the cursor out; a list whose cursor is a number is over after its first page.
fn end_paging(value: &mut Value, operation: &Operation, named: &Map<String, Value>) {
    let Some(pagination) = &operation.pagination else { return };
    if let (Some(field), Some(members)) = (&pagination.response, value.as_object_mut()) {
        members.remove(field);
        return;
    }
    let asked = pagination.request.as_ref().and_then(|name| named.get(name)?.as_str()?.parse::<u64>().ok());
    if let (Some(asked), Some(items)) = (asked, &pagination.items)
        && asked > pagination.start.max(1)
    {
        value.set(items, json!([]));
    }
}

/// FNV-1a, spread.
fn hash(text: &str, seed: u64) -> u64 {
    let folded = text
        .bytes()
        .fold(seed ^ 0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    mix(folded)
}

struct Maker<'a> {
    contract: &'a Contract,
    echoes: &'a Map<String, Value>,
    epoch: i64,
    left: usize,
    /// The references above, so that a cycle ends where it closes.
    path: Vec<usize>,
}

impl Maker<'_> {
    fn value(&mut self, schema: &Schema, name: &str, seed: u64, depth: usize) -> Value {
        self.left = self.left.saturating_sub(1);
        match schema {
            Schema::Reference(line) => {
                self.path.push(*line);
                let value = self.value(self.contract.resolve(schema), name, seed, depth);
                self.path.pop();
                value
            }
            Schema::Any => json!({}),
            Schema::Boolean => json!(text::flag(name, seed)),
            Schema::Integer => json!(seed % 10 + 1),
            Schema::Wide => json!(text::number(name, seed, self.epoch)),
            Schema::Number => json!(f64::from(u32::try_from(seed % 1000).unwrap_or_default()) / 10.0),
            Schema::Text => json!(text::text(name, seed, self.epoch)),
            Schema::Formatted(format) => match format.as_str() {
                "date-time" => json!(rfc3339(text::instant(name, seed, self.epoch))),
                "duration" => json!(format!("{}s", seed % 600 + 1)),
                "field-mask" => json!("name"),
                "binary" | "byte" => json!("c2FuZGJveA=="),
                _ => json!(text::text(name, seed, self.epoch)),
            },
            Schema::Enum(values) => json!(text::listed(name, values, seed)),
            Schema::Array(items) => self.list(items, name, seed, depth),
            Schema::Map(values) => {
                if self.is_enough(depth) || self.closes_cycle(values) {
                    return json!({});
                }
                json!({"key": self.value(values, "value", hash("key", seed), depth + 1)})
            }
            Schema::Object(properties) => self.object(properties, seed, depth),
        }
    }

    fn list(&mut self, items: &Schema, name: &str, seed: u64, depth: usize) -> Value {
        if self.is_enough(depth) || self.closes_cycle(items) {
            return json!([]);
        }
        let items = (0..ITEMS).map(|at| self.value(items, name, mix(seed.wrapping_add(at as u64)), depth + 1));
        Value::Array(items.collect())
    }

    fn object(&mut self, properties: &[Property], seed: u64, depth: usize) -> Value {
        let mut object = Map::new();
        for Property(name, required, schema) in properties {
            let is_cut = self.is_enough(depth) || self.closes_cycle(schema) || ABSENT.contains(&name.as_str());
            if *required == 0 && is_cut || depth > 2 * DEPTH {
                continue;
            }
            let value = match self.echo(schema, name) {
                Some(echo) => echo,
                None => self.value(schema, name, hash(name, seed), depth + 1),
            };
            object.insert(name.clone(), value);
        }
        Value::Object(object)
    }

    /// What the caller gave under this name, if it is of the type: numbers and flags of the query as such.
    fn echo(&self, schema: &Schema, name: &str) -> Option<Value> {
        let given = self.echoes.get(name).filter(|given| !given.is_null())?;
        let parsed = given.as_str().and_then(|text| serde_json::from_str(text).ok());
        let schema = self.contract.resolve(schema);
        let wants_text = matches!(schema, Schema::Text | Schema::Formatted(_) | Schema::Enum(_));
        let given = if wants_text { given.clone() } else { parsed.unwrap_or_else(|| given.clone()) };
        misfit(self.contract, schema, &given, name, true).is_none().then_some(given)
    }

    fn is_enough(&self, depth: usize) -> bool {
        depth >= DEPTH || self.left == 0
    }

    fn closes_cycle(&self, schema: &Schema) -> bool {
        match schema {
            Schema::Reference(line) => self.path.contains(line),
            Schema::Array(inner) | Schema::Map(inner) => self.closes_cycle(inner),
            _ => false,
        }
    }
}
