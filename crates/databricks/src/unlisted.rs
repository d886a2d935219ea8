//! Operations that work and that the SDKs, and so the specs, do not have.

use crate::operation::{Body, Location, Method, Operation, Parameter, Response};

const fn query(name: &'static str, required: bool) -> Parameter {
    Parameter {
        name,
        location: Location::Query,
        required,
        multi_segment: false,
        flatten: false,
        auto_uuid: false,
        from_config: false,
        preset: None,
    }
}

const fn read(id: &'static str, path: &'static str, parameters: &'static [Parameter]) -> Operation {
    Operation {
        id,
        method: Method::Get,
        path,
        parameters,
        body: Body::None,
        response: Response::Json,
        pagination: None,
        workspace_routing: true,
        deprecated: false,
    }
}

/// The tables that a table is made of and that are made of it, and what makes them: `upstreams` and `downstreams`, of
/// `tableInfo`, `notebookInfos`, `jobInfos` and so on. A table without lineage gives `{}`.
pub static TABLE_LINEAGE: Operation = read(
    "lineage_tracking.table_lineage",
    "/api/2.0/lineage-tracking/table-lineage",
    &[query("table_name", true), query("include_entity_lineage", false)],
);

/// The columns that a column is made of and that are made of it: `upstream_cols` and `downstream_cols`.
pub static COLUMN_LINEAGE: Operation = read(
    "lineage_tracking.column_lineage",
    "/api/2.0/lineage-tracking/column-lineage",
    &[query("table_name", true), query("column_name", true)],
);
