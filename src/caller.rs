//! Who calls, for the record of a call.

use std::sync::Arc;

/// Who calls, as far as it is known; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Caller {
    /// Who was authenticated; `None` where the server calls as itself.
    pub principal: Option<Arc<str>>,
    /// The client program, by its name and version.
    pub client: Option<(Arc<str>, Arc<str>)>,
    /// The session of the client.
    pub session: Option<Arc<str>>,
}
