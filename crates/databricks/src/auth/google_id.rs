//! `google-id`: a Google service account that the machine's own Google credentials may act for.
//!
//! These are Google's application default credentials: a key file, a login by `gcloud`, or the machine's own account on
//! Google Cloud. Federated credentials (`external_account`) and such that act for a third party are not supported yet.

use std::path::PathBuf;
use std::sync::Arc;

use http::HeaderName;
use http::header::AUTHORIZATION;
use serde_json::{Value, json};

use crate::auth::attribute::Attribute;
use crate::auth::chain::NotConfigured;
use crate::auth::context::Context;
use crate::auth::credential::Credential;
use crate::auth::google::{self, SCOPES, ServiceAccount, TOKEN_URL};
use crate::auth::identity::TokenRequest;
use crate::auth::text_file;
use crate::auth::token::{Token, parse_time, text};
use crate::error::Error;
use crate::secret::Secret;

const FILE_VARIABLE: &str = "GOOGLE_APPLICATION_CREDENTIALS";
const IAM: &str = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts";
const MACHINE: &str = "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token";
const MACHINE_HEADER: HeaderName = HeaderName::from_static("metadata-flavor");

/// The machine's own credentials.
#[derive(Clone)]
enum Own {
    Key(Arc<ServiceAccount>),
    /// A login by `gcloud`.
    User {
        client_id: Secret,
        client_secret: Secret,
        refresh_token: Secret,
    },
    Machine(reqwest::Client),
}

pub(crate) async fn configure(context: Arc<Context>) -> Result<Credential, NotConfigured> {
    context.need(Attribute::GoogleServiceAccount)?;
    google::need_google(&context).await?;
    let own = Own::find(&context)?;
    let cache = |access: bool| {
        let (shared, own) = (Arc::clone(&context), own.clone());
        context.cache(move |_| {
            let (context, own) = (Arc::clone(&shared), own.clone());
            async move { if access { access_token(&context, &own).await } else { id_token(&context, &own).await } }
        })
    };
    Ok(Credential::bearer(cache(false)).with_companion(google::ACCESS_TOKEN, cache(true), false))
}

async fn id_token(context: &Context, own: &Own) -> Result<Token, Error> {
    let body = json!({ "audience": google::audience(context), "includeEmail": true });
    Ok(Token::from_jwt(text(&act(context, own, "generateIdToken", &body).await?, "token")?))
}

async fn access_token(context: &Context, own: &Own) -> Result<Token, Error> {
    let answer = act(context, own, "generateAccessToken", &json!({ "scope": SCOPES, "lifetime": "3600s" })).await?;
    let expiry = answer.get("expireTime").and_then(Value::as_str).and_then(parse_time);
    Ok(Token { access: text(&answer, "accessToken")?, expiry, refresh: None })
}

/// Acts for the service account.
async fn act(context: &Context, own: &Own, what: &str, body: &Value) -> Result<Value, Error> {
    let account = context.settings.get(Attribute::GoogleServiceAccount).unwrap_or_default();
    let token = own.access_token(context).await?;
    let request = TokenRequest::json(&format!("{IAM}/{account}:{what}"), body)?;
    context.identity.request(request.secret_header(AUTHORIZATION, "Bearer", token.expose())?).await
}

impl Own {
    fn find(context: &Arc<Context>) -> Result<Own, Error> {
        let Some((path, json)) = file(context)? else {
            return Ok(Own::Machine(context.direct_http()?));
        };
        let unreadable = || Error::credentials(format!("`{path}` is not a file of Google credentials"));
        let file: Value = serde_json::from_str(&json).map_err(|_| unreadable())?;
        match file.get("type").and_then(Value::as_str) {
            Some("service_account") => Ok(Own::Key(ServiceAccount::read(&file)?)),
            Some("authorized_user") => Ok(Own::User {
                client_id: text(&file, "client_id").map_err(|_| unreadable())?,
                client_secret: text(&file, "client_secret").map_err(|_| unreadable())?,
                refresh_token: text(&file, "refresh_token").map_err(|_| unreadable())?,
            }),
            Some(kind) => {
                let kind = crate::error::plain_text(kind);
                Err(Error::credentials(format!("Google credentials of the kind `{kind}` are not supported yet"))
                    .with_hint("use a key file or `gcloud auth application-default login`"))
            }
            None => Err(unreadable()),
        }
    }

    async fn access_token(&self, context: &Context) -> Result<Secret, Error> {
        let answer = match self {
            Own::Key(account) => return Ok(account.access_token(context).await?.access),
            Own::User { client_id, client_secret, refresh_token } => {
                let fields = [
                    ("grant_type", "refresh_token"),
                    ("client_id", client_id.expose()),
                    ("client_secret", client_secret.expose()),
                    ("refresh_token", refresh_token.expose()),
                ];
                context.identity.request(TokenRequest::form(TOKEN_URL, &fields)?).await?
            }
            Own::Machine(http) => {
                let request = TokenRequest::get(MACHINE)?.header(MACHINE_HEADER, "Google")?;
                context.identity.request_nearby(http, request).await?
            }
        };
        text(&answer, "access_token")
    }
}

/// The file that a variable names, else the one that `gcloud` writes, if there is one.
fn file(context: &Context) -> Result<Option<(String, String)>, Error> {
    let named = context.environment.variable(FILE_VARIABLE).map(PathBuf::from);
    let usual = match context.environment.variable("APPDATA").filter(|_| cfg!(windows)) {
        Some(data) => Some(PathBuf::from(data).join("gcloud")),
        None => context.environment.in_home(".config/gcloud"),
    };
    let usual = usual.map(|directory| directory.join("application_default_credentials.json"));
    let Some(path) = named.or_else(|| usual.filter(|path| path.is_file())) else { return Ok(None) };
    let shown = path.display().to_string();
    match text_file::read(&path) {
        Ok(json) => Ok(Some((shown, json))),
        Err(error) => Err(Error::credentials(format!("cannot read `{shown}`: {error}"))),
    }
}
