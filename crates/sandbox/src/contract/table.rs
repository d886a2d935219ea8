//! The form in which the specs are embedded: `build.rs` writes it, a line of JSON each, and `contract` reads it.

use serde::{Deserialize, Serialize};

/// One operation of the specs.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub(crate) struct Operation {
    /// `<package>.<service>.<method>`.
    #[serde(rename = "i")]
    pub(crate) id: String,
    #[serde(rename = "m")]
    pub(crate) method: String,
    /// The path template.
    #[serde(rename = "t")]
    pub(crate) path: String,
    /// The template as a pattern: `{}` for a segment, `{*}` for any number of them, resource names spelled out.
    #[serde(rename = "s")]
    pub(crate) shape: String,
    #[serde(rename = "p", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) parameters: Vec<Parameter>,
    #[serde(rename = "b", default, skip_serializing_if = "Body::is_none")]
    pub(crate) body: Body,
    #[serde(rename = "r", default, skip_serializing_if = "Response::is_empty")]
    pub(crate) response: Response,
    #[serde(rename = "g", default, skip_serializing_if = "Option::is_none")]
    pub(crate) pagination: Option<Pagination>,
    /// Where waiters look in the answer, and for what.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub(crate) target: Option<Target>,
    /// The operation answers with one that is long-running.
    #[serde(rename = "l", default, skip_serializing_if = "Option::is_none")]
    pub(crate) long_running: Option<LongRunning>,
}

/// A path or query parameter, or a property of the body.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub(crate) struct Parameter {
    #[serde(rename = "n")]
    pub(crate) name: String,
    #[serde(rename = "l")]
    pub(crate) location: Location,
    #[serde(rename = "r", default, skip_serializing_if = "is_false")]
    pub(crate) required: bool,
    /// Path: slashes are part of the value.
    #[serde(rename = "m", default, skip_serializing_if = "is_false")]
    pub(crate) multi_segment: bool,
    /// Query: an object that is sent as `name.field`.
    #[serde(rename = "f", default, skip_serializing_if = "is_false")]
    pub(crate) flatten: bool,
    #[serde(rename = "s")]
    pub(crate) schema: Schema,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) enum Location {
    #[serde(rename = "p")]
    Path,
    #[serde(rename = "q")]
    Query,
    #[serde(rename = "b")]
    Body,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
pub(crate) enum Body {
    #[default]
    None,
    /// An object; its properties are parameters.
    Object,
    Other(Schema),
    Binary,
}

#[derive(Debug, Clone, PartialEq, Default, Deserialize, Serialize)]
pub(crate) enum Response {
    #[default]
    Empty,
    #[serde(rename = "j")]
    Json(Schema),
    /// Text or bytes, by media type.
    Bytes(String),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Pagination {
    #[serde(rename = "i")]
    pub(crate) items: Option<String>,
    /// The request parameter of the cursor.
    #[serde(rename = "q")]
    pub(crate) request: Option<String>,
    /// The response field of the cursor; none where the cursor is a number.
    #[serde(rename = "a")]
    pub(crate) response: Option<String>,
    /// The first offset or page.
    #[serde(rename = "s")]
    pub(crate) start: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Target {
    pub(crate) path: Vec<String>,
    pub(crate) value: String,
}

#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub(crate) struct LongRunning {
    pub(crate) response: Option<Schema>,
}

/// A type. References are line numbers of the table of schemas.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub(crate) enum Schema {
    #[serde(rename = "x")]
    Any,
    #[serde(rename = "b")]
    Boolean,
    #[serde(rename = "i")]
    Integer,
    /// An int64.
    #[serde(rename = "l")]
    Wide,
    #[serde(rename = "n")]
    Number,
    #[serde(rename = "s")]
    Text,
    /// Text of a format: `date-time`, `duration`, `field-mask`, `binary`.
    #[serde(rename = "t")]
    Formatted(String),
    #[serde(rename = "e")]
    Enum(Vec<String>),
    #[serde(rename = "a")]
    Array(Box<Schema>),
    #[serde(rename = "m")]
    Map(Box<Schema>),
    #[serde(rename = "o")]
    Object(Vec<Property>),
    #[serde(rename = "r")]
    Reference(usize),
}

/// Name, whether it is required, type.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
pub(crate) struct Property(pub(crate) String, pub(crate) u8, pub(crate) Schema);

impl Body {
    fn is_none(&self) -> bool {
        *self == Self::None
    }
}

impl Response {
    fn is_empty(&self) -> bool {
        *self == Self::Empty
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde calls")]
fn is_false(flag: &bool) -> bool {
    !flag
}
