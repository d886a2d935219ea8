//! A login in the browser, from the page to open to what is kept.

use std::collections::HashMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use ring::digest::{SHA256, digest};
use tempfile::TempDir;

use super::authenticate;
use super::provider::{Provider, usual};
use crate::auth::keyring::Keyring;
use crate::auth::{Attribute, KeptLogin, LoggedIn, Login, Storage};
use crate::config::Config;
use crate::error::Error;

/// A home directory, and a provider that gives out tokens. They are numbered by request.
pub(super) struct Home {
    pub(super) directory: TempDir,
    pub(super) provider: Provider,
}

impl Home {
    pub(super) async fn new() -> Home {
        Home::with(|number| {
            (
                200,
                format!(r#"{{"access_token":"token-{number}","refresh_token":"refresh-{number}","expires_in":3600}}"#),
            )
        })
        .await
    }

    /// A home whose provider answers so to the requests for tokens, numbered as all requests are.
    pub(super) async fn with(token: impl Fn(usize) -> (u16, String) + Clone + Send + Sync + 'static) -> Home {
        let provider = Provider::start(move |line, number| match line.ends_with("/token") {
            true => token(number),
            false => usual(line, number),
        })
        .await;
        Home { directory: tempfile::tempdir().unwrap(), provider }
    }

    pub(super) fn config(&self) -> Config {
        // Port 0: a free one, so that tests do not fight for one.
        self.config_with(&[("DATABRICKS_HOST", "acme.test"), ("DATABRICKS_OAUTH_CALLBACK_PORT", "0")])
    }

    pub(super) fn config_with(&self, variables: &[(&'static str, &str)]) -> Config {
        let environment = self.provider.environment(variables).with_home(Some(self.directory.path().to_owned()));
        Provider::config_in(environment)
    }

    pub(super) async fn log_in(&self) -> LoggedIn {
        log_in(Login::start(&self.config()).await.unwrap()).await.unwrap()
    }

    pub(super) fn kept(&self) -> Vec<KeptLogin> {
        Login::kept(&self.config().environment).unwrap()
    }

    /// The files of the logins.
    pub(super) fn files(&self) -> Vec<std::path::PathBuf> {
        let directory = self.directory.path().join(".config/databricks-mcp-server/oauth");
        let files = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|path| path.extension().is_some_and(|extension| extension == "json")).collect()
    }
}

/// Plays the browser of somebody who agrees.
pub(super) async fn log_in(login: Login) -> Result<LoggedIn, Error> {
    let query = query(login.url());
    let back = format!("{}/?code=the-code-1&state={}", query["redirect_uri"], query["state"]);
    let (finished, (status, page)) = tokio::join!(login.finish(), visit(&back));
    assert_eq!(status == 200, finished.is_ok());
    assert_eq!(page.contains("You are logged in"), finished.is_ok(), "{page}");
    finished
}

pub(super) fn query(url: &str) -> HashMap<String, String> {
    Url::parse(url).unwrap().query_pairs().into_owned().collect()
}

/// The status and the page that a browser sees.
pub(super) async fn visit(url: &str) -> (u16, String) {
    let http = crate::transport::http_client(&Config::new("http://localhost", "x").unwrap()).unwrap();
    let answer = http.get(url.replace("localhost", "127.0.0.1")).send().await.unwrap();
    assert_eq!(answer.headers().get("cache-control").unwrap(), "no-store");
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn the_browser_brings_a_code_that_is_exchanged() {
    let home = Home::new().await;
    let config = home.config();
    assert!(home.kept().is_empty());
    let login = Login::start(&config).await.unwrap();
    assert!(
        login.url().starts_with("https://acme.test/oidc/v1/authorize?response_type=code&client_id=databricks-cli&")
    );
    let asked = query(login.url());
    let mut names: Vec<_> = asked.keys().map(String::as_str).collect();
    names.sort_unstable();
    let expected =
        ["client_id", "code_challenge", "code_challenge_method", "redirect_uri", "response_type", "scope", "state"];
    assert_eq!(names, expected);
    assert_eq!((asked["scope"].as_str(), asked["code_challenge_method"].as_str()), ("offline_access all-apis", "S256"));
    assert!(asked["state"].len() >= 20);
    let back = asked["redirect_uri"].clone();
    assert!(back.starts_with("http://localhost:"), "{back}");

    // Somebody else's requests, among them ones that guess, do not end it, nor do connections that are not used.
    let address = back.replace("http://localhost", "127.0.0.1").replace("http://", "");
    let _unused = tokio::net::TcpStream::connect(&address).await.unwrap();
    drop(tokio::net::TcpStream::connect(&address).await.unwrap());
    let visits = async {
        for (path, status, text) in [
            ("/favicon.ico", 404, "not the page"),
            ("/?state=guess", 404, "not the page"),
            ("/?code=evil&state=guess", 400, "belongs to another login"),
            ("/?code=evil", 400, "belongs to another login"),
            ("/?error=evil", 400, "belongs to another login"),
        ] {
            let (given, page) = visit(&format!("{back}{path}")).await;
            assert!(given == status && page.contains(text), "{path}: {given} {page}");
        }
        visit(&format!("{back}/?code=the-code-1&state={}", asked["state"])).await
    };
    let (finished, (_, page)) = tokio::join!(login.finish(), visits);
    let done = finished.unwrap();
    assert!(page.contains("You are logged in"), "{page}");
    assert_eq!((done.login.host(), done.login.profile(), done.login.scopes()), ("https://acme.test", None, "all-apis"));
    assert!(done.login.renews() && done.written.is_none());

    let exchange = home.provider.asked().pop().unwrap();
    let start = format!(
        "POST https://acme.test/oidc/v1/token\ncontent-type: application/x-www-form-urlencoded\n\
         grant_type=authorization_code&code=the-code-1&redirect_uri={}&code_verifier=",
        back.replace(':', "%3A").replace('/', "%2F")
    );
    let rest = exchange.strip_prefix(&start).unwrap_or_else(|| panic!("{exchange}"));
    let verifier = rest.strip_suffix("&client_id=databricks-cli").unwrap();
    assert!((43..=128).contains(&verifier.len()), "{verifier}");
    assert_eq!(asked["code_challenge"], URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())));

    assert_eq!(home.kept(), std::slice::from_ref(&done.login));
    let expected = ("external-browser", vec!["authorization: Bearer token-2".to_owned()]);
    assert_eq!(authenticate(&config).await.unwrap(), expected);
    assert!(Login::forget(&done.login, &config.environment).await.unwrap());
    assert!(!Login::forget(&done.login, &config.environment).await.unwrap() && home.kept().is_empty());
    let left: Vec<_> =
        std::fs::read_dir(home.directory.path().join(".config/databricks-mcp-server/oauth")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[tokio::test]
async fn each_login_has_its_own_state_and_verifier() {
    let home = Home::new().await;
    let [one, other] = [Login::start(&home.config()).await.unwrap(), Login::start(&home.config()).await.unwrap()];
    for name in ["state", "code_challenge"] {
        assert_ne!(query(one.url())[name], query(other.url())[name]);
    }
}

#[tokio::test]
async fn a_refusal_is_told_in_the_browser_too() {
    let home = Home::new().await;
    let login = Login::start(&home.config()).await.unwrap();
    assert!(!format!("{login:?}").contains("Secret(\""));
    let asked = query(login.url());
    let back = format!(
        "{}/?error=access_denied&error_description=not%20<b>you&state={}",
        asked["redirect_uri"], asked["state"]
    );
    let (finished, (status, page)) = tokio::join!(login.finish(), visit(&back));
    let error = finished.unwrap_err();
    assert!(error.to_string().starts_with("the login was refused: access_denied: not"), "{error}");
    assert!(error.hint().is_some());
    assert_eq!(status, 400);
    assert!(page.contains("The login failed") && page.contains("access_denied") && !page.contains("<b>"), "{page}");
    assert!(home.kept().is_empty());
}

#[tokio::test]
async fn a_code_that_is_not_taken_is_told_in_the_browser_too_and_not_tried_again() {
    let home =
        Home::with(|_| (503, r#"{"error":"server_error","error_description":"the-code-1 is odd"}"#.to_owned())).await;
    let error = log_in(Login::start(&home.config()).await.unwrap()).await.unwrap_err();
    assert!(error.to_string().contains("status 503") && !format!("{error:?}").contains("the-code-1"), "{error}");
    assert_eq!(home.provider.count("/oidc/v1/token"), 1);
    assert!(home.kept().is_empty());
}

#[tokio::test]
async fn a_taken_port_is_passed_over_unless_it_was_asked_for() {
    let home = Home::new().await;
    let host = ("DATABRICKS_HOST", "acme.test");
    let config = home.config_with(&[host]);
    let logins = [Login::start(&config).await.unwrap(), Login::start(&config).await.unwrap()];
    let port = |login: &Login| Url::parse(&query(login.url())["redirect_uri"]).unwrap().port().unwrap();
    let [one, other] = [port(&logins[0]), port(&logins[1])];
    assert!(one < other && (8020..=8040).contains(&one) && (8020..=8040).contains(&other), "{one} {other}");

    let port = one.to_string();
    let error = Login::start(&home.config_with(&[host, ("DATABRICKS_OAUTH_CALLBACK_PORT", &port)])).await.unwrap_err();
    assert_eq!(error.to_string(), format!("port {port}, to which the browser should return, is in use"));
    let error = Login::start(&home.config_with(&[host, ("DATABRICKS_OAUTH_CALLBACK_PORT", "web")])).await.unwrap_err();
    assert!(error.is_configuration() && error.hint().is_some(), "{error}");
}

#[tokio::test]
async fn scopes_group_and_refresh_token_are_as_set() {
    let home = Home::new().await;
    let config = home.config_with(&[
        ("DATABRICKS_HOST", "acme.test"),
        ("DATABRICKS_OAUTH_CALLBACK_PORT", "0"),
        ("DATABRICKS_GROUP_ID", "77"),
        ("DATABRICKS_CLIENT_ID", "my-app"),
        ("DATABRICKS_DISABLE_OAUTH_REFRESH_TOKEN", "true"),
    ]);
    let mut config = config;
    super::provider::set(&mut config, Attribute::Scopes, "sql,clusters");
    let asked = query(Login::start(&config).await.unwrap().url());
    let given = ["scope", "assume_group", "client_id"].map(|name| asked[name].as_str());
    assert_eq!(given, ["clusters sql", "77", "my-app"]);
}

#[tokio::test]
async fn without_a_host_the_browser_finds_the_workspace() {
    let home = Home::new().await;
    let login = Login::start(&home.config_with(&[("DATABRICKS_OAUTH_CALLBACK_PORT", "0")])).await.unwrap();
    let destination =
        login.url().strip_prefix("https://login.databricks.com/?destination_url=%2Foidc%2Fv1%2Fauthorize%3F");
    assert!(destination.is_some(), "{}", login.url());
    let asked = query(&format!("https://x.test{}", query(login.url())["destination_url"]));
    assert_eq!((asked["response_type"].as_str(), asked["scope"].as_str()), ("code", "offline_access all-apis"));
    assert!(home.provider.asked().is_empty());
    let back = format!(
        "{}/?code=the-code-1&state={}&iss=https%3A%2F%2Ffound.test%2Foidc%2Faccounts%2Facc",
        asked["redirect_uri"], asked["state"]
    );
    let (finished, _) = tokio::join!(login.finish(), visit(&back));
    assert_eq!(finished.unwrap().login.host(), "https://found.test");
    assert!(home.provider.asked().pop().unwrap().starts_with("POST https://found.test/oidc/accounts/acc/v1/token\n"));
    let found = home.config_with(&[("DATABRICKS_HOST", "found.test")]);
    assert_eq!(authenticate(&found).await.unwrap().0, "external-browser");
}

#[tokio::test]
async fn a_workspace_that_nobody_vouches_for_gets_no_code() {
    for issuer in ["", "&iss=http%3A%2F%2Ffound.test%2Foidc", "&iss=nonsense"] {
        let home = Home::new().await;
        let login = Login::start(&home.config_with(&[("DATABRICKS_OAUTH_CALLBACK_PORT", "0")])).await.unwrap();
        let asked = query(&format!("https://x.test{}", query(login.url())["destination_url"]));
        let back = format!("{}/?code=the-code-1&state={}{issuer}", asked["redirect_uri"], asked["state"]);
        let (finished, (status, _)) = tokio::join!(login.finish(), visit(&back));
        assert!(finished.unwrap_err().to_string().starts_with("the browser returned"), "{issuer}");
        assert_eq!((status, home.provider.asked().len()), (400, 0));
    }
}

#[tokio::test]
async fn an_explicitly_named_profile_gets_the_host() {
    use crate::auth::Settings;
    let home = Home::new().await;
    let path = home.directory.path().join(".databrickscfg");
    let file = "[other]\nhost = https://other.test\ntoken = token-other\n";
    std::fs::write(&path, file).unwrap();
    let resolve = |profile: &str, host: &str| {
        let environment =
            home.config_with(&[("DATABRICKS_OAUTH_CALLBACK_PORT", "0"), ("DATABRICKS_TOKEN", "token-x")]).environment;
        let explicit = Settings::default().with(Attribute::Profile, profile).with(Attribute::Host, host);
        Config::resolve_for_login(explicit, environment).unwrap()
    };
    let done = log_in(Login::start(&resolve("dev", "acme.test/?o=7")).await.unwrap()).await.unwrap();
    assert_eq!((done.login.profile(), done.written.as_ref()), (Some("dev"), Some(&path)));
    let written = format!("{file}\n[dev]\nhost = https://acme.test\nworkspace_id = 7\n");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), written);

    // What is there already is left as it is; another host takes its place, unless credentials would follow.
    assert_eq!(log_in(Login::start(&resolve("dev", "acme.test")).await.unwrap()).await.unwrap().written, None);
    assert!(log_in(Login::start(&resolve("dev", "new.test")).await.unwrap()).await.unwrap().written.is_some());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), written.replace("https://acme.test", "https://new.test"));
    let error = Login::start(&resolve("other", "acme.test")).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "profile `other` is for another host than `https://acme.test` and has credentials for it: token"
    );
    for name in ["__settings__", "a]b"] {
        let environment = home.config().environment;
        let explicit = Settings::default().with(Attribute::Profile, name).with(Attribute::Host, "acme.test");
        let result = Config::resolve_for_login(explicit, environment);
        let error = match result {
            Ok(config) => Login::start(&config).await.map(drop).unwrap_err(),
            Err(error) => error,
        };
        assert!(error.is_configuration(), "{error}");
    }

