//! What the areas of Unity Catalog share: names, common fields, pages.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::error::ApiError;
use crate::page;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::Outcome;
use crate::workspace::catalog::{Catalog, Name, Node};
use crate::workspace::{USER, Workspace, lock};

pub(crate) const METASTORE: &str = "5f1c0a9e-2b7d-4e61-8a34-6d90c1b2e3f4";

/// What a page of the catalog holds at most.
const PAGE: usize = 100;

/// `catalog.schema.name`, in lower case.
pub(crate) fn name(full_name: &str) -> Result<Name, ApiError> {
    let parts: Vec<_> = full_name.split('.').map(str::to_lowercase).collect();
    <Name>::try_from(parts)
        .map_err(|_| ApiError::invalid_parameter(format!("'{full_name}' is not a name of three parts")))
}

/// A name given as parts of a body, checked to be usable.
pub(crate) fn plain(name: &str) -> Result<String, ApiError> {
    let bad = name.is_empty()
        || name.len() > 255
        || name.chars().any(|letter| matches!(letter, '.' | '/' | ' ') || letter.is_control());
    if bad {
        Err(ApiError::invalid_parameter(format!("Invalid input: '{name}' is not a valid name")))
    } else {
        Ok(name.to_lowercase())
    }
}

/// The fields that every securable shows.
pub(crate) fn common(node: &Node) -> Map<String, Value> {
    let mut fields = node.extra.clone();
    fields.insert("metastore_id".to_owned(), json!(METASTORE));
    fields.insert("owner".to_owned(), json!(node.owner));
    if let Some(comment) = &node.comment {
        fields.insert("comment".to_owned(), json!(comment));
    }
    if !node.properties.is_empty() {
        fields.insert("properties".to_owned(), json!(node.properties));
    }
    fields.insert("created_at".to_owned(), json!(node.created_at));
    fields.insert("created_by".to_owned(), json!(node.owner));
    fields.insert("updated_at".to_owned(), json!(node.updated_at));
    fields.insert("updated_by".to_owned(), json!(node.owner));
    fields
}

/// The fields of something in a schema.
pub(crate) fn in_schema([catalog, schema, name]: &Name, node: &Node) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("name".to_owned(), json!(name));
    fields.insert("catalog_name".to_owned(), json!(catalog));
    fields.insert("schema_name".to_owned(), json!(schema));
    fields.insert("full_name".to_owned(), json!(format!("{catalog}.{schema}.{name}")));
    fields.extend(common(node));
    fields
}

/// Answers a page of a list. Without `max_results` there is one page of everything, as in the API.
pub(crate) fn answer(field: &str, items: Vec<Value>, request: &Request) -> Outcome {
    let size = match request.query_integer("max_results")? {
        None if request.query("page_token").is_none() => usize::MAX / 2,
        asked => page::size(asked, PAGE, PAGE)?,
    };
    page::told(field, items, size, request.query("page_token"))
}

/// A kind of securable in a schema that is all node: volumes, functions, models.
pub(crate) struct InSchema {
    /// As errors name it.
    pub(crate) what: &'static str,
    /// As lists name several.
    pub(crate) list: &'static str,
    pub(crate) nodes: fn(&mut Catalog) -> &mut BTreeMap<Name, Node>,
    pub(crate) json: fn(&Name, &Node) -> Value,
}

impl InSchema {
    fn missing(&self, name: &Name) -> ApiError {
        missing(self.what, &name.join("."))
    }

    /// The securables of the schema that the query names.
    pub(crate) fn list(&self, workspace: &Workspace, request: &Request) -> Outcome {
        let c = request.required_query("catalog_name")?.to_lowercase();
        let s = request.required_query("schema_name")?.to_lowercase();
        let mut catalog = lock(&workspace.catalog);
        if !catalog.has_schema(&c, &s) {
            return Err(missing("Schema", &format!("{c}.{s}")));
        }
        let inside = (self.nodes)(&mut catalog).iter().filter(|([a, b, _], _)| *a == c && *b == s);
        answer(self.list, inside.map(|(name, node)| (self.json)(name, node)).collect(), request)
    }

    pub(crate) fn get(&self, workspace: &Workspace, full_name: &str) -> Result<Value, ApiError> {
        let name = name(full_name)?;
        let mut catalog = lock(&workspace.catalog);
        let node = (self.nodes)(&mut catalog).get(&name).ok_or_else(|| self.missing(&name))?;
        Ok((self.json)(&name, node))
    }

