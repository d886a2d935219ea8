//! What a handler answers, before it becomes an HTTP response.

use axum::body::Bytes;
use serde_json::{Value, json};

#[derive(Debug, Clone)]
pub(crate) enum Content {
    Empty,
    Json(Value),
    Bytes(&'static str, Bytes),
}

#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) content: Content,
}

impl Reply {
    pub(crate) fn json(value: Value) -> Self {
        Self { status: 200, headers: Vec::new(), content: Content::Json(value) }
    }

    /// The `{}` of operations that return nothing.
    pub(crate) fn nothing() -> Self {
        Self::json(json!({}))
    }

    pub(crate) fn no_content() -> Self {
        Self { status: 204, headers: Vec::new(), content: Content::Empty }
    }

    pub(crate) fn bytes(media_type: &'static str, bytes: impl Into<Bytes>) -> Self {
        Self { status: 200, headers: Vec::new(), content: Content::Bytes(media_type, bytes.into()) }
    }

    /// What a cloud's storage says, in XML, to who follows a link in vain.
    pub(crate) fn of_storage(status: u16, code: &str, message: &str) -> Self {
        let xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code><Message>{message}</Message></Error>"
        );
        Self::bytes("application/xml", xml).with_status(status)
    }

    /// The same with its JSON as text.
    pub(crate) fn written(self) -> Self {
        let content = match self.content {
            Content::Json(value) => Content::Bytes("application/json", value.to_string().into()),
            content => content,
        };
        Self { content, ..self }
    }

    pub(crate) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