    // And the profile leads to the login.
    let environment = home.config_with(&[]).environment;
    let config = Provider::config_in(environment);
    let explicit = Settings::default().with(Attribute::Profile, "dev");
    let config = Config { ..Config::resolve(explicit, config.environment).unwrap() };
    assert_eq!(authenticate(&config).await.unwrap().0, "external-browser");
}

#[cfg(unix)]
#[tokio::test]
async fn the_tokens_are_the_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let home = Home::new().await;
    home.log_in().await;
    let directory = home.directory.path().join(".config/databricks-mcp-server/oauth");
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let files = home.files();
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(mode(&files[0]), 0o600);
    let kept: serde_json::Value = serde_json::from_slice(&std::fs::read(&files[0]).unwrap()).unwrap();
    let expiry = "2027-01-15T09:00:00Z";
    let expected = serde_json::json!({
        "host": "https://acme.test", "client_id": "databricks-cli", "scopes": "all-apis", "expiry": expiry,
        "renews": true, "in_keyring": false,
        "tokens": { "access_token": "token-2", "refresh_token": "refresh-2", "expiry": expiry },
    });
    assert_eq!(kept, expected);
}

/// A home with a keyring in memory.
struct WithKeyring {
    home: Home,
    store: Arc<keyring_core::mock::Store>,
}

