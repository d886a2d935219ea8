//! A workspace with an OAuth server that checks every field of a login, and the browser that meets it.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Response, Uri};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

type Fields = BTreeMap<String, String>;

#[derive(Debug, Default)]
struct State {
    /// The challenge and the redirect of each code given out.
    codes: HashMap<String, (String, String)>,
    tokens: usize,
    log: Vec<String>,
}

/// The workspace; it ends with the test's runtime.
pub(crate) struct Workspace {
    address: String,
    state: Arc<Mutex<State>>,
}

impl Workspace {
    pub(crate) async fn start() -> io::Result<Workspace> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?.to_string();
        let state = Arc::<Mutex<State>>::default();
        let (shared, own) = (Arc::clone(&state), address.clone());
        let handle = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
            let mut state = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let authorization = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
            let token = authorization.trim_start_matches("Bearer ");
            state.log.push(format!("{method} {} {token}", uri.path()));
            let form = String::from_utf8_lossy(&body);
            match (method.as_str(), uri.path()) {
                ("GET", "/oidc/.well-known/oauth-authorization-server") => {
                    let place = format!("http://{own}/oidc/v1");
                    answer(
                        200,
                        &json!({"authorization_endpoint": format!("{place}/authorize"), "token_endpoint": format!("{place}/token")}),
                    )
                }
                ("GET", "/oidc/v1/authorize") => state.authorize(&fields(uri.query().unwrap_or_default())),
                ("POST", "/oidc/v1/token") => state.token(&fields(&form)),
                ("GET", path) if path.starts_with("/api/") => match token.strip_prefix("access-") {
                    Some(_) if path == "/api/2.0/preview/scim/v2/Me" => {
                        answer(200, &json!({"userName": "me@acme.test"}))
                    }
                    Some(_) => answer(200, &json!({})),
                    None => answer(401, &json!({"error_code": 401, "message": "Credential was not sent"})),
                },
                _ => answer(404, &json!({"error_code": "ENDPOINT_NOT_FOUND", "message": "no such place"})),
            }
        };
        tokio::spawn(axum::serve(listener, Router::new().fallback(handle)).into_future());
        Ok(Workspace { address, state })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Method, path and token of each request so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).log.clone()
    }
}

impl State {
    /// The page of the login: `consent` stands for what the person does there.
    fn authorize(&mut self, given: &Fields) -> Response<Body> {
        let field = |name: &str| given.get(name).map_or("", String::as_str);
        let expected = [
            ("response_type", "code"),
            ("client_id", "databricks-cli"),
            ("scope", "offline_access all-apis"),
            ("code_challenge_method", "S256"),
        ];
        let wrong = expected.iter().find(|(name, value)| field(name) != *value);
        let redirect = field("redirect_uri");
        if let Some((name, _)) = wrong {
            return answer(400, &json!({"error": "invalid_request", "error_description": name}));
        }
        if !redirect.starts_with("http://localhost:") || field("state").len() < 16 || given.len() != 8 {
            return answer(400, &json!({"error": "invalid_request"}));
        }
        let code = format!("code-{}", self.codes.len());
        let query = match field("consent") {
            "yes" => format!("code={code}"),
            "broken" => "code=code-unknown".to_owned(),
            _ => "error=access_denied&error_description=the+user+said+no".to_owned(),
        };
        self.codes.insert(code, (field("code_challenge").to_owned(), redirect.to_owned()));
        let location = format!("{redirect}/?{query}&state={}", field("state"));
        Response::builder().status(302).header("location", location).body(Body::empty()).unwrap_or_default()
    }

    fn token(&mut self, given: &Fields) -> Response<Body> {
        let field = |name: &str| given.get(name).map_or("", String::as_str);
        let names: Vec<_> = given.keys().map(String::as_str).collect();
        // A code is good for one use, for whoever knows what the challenge was made of.
        let known = self.codes.remove(field("code"));
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier")));
        let proven = known.is_some_and(|(wanted, redirect)| wanted == challenge && redirect == field("redirect_uri"));
        let complete = names == ["client_id", "code", "code_verifier", "grant_type", "redirect_uri"]
            && (field("grant_type"), field("client_id")) == ("authorization_code", "databricks-cli");
        if !proven || !complete {
            return answer(400, &json!({"error": "invalid_grant", "error_description": "this is not how it is done"}));
        }
        self.tokens += 1;
        let (access, refresh) = (format!("access-{}", self.tokens), format!("refresh-{}", self.tokens));
        answer(
            200,
            &json!({"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 3600}),
        )
    }
}

fn answer(status: u16, body: &Value) -> Response<Body> {
    let builder = Response::builder().status(status).header("content-type", "application/json");
    builder.body(Body::from(body.to_string())).unwrap_or_default()
}

fn fields(text: &str) -> Fields {
    let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
    text.split('&').filter_map(|pair| pair.split_once('=')).map(|(name, value)| (decode(name), decode(value))).collect()
}

/// Goes to a page, follows where it leads, and shows what is there.
pub(crate) async fn browse(url: &str) -> Result<String, Box<dyn Error>> {
    let mut url = url.to_owned();
    loop {
        let rest = url.strip_prefix("http://").ok_or("not a page of this machine")?;
        let (authority, target) = rest.split_once('/').ok_or("no path")?;
        let mut stream = TcpStream::connect(authority.replace("localhost", "127.0.0.1")).await?;
        let request = format!("GET /{target} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        let mut page = String::new();
        stream.read_to_string(&mut page).await?;
        match page.lines().find_map(|line| line.strip_prefix("location: ")) {
            Some(location) => url = location.to_owned(),
            None => return Ok(page),
        }
    }
}
