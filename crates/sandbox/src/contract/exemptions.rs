//! What the sandbox serves although the specs do not have it, each with the reason.

/// A route that no operation of the specs has. It is not checked.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) method: &'static str,
    pub(crate) template: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers, and a test wants one"))]
    pub(crate) reason: &'static str,
}

pub(crate) const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        template: "/.well-known/databricks-config",
        reason: "clients discover the kind of host there before they have a token",
    },
    Route {
        method: "GET",
        template: "/oidc/.well-known/oauth-authorization-server",
        reason: "clients discover the token endpoints there",
    },
    Route { method: "GET", template: "/oidc/v1/authorize", reason: "the browser goes there to log in" },
    Route { method: "POST", template: "/oidc/v1/token", reason: "a client gets its tokens there" },
    Route {
        method: "GET",
        template: "/api/2.0/sql/warehouses/default",
        reason: "the command line asks for the default warehouse with it",
    },
    Route {
        method: "DELETE",
        template: "/api/2.0/sql/statements/{statement_id}",
        reason: "the SQL drivers close statements with it",
    },
    Route { method: "POST", template: "/api/2.0/sql/sessions", reason: "the SQL drivers open sessions with it" },
    Route {
        method: "DELETE",
        template: "/api/2.0/sql/sessions/{session_id}",
        reason: "the SQL drivers close sessions with it",
    },
    Route {
        method: "GET",
        template: "/sandbox-storage/results/{statement_id}/{chunk_index}",
        reason: "stands for the cloud storage that external links lead to",
    },
    Route {
        method: "GET",
        template: "/sandbox-storage/files/{link}",
        reason: "stands for the cloud storage that links to files of volumes lead to",
    },
    Route {
        method: "PUT",
        template: "/sandbox-storage/files/{link}",
        reason: "stands for the cloud storage that links to files of volumes lead to",
    },
    Route {
        method: "POST",
        template: "/api/2.0/fs/create-download-url",
        reason: "the SDK downloads from the link that it gives",
    },
    Route {
        method: "POST",
        template: "/api/2.0/fs/create-upload-url",
        reason: "the SQL drivers upload to the link that it gives",
    },
    Route {
        method: "POST",
        template: "/api/2.0/fs/create-upload-part-urls",
        reason: "the SDK uploads large files in parts to the links that it gives",
    },
    Route {
        method: "POST",
        template: "/api/2.0/fs/files{*path}",
        reason: "the SDK begins, completes and aborts uploads in parts with it",
    },
    Route {
        method: "POST",
        template: "/api/2.0/workspace-files/import-file{*path}",
        reason: "the command line uploads files and notebooks with it",
    },
    Route {
        method: "GET",
        template: "/api/2.0/lineage-tracking/table-lineage",
        reason: "clients ask for the lineage of tables with it",
    },
    Route {
        method: "GET",
        template: "/api/2.0/lineage-tracking/column-lineage",
        reason: "clients ask for the lineage of columns with it",
    },
    Route {
        method: "POST",
        template: "/api/3.0/mlflow/traces/search",
        reason: "the Python client of MLflow searches traces with it",
    },
    Route {
        method: "GET",
        template: "/api/3.0/mlflow/traces/{trace_id}",
        reason: "the Python client of MLflow reads a trace with it",
    },
    Route {
        method: "POST",
        template: "/api/4.0/mlflow/traces/search-long-running",
        reason: "the Python client of MLflow begins a search for traces with it",
    },
    Route {
        method: "GET",
        template: "/api/4.0/mlflow/traces/search/operations/{name}",
        reason: "the Python client of MLflow asks for what such a search found with it",
    },
    Route {
        method: "GET",
        template: "/api/4.0/mlflow/traces/{location}/batchGet",
        reason: "the Python client of MLflow reads traces in Unity Catalog with it",
    },
    Route {
        method: "GET",
        template: "/api/2.0/mlflow/traces/{request_id}/credentials-for-data-download",
        reason: "the Python client of MLflow downloads spans from the link that it gives",
    },
    Route {
        method: "GET",
        template: "/sandbox-storage/traces/{link}",
        reason: "stands for the cloud storage that links to spans lead to",
    },
    Route {
        method: "POST",
        template: "/serving-endpoints/{name}/invocations",
        reason: "models take any body; clients query serving endpoints with it",
    },
];

/// An older version of a path, still served by the real service. Requests are checked as the newer one.
#[derive(Debug)]
pub(crate) struct Alias {
    pub(crate) prefix: &'static str,
    pub(crate) of: &'static str,
}

