//! One module per area of the API: its routes, its handlers, its state.

pub(crate) mod access_policies;
pub(crate) mod agents;
pub(crate) mod alerts;
pub(crate) mod apps;
pub(crate) mod budgets;
pub(crate) mod catalog;
pub(crate) mod clusters;
pub(crate) mod commands;
pub(crate) mod compute;
pub(crate) mod constraints;
pub(crate) mod dashboards;
pub(crate) mod dbfs;
pub(crate) mod external;
pub(crate) mod filter;
pub(crate) mod functions;
pub(crate) mod genie;
pub(crate) mod grants;
pub(crate) mod history;
pub(crate) mod identity;
pub(crate) mod jobs;
pub(crate) mod lakebase;
pub(crate) mod libraries;
pub(crate) mod lineage;
pub(crate) mod marketplace;
pub(crate) mod metastores;
pub(crate) mod mlflow;
pub(crate) mod models;
pub(crate) mod monitors;
pub(crate) mod objects;
pub(crate) mod oidc;
pub(crate) mod outputs;
pub(crate) mod permissions;
pub(crate) mod pipelines;
pub(crate) mod policies;
pub(crate) mod python;
pub(crate) mod queries;
pub(crate) mod repos;
pub(crate) mod runs;
pub(crate) mod schemas;
pub(crate) mod scim;
pub(crate) mod secrets;
pub(crate) mod securable;
pub(crate) mod serving;
pub(crate) mod settings;
pub(crate) mod sharing;
pub(crate) mod statements;
pub(crate) mod tables;
pub(crate) mod tags;
pub(crate) mod tasks;
pub(crate) mod tokens;
pub(crate) mod transfers;
pub(crate) mod uc_volumes;
pub(crate) mod vectorsearch;
pub(crate) mod volumes;
pub(crate) mod warehouses;

use crate::router::Route;

/// All routes of the workspace.
pub(crate) fn routes() -> Vec<Route> {
    [
        access_policies::ROUTES,
        agents::ROUTES,
        alerts::ROUTES,
        apps::ROUTES,
        budgets::ROUTES,
        marketplace::ROUTES,
        catalog::ROUTES,
        clusters::ROUTES,
        commands::ROUTES,
        compute::ROUTES,
        constraints::ROUTES,
        dashboards::ROUTES,
        dbfs::ROUTES,
        external::ROUTES,
        functions::ROUTES,
        genie::ROUTES,
        grants::ROUTES,
        history::ROUTES,
        identity::ROUTES,
        jobs::ROUTES,
        lakebase::ROUTES,
        libraries::ROUTES,
        lineage::ROUTES,
        metastores::ROUTES,
        mlflow::ROUTES,
        mlflow::traces::ROUTES,
        models::ROUTES,
        monitors::ROUTES,
        objects::ROUTES,
        oidc::ROUTES,
        permissions::ROUTES,
        pipelines::ROUTES,
        policies::ROUTES,
        queries::ROUTES,
        repos::ROUTES,
        runs::ROUTES,
        schemas::ROUTES,
        scim::ROUTES,
        secrets::ROUTES,
        serving::ROUTES,
        settings::ROUTES,
        sharing::ROUTES,
        statements::ROUTES,
        tables::ROUTES,
        tags::ROUTES,
        tokens::ROUTES,
        transfers::ROUTES,
        uc_volumes::ROUTES,
        vectorsearch::ROUTES,
        volumes::ROUTES,
        warehouses::ROUTES,
    ]
    .concat()
}
