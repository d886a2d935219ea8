//! What the SDK says about the API, between the Python that says it and the OpenAPI that carries it.

use std::collections::BTreeMap;

/// A whole release.
#[derive(Debug, Default)]
pub(crate) struct Api {
    pub(crate) operations: BTreeMap<String, Operation>,
    pub(crate) schemas: BTreeMap<SchemaId, Schema>,
}

/// A class of a service package.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SchemaId {
    pub(crate) package: String,
    pub(crate) name: String,
}

/// A data type with a name.
#[derive(Debug, Clone)]
pub(crate) enum Schema {
    Object(Vec<Field>),
    /// Wire values by Python name, in source order.
    Enum(Vec<(String, String)>),
}

/// A property of an object, or of a request body.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) python: String,
    pub(crate) wire: String,
    pub(crate) kind: Type,
    pub(crate) required: bool,
    /// The client fills it with a new UUID when it is absent.
    pub(crate) auto: bool,
}

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Type {
    String,
    Boolean,
    Integer(Width),
    Number,
    Any,
    Binary,
    Timestamp,
    Duration,
    FieldMask,
    Array(Box<Type>),
    Map(Box<Type>),
    Object(SchemaId),
    Enum(SchemaId),
}

/// How wide an integer is; the SDK says so for fields, not for arguments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Width {
    Unknown,
    Int32,
    Int64,
}

/// One call of the API.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) id: String,
    pub(crate) package: String,
    pub(crate) service: String,
    pub(crate) verb: String,
    pub(crate) path: String,
    pub(crate) parameters: Vec<Parameter>,
    pub(crate) body: Body,
    pub(crate) response: Response,
    /// Response headers that the SDK reads, by wire name.
    pub(crate) response_headers: Vec<(String, Type)>,
    pub(crate) pagination: Option<Pagination>,
    pub(crate) wait: Option<Wait>,
    pub(crate) long_running: Option<LongRunning>,
    pub(crate) workspace_routing: bool,
    pub(crate) deprecated: bool,
}

impl Operation {
    /// Whether it belongs to the account rather than to a workspace.
    pub(crate) fn is_accounts(&self) -> bool {
        self.path.contains("/accounts/{account_id}")
    }
}

/// A path or query parameter.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    pub(crate) location: Location,
    pub(crate) field: Field,
    pub(crate) multi_segment: bool,
    pub(crate) resource_name: Option<String>,
    pub(crate) flatten: bool,
    pub(crate) preset: Option<i64>,
    pub(crate) from_config: bool,
}

/// Where a parameter goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Location {
    Path,
    Query,
}

/// What is sent.
#[derive(Debug, Clone)]
pub(crate) enum Body {
    None,
    /// A JSON object put together from arguments; it may be empty.
    Fields(Vec<Field>),
    /// One argument is the JSON body.
    Whole(Field),
    /// One argument is the body, as bytes.
    Binary(Field),
}

/// What comes back.
#[derive(Debug, Clone)]
pub(crate) enum Response {
    Empty,
    Json(Type),
    Raw {
        media_type: String,
        kind: Type,
    },
    /// A page whose class the SDK does not name: the fields that its loop reads.
    Page {
        items: String,
        item: Type,
        next: Option<String>,
    },
}

/// How a listing goes on.
#[derive(Debug, Clone)]
pub(crate) struct Pagination {
    pub(crate) style: Style,
    pub(crate) items: String,
    /// The cursor goes into the body instead of the query.
    pub(crate) in_body: bool,
    pub(crate) request: Option<String>,
    pub(crate) response: Option<String>,
    pub(crate) start: Option<i64>,
    pub(crate) count: Option<String>,
    pub(crate) dedupe: Option<String>,
}

/// The kind of cursor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Style {
    Token,
    Offset,
    Page,
    Scim,
    None,
}

impl Style {
    /// The name in `x-databricks-pagination`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Offset => "offset",
            Self::Page => "page",
            Self::Scim => "scim",
            Self::None => "none",
        }
    }
}

/// How to wait for what an operation started.
#[derive(Debug, Clone)]
pub(crate) struct Wait {
    /// Id of the operation that is polled.
    pub(crate) operation: String,
    /// Its parameters, by wire name: `request.x` or `response.x`.
    pub(crate) parameters: BTreeMap<String, String>,
    pub(crate) state: Vec<String>,
    pub(crate) success: Vec<String>,
    pub(crate) failure: Vec<String>,
    pub(crate) message: Vec<String>,
    pub(crate) timeout_seconds: i64,
}

/// The long-running operation that an operation returns.
#[derive(Debug, Clone)]
pub(crate) struct LongRunning {
    /// Id of the operation that reads its state.
    pub(crate) operation: String,
    pub(crate) response: Option<SchemaId>,
    pub(crate) metadata: Option<SchemaId>,
}
