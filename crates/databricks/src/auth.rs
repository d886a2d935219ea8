//! Proving who calls. Today a bearer token; this is the place where further methods join.

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};

use crate::error::Error;
use crate::secret::Secret;

/// The chosen way to authenticate.
#[derive(Debug)]
pub(crate) enum Authenticator {
    /// Nothing is configured: calls are refused before they are sent.
    Missing,
    /// A personal access token.
    Token(Secret),
}

impl Authenticator {
    pub(crate) fn new(token: Option<Secret>) -> Authenticator {
        token.filter(|token| !token.is_empty()).map_or(Authenticator::Missing, Authenticator::Token)
    }

    /// The name of the method, as the `User-Agent` reports it.
    pub(crate) fn auth_type(&self) -> Option<&'static str> {
        match self {
            Authenticator::Missing => None,
            Authenticator::Token(_) => Some("pat"),
        }
    }

    /// The headers that authenticate one attempt. Asynchronous because a token may have to be fetched first.
    pub(crate) async fn headers(&self) -> Result<HeaderMap, Error> {
        let Authenticator::Token(token) = self else {
            return Err(Error::configuration("no credentials are set")
                .with_hint("set DATABRICKS_TOKEN to a personal access token of the workspace"));
        };
        let mut value = HeaderValue::try_from(format!("Bearer {}", token.expose())).map_err(|_| {
            Error::configuration("the token contains characters that no token has")
                .with_hint("check DATABRICKS_TOKEN for stray quotes and line breaks")
        })?;
        value.set_sensitive(true);
        Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
    }

    /// Replaces the credential in a text that came from outside, should somebody have echoed it.
    pub(crate) fn redact(&self, text: String) -> String {
        match self {
            // Anything shorter is no token of Databricks and may be a part of any word.
            Authenticator::Token(token) if token.expose().len() > 6 => text.replace(token.expose(), "***"),
            Authenticator::Token(_) | Authenticator::Missing => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_token_is_sent_and_never_shown() {
        let authenticator = Authenticator::new(Some("dapi123".into()));
        let headers = authenticator.headers().await.unwrap();
        assert_eq!(headers.get(AUTHORIZATION).unwrap(), "Bearer dapi123");
        assert!(!format!("{headers:?} {authenticator:?}").contains("dapi123"));
        assert_eq!(authenticator.redact("token dapi123 is bad".to_owned()), "token *** is bad");
    }

    #[tokio::test]
    async fn missing_and_broken_tokens_say_what_to_set() {
        for token in [None, Some(Secret::from("")), Some(Secret::from("dapi\n123"))] {
            let error = Authenticator::new(token).headers().await.unwrap_err();
            assert!(error.is_configuration());
            assert!(error.hint().unwrap().contains("DATABRICKS_TOKEN"));
            assert!(!format!("{error:?}").contains("dapi"));
        }
    }
}
