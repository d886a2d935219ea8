//! What the specs say: every operation and schema of the OpenAPI documents, as one value.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use openapiv3::OpenAPI;
use serde_json::Value;

mod read;

/// The API: operations by id, schemas by qualified name (`compute.ClusterDetails`).
#[derive(Debug, Clone, Default)]
pub struct Api {
    /// Operations by id (`compute.clusters.get`).
    pub operations: BTreeMap<String, Operation>,
    /// Named schemas by package and name (`compute.ClusterDetails`).
    pub schemas: BTreeMap<String, Schema>,
    /// The documents as read, by package: what progenitor is given.
    pub documents: BTreeMap<String, OpenAPI>,
}

/// One operation of the API.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// `<package>.<service>.<method>`.
    pub id: String,
    /// HTTP method in upper case.
    pub method: String,
    /// Path template, without the fragment that keeps equal templates apart in a document.
    pub path: String,
    /// Path and query parameters, and the top-level properties of an object body.
    pub parameters: Vec<Parameter>,
    /// What the request carries.
    pub body: Body,
    /// What a success carries.
    pub response: Response,
    /// How a list is continued.
    pub pagination: Option<Pagination>,
    /// Whether the workspace routing header is sent.
    pub workspace_routing: bool,
    /// Whether it is an account-level operation.
    pub accounts: bool,
    /// Whether the API marks it as deprecated.
    pub deprecated: bool,
}

impl Operation {
    /// The package: the first part of the id.
    pub fn package(&self) -> &str {
        self.id.split('.').next().unwrap_or_default()
    }

    /// The parameter of a key of the allowlist: its wire name; `body.name` for a property of the body that
    /// shares its name with a path or query parameter.
    pub fn parameter(&self, key: &str) -> Option<&Parameter> {
        self.parameters.iter().find(|parameter| self.key(parameter) == key)
    }

    /// The key of a parameter in the allowlist.
    pub fn key(&self, parameter: &Parameter) -> String {
        let is_shared = parameter.location == Location::Body
            && self.parameters.iter().any(|other| other.location != Location::Body && other.name == parameter.name);
        if is_shared { format!("body.{}", parameter.name) } else { parameter.name.clone() }
    }
}

/// One value that a request carries.
#[derive(Debug, Clone, PartialEq)]
pub struct Parameter {
    /// Name on the wire.
    pub name: String,
    /// Where it goes.
    pub location: Location,
    /// Whether the API requires it.
    pub required: bool,
    /// Its type.
    pub schema: Schema,
    /// Path: slashes are part of the value.
    pub multi_segment: bool,
    /// Path: how the value is built, such as `memory-stores/{managed_memory_store_id}`.
    pub resource_name: Option<String>,
    /// Query: an object whose fields are sent as `name.field`.
    pub flatten: bool,
    /// The client generates a UUID when the caller gives none.
    pub auto_uuid: bool,
    /// The value comes from the client's configuration.
    pub from_config: bool,
    /// Sent when the caller gives none.
    pub preset: Option<Value>,
}

/// Where a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Location {
    /// Into the path.
    Path,
    /// Into the query.
    Query,
    /// A top-level property of the JSON body.
    Body,
}

/// What a request carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Body {
    /// Nothing.
    None,
    /// A JSON object; its properties are parameters.
    Object,
    /// JSON that is not an object with known properties.
    Other(Schema),
    /// Bytes.
    Binary,
}

/// What a success carries.
#[derive(Debug, Clone, PartialEq)]
pub enum Response {
    /// Nothing.
    Empty,
    /// JSON.
    Json(Schema),
    /// Text of that media type.
    Text(String),
    /// Bytes of that media type.
    Binary(String),
}

/// How a list is continued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pagination {
    /// `token`, `offset`, `page`, `scim` or `none`.
    pub style: String,
    /// Whether the cursor goes into the body instead of the query.
    pub in_body: bool,
    /// Response field that holds the items; absent where the response is the list.
    pub items: Option<String>,
    /// Request parameter of the cursor.
    pub request: Option<String>,
    /// Response field of the cursor.
    pub response: Option<String>,
    /// First offset or page.
    pub start: u64,
    /// Request parameter of the page size.
    pub count: Option<String>,
}

/// A type.
#[derive(Debug, Clone, PartialEq)]
pub enum Schema {
    /// Any JSON value.
    Any,
    /// `true` or `false`.
    Boolean,
    /// A whole number; `wide` when it may exceed 32 bits.
    Integer {
        /// Whether it is, or may be, an int64.
        wide: bool,
    },
    /// A number.
    Number,
    /// Text, with the OpenAPI format where there is one (`date-time`, `duration`, `field-mask`, `binary`).
    String(Option<String>),
    /// One of some texts.
    Enum(Vec<String>),
    /// A list.
    Array(Box<Schema>),
    /// A map from text.
    Map(Box<Schema>),
    /// An object with known properties.
    Object(Vec<Property>),
    /// A named schema, qualified (`compute.ClusterDetails`).
    Reference(String),
}

