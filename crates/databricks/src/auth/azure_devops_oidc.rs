//! `azure-devops-oidc`: the OIDC token of an Azure DevOps pipeline.

use std::sync::Arc;

use http::header::AUTHORIZATION;

use crate::auth::chain::NotConfigured;
use crate::auth::context::Context;
use crate::auth::credential::Credential;
use crate::auth::identity::TokenRequest;
use crate::auth::token;
use crate::auth::token_exchange;
use crate::error::Error;
use crate::secret::Secret;

const ACCESS_TOKEN: &str = "SYSTEM_ACCESSTOKEN";
/// The variables that make up the address, in the order of their place in it.
const ADDRESS: [&str; 5] =
    ["SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "SYSTEM_TEAMPROJECTID", "SYSTEM_HOSTTYPE", "SYSTEM_PLANID", "SYSTEM_JOBID"];

pub(crate) async fn configure(context: Arc<Context>) -> Result<Credential, NotConfigured> {
    for name in [ACCESS_TOKEN].iter().chain(&ADDRESS) {
        context.need_variable(name)?;
    }
    context.need_host()?;
    Ok(token_exchange::credential(&context, |context, _| id_token(context)))
}

/// The audience is Azure's choice.
async fn id_token(context: Arc<Context>) -> Result<Secret, Error> {
    let variable = |name| context.environment.variable(name).unwrap_or_default();
    let [collection, project, hub, plan, job] = ADDRESS.map(variable);
    let collection = collection.trim_end_matches('/');
    let url = format!("{collection}/{project}/_apis/distributedtask/hubs/{hub}/plans/{plan}/jobs/{job}/oidctoken");
    let request = TokenRequest::post(&url)?.query("api-version", "7.2-preview.1");
    let request = request.secret_header(AUTHORIZATION, "Bearer", &variable(ACCESS_TOKEN))?;
    token::text(&context.identity.request(request).await?, "oidcToken")
}
