//! The description of one REST operation: the rows of the generated operation table.
//!
//! Everything here is plain data that fits in a `static`; [`Client::execute`](crate::Client::execute) interprets it.

/// One REST operation: where it lives, what it takes and what it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operation {
    /// `<package>.<service>.<method>`, for example `jobs.jobs.run_now`.
    pub id: &'static str,
    /// The HTTP method.
    pub method: Method,
    /// The path template below the host, for example `/api/2.0/fs/files{file_path}`; without a fragment.
    pub path: &'static str,
    /// Every parameter, those inside the JSON body included.
    pub parameters: &'static [Parameter],
    /// What the request carries.
    pub body: Body,
    /// What a successful answer carries.
    pub response: Response,
    /// How further results are asked for; `None` where the answer is a single object.
    pub pagination: Option<Pagination>,
    /// Whether the workspace header is sent (when the workspace is known).
    pub workspace_routing: bool,
    /// Whether Databricks discourages the operation.
    pub deprecated: bool,
}

impl Operation {
    /// Whether the operation belongs to an account rather than to a workspace.
    ///
    /// ```
    /// assert!(!databricks::operations::JOBS_JOBS_LIST.is_of_account());
    /// ```
    pub fn is_of_account(&self) -> bool {
        self.path.contains("/accounts/{")
    }

    /// The parameter of this name at this place.
    ///
    /// ```
    /// use databricks::{Location, operations};
    ///
    /// let limit = operations::JOBS_JOBS_LIST.parameter(Location::Query, "limit");
    /// assert!(limit.is_some_and(|limit| !limit.required));
    /// ```
    pub fn parameter(&self, location: Location, name: &str) -> Option<&'static Parameter> {
        self.parameters.iter().find(|parameter| parameter.location == location && parameter.name == name)
    }
}

/// The HTTP method of an [`Operation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

impl Method {
    /// The name on the wire, in capitals.
    pub fn as_str(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Patch => "PATCH",
            Method::Delete => "DELETE",
        }
    }
}

impl From<Method> for http::Method {
    fn from(method: Method) -> http::Method {
        match method {
            Method::Get => http::Method::GET,
            Method::Head => http::Method::HEAD,
            Method::Post => http::Method::POST,
            Method::Put => http::Method::PUT,
            Method::Patch => http::Method::PATCH,
            Method::Delete => http::Method::DELETE,
        }
    }
}

/// One parameter of an [`Operation`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// The name on the wire.
    pub name: &'static str,
    /// Where the value goes.
    pub location: Location,
    /// Whether a call without it is refused (unless another flag here supplies the value).
    pub required: bool,
    /// Path only: the value may span several segments, its slashes are kept.
    pub multi_segment: bool,
    /// Query only: an object value is sent as `name.field=value` pairs.
    pub flatten: bool,
    /// A random UUID is sent when the caller gives no value; it makes repeating the request safe.
    pub auto_uuid: bool,
    /// The value comes from the configuration when the caller gives none (`account_id`).
    pub from_config: bool,
    /// The JSON text of the value sent when the caller gives none.
    pub preset: Option<&'static str>,
}

/// Where a parameter travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Location {
    /// In the path template.
    Path,
    /// In the query string.
    Query,
    /// A top-level property of the JSON body.
    Body,
}

impl Location {
    /// The word for it in a message.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Location::Path => "path",
            Location::Query => "query",
            Location::Body => "body",
        }
    }
}

/// What a request carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// Nothing.
    None,
    /// A JSON object; `{}` when no property is given.
    Json,
    /// Raw bytes.
    Binary,
}

/// What a successful answer carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Response {
    /// Nothing of use.
    Empty,
    /// JSON.
    Json,
    /// Text in some media type.
    Text,
    /// Raw bytes.
    Binary,
}

/// How an [`Operation`] hands out long lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pagination {
    /// The kind of cursor.
    pub style: PageStyle,
    /// Where the cursor is sent: [`Location::Query`] or [`Location::Body`].
    pub location: Location,
    /// The array of the answer that holds the items; `None` where the answer itself is the array.
    pub items: Option<&'static str>,
    /// The parameter that takes the cursor.
    pub request: Option<&'static str>,
    /// The field of the answer that holds the next cursor.
    pub response: Option<&'static str>,
    /// The first value of a counting cursor.
    pub start: u64,
    /// The parameter that sets the size of a page.
    pub count: Option<&'static str>,
}

/// The kind of cursor of a [`Pagination`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PageStyle {
    /// An opaque token of the answer is sent with the next request.
    Token,
    /// The number of items to skip.
    Offset,
    /// The number of the page.
    Page,
    /// The index of the first item, as SCIM counts (from 1).
    Scim,
    /// Everything comes at once.
    None,
}
