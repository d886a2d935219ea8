//! Unified authentication against an identity provider on loopback that remembers what it was asked.

mod azure;
mod google;
mod kept;
mod login;
mod metadata;
mod oidc;
mod permutations;
mod programs;
mod provider;
mod workspace;

use crate::auth::{Attribute, Authenticator, Context};
use crate::config::Config;
use crate::error::Error;
use crate::transport::http_client;

/// What a configuration comes to: the name of the method, and the headers of a call in order of their names.
async fn authenticate(config: &Config) -> Result<(&'static str, Vec<String>), Error> {
    let authenticator = Authenticator::new(Context::new(config, http_client(config)?));
    let chosen = authenticator.chosen().await?;
    let proof = chosen.proof(authenticator.context()).await?;
    assert!(!format!("{:?} {authenticator:?}", proof.headers).contains("token-"), "a token is shown");
    let mut headers: Vec<_> =
        proof.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    headers.sort();
    Ok((chosen.name, headers))
}

#[tokio::test]
async fn the_token_is_sent_and_never_shown() {
    let config = Config::new("acme.test", "dapi123").unwrap();
    let authenticator = Authenticator::new(Context::new(&config, http_client(&config).unwrap()));
    let chosen = authenticator.chosen().await.unwrap();
    let proof = chosen.proof(authenticator.context()).await.unwrap();
    assert_eq!(proof.headers.get("authorization").unwrap(), "Bearer dapi123");
    assert!(!format!("{proof:?} {authenticator:?} {chosen:?} {config:?}").contains("dapi123"));
    assert_eq!(authenticator.mask().text("token dapi123 is bad"), "token *** is bad");
    assert!(!chosen.renew(authenticator.context(), &proof).await.unwrap());
}

#[tokio::test]
async fn a_broken_token_says_what_to_check() {
    let error = authenticate(&Config::new("acme.test", "dapi\n123").unwrap()).await.unwrap_err();
    assert!(error.is_configuration() && error.hint().unwrap().contains("DATABRICKS_TOKEN"));
    assert!(!format!("{error:?}").contains("dapi"));
}

#[tokio::test]
async fn user_name_and_password_are_sent() {
    let mut config = Config { host: Some("acme.test".parse().unwrap()), ..Config::default() };
    config.settings = config.settings.with(Attribute::Username, "me").with(Attribute::Password, "pässword");
    let expected = ("basic", vec!["authorization: Basic bWU6cMOkc3N3b3Jk".to_owned()]);
    assert_eq!(authenticate(&config).await.unwrap(), expected);
}