    /// Makes a securable of a body, which names it and its schema; `kept` are fields to show as they came.
    pub(crate) fn create(&self, workspace: &Workspace, fields: &Fields, kept: &[&str]) -> Outcome {
        let part = |field| plain(fields.required_text(field)?);
        let name = [part("catalog_name")?, part("schema_name")?, part("name")?];
        let mut node = node(workspace, fields)?;
        keep(&mut node, fields, kept);
        let mut catalog = lock(&workspace.catalog);
        let [c, s, _] = &name;
        if !catalog.has_schema(c, s) {
            return Err(missing("Schema", &format!("{c}.{s}")));
        }
        let nodes = (self.nodes)(&mut catalog);
        if nodes.contains_key(&name) {
            return Err(exists(self.what, &name.join(".")));
        }
        let reply = (self.json)(&name, &node);
        nodes.insert(name, node);
        Ok(Reply::json(reply))
    }

    /// Changes comment, owner and name as a body says, and what else `more` does.
    pub(crate) fn update(
        &self,
        workspace: &Workspace,
        full_name: &str,
        fields: &Fields,
        more: impl FnOnce(&mut Node) -> Result<(), ApiError>,
    ) -> Outcome {
        let mut name = name(full_name)?;
        let mut catalog = lock(&workspace.catalog);
        let nodes = (self.nodes)(&mut catalog);
        let mut node = nodes.get(&name).cloned().ok_or_else(|| self.missing(&name))?;
        change(&mut node, fields)?;
        more(&mut node)?;
        node.updated_at = workspace.clock.now();
        if let Some(other) = fields.text("new_name")? {
            let other = [name[0].clone(), name[1].clone(), plain(other)?];
            if other != name && nodes.contains_key(&other) {
                return Err(exists(self.what, &other.join(".")));
            }
            nodes.remove(&name);
            name = other;
        }
        let reply = (self.json)(&name, &node);
        nodes.insert(name, node);
        Ok(Reply::json(reply))
    }

    pub(crate) fn delete(&self, workspace: &Workspace, full_name: &str) -> Result<Name, ApiError> {
        let name = name(full_name)?;
        let mut catalog = lock(&workspace.catalog);
        match (self.nodes)(&mut catalog).remove(&name) {
            Some(_) => Ok(name),
            None => Err(self.missing(&name)),
        }
    }
}

/// A new securable with what its body says.
pub(crate) fn node(workspace: &Workspace, fields: &Fields) -> Result<Node, ApiError> {
    let now = workspace.clock.now();
    Ok(Node {
        id: workspace.ids.uuid(),
        owner: USER.to_owned(),
        comment: fields.text("comment")?.map(str::to_owned),
        properties: fields.get("properties").and_then(Value::as_object).map(texts).unwrap_or_default(),
        created_at: now,
        updated_at: now,
        extra: Map::new(),
    })
}

/// Changes what every securable lets change.
pub(crate) fn change(node: &mut Node, fields: &Fields) -> Result<(), ApiError> {
    if let Some(comment) = fields.text("comment")? {
        node.comment = Some(comment.to_owned());
    }
    if let Some(owner) = fields.text("owner")? {
        node.owner = owner.to_owned();
    }
    if let Some(properties) = fields.object("properties")? {
        node.properties = texts(properties);
    }
    Ok(())
}

fn texts(members: &Map<String, Value>) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    members.iter().map(|(key, value)| (key.clone(), text(value))).collect()
}

/// Keeps fields of a body, to show them as they came.
pub(crate) fn keep(node: &mut Node, fields: &Fields, names: &[&str]) {
    let given = names.iter().filter_map(|name| Some(((*name).to_owned(), fields.get(name)?.clone())));
    node.extra.extend(given);
}

/// Rows lie under the full names of their tables, and texts of views name them.
pub(crate) fn not_renamed(what: &str, name: &str) -> ApiError {
    ApiError::invalid_state(format!("{what} '{name}' is not empty: the sandbox renames what holds nothing"))
}

pub(crate) fn missing(what: &str, name: &str) -> ApiError {
    let reason = format!("{}_DOES_NOT_EXIST", what.to_uppercase());
    ApiError::new(404, &reason, format!("{} '{name}' does not exist.", what.replace('_', " ")))
}

pub(crate) fn exists(what: &str, name: &str) -> ApiError {
    let reason = format!("{}_ALREADY_EXISTS", what.to_uppercase());
    ApiError::new(409, &reason, format!("{} '{name}' already exists", what.replace('_', " ")))
}

pub(crate) fn not_empty(what: &str, name: &str) -> ApiError {
    ApiError::invalid_state(format!(
        "{what} '{name}' is not empty. The {} has objects in it; use force to delete them all",
        what.to_lowercase()
    ))
}