impl WithKeyring {
    async fn new() -> WithKeyring {
        WithKeyring { home: Home::new().await, store: keyring_core::mock::Store::new().unwrap() }
    }

    fn config(&self) -> Config {
        let config = self.home.config();
        let store = Arc::clone(&self.store);
        let keyring = Keyring::new(move || Ok(store.clone()));
        Config { environment: config.environment.with_keyring(Some(keyring)), ..config }
    }

    async fn log_in(&self) -> LoggedIn {
        log_in(Login::start(&self.config()).await.unwrap()).await.unwrap()
    }

    /// The entries by name.
    fn entries(&self) -> Vec<(String, String)> {
        let inner = self.store.inner.lock().unwrap();
        inner
            .borrow()
            .iter()
            .filter_map(|entry| {
                let data = entry.inner.lock().unwrap();
                let secret = data.borrow().secret.clone()?;
                Some((entry.specifiers.1.clone(), String::from_utf8(secret).unwrap()))
            })
            .collect()
    }
}

#[tokio::test]
async fn the_keyring_comes_before_the_file() {
    let with = WithKeyring::new().await;
    let done = with.log_in().await;
    assert_eq!(done.login.storage(), Storage::Keyring);
    assert!(done.keyring_failure.is_none());
    let entries = with.entries();
    assert_eq!(entries.len(), 1);
    assert!(entries[0].0.starts_with("https://acme.test "), "{}", entries[0].0);
    assert!(entries[0].1.contains("token-2") && entries[0].1.contains("refresh-2"));
    let file = std::fs::read_to_string(&with.home.files()[0]).unwrap();
    assert!(!file.contains("token-2") && !file.contains("refresh-2"), "{file}");
    assert_eq!(authenticate(&with.config()).await.unwrap().0, "external-browser");

    // A refreshed token goes where the first one was.
    with.home.provider.wait(3_600);
    assert_eq!(authenticate(&with.config()).await.unwrap().1, ["authorization: Bearer token-5"]);
    assert!(with.entries()[0].1.contains("refresh-5"), "{:?}", with.home.provider.asked());
    assert!(!std::fs::read_to_string(&with.home.files()[0]).unwrap().contains("refresh-5"));

    // Without the keyring the login is of no use, and that is said.
    let error = authenticate(&with.home.config()).await.unwrap_err();
    assert!(error.to_string().contains("tried `external-browser`: there is no keyring here"), "{error}");
    assert!(Login::forget(&done.login, &with.config().environment).await.unwrap());
    assert!(with.entries().is_empty() && with.home.files().is_empty());
}

