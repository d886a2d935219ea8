//! `--call-as exchange`: the token of a caller is exchanged at the workspace, and goes nowhere else.

use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::Outcome;
use crate::house::House;
use crate::issuer::{Issuer, Key, with};

/// What the server itself could call the workspace with.
const OWN: &str = "dapi-of-the-server";

/// A request as it arrived.
#[derive(Debug, Clone)]
struct Request {
    path: String,
    authorization: String,
    /// All of it, to search.
    text: String,
}

/// A workspace whose federation policy takes the tokens of `ada` and `bob`; it ends with the test's runtime.
struct Workspace {
    url: String,
    seen: Arc<Mutex<Vec<Request>>>,
}

impl Workspace {
    async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let seen = Arc::<Mutex<Vec<Request>>>::default();
        let (shared, own) = (Arc::clone(&seen), url.clone());
        let handle = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
            let body = String::from_utf8_lossy(&body).into_owned();
            let authorization = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
            shared.lock().unwrap_or_else(PoisonError::into_inner).push(Request {
                path: uri.path().to_owned(),
                authorization: authorization.to_owned(),
                text: format!("{method} {uri} {headers:?} {body}"),
            });
            match uri.path() {
                "/oidc/.well-known/oauth-authorization-server" => answer(
                    200,
                    &json!({"token_endpoint": format!("{own}/oidc/v1/token"),
                            "authorization_endpoint": format!("{own}/oidc/v1/authorize")}),
                ),
                "/oidc/v1/token" => exchange(&body),
                "/api/2.1/clusters/list" => match authorization.strip_prefix("Bearer workspace-token-of-") {
                    Some(user) => answer(200, &json!({"clusters": [{"cluster_id": "c-1", "cluster_name": user}]})),
                    None => answer(401, &json!({"error_code": "UNAUTHENTICATED", "message": "no such token"})),
                },
                _ => answer(404, &json!({"error_code": "ENDPOINT_NOT_FOUND", "message": "no such place"})),
            }
        };
        tokio::spawn(axum::serve(listener, Router::new().fallback(handle)).into_future());
        Ok(Self { url, seen })
    }

    fn seen(&self) -> Vec<Request> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What the token endpoint answers to a form (RFC 8693).
fn exchange(body: &str) -> Response<Body> {
    let field = |name: &str| {
        let mut pairs = body.split('&').filter_map(|pair| pair.split_once('='));
        let (_, value) = pairs.find(|(found, _)| *found == name)?;
        Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
    };
    let is_exchange = field("grant_type").as_deref() == Some("urn:ietf:params:oauth:grant-type:token-exchange")
        && field("subject_token_type").as_deref() == Some("urn:ietf:params:oauth:token-type:jwt");
    let subject = field("subject_token").and_then(|token| {
        let payload =
            base64::Engine::decode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, token.split('.').nth(1)?);
        Some(serde_json::from_slice::<Value>(&payload.ok()?).ok()?["sub"].as_str()?.to_owned())
    });
    match subject {
        Some(user) if is_exchange && ["ada", "bob"].contains(&&*user) => {
            let token = format!("workspace-token-of-{user}");
            answer(
                200,
                &json!({"access_token": token, "token_type": "Bearer", "expires_in": 3_600, "scope": "all-apis"}),
            )
        }
        _ => {
            answer(400, &json!({"error": "invalid_grant", "error_description": "no federation policy takes the token"}))
        }
    }
}

fn answer(status: u16, body: &Value) -> Response<Body> {
    let mut response = Response::new(Body::from(body.to_string()));
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}

#[tokio::test]
async fn each_caller_calls_as_themselves_and_no_token_goes_through() -> Outcome {
    let (issuer, workspace) = (Issuer::start(Key::p256()?).await?, Workspace::start().await?);
    let client = databricks::Client::new(databricks::Config::new(&workspace.url, OWN)?)?;
    let arguments = ["--auth", "oauth", "--oauth-issuer", &issuer.url, "--public-url", crate::issuer::RESOURCE];
    let house = House::before(client, None, &[&arguments[..], &["--call-as", "exchange"]].concat()).await?;
    let token = |subject: &str, more: u64| {
        let claims = with(issuer.claims("databricks.read"), "sub", json!(subject));
        issuer.sign(&with(claims, "jti", json!(more)))
    };
    let clusters = async |token: &str| -> Result<Value, Box<dyn Error>> {
        Ok(house.call(token, "list_clusters", json!({})).await?.json()["result"].clone())
    };
    let (ada, bob, eve) = (token("ada", 1)?, token("bob", 1)?, token("eve", 1)?);
    // Side by side, so that one could get what is another's.
    let (of_ada, of_bob) = tokio::join!(clusters(&ada), clusters(&bob));
    for (answer, user, other) in [(of_ada?, "ada", "bob"), (of_bob?, "bob", "ada")] {
        let text = answer.to_string();
        assert!(text.contains(&format!("\"{user}\"")) && !text.contains(&format!("\"{other}\"")), "{text}");
    }
    // The one of whom no policy knows does not call as the server instead.
    let refused = clusters(&eve).await?;
    assert_eq!(refused["isError"], true, "{refused}");
    assert!(refused.to_string().contains("no federation policy takes the token"), "{refused}");
    assert!(!refused.to_string().contains(&eve), "{refused}");
    // A newer token of the same caller does not need an exchange while the last one holds.
    let newer = token("ada", 2)?;
    let before = workspace.seen().len();
    assert!(clusters(&newer).await?.to_string().contains("\"ada\""));
    let since = workspace.seen().split_off(before);
    assert_eq!(since.iter().map(|request| &*request.path).collect::<Vec<_>>(), ["/api/2.1/clusters/list"]);

    let (mut exchanges, mut calls) = (0, 0);
    for request in workspace.seen() {
        assert!(!request.text.contains(OWN), "the server called as itself: {}", request.text);
        if request.path == "/oidc/v1/token" {
            exchanges += 1;
            assert!(!request.authorization.contains("ey"), "{}", request.authorization);
            continue;
        }
        for token in [&ada, &bob, &eve, &newer] {
            assert!(!request.text.contains(token.as_str()), "a token was passed on: {}", request.text);
        }
        if request.path.starts_with("/api/") {
            calls += 1;
            assert!(request.authorization.starts_with("Bearer workspace-token-of-"), "{}", request.authorization);
        }
    }
    assert_eq!((exchanges >= 3, calls), (true, 3), "{:?}", workspace.seen());
    Ok(())
}