pub(crate) const ALIASES: &[Alias] = &[
    Alias { prefix: "/api/2.0/clusters/", of: "/api/2.1/clusters/" },
    Alias { prefix: "/api/2.1/jobs/", of: "/api/2.2/jobs/" },
];

/// A query parameter that the specs do not have and clients send.
struct Query {
    operation: &'static str,
    name: &'static str,
}

const QUERIES: &[Query] = &[
    // The command line and the Terraform provider list the warehouses that they may use with it.
    Query { operation: "sql.warehouses.list", name: "skip_cannot_use" },
    // Recorded in `next_chunk_internal_link`, which clients follow as it is.
    Query { operation: "sql.statement_execution.get_statement_result_chunk_n", name: "row_offset" },
    // The SDK's `workspace.download` asks for the raw content with it.
    Query { operation: "workspace.workspace.export", name: "direct_download" },
    // The command line asks with it which extension a notebook has.
    Query { operation: "workspace.workspace.get_status", name: "return_export_info" },
    Query { operation: "workspace.workspace.list", name: "return_export_info" },
];

/// A field of the body that the specs do not have and clients send.
struct Field {
    operation: &'static str,
    name: &'static str,
}

const BODY_FIELDS: &[Field] = &[
    // The SQL drivers name the session that a statement runs in, and how its results are compressed.
    Field { operation: "sql.statement_execution.execute_statement", name: "session_id" },
    Field { operation: "sql.statement_execution.execute_statement", name: "result_compression" },
    // The SQL connector repeats the id of the path in the body, even where there is none.
    Field { operation: "sql.statement_execution.get_statement", name: "statement_id" },
    Field { operation: "sql.statement_execution.cancel_execution", name: "statement_id" },
];

/// A value of a field that the specs do not list and clients send.
struct Value {
    operation: &'static str,
    field: &'static str,
    value: &'static str,
}

const VALUES: &[Value] = &[
    // The SQL drivers take small results within the reply, and links for others; recorded with JDBC.
    Value {
        operation: "sql.statement_execution.execute_statement",
        field: "disposition",
        value: "INLINE_OR_EXTERNAL_LINKS",
    },
];

/// An operation whose body may also be a form, as clients send large contents.
const FORMS: &[&str] = &["workspace.workspace.import"];

pub(crate) fn is_exempt_route(method: &str, template: &str) -> bool {
    ROUTES.iter().any(|route| route.method == method && route.template == template)
}

pub(super) fn is_exempt_query(operation: &str, name: &str) -> bool {
    QUERIES.iter().any(|query| query.operation == operation && query.name == name)
}

pub(super) fn is_exempt_field(operation: &str, name: &str) -> bool {
    BODY_FIELDS.iter().any(|field| field.operation == operation && field.name == name)
}

pub(super) fn is_exempt_value(operation: &str, field: &str, value: &serde_json::Value) -> bool {
    VALUES.iter().any(|known| known.operation == operation && known.field == field && value == known.value)
}

pub(super) fn takes_form(operation: &str) -> bool {
    FORMS.contains(&operation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::Contract;
    use crate::contract::table::Location;

    fn is_documented(method: &str, template: &str) -> bool {
        let path = template.replace("{*path}", "/x").replace(['{', '}'], "");
        // An id has to be a number for some, but a path does not care.
        !Contract::get().find(method, &path).is_empty()
    }

    #[test]
    fn every_stateful_route_is_documented_or_exempt() {
        let unknown: Vec<_> = crate::areas::routes()
            .into_iter()
            .filter(|route| !is_documented(route.method, route.template))
            .filter(|route| !is_exempt_route(route.method, route.template))
            .map(|route| format!("{} {}", route.method, route.template))
            .collect();
        assert!(unknown.is_empty(), "say in `ROUTES` why these are served: {unknown:#?}");
    }

    #[test]
    fn no_exemption_is_stale() {
        let served = crate::areas::routes();
        for Route { method, template, reason } in ROUTES {
            assert!(served.iter().any(|route| route.method == *method && route.template == *template), "{template}");
            assert!(!reason.is_empty());
        }
        let operations: Vec<_> = Contract::get().operations().collect();
        for Query { operation, name } in QUERIES {
            let operation = operations.iter().find(|known| known.id == *operation).unwrap();
            assert!(operation.parameters.iter().all(|parameter| parameter.name != *name), "{name}");
        }
        for Field { operation, name } in BODY_FIELDS {
            let operation = operations.iter().find(|known| known.id == *operation).unwrap();
            let mut fields = operation.parameters.iter().filter(|parameter| parameter.location == Location::Body);
            assert!(fields.all(|parameter| parameter.name != *name), "{name}");
        }
        assert!(FORMS.iter().all(|form| operations.iter().any(|known| known.id == *form)));
    }
}
