//! A login in the browser, and what is kept of it.

use std::collections::HashMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use ring::digest::{SHA256, digest};
use tempfile::TempDir;

use super::authenticate;
use super::provider::{Provider, usual};
use crate::auth::{Attribute, Login};
use crate::config::Config;

struct Home {
    directory: TempDir,
    provider: Provider,
}

impl Home {
    /// A home where tokens can be refreshed, unless `refused` says otherwise. They are numbered by request.
    async fn new(refused: bool) -> Home {
        let provider = Provider::start(move |line, number| match line.ends_with("/token") {
            true if refused && number > 2 => {
                (400, r#"{"error":"invalid_grant","error_description":"Refresh token is invalid"}"#.to_owned())
            }
            true => {
                let refresh =
                    if number < 6 { format!(r#","refresh_token":"refresh-{number}""#) } else { String::new() };
                (200, format!(r#"{{"access_token":"token-{number}","expires_in":3600{refresh}}}"#))
            }
            false => usual(line, number),
        })
        .await;
        Home { directory: tempfile::tempdir().unwrap(), provider }
    }

    fn config(&self) -> Config {
        // Port 0: a free one, so that tests do not fight for one.
        let variables = [("DATABRICKS_HOST", "acme.test"), ("DATABRICKS_OAUTH_CALLBACK_PORT", "0")];
        let environment = self.provider.environment(&variables).with_home(Some(self.directory.path().to_owned()));
        Provider::config_in(environment)
    }

    async fn log_in(&self) {
        let login = Login::start(&self.config()).await.unwrap();
        let query = query(login.url());
        let back = format!("{}/?code=code-1&state={}", query["redirect_uri"], query["state"]);
        let (finished, page) = tokio::join!(login.finish(), visit(&back));
        finished.unwrap();
        assert!(page.contains("You are logged in"), "{page}");
    }
}

fn query(url: &str) -> HashMap<String, String> {
    Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

async fn visit(url: &str) -> String {
    let http = crate::transport::http_client(&Config::new("http://localhost", "x").unwrap()).unwrap();
    http.get(url.replace("localhost", "127.0.0.1")).send().await.unwrap().text().await.unwrap()
}

#[tokio::test]
async fn the_browser_brings_a_code_that_is_exchanged() {
    let home = Home::new(false).await;
    let config = home.config();
    assert!(!Login::is_kept(&config).unwrap());
    let login = Login::start(&config).await.unwrap();
    assert!(
        login.url().starts_with("https://acme.test/oidc/v1/authorize?response_type=code&client_id=databricks-cli&")
    );
    let asked = query(login.url());
    assert_eq!((asked["scope"].as_str(), asked["code_challenge_method"].as_str()), ("offline_access all-apis", "S256"));
    let back = asked["redirect_uri"].clone();
    assert!(back.starts_with("http://localhost:"), "{back}");

    // Somebody else's requests, among them one that guesses, do not end it, nor do connections that are not used.
    let address = back.replace("http://localhost", "127.0.0.1");
    let _unused = tokio::net::TcpStream::connect(&address).await.unwrap();
    drop(tokio::net::TcpStream::connect(&address).await.unwrap());
    let visits = async {
        for path in ["/favicon.ico", "/?code=evil&state=guess", "/?error=evil"] {
            assert!(visit(&format!("{back}{path}")).await.contains("not the page"));
        }
        visit(&format!("{back}/?code=code-1&state={}", asked["state"])).await
    };
    let (finished, page) = tokio::join!(login.finish(), visits);
    finished.unwrap();
    assert!(page.contains("You are logged in"), "{page}");

    let exchange = home.provider.asked().pop().unwrap();
    let start = format!(
        "POST https://acme.test/oidc/v1/token\ncontent-type: application/x-www-form-urlencoded\n\
         grant_type=authorization_code&code=code-1&redirect_uri={}&code_verifier=",
        back.replace(':', "%3A").replace('/', "%2F")
    );
    let rest = exchange.strip_prefix(&start).unwrap_or_else(|| panic!("{exchange}"));
    let verifier = rest.strip_suffix("&client_id=databricks-cli").unwrap();
    assert!((43..=128).contains(&verifier.len()), "{verifier}");
    assert_eq!(asked["code_challenge"], URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())));

    assert!(Login::is_kept(&config).unwrap());
    let expected = ("external-browser", vec!["authorization: Bearer token-2".to_owned()]);
    assert_eq!(authenticate(&config).await.unwrap(), expected);
    assert!(Login::forget(&config).unwrap());
    assert!(!Login::forget(&config).unwrap() && !Login::is_kept(&config).unwrap());
}

#[tokio::test]
async fn a_refusal_is_told() {
    let home = Home::new(false).await;
    let login = Login::start(&home.config()).await.unwrap();
    assert!(!format!("{login:?}").contains("Secret(\""));
    let asked = query(login.url());
    let back =
        format!("{}/?error=access_denied&error_description=not%20you&state={}", asked["redirect_uri"], asked["state"]);
    let (finished, _) = tokio::join!(login.finish(), visit(&back));
    assert_eq!(finished.unwrap_err().to_string(), "the login was refused: access_denied: not you");
    assert!(!Login::is_kept(&home.config()).unwrap());
}

#[cfg(unix)]
#[tokio::test]
async fn the_tokens_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new(false).await;
    home.log_in().await;
    let directory = home.directory.path().join(".config/databricks-mcp-server/oauth");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let files: Vec<_> = std::fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(mode(&files[0]), 0o600);
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&files[0]).unwrap()).unwrap();
    let expected = serde_json::json!({
        "access_token": "token-2", "refresh_token": "refresh-2", "expiry": "2027-01-15T09:00:00Z",
    });
    assert_eq!(kept, expected);
}

#[tokio::test]
async fn an_ended_token_is_refreshed_and_kept() {
    let home = Home::new(false).await;
    home.log_in().await;
    // Five minutes before its end, and again when the next ones end. Not each answer brings a new refresh token.
    for (seconds, refresh) in [(3_301, 2), (3_600, 5), (3_600, 5)] {
        home.provider.wait(seconds);
        let (_, headers) = authenticate(&home.config()).await.unwrap();
        let asked = home.provider.asked();
        let ask = asked.iter().rfind(|asked| asked.starts_with("POST")).unwrap();
        assert!(
            ask.ends_with(&format!(
                "\ngrant_type=refresh_token&refresh_token=refresh-{refresh}&client_id=databricks-cli"
            )),
            "{ask}"
        );
        let again = authenticate(&home.config()).await.unwrap().1;
        assert_eq!(again, headers, "the refreshed token is not kept");
    }
}

#[tokio::test]
async fn a_login_that_has_ended_says_what_to_do() {
    let home = Home::new(true).await;
    home.log_in().await;
    home.provider.wait(3_601);
    let error = authenticate(&home.config()).await.unwrap_err();
    assert!(error.to_string().contains("invalid_grant: Refresh token is invalid"), "{error}");
    assert_eq!(error.hint(), Some("log in to the host again"));
    assert!(!format!("{error:?}").contains("refresh-2"));
}

#[tokio::test]
async fn a_login_is_for_one_host_and_profile() {
    let home = Home::new(false).await;
    home.log_in().await;
    for (attribute, value) in [(Attribute::Profile, "p"), (Attribute::Scopes, "sql"), (Attribute::GroupId, "7")] {
        let mut config = home.config();
        config.settings.put(attribute, Some(value));
        assert!(!Login::is_kept(&config).unwrap(), "{value}");
    }
    let other = Config { host: Some("other.test".parse().unwrap()), ..home.config() };
    assert!(!Login::is_kept(&other).unwrap());
    assert!(Login::is_kept(&Config { host: None, ..home.config() }).unwrap_err().is_configuration());
}
