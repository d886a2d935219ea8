//! Calls of a workspace that refuses tokens, through the whole client.

use super::provider::{Provider, usual};
use crate::auth::Environment;
use crate::{Arguments, Attribute, Body, Client, Config, Error, Method, Operation, Payload, Response, Settings};

const REVOKED: &str = r#"{"error_code":"401","message":"Token is revoked"}"#;

static CREATE: Operation = Operation {
    id: "jobs.jobs.create",
    method: Method::Post,
    path: "/api/2.2/jobs/create",
    parameters: &[],
    body: Body::Json,
    response: Response::Json,
    pagination: None,
    workspace_routing: true,
    deprecated: false,
};

/// A workspace whose token endpoint is its own. `judge` gets each call's token, and answers.
async fn workspace(judge: impl Fn(&str) -> (u16, &'static str) + Clone + Send + Sync + 'static) -> Provider {
    let issued = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    Provider::start_with(move |line, headers, number| {
        if line.contains("/api/") {
            let token = headers.get("authorization").map_or("", |value| value.to_str().unwrap());
            let (status, body) = judge(token.trim_start_matches("Bearer "));
            return (status, body.to_owned());
        }
        let host = headers.get("host").unwrap().to_str().unwrap();
        if line.ends_with("/.well-known/databricks-config") {
            return (200, r#"{"workspace_id":"4711"}"#.to_owned());
        }
        if line.ends_with("/oauth-authorization-server") {
            let place = format!("http://{host}/oidc/v1");
            return (
                200,
                format!(r#"{{"authorization_endpoint":"{place}/authorize","token_endpoint":"{place}/token"}}"#),
            );
        }
        if line.ends_with("/oidc/v1/token") {
            let issue = issued.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
            return (200, format!(r#"{{"access_token":"token-{issue}","expires_in":3600}}"#));
        }
        usual(line, number)
    })
    .await
}

fn client(provider: &Provider) -> Client {
    let url = provider.url();
    let environment: Environment = provider.environment(&[
        ("DATABRICKS_HOST", &url),
        ("DATABRICKS_CLIENT_ID", "id"),
        ("DATABRICKS_CLIENT_SECRET", "secret-of-m2m"),
    ]);
    Client::new(Provider::config_in(environment)).unwrap()
}

async fn call(client: &Client) -> Result<Payload, Error> {
    client.execute(&CREATE, Arguments::new()).await
}

#[tokio::test]
async fn the_first_call_authenticates_and_learns_the_workspace() {
    let provider = workspace(|_| (200, "{}")).await;
    let client = client(&provider);
    assert!(provider.asked().is_empty());
    call(&client).await.unwrap();
    let asked = provider.asked().pop().unwrap();
    let expected = "POST /api/2.2/jobs/create\ncontent-type: application/json\nx-databricks-workspace-id: 4711\n\
        authorization: Bearer token-1\n{}";
    assert_eq!(asked, expected);
    assert!(provider.user_agent().ends_with(" auth/oauth-m2m"), "{}", provider.user_agent());
}

#[tokio::test]
async fn a_revoked_token_is_replaced_once() {
    let provider = workspace(|token| if token == "token-1" { (401, REVOKED) } else { (200, "{}") }).await;
    let client = client(&provider);
    for _ in 0..2 {
        call(&client).await.unwrap();
    }
    assert_eq!((provider.count("/oidc/v1/token"), provider.count("/api/2.2/jobs/create")), (2, 3));
}

#[tokio::test]
async fn a_call_that_stays_refused_gives_up() {
    for body in [REVOKED, r#"{"error_code":"PERMISSION_DENIED","message":"Invalid access token: token-2"}"#] {
        let status = if body == REVOKED { 401 } else { 403 };
        let provider = workspace(move |_| (status, body)).await;
        let error = call(&client(&provider)).await.unwrap_err();
        assert_eq!((provider.count("/oidc/v1/token"), provider.count("/api/2.2/jobs/create")), (2, 2));
        assert_eq!(error.status(), Some(status));
        assert!(!error.to_string().contains("token-2"), "{error}");
        assert!(error.hint().unwrap().contains("`oauth-m2m`"));
    }
}

#[tokio::test]
async fn a_plain_refusal_is_no_reason_for_a_new_token() {
    let provider = workspace(|_| (403, r#"{"error_code":"PERMISSION_DENIED","message":"not yours"}"#)).await;
    assert!(call(&client(&provider)).await.unwrap_err().is_permission_denied());
    assert_eq!((provider.count("/oidc/v1/token"), provider.count("/api/2.2/jobs/create")), (1, 1));
}

#[tokio::test]
async fn a_fixed_token_is_not_replaced() {
    let provider = workspace(|_| (401, REVOKED)).await;
    let client = Client::new(Config::new(&provider.url(), "dapi-fixed").unwrap()).unwrap();
    let error = call(&client).await.unwrap_err();
    assert!(error.is_unauthenticated() && error.hint().unwrap().contains("DATABRICKS_TOKEN"));
    assert_eq!(provider.asked().len(), 1);
}

/// The file holds two tokens for one profile, and the one that counts may be the wrong one.
#[tokio::test]
async fn a_refused_token_of_a_profile_is_told_with_what_is_odd_about_the_file() {
    let provider = workspace(|_| (401, REVOKED)).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!("[DEFAULT]\nhost = {}\ntoken = dapi-one\n[DEFAULT]\ntoken = dapi-two\n", provider.url());
    std::fs::write(file.path(), text).unwrap();
    let settings = Settings::default().with(Attribute::ConfigFile, file.path().to_str().unwrap());
    let environment = Environment::system().with_variables(|_| None).with_home(None);
    let config = Config::resolve(settings, environment).unwrap();
    let error = call(&Client::new(config).unwrap()).await.unwrap_err();
    let hint = error.hint().unwrap();
    assert!(hint.contains("the profile `DEFAULT`") && hint.contains("line 4 of"), "{hint}");
    assert!(!hint.contains("dapi-"), "{hint}");
}

#[tokio::test]
async fn a_storm_of_calls_needs_one_token() {
    let provider = workspace(|token| if token == "token-1" { (401, REVOKED) } else { (200, "{}") }).await;
    let client = client(&provider);
    for expected in [2, 3] {
        let calls: Vec<_> = (0..100)
            .map(|_| {
                let client = client.clone();
                tokio::spawn(async move { call(&client).await })
            })
            .collect();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        // The second storm comes when the token has ended.
        assert_eq!(provider.count("/oidc/v1/token"), expected);
        assert_eq!(provider.count("/.well-known/databricks-config"), 1);
        provider.wait(3_600);
    }
}

#[tokio::test]
async fn a_hiccup_does_not_lead_to_another_identity() {
    let provider = Provider::start(|line, number| match line.ends_with("/oidc/v1/token") {
        true => (503, "{}".to_owned()),
        false => usual(line, number),
    })
    .await;
    let mut config = provider.config(&[
        ("DATABRICKS_HOST", "acme.test"),
        ("DATABRICKS_CLIENT_ID", "id"),
        ("DATABRICKS_CLIENT_SECRET", "secret"),
        ("DATABRICKS_OIDC_TOKEN", "j.w.t"),
    ]);
    config.retry.budget = std::time::Duration::ZERO;
    let error = call(&Client::new(config).unwrap()).await.unwrap_err();
    let expected = "cannot call `jobs.jobs.create`: cannot authenticate to `https://acme.test` with `oauth-m2m`: \
        `https://acme.test` answered with status 503: Service Unavailable";
    assert_eq!(error.to_string(), expected);
    assert!(error.is_retryable() && !error.is_unauthenticated());
    assert_eq!(provider.count("/oidc/v1/token"), 1);
}

#[tokio::test]
async fn a_busy_token_endpoint_is_asked_again() {
    let provider = Provider::start(|line, number| match line.ends_with("/oidc/v1/token") && number < 5 {
        true => (429, "{}".to_owned()),
        false => usual(line, number),
    })
    .await;
    let config = provider.config(&[
        ("DATABRICKS_HOST", "acme.test"),
        ("DATABRICKS_CLIENT_ID", "id"),
        ("DATABRICKS_CLIENT_SECRET", "secret"),
    ]);
    assert_eq!(super::authenticate(&config).await.unwrap().0, "oauth-m2m");
    assert_eq!(provider.count("/oidc/v1/token"), 4);
}
