//! What is kept of logins, and how it is used: refreshed ahead of time, once for however many processes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::authenticate;
use super::login::{Home, log_in};
use super::provider::{Provider, usual};
use crate::auth::{Attribute, Login};
use crate::config::Config;

/// A provider whose refresh tokens are good for one use each: whoever uses one again ends the login, as RFC 9700 has it.
async fn rotating() -> (Home, Arc<AtomicUsize>) {
    let good = Arc::new(Mutex::new(None::<String>));
    let refreshed = Arc::new(AtomicUsize::new(0));
    let (shared, count) = (Arc::clone(&good), Arc::clone(&refreshed));
    let provider = Provider::start_with_body(move |line, body, number| {
        if !line.ends_with("/token") {
            return usual(line, number);
        }
        let mut good = shared.lock().unwrap();
        let is_refresh = body.contains("grant_type=refresh_token");
        let given = body.split('&').find_map(|field| field.strip_prefix("refresh_token="));
        if is_refresh && given != good.as_deref() {
            *good = None;
            return (400, r#"{"error":"invalid_grant","error_description":"Refresh token is invalid"}"#.to_owned());
        }
        count.fetch_add(usize::from(is_refresh), Ordering::SeqCst);
        let next = format!("refresh-{number}");
        *good = Some(next.clone());
        (200, format!(r#"{{"access_token":"token-{number}","refresh_token":"{next}","expires_in":3600}}"#))
    })
    .await;
    (Home { directory: tempfile::tempdir().unwrap(), provider }, refreshed)
}

#[tokio::test]
async fn an_ended_token_is_refreshed_and_kept() {
    let home = Home::with(|number| {
        let refresh = if number < 6 { format!(r#","refresh_token":"refresh-{number}""#) } else { String::new() };
        (200, format!(r#"{{"access_token":"token-{number}","expires_in":3600{refresh}}}"#))
    })
    .await;
    home.log_in().await;
    // Five minutes before its end, and again when the next ones end. Not each answer brings a new refresh token.
    for (seconds, refresh) in [(3_301, 2), (3_600, 5), (3_600, 5)] {
        home.provider.wait(seconds);
        let (_, headers) = authenticate(&home.config()).await.unwrap();
        let asked = home.provider.asked();
        let ask = asked.iter().rfind(|asked| asked.starts_with("POST")).unwrap();
        let expected = format!(
            "POST https://acme.test/oidc/v1/token\ncontent-type: application/x-www-form-urlencoded\n\
             grant_type=refresh_token&refresh_token=refresh-{refresh}&client_id=databricks-cli"
        );
        assert_eq!(*ask, expected);
        let again = authenticate(&home.config()).await.unwrap().1;
        assert_eq!(again, headers, "the refreshed token is not kept");
    }
}

#[tokio::test]
async fn many_processes_refresh_once() {
    let (home, refreshed) = rotating().await;
    home.log_in().await;
    for round in 1..=3 {
        home.provider.wait(3_600);
        // Each has a world of its own, as a process has; the files are all they share.
        let processes: Vec<_> = (0..10)
            .map(|_| {
                let config = home.config();
                tokio::spawn(async move { authenticate(&config).await.unwrap().1 })
            })
            .collect();
        let mut tokens = Vec::new();
        for process in processes {
            tokens.push(process.await.unwrap());
        }
        tokens.dedup();
        assert_eq!((tokens.len(), refreshed.load(Ordering::SeqCst)), (1, round), "{tokens:?}");
    }
}

#[tokio::test]
async fn a_storm_of_calls_refreshes_once() {
    let (home, refreshed) = rotating().await;
    home.log_in().await;
    home.provider.wait(3_600);
    let context = |config: &Config| {
        Arc::new(crate::auth::Authenticator::new(crate::auth::Context::new(
            config,
            crate::transport::http_client(config).unwrap(),
        )))
    };
    let authenticator = context(&home.config());
    let calls: Vec<_> = (0..100)
        .map(|_| {
            let authenticator = Arc::clone(&authenticator);
            tokio::spawn(async move {
                let chosen = authenticator.chosen().await.unwrap();
                chosen.proof(authenticator.context()).await.unwrap().headers
            })
        })
        .collect();
    for call in calls {
        assert!(call.await.unwrap().contains_key("authorization"));
    }
    assert_eq!(refreshed.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_token_that_another_process_refreshed_is_taken() {
    let (home, refreshed) = rotating().await;
    home.log_in().await;
    let config = home.config();
    let authenticator = crate::auth::Authenticator::new(crate::auth::Context::new(
        &config,
        crate::transport::http_client(&config).unwrap(),
    ));
    let chosen = authenticator.chosen().await.unwrap();
    let first = chosen.proof(authenticator.context()).await.unwrap();
    // The workspace has revoked the token; another process noticed before.
    home.provider.wait(3_400);
    let (_, theirs) = authenticate(&home.config()).await.unwrap();
    assert!(chosen.renew(authenticator.context(), &first).await.unwrap());
    let ours = chosen.proof(authenticator.context()).await.unwrap().headers;
    assert_eq!(theirs, [format!("authorization: {}", ours.get("authorization").unwrap().to_str().unwrap())]);
    assert_eq!(refreshed.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_login_that_has_ended_says_what_to_do() {
    let (home, _) = rotating().await;
    home.log_in().await;
    home.provider.wait(3_601);
    let path = home.files().remove(0);
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text.replace("refresh-2", "refresh-revoked")).unwrap();
    let error = authenticate(&home.config()).await.unwrap_err();
    assert!(error.to_string().contains("invalid_grant: Refresh token is invalid"), "{error}");
    assert_eq!(error.hint(), Some("run `databricks-mcp-server auth login --host https://acme.test`"));
    assert!(error.is_unauthenticated() && !format!("{error:?}").contains("refresh-revoked"));
}

#[tokio::test]
async fn a_login_without_refresh_token_ends() {
    let home = Home::with(|number| (200, format!(r#"{{"access_token":"token-{number}","expires_in":3600}}"#))).await;
    assert!(!home.log_in().await.login.renews());
    assert_eq!(authenticate(&home.config()).await.unwrap().0, "external-browser");
    home.provider.wait(3_601);
    let error = authenticate(&home.config()).await.unwrap_err();
    assert!(error.to_string().contains("the login has ended, and it came without a refresh token"), "{error}");
}

#[tokio::test]
async fn a_token_in_its_last_minutes_is_used_when_the_provider_fails() {
    let home = Home::with(|number| match number {
        2 => (200, r#"{"access_token":"token-2","refresh_token":"refresh-2","expires_in":3600}"#.to_owned()),
        _ => (400, r#"{"error":"invalid_grant"}"#.to_owned()),
    })
    .await;
    home.log_in().await;
    home.provider.wait(3_500);
    assert_eq!(authenticate(&home.config()).await.unwrap().1, ["authorization: Bearer token-2"]);
    assert!(home.provider.count("/oidc/v1/token") > 1);
    home.provider.wait(61);
    authenticate(&home.config()).await.unwrap_err();
}

#[tokio::test]
async fn a_login_serves_who_wants_the_same() {
    let home = Home::new().await;
    let with = |profile: Option<&str>| {
        let mut config = home.config();
        config.settings.put(Attribute::Profile, profile);
        config
    };
    let found =
        |config: &Config| Login::find(config).map(|login| login.map(|login| login.profile().map(str::to_owned)));
    assert_eq!(found(&with(None)).unwrap(), None);
    // One with a profile serves whoever names none, and nobody who names another.
    log_in(Login::start(&with(Some("a"))).await.unwrap()).await.unwrap();
    assert_eq!(found(&with(None)).unwrap(), Some(Some("a".to_owned())));
    assert_eq!(found(&with(Some("b"))).unwrap(), None);
    // Of two it is not guessed.
    log_in(Login::start(&with(Some("b"))).await.unwrap()).await.unwrap();
    let error = found(&with(None)).unwrap_err();
    assert_eq!(error.to_string(), "several logins are stored for this host: `a`, `b`");
    let error = authenticate(&with(None)).await.unwrap_err();
    assert!(error.to_string().contains("tried `external-browser`: several logins are stored"), "{error}");
    assert!(error.hint().unwrap().contains("DATABRICKS_CONFIG_PROFILE"));
    // One without a profile serves all who have none of their own.
    home.log_in().await;
    for (profile, expected) in [(None, None), (Some("b"), Some("b")), (Some("c"), None)] {
        assert_eq!(found(&with(profile)).unwrap(), Some(expected.map(str::to_owned)), "{profile:?}");
    }
    assert_eq!(home.kept().iter().map(|login| login.profile()).collect::<Vec<_>>(), [None, Some("a"), Some("b")]);
    // Anything else must be the same.
    for (attribute, value) in [(Attribute::Scopes, "sql"), (Attribute::GroupId, "7"), (Attribute::ClientId, "mine")] {
        let mut config = home.config();
        config.settings.put(attribute, Some(value));
        assert_eq!(found(&config).unwrap(), None, "{value}");
    }
    let other = Config { host: Some("other.test".parse().unwrap()), ..home.config() };
    assert_eq!(found(&other).unwrap(), None);
    assert!(Login::find(&Config { host: None, ..home.config() }).unwrap_err().is_configuration());
}

#[tokio::test]
async fn accounts_of_one_host_are_told_apart() {
    let home = Home::new().await;
    let config = |account: &str| {
        home.config_with(&[
            ("DATABRICKS_HOST", "accounts.acme.test"),
            ("DATABRICKS_ACCOUNT_ID", account),
            ("DATABRICKS_OAUTH_CALLBACK_PORT", "0"),
        ])
    };
    let done = log_in(Login::start(&config("one")).await.unwrap()).await.unwrap();
    assert_eq!(done.login.account_id(), Some("one"));
    assert!(Login::find(&config("one")).unwrap().is_some() && Login::find(&config("two")).unwrap().is_none());
}

#[tokio::test]
async fn any_other_way_comes_first_and_a_broken_file_is_passed_over() {
    let home = Home::new().await;
    home.log_in().await;
    std::fs::write(home.files()[0].with_file_name("broken.json"), "{\"host\": 7").unwrap();
    assert_eq!(home.kept().len(), 1);
    let config = home.config_with(&[("DATABRICKS_HOST", "acme.test"), ("DATABRICKS_TOKEN", "token-x")]);
    assert_eq!(authenticate(&config).await.unwrap().0, "pat");
    let config = home.config_with(&[
        ("DATABRICKS_HOST", "acme.test"),
        ("DATABRICKS_TOKEN", "token-x"),
        ("DATABRICKS_AUTH_TYPE", "external-browser"),
    ]);
    assert_eq!(authenticate(&config).await.unwrap().0, "external-browser");
    let config = home.config_with(&[("DATABRICKS_HOST", "other.test"), ("DATABRICKS_AUTH_TYPE", "external-browser")]);
    let error = authenticate(&config).await.unwrap_err();
    let expected = "cannot authenticate to `https://other.test` with `external-browser`: no browser login is stored \
                    for this host";
    assert_eq!(error.to_string(), expected);
    assert!(error.hint().unwrap().contains("auth login"), "{:?}", error.hint());
}
