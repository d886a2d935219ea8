//! Files in the workspace: their paths, notebooks as text, encodings.

pub(crate) mod encoding;
pub(crate) mod notebook;
pub(crate) mod path;