/// A property of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    /// Name on the wire.
    pub name: String,
    /// Whether the API requires it.
    pub required: bool,
    /// Its type.
    pub schema: Schema,
    /// The client generates a UUID when the caller gives none.
    pub auto_uuid: bool,
}

impl Api {
    /// Reads every OpenAPI document of a directory. `source.json` is not one.
    pub fn load(directory: &Path) -> Result<Self> {
        let entries = std::fs::read_dir(directory).with_context(|| format!("cannot read `{}`", directory.display()))?;
        let mut documents = BTreeMap::new();
        for entry in entries {
            let path = entry?.path();
            let package = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
            if path.extension().is_some_and(|extension| extension == "json") && package != "source" {
                let text =
                    std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
                documents.insert(package, text);
            }
        }
        Self::parse(documents).with_context(|| format!("in the specs of `{}`", directory.display()))
    }

    /// Parses OpenAPI documents: pairs of a package name and JSON text.
    pub fn parse<S: AsRef<str>>(documents: impl IntoIterator<Item = (S, S)>) -> Result<Self> {
        let mut api = Self::default();
        for (package, text) in documents {
            let (package, text) = (package.as_ref(), text.as_ref());
            let document: OpenAPI = serde_json::from_str(text)
                .with_context(|| format!("`{package}.json` is not an OpenAPI 3.0 document"))?;
            for (name, schema) in document.components.iter().flat_map(|components| &components.schemas) {
                let schema =
                    read::schema(package, schema).with_context(|| format!("in `{package}.json`, schema `{name}`"))?;
                api.schemas.insert(format!("{package}.{name}"), schema);
            }
            api.documents.insert(package.to_owned(), document);
        }
        let mut operations = BTreeMap::new();
        for (package, document) in &api.documents {
            for (path, method, operation) in document.operations() {
                let operation = read::operation(&api, package, path, method, operation)
                    .with_context(|| format!("in `{package}.json`, {} {path}", method.to_uppercase()))?;
                if let Some(twin) = operations.insert(operation.id.clone(), operation) {
                    bail!("`{package}.json` has two operations `{}`", twin.id);
                }
            }
        }
        ensure!(!operations.is_empty(), "no operation found");
        api.operations = operations;
        api.check_references()?;
        Ok(api)
    }

    /// The schema behind a reference, or the schema itself.
    pub fn resolve<'a>(&'a self, schema: &'a Schema) -> &'a Schema {
        match schema {
            Schema::Reference(name) => self.schemas.get(name).map_or(&Schema::Any, |schema| self.resolve(schema)),
            schema => schema,
        }
    }

    /// The schema at a dotted path, looking through arrays; `None` where the path leads nowhere.
    pub fn at<'a>(&'a self, schema: &'a Schema, path: &str) -> Option<&'a Schema> {
        let mut schema = self.resolve(schema);
        for name in path.split('.') {
            while let Schema::Array(items) = schema {
                schema = self.resolve(items);
            }
            schema = match schema {
                Schema::Object(properties) => {
                    self.resolve(&properties.iter().find(|property| property.name == name)?.schema)
                }
                Schema::Map(values) => self.resolve(values),
                Schema::Any => &Schema::Any,
                _ => return None,
            };
        }
        Some(schema)
    }

    /// Whether references alone lead from a schema back to it, so that it says nothing and resolving it never ends.
    fn is_only_itself(&self, name: &str) -> bool {
        let mut next = self.schemas.get(name);
        for _ in 0..=self.schemas.len() {
            let Some(Schema::Reference(target)) = next else { return false };
            next = self.schemas.get(target);
        }
        true
    }

    fn check_references(&self) -> Result<()> {
        fn check(api: &Api, schema: &Schema) -> Result<()> {
            match schema {
                Schema::Reference(name) => {
                    ensure!(api.schemas.contains_key(name), "schema `{name}` is referred to and missing");
                }
                Schema::Array(inner) | Schema::Map(inner) => check(api, inner)?,
                Schema::Object(properties) => {
                    properties.iter().try_for_each(|property| check(api, &property.schema))?;
                }
                _ => {}
            }
            Ok(())
        }
        for (name, schema) in &self.schemas {
            check(self, schema).with_context(|| format!("in schema `{name}`"))?;
            ensure!(!self.is_only_itself(name), "in schema `{name}`: it is only a reference to itself");
        }
        for operation in self.operations.values() {
            let mut schemas: Vec<_> = operation.parameters.iter().map(|parameter| &parameter.schema).collect();
            if let Body::Other(body) = &operation.body {
                schemas.push(body);
            }
            if let Response::Json(response) = &operation.response {
                schemas.push(response);
            }
            let mut schemas = schemas.into_iter();
            schemas
                .try_for_each(|schema| check(self, schema))
                .with_context(|| format!("in operation `{}`", operation.id))?;
        }
        Ok(())
    }
}
