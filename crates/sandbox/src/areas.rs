//! One module per area of the API: its routes, its handlers, its state.

pub(crate) mod catalog;
pub(crate) mod clusters;
pub(crate) mod compute;
pub(crate) mod dbfs;
pub(crate) mod functions;
pub(crate) mod grants;
pub(crate) mod history;
pub(crate) mod identity;
pub(crate) mod jobs;
pub(crate) mod models;
pub(crate) mod objects;
pub(crate) mod outputs;
pub(crate) mod runs;
pub(crate) mod schemas;
pub(crate) mod secrets;
pub(crate) mod securable;
pub(crate) mod statements;
pub(crate) mod tables;
pub(crate) mod tasks;
pub(crate) mod uc_volumes;
pub(crate) mod volumes;
pub(crate) mod warehouses;

use crate::router::Route;

/// All routes of the workspace.
pub(crate) fn routes() -> Vec<Route> {
    [
        catalog::ROUTES,
        clusters::ROUTES,
        compute::ROUTES,
        dbfs::ROUTES,
        functions::ROUTES,
        grants::ROUTES,
        history::ROUTES,
        identity::ROUTES,
        jobs::ROUTES,
        models::ROUTES,
        objects::ROUTES,
        runs::ROUTES,
        schemas::ROUTES,
        secrets::ROUTES,
        statements::ROUTES,
        tables::ROUTES,
        uc_volumes::ROUTES,
        volumes::ROUTES,
        warehouses::ROUTES,
    ]
    .concat()
}