#[tokio::test]
async fn a_keyring_that_cannot_be_used_gives_way_to_a_file_and_says_so() {
    let home = Home::new().await;
    let config = home.config();
    let broken = Keyring::new(|| Err(keyring_core::Error::NoStorageAccess("it is locked".into())));
    let config = Config { environment: config.environment.with_keyring(Some(broken)), ..config };
    let done = log_in(Login::start(&config).await.unwrap()).await.unwrap();
    assert_eq!(done.login.storage(), Storage::File);
    let failure = done.keyring_failure.unwrap();
    assert_eq!(failure.to_string(), "the keyring of this system cannot be used: it is locked");
    assert_eq!(authenticate(&config).await.unwrap().0, "external-browser");

    let wanted = Login::start(&config).await.unwrap().keep_in(Storage::Keyring);
    let error = log_in(wanted).await.unwrap_err();
    assert!(error.to_string().contains("it is locked") && error.hint().unwrap().contains("--storage file"));
    let with = WithKeyring::new().await;
    let done = log_in(Login::start(&with.config()).await.unwrap().keep_in(Storage::File)).await.unwrap();
    assert!(done.login.storage() == Storage::File && done.keyring_failure.is_none() && with.entries().is_empty());
}

#[tokio::test]
async fn a_small_keyring_keeps_the_refresh_token_alone() {
    let with = WithKeyring::new().await;
    with.log_in().await;
    {
        let inner = with.store.inner.lock().unwrap();
        inner.borrow()[0].set_error(keyring_core::Error::TooLong("password".to_owned(), 2560));
    }
    assert_eq!(with.log_in().await.login.storage(), Storage::Keyring);
    let secret = with.entries().remove(0).1;
    assert!(!secret.contains("token-5") && secret.contains("refresh-5"), "{secret}");
    let (_, headers) = authenticate(&with.config()).await.unwrap();
    let ask = with.home.provider.asked().pop().unwrap();
    assert!(ask.contains("refresh_token=refresh-5") && headers != ["authorization: Bearer token-5"], "{ask}");
}
