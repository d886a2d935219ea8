//! `azure-cli`: the tokens of the Azure CLI, which is run for them.

use std::sync::Arc;

use serde_json::Value;

use crate::auth::attribute::Attribute;
use crate::auth::chain::NotConfigured;
use crate::auth::context::Context;
use crate::auth::credential::Credential;
use crate::auth::program::{Program, not_run};
use crate::auth::token::{Token, jwt_expiry, text};
use crate::auth::{azure, cloud};
use crate::error::{Error, plain_text};

/// The Azure CLI and what decides on its arguments.
#[derive(Debug, Clone)]
struct Az {
    program: Program,
    tenant: Option<String>,
    subscription: Option<String>,
}

pub(crate) async fn configure(context: Arc<Context>) -> Result<Credential, NotConfigured> {
    let Some(program) = context.environment.find_program("az") else {
        return Err(NotConfigured::Lacks("`az` is not on PATH".to_owned()));
    };
    azure::need_azure(&context).await?;
    // Whoever sets only a resource id has no tenant to be found by the host.
    let tenant = match azure::tenant(&context).await {
        Ok(tenant) => Some(tenant),
        Err(NotConfigured::Lacks(_)) => None,
        Err(failed) => return Err(failed),
    };
    let id = context.settings.get(Attribute::AzureResourceId);
    let subscription = id.and_then(|id| id.split('/').nth(2)).filter(|part| !part.is_empty()).map(str::to_owned);
    let az = Az { program: Program::new(program), tenant, subscription };
    azure::ensure_host(&context, async |resource| az.token(&context, resource).await).await?;
    let (azure, _) = cloud::azure(&context);
    // People often may not manage Azure; service principals must.
    let manages = az.token(&context, azure.management).await.is_ok();
    let (databricks, management) = azure::both(&context, move |context, resource| {
        let az = az.clone();
        async move { az.token(&context, resource).await }
    });
    Ok(azure::credential(&context, databricks, manages.then_some(management)))
}

impl Az {
    async fn token(&self, context: &Context, resource: &str) -> Result<Token, Error> {
        let account = self.run(context, &["account", "show", "--output", "json"]).await?;
        let user = |member: &str| account.pointer(&format!("/user/{member}")).and_then(Value::as_str);
        let is_principal = user("type") == Some("servicePrincipal");
        let is_managed =
            is_principal && matches!(user("name"), Some("systemAssignedIdentity" | "userAssignedIdentity"));
        // A managed identity has no tenant to choose; for a federated token, naming it fails.
        let tenant = self.tenant.as_deref().filter(|_| !is_managed);
        match self.token_of(context, resource, tenant).await {
            Err(_) if is_principal && tenant.is_some() => self.token_of(context, resource, None).await,
            result => result,
        }
    }

    async fn token_of(&self, context: &Context, resource: &str, tenant: Option<&str>) -> Result<Token, Error> {
        let mut command = vec!["account", "get-access-token", "--resource", resource, "--output", "json"];
        command.extend(tenant.map(|tenant| ["--tenant", tenant]).into_iter().flatten());
        if let Some(subscription) = self.subscription.as_deref().filter(|_| self.tenant.is_none()) {
            // It fails for people who may use the workspace but do not see the subscription.
            let with_subscription = [command.as_slice(), &["--subscription", subscription]].concat();
            if let Ok(answer) = self.run(context, &with_subscription).await {
                return read(&answer);
            }
        }
        read(&self.run(context, &command).await?)
    }

    async fn run(&self, context: &Context, arguments: &[&str]) -> Result<Value, Error> {
        let arguments: Vec<_> = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let output = self.program.run(&context.environment, &arguments, self.program.patience()).await;
        let output = output.map_err(|error| not_run("az", &error))?;
        let name = arguments.get(1).map_or("", String::as_str);
        if !output.success {
            return Err(Error::credentials(format!("`az account {name}` failed: {}", plain_text(&output.stderr)))
                .with_hint("run `az login`"));
        }
        serde_json::from_str(&output.stdout)
            .map_err(|_| Error::credentials(format!("`az account {name}` did not print JSON")))
    }
}

/// `expiresOn` is in the machine's local time, and twice a year ambiguous. Newer versions add the epoch; for older
/// ones, the token itself tells.
fn read(answer: &Value) -> Result<Token, Error> {
    let access = text(answer, "accessToken")?;
    let told = serde_json::json!({ "access_token": access.expose(), "expires_on": answer.get("expires_on") });
    let mut token = Token::read(&told, std::time::SystemTime::UNIX_EPOCH)?;
    token.expiry = token.expiry.or_else(|| jwt_expiry(&access));
    if token.expiry.is_none() {
        return Err(Error::credentials("`az` does not say when the token expires").with_hint("update the Azure CLI"));
    }
    Ok(token)
}
