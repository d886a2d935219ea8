//! The identity provider, and a world in which every address leads to it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method, Response, Uri};
use reqwest::Url;
use tokio::net::TcpListener;

use crate::auth::{Attribute, Environment, Settings};
use crate::config::Config;
use crate::limit::Limits;
use crate::retry::RetryPolicy;

/// The time at which the tests begin, in seconds since 1970.
pub(super) const START: u64 = 1_800_000_000;
/// Where the workspace's OAuth server says its endpoints are.
pub(super) const OAUTH_SERVER: &str = r#"{"authorization_endpoint":"https://acme.test/oidc/v1/authorize","token_endpoint":"https://acme.test/oidc/v1/token"}"#;

/// One request, as it was meant: with the address before it was led here.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) line: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Asked {
    /// The request as text: method and address, the headers that matter, the body.
    fn shown(&self) -> String {
        let mut text = self.line.clone();
        for (name, value) in &self.headers {
            if !["accept", "host", "user-agent", "content-length", "accept-encoding"].contains(&name.as_str()) {
                text.push_str(&format!("\n{name}: {}", value.to_str().unwrap()));
            }
        }
        if !self.body.is_empty() {
            text.push_str(&format!("\n{}", self.body));
        }
        text
    }
}

pub(super) struct Provider {
    address: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    time: Arc<AtomicU64>,
}

impl Provider {
    /// Answers each request, known by its line and its number (from 0), with a status and a body. A redirect's body is
    /// its target.
    pub(super) async fn start(
        answer: impl Fn(&str, usize) -> (u16, String) + Clone + Send + Sync + 'static,
    ) -> Provider {
        Provider::start_with(move |line, _, number| answer(line, number)).await
    }

    /// The same with a look at the body.
    pub(super) async fn start_with_body(
        answer: impl Fn(&str, &str, usize) -> (u16, String) + Clone + Send + Sync + 'static,
    ) -> Provider {
        Provider::start_whole(move |line, _, body, number| answer(line, body, number)).await
    }

    /// The same with a look at the headers.
    pub(super) async fn start_with(
        answer: impl Fn(&str, &HeaderMap, usize) -> (u16, String) + Clone + Send + Sync + 'static,
    ) -> Provider {
        Provider::start_whole(move |line, headers, _, number| answer(line, headers, number)).await
    }

    async fn start_whole(
        answer: impl Fn(&str, &HeaderMap, &str, usize) -> (u16, String) + Clone + Send + Sync + 'static,
    ) -> Provider {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = Arc::<Mutex<Vec<Asked>>>::default();
        let log = Arc::clone(&asked);
        let record = move |method: Method, uri: Uri, headers: HeaderMap, body: Bytes| async move {
            assert!(
                headers.get("user-agent").is_some_and(|agent| agent.to_str().unwrap().contains("databricks-sdk-rust/"))
            );
            let line = format!("{method} {}", meant(&uri));
            let sent = String::from_utf8(body.to_vec()).unwrap();
            let number = {
                let mut log = log.lock().unwrap();
                log.push(Asked { line: line.clone(), headers: headers.clone(), body: sent.clone() });
                log.len() - 1
            };
            let (status, body) = answer(&line, &headers, &sent, number);
            let response = Response::builder().status(status);
            if (300..400).contains(&status) {
                return response.header("location", body).body(Body::empty()).unwrap();
            }
            response.header("content-type", "application/json").body(Body::from(body)).unwrap()
        };
        tokio::spawn(axum::serve(listener, Router::new().fallback(record)).into_future());
        Provider { address, asked, time: Arc::new(AtomicU64::new(START)) }
    }

    /// Answers every request for a token with one that lasts an hour, and tells where it is to be had.
    pub(super) async fn usual() -> Provider {
        Provider::start(usual).await
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A world with these variables.
    pub(super) fn environment(&self, variables: &[(&'static str, &str)]) -> Environment {
        let variables: Vec<_> = variables.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        let (address, time) = (self.address.clone(), Arc::clone(&self.time));
        Environment::default()
            .with_variables(move |name| {
                variables.iter().find(|(known, _)| *known == name).map(|(_, value)| value.clone())
            })
            .with_clock(move || SystemTime::UNIX_EPOCH + Duration::from_secs(time.load(Ordering::SeqCst)))
            .with_route(move |url| {
                if url.host_str() == Some("127.0.0.1") {
                    return url;
                }
                let there = url.as_str().replacen("://", "~", 1);
                Url::parse(&format!("http://{address}/~{there}")).unwrap()
            })
    }

    /// A configuration in that world.
    pub(super) fn config(&self, variables: &[(&'static str, &str)]) -> Config {
        Provider::config_in(self.environment(variables))
    }

    pub(super) fn config_in(environment: Environment) -> Config {
        let pause = Duration::from_millis(1);
        let retry = RetryPolicy { budget: Duration::from_secs(10), pause, longest_pause: pause };
        let limits = Limits { concurrency: 100, requests_per_second: None };
        Config { retry, limits, ..Config::resolve(Settings::default(), environment).unwrap() }
    }

    /// Lets time pass.
    pub(super) fn wait(&self, seconds: u64) {
        self.time.fetch_add(seconds, Ordering::SeqCst);
    }

    /// Everything asked so far.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().iter().map(Asked::shown).collect()
    }

    /// The `User-Agent` of the last request.
    pub(super) fn user_agent(&self) -> String {
        let asked = self.asked.lock().unwrap();
        asked.last().unwrap().headers.get("user-agent").unwrap().to_str().unwrap().to_owned()
    }

    /// How often something was asked whose line ends so.
    pub(super) fn count(&self, end: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| asked.line.ends_with(end)).count()
    }
}

/// The answers of [`Provider::usual`]. The tokens are numbered by request.
pub(super) fn usual(line: &str, number: usize) -> (u16, String) {
    let path = line.split('?').next().unwrap();
    if path.ends_with("/.well-known/databricks-config") {
        return (404, r#"{"error_code":"ENDPOINT_NOT_FOUND","message":"no"}"#.to_owned());
    }
    if path.ends_with("/oidc/.well-known/oauth-authorization-server") {
        return (200, OAUTH_SERVER.to_owned());
    }
    if path.ends_with("/aad/auth") {
        return (302, "https://login.microsoftonline.com/tenant-1/oauth2/authorize?client_id=x".to_owned());
    }
    (200, format!(r#"{{"access_token":"token-{number}","token_type":"Bearer","expires_in":3600}}"#))
}

fn meant(uri: &Uri) -> String {
    match uri.to_string().strip_prefix("/~") {
        Some(led) => led.replacen('~', "://", 1),
        None => uri.to_string(),
    }
}

/// The settings of a configuration, for tests that set one by name.
pub(super) fn set(config: &mut Config, attribute: Attribute, value: &str) {
    config.settings.put(attribute, Some(value));
}
