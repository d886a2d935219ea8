//! What an authentication method produces: headers, and the means to renew them.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::auth::cache::TokenCache;
use crate::auth::caller::CallerToken;
use crate::error::Error;
use crate::secret::Secret;

/// A configured credential.
#[derive(Debug)]
pub(crate) struct Credential {
    authorization: Authorization,
    companion: Option<Companion>,
    fixed: Vec<(HeaderName, Secret)>,
}

#[derive(Debug)]
enum Authorization {
    /// The whole value of the header.
    Fixed(Secret),
    Bearer(TokenCache),
    /// The token of whoever is called for, as it is when the request is sent.
    Caller(CallerToken),
}

/// A second token that some clouds want to see.
#[derive(Debug)]
struct Companion {
    header: HeaderName,
    tokens: TokenCache,
    required: bool,
}

/// The headers for one attempt, and which tokens they carry.
#[derive(Debug)]
pub(crate) struct AuthHeaders {
    pub(crate) headers: HeaderMap,
    generations: Generations,
}

#[derive(Debug, Clone, Copy, Default)]
struct Generations {
    bearer: Option<u64>,
    companion: Option<u64>,
}

impl Credential {
    /// The same value for every call.
    pub(crate) fn fixed(authorization: impl Into<Secret>) -> Credential {
        let authorization = Authorization::Fixed(authorization.into());
        Credential { authorization, companion: None, fixed: Vec::new() }
    }

    /// The token of whoever is called for.
    pub(crate) fn caller(token: CallerToken) -> Credential {
        Credential { authorization: Authorization::Caller(token), companion: None, fixed: Vec::new() }
    }

    /// A bearer token that is fetched.
    pub(crate) fn bearer(tokens: TokenCache) -> Credential {
        Credential { authorization: Authorization::Bearer(tokens), companion: None, fixed: Vec::new() }
    }

    /// Adds a second token; without it, a call is made only if it is not required.
    pub(crate) fn with_companion(mut self, header: HeaderName, tokens: TokenCache, required: bool) -> Credential {
        self.companion = Some(Companion { header, tokens, required });
        self
    }

    pub(crate) fn with_header(mut self, header: HeaderName, value: &str) -> Credential {
        self.fixed.push((header, value.into()));
        self
    }

    pub(crate) async fn proof(&self) -> Result<AuthHeaders, Error> {
        let mut headers = HeaderMap::new();
        let mut generations = Generations::default();
        match &self.authorization {
            Authorization::Fixed(value) => headers.insert(AUTHORIZATION, header_value(value.expose())?),
            Authorization::Caller(token) => {
                headers.insert(AUTHORIZATION, header_value(&format!("Bearer {}", token.get()?.expose()))?)
            }
            Authorization::Bearer(tokens) => {
                let held = tokens.token().await?;
                generations.bearer = Some(held.generation);
                headers.insert(AUTHORIZATION, header_value(&format!("Bearer {}", held.token.expose()))?)
            }
        };
        let companion = self.companion.as_ref();
        // One that can be done without is not asked for again and again.
        if let Some(Companion { header, tokens, required }) =
            companion.filter(|companion| companion.required || !companion.tokens.failed_lately())
        {
            match tokens.token().await {
                Ok(held) => {
                    generations.companion = Some(held.generation);
                    headers.insert(header, header_value(held.token.expose())?);
                }
                Err(error) if *required => return Err(error),
                Err(error) => tracing::warn!(%error, %header, "calling without a second token"),
            }
        }
        for (header, value) in &self.fixed {
            headers.insert(header, header_value(value.expose())?);
        }
        Ok(AuthHeaders { headers, generations })
    }

    /// Replaces the tokens of a proof that was refused. `false`: there is nothing to replace.
    pub(crate) async fn renew(&self, refused: &AuthHeaders) -> Result<bool, Error> {
        let (Authorization::Bearer(tokens), Some(generation)) = (&self.authorization, refused.generations.bearer)
        else {
            return Ok(false);
        };
        tokens.renew(generation).await?;
        if let (Some(companion), Some(generation)) = (&self.companion, refused.generations.companion) {
            match companion.tokens.renew(generation).await {
                Err(error) if companion.required => return Err(error),
                Err(_) | Ok(_) => {}
            }
        }
        Ok(true)
    }
}

fn header_value(text: &str) -> Result<HeaderValue, Error> {
    let mut value = HeaderValue::try_from(text).map_err(|_| {
        Error::configuration("the token contains characters that are not allowed in a token")
            .with_hint("check DATABRICKS_TOKEN for stray quotes and line breaks")
    })?;
    value.set_sensitive(true);
    Ok(value)
}
