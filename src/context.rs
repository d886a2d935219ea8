//! What every call has at hand.

use databricks::Client;

use crate::shape::Budget;

/// The workspace and the limits of this server; cheap to clone.
#[derive(Debug, Clone)]
pub struct Context {
    /// The REST client.
    pub client: Client,
    /// How much one answer may hold.
    pub budget: Budget,
    /// The SQL warehouse to use where a call names none.
    pub warehouse_id: Option<String>,
}
