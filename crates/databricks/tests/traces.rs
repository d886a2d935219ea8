//! Everything that this crate and the libraries under it have to say at their most talkative, over a whole run of calls,
//! renewals, refusals and downloads: no credential is in it.

use std::error::Error;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Response, Uri};
use databricks::{
    Arguments, Attribute, Body as RequestBody, Client, Config, Environment, Method, Operation, Response as Kind,
    Settings,
};
use tokio::net::TcpListener;

/// What must not be seen: settings, tokens given out, the signature of a presigned URL, what comes back in errors.
const SECRETS: [&str; 6] = [
    "dapi-personal-token",
    "client-secret-of-m2m",
    "password-of-basic",
    "access-token-given-out",
    "signature-of-the-url",
    "refresh-token-given-out",
];

static LIST: Operation = Operation {
    id: "jobs.jobs.list",
    method: Method::Get,
    path: "/api/2.2/jobs/list",
    parameters: &[],
    body: RequestBody::None,
    response: Kind::Json,
    pagination: None,
    workspace_routing: true,
    deprecated: false,
};

/// Everything that was said, whether through `tracing` or through `log`.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<Vec<u8>>>);

impl Heard {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl io::Write for Heard {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl log::Log for Heard {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        let line = format!("{} {}: {}\n", record.level(), record.target(), record.args());
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(line.as_bytes());
    }

    fn flush(&self) {}
}

/// A host that gives out tokens, refuses the first one, and echoes what it was sent in its errors.
async fn host() -> io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let refused = Arc::new(Mutex::new(false));
    let answer = move |uri: Uri, headers: HeaderMap, body: Bytes| async move {
        let authorization = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let echo = format!(r#"{{"error_code":"X","message":"{authorization} {}"}}"#, String::from_utf8_lossy(&body));
        let mut refused = refused.lock().unwrap_or_else(PoisonError::into_inner);
        let (status, body) = match uri.path() {
            "/oidc/.well-known/oauth-authorization-server" => {
                let place = format!("http://{address}/oidc/v1");
                (200, format!(r#"{{"authorization_endpoint":"{place}/authorize","token_endpoint":"{place}/token"}}"#))
            }
            "/oidc/v1/token" => (
                200,
                r#"{"access_token":"access-token-given-out","refresh_token":"refresh-token-given-out","expires_in":3600}"#
                    .to_owned(),
            ),
            "/api/2.2/jobs/list" if authorization.ends_with("given-out") && !*refused => {
                *refused = true;
                (401, echo)
            }
            "/api/2.2/jobs/list" if authorization.starts_with("Basic") => (403, echo),
            "/expired" => (403, format!("<html><pre>{uri}</pre></html>")),
            _ => (200, "{}".to_owned()),
        };
        let answer = Response::builder().status(status).header("content-type", "application/json");
        answer.body(Body::from(body)).unwrap_or_default()
    };
    tokio::spawn(axum::serve(listener, Router::new().fallback(answer)).into_future());
    Ok(format!("http://{address}"))
}

fn client(host: &str, settings: &[(Attribute, &str)]) -> Result<Client, databricks::Error> {
    let settings = settings.iter().fold(Settings::default(), |all, (attribute, value)| all.with(*attribute, *value));
    Client::new(Config::resolve(settings.with(Attribute::Host, host), Environment::default())?)
}

#[tokio::test]
async fn nothing_that_is_said_holds_a_credential() -> Result<(), Box<dyn Error>> {
    let heard = Heard::default();
    let writer = heard.clone();
    tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_writer(move || writer.clone())
        .init();
    log::set_boxed_logger(Box::new(heard.clone()))?;
    log::set_max_level(log::LevelFilter::Trace);

    let host = host().await?;
    let mut said = String::new();
    let principal = [(Attribute::ClientId, "principal"), (Attribute::ClientSecret, SECRETS[1])];
    let person = [(Attribute::Username, "me"), (Attribute::Password, SECRETS[2])];
    for settings in [&[(Attribute::Token, SECRETS[0])][..], &principal, &person] {
        let client = client(&host, settings)?;
        let result = client.execute(&LIST, Arguments::new()).await;
        assert_eq!(result.is_err(), settings[0].0 == Attribute::Username, "{result:?}");
        said.push_str(&format!("{result:?} {client:?}"));
        for place in ["/chunk", "/expired"] {
            let result = client.download_presigned(&format!("{host}{place}?signature={}", SECRETS[4])).await;
            assert_eq!(result.is_err(), place == "/expired");
            said.push_str(&format!("{result:?}"));
        }
        let result = client.download_presigned(&format!("http://storage.test/?signature={}", SECRETS[4])).await;
        said.push_str(&format!("{result:?}"));
    }

    let text = heard.text();
    for target in ["databricks::", "hyper_util::"] {
        assert!(text.contains(target), "`{target}` was not heard:\n{text}");
    }
    assert!(text.contains("called the workspace") && text.contains("replaced a credential"), "{text}");
    let basic = "bWU6cGFzc3dvcmQtb2YtYmFzaWM";
    for secret in SECRETS.into_iter().chain([basic]) {
        assert!(!text.contains(secret), "`{secret}` was said:\n{text}");
        assert!(!said.contains(secret), "`{secret}` was shown:\n{said}");
    }
    Ok(())
}
