//! What the authentication methods for Google have in common.

use std::sync::Arc;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::HeaderName;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};

use crate::auth::chain::NotConfigured;
use crate::auth::cloud::Cloud;
use crate::auth::context::Context;
use crate::auth::identity::TokenRequest;
use crate::auth::token::{Token, text};
use crate::error::Error;
use crate::host::Host;

/// The header for a service account's access token.
pub(crate) const ACCESS_TOKEN: HeaderName = HeaderName::from_static("x-databricks-gcp-sa-access-token");
/// What that token is for.
pub(crate) const SCOPES: [&str; 2] =
    ["https://www.googleapis.com/auth/cloud-platform", "https://www.googleapis.com/auth/compute"];
/// Where tokens come from, also where a key file says nothing.
pub(crate) const TOKEN_URL: &str = "https://oauth2.googleapis.com/token";

/// Passes only for a workspace on Google Cloud.
pub(crate) async fn need_google(context: &Context) -> Result<(), NotConfigured> {
    context.need_host()?;
    match Cloud::of(context).await {
        Cloud::Gcp => Ok(()),
        Cloud::Aws | Cloud::Azure => Err(NotConfigured::Lacks("the host is not on Google Cloud".to_owned())),
    }
}

/// For whom an ID token is made out.
pub(crate) fn audience(context: &Context) -> &str {
    context.host().map_or("", Host::as_str)
}

/// A service account with its key.
pub(crate) struct ServiceAccount {
    email: String,
    key_id: String,
    key: RsaKeyPair,
}

impl ServiceAccount {
    /// Reads a key file.
    pub(crate) fn read(file: &Value) -> Result<Arc<ServiceAccount>, Error> {
        let member =
            |name| text(file, name).map_err(|_| Error::credentials(format!("the Google key file has no `{name}`")));
        let pem = member("private_key")?;
        let body: String = pem.expose().lines().filter(|line| !line.starts_with("-----")).map(str::trim).collect();
        let key = STANDARD.decode(body).ok().and_then(|der| RsaKeyPair::from_pkcs8(&der).ok());
        Ok(Arc::new(ServiceAccount {
            email: member("client_email")?.expose().to_owned(),
            key_id: text(file, "private_key_id").map_or_else(|_| String::new(), |id| id.expose().to_owned()),
            key: key.ok_or_else(|| Error::credentials("the private key of the Google key file cannot be read"))?,
        }))
    }

    /// An ID token for the host.
    pub(crate) async fn id_token(&self, context: &Context) -> Result<Token, Error> {
        let answer = self.request(context, "target_audience", audience(context)).await?;
        Ok(Token::from_jwt(text(&answer, "id_token")?))
    }

    /// An access token for Google Cloud.
    pub(crate) async fn access_token(&self, context: &Context) -> Result<Token, Error> {
        let asked = context.environment.now();
        Token::read(&self.request(context, "scope", &SCOPES.join(" ")).await?, asked)
    }

    async fn request(&self, context: &Context, claim: &str, value: &str) -> Result<Value, Error> {
        let assertion = self.assertion(claim, value, context.environment.now())?;
        let fields = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion.as_str())];
        context.identity.request(TokenRequest::form(TOKEN_URL, &fields)?).await
    }

    /// A JSON web token with a claim, signed by RS256.
    fn assertion(&self, claim: &str, value: &str, now: SystemTime) -> Result<String, Error> {
        let now = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        let claims = json!({
            (claim): value, "iss": self.email, "aud": TOKEN_URL, "iat": now, "exp": now + 3_600,
        });
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": self.key_id });
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let signed = format!("{header}.{claims}");
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature)
            .map_err(|_| Error::credentials("the private key of the Google key file cannot sign"))?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}
