//! One module per area of the API: its routes, its handlers, its state.

pub(crate) mod catalog;
pub(crate) mod clusters;
pub(crate) mod commands;
pub(crate) mod compute;
pub(crate) mod dbfs;
pub(crate) mod functions;
pub(crate) mod genie;
pub(crate) mod grants;
pub(crate) mod history;
pub(crate) mod identity;
pub(crate) mod jobs;
pub(crate) mod libraries;
pub(crate) mod models;
pub(crate) mod objects;
pub(crate) mod outputs;
pub(crate) mod permissions;
pub(crate) mod pipelines;
pub(crate) mod policies;
pub(crate) mod python;
pub(crate) mod repos;
pub(crate) mod runs;
pub(crate) mod schemas;
pub(crate) mod secrets;
pub(crate) mod securable;
pub(crate) mod serving;
pub(crate) mod statements;
pub(crate) mod tables;
pub(crate) mod tasks;
pub(crate) mod uc_volumes;
pub(crate) mod vectorsearch;
pub(crate) mod volumes;
pub(crate) mod warehouses;

use crate::router::Route;

/// All routes of the workspace.
pub(crate) fn routes() -> Vec<Route> {
    [
        catalog::ROUTES,
        clusters::ROUTES,
        commands::ROUTES,
        compute::ROUTES,
        dbfs::ROUTES,
        functions::ROUTES,
        genie::ROUTES,
        grants::ROUTES,
        history::ROUTES,
        identity::ROUTES,
        jobs::ROUTES,
        libraries::ROUTES,
        models::ROUTES,
        objects::ROUTES,
        permissions::ROUTES,
        pipelines::ROUTES,
        policies::ROUTES,
        repos::ROUTES,
        runs::ROUTES,
        schemas::ROUTES,
        secrets::ROUTES,
        serving::ROUTES,
        statements::ROUTES,
        tables::ROUTES,
        uc_volumes::ROUTES,
        vectorsearch::ROUTES,
        volumes::ROUTES,
        warehouses::ROUTES,
    ]
    .concat()
}
