//! Which privileges can be granted on what. What lies in a catalog takes its privileges from there too, so a schema and
//! a catalog take those of everything that they hold.
//!
//! Derived: the text of the refusal.

use crate::error::ApiError;

const TABLE: &[&str] = &["SELECT", "MODIFY", "APPLY_TAG", "REFRESH", "MANAGE"];
const VOLUME: &[&str] = &["READ_VOLUME", "WRITE_VOLUME", "APPLY_TAG", "MANAGE"];
const FUNCTION: &[&str] = &["EXECUTE", "APPLY_TAG", "CREATE_MODEL_VERSION", "MANAGE"];
const SCHEMA: &[&str] = &[
    "USE_SCHEMA",
    "CREATE_TABLE",
    "CREATE_VIEW",
    "CREATE_VOLUME",
    "CREATE_FUNCTION",
    "CREATE_MODEL",
    "CREATE_MATERIALIZED_VIEW",
    "EXTERNAL_USE_SCHEMA",
];
const CATALOG: &[&str] = &["USE_CATALOG", "CREATE_SCHEMA", "BROWSE"];
const METASTORE: &[&str] = &[
    "CREATE_CATALOG",
    "CREATE_CLEAN_ROOM",
    "CREATE_CONNECTION",
    "CREATE_EXTERNAL_LOCATION",
    "CREATE_FOREIGN_CATALOG",
    "CREATE_PROVIDER",
    "CREATE_RECIPIENT",
    "CREATE_SERVICE_CREDENTIAL",
    "CREATE_SHARE",
    "CREATE_STORAGE_CREDENTIAL",
    "MANAGE_ALLOWLIST",
    "SET_SHARE_PERMISSION",
    "USE_CONNECTION",
    "USE_MARKETPLACE_ASSETS",
    "USE_PROVIDER",
    "USE_RECIPIENT",
    "USE_SHARE",
];
const STORAGE: &[&str] = &[
    "CREATE_EXTERNAL_LOCATION",
    "CREATE_EXTERNAL_TABLE",
    "CREATE_EXTERNAL_VOLUME",
    "CREATE_FOREIGN_SECURABLE",
    "CREATE_MANAGED_STORAGE",
    "EXTERNAL_USE_LOCATION",
    "READ_FILES",
    "WRITE_FILES",
    "BROWSE",
    "MANAGE",
];
const CONNECTION: &[&str] = &["USE_CONNECTION", "CREATE_FOREIGN_CATALOG", "MANAGE"];

/// Refuses a privilege that securables of the kind do not have.
pub(super) fn check(kind: &str, privilege: &str) -> Result<(), ApiError> {
    let lists: &[&[&str]] = match kind {
        "table" => &[TABLE],
        "volume" => &[VOLUME],
        "function" => &[FUNCTION],
        "schema" => &[SCHEMA, TABLE, VOLUME, FUNCTION],
        "catalog" => &[CATALOG, SCHEMA, TABLE, VOLUME, FUNCTION],
        "metastore" => &[METASTORE],
        "connection" => &[CONNECTION],
        _ => &[STORAGE],
    };
    if privilege == "ALL_PRIVILEGES" && kind != "metastore" || lists.iter().any(|list| list.contains(&privilege)) {
        return Ok(());
    }
    let message =
        format!("Privilege {privilege} is not applicable to this entity of the type {}.", kind.to_uppercase());
    Err(ApiError::invalid_parameter(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_others_takes_their_privileges() {
        for (kind, privilege, is_fine) in [
            ("table", "SELECT", true),
            ("table", "USE_SCHEMA", false),
            ("schema", "SELECT", true),
            ("catalog", "READ_VOLUME", true),
            ("catalog", "CREATE_CATALOG", false),
            ("metastore", "CREATE_CATALOG", true),
            ("metastore", "ALL_PRIVILEGES", false),
            ("external_location", "READ_FILES", true),
        ] {
            assert_eq!(check(kind, privilege).is_ok(), is_fine, "{privilege} on {kind}");
        }
    }
}
