//! Examines a set-up step by step, for diagnosis: the connection to the host, the host's metadata, how the client
//! authenticates, and as whom.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use http::header::{DATE, USER_AGENT};
use http::{Method as HttpMethod, Uri};
use hyper_util::client::proxy::matcher::Matcher;
use reqwest::{Request, Url};
use serde_json::Value;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::answer::Answer;
use crate::arguments::{Arguments, Payload};
use crate::auth::Metadata;
use crate::client::Client;
use crate::error::{Error, is_html};
use crate::host::Host;
use crate::operation::{Body, Method, Operation, Response};
use crate::tls;
use crate::weight::Form;

/// The variables that say which proxy to use, the host's own kind first.
const PROXY_VARIABLES: [&str; 6] = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];
/// The variables that say which hosts to reach without it.
const BYPASS_VARIABLES: [&str; 2] = ["NO_PROXY", "no_proxy"];
/// Metadata is small.
const LARGEST_GREETING: usize = 1024 * 1024;

static ME: Operation = Operation {
    id: "iam.current_user.me",
    method: Method::Get,
    path: "/api/2.0/preview/scim/v2/Me",
    parameters: &[],
    body: Body::None,
    response: Response::Json,
    pagination: None,
    workspace_routing: true,
    deprecated: false,
};

/// How the host is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// The variables for proxies that are set.
    pub variables: Vec<&'static str>,
    /// The proxy that is used for this host, without any credential: `http://name:port`.
    pub proxy: Option<String>,
}

/// What a host says when it is asked for its metadata, by anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Greeting {
    /// The HTTP status.
    pub status: u16,
    /// Whether a web page came.
    pub is_page: bool,
    /// The host's clock.
    pub date: Option<SystemTime>,
    /// The version of HTTP, for example `HTTP/2.0`.
    pub protocol: String,
    /// Whether the answer is the metadata of a Databricks host.
    pub is_metadata: bool,
    /// The workspace behind the host, if it is one.
    pub workspace_id: Option<String>,
    /// The account that it belongs to.
    pub account_id: Option<String>,
    /// The cloud.
    pub cloud: Option<String>,
    /// `workspace`, `account` or `unified`.
    pub host_type: Option<String>,
}

/// How a client authenticates, or why it cannot.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Authentication {
    /// The method that was chosen.
    pub chosen: Result<&'static str, Error>,
    /// The methods tried before, in their order.
    pub declined: Vec<DeclinedMethod>,
}

/// A method that was not taken.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeclinedMethod {
    /// Its name, for example `oauth-m2m`.
    pub method: &'static str,
    /// Why.
    pub reason: String,
    /// Whether it is set up and does not work, rather than not set up.
    pub failed: bool,
}

impl Client {
    /// How the host is reached: through which proxy, if any. Nothing is contacted.
    ///
    /// ```
    /// let client = databricks::Client::new(databricks::Config::new("http://127.0.0.1:8080", "dapi123")?)?;
    /// assert_eq!(client.route().proxy, None); // this very machine is reached without
    /// # Ok::<(), databricks::Error>(())
    /// ```
    pub fn route(&self) -> Route {
        let context = self.transport().context();
        let is_set = |name: &&str| context.environment.variable(name).is_some();
        let variables = PROXY_VARIABLES.into_iter().chain(BYPASS_VARIABLES).filter(is_set).collect();
        let host = context.host().filter(|host| !host.is_loopback());
        let uri = host.and_then(|host| host.as_str().parse::<Uri>().ok());
        // What reqwest itself asks.
        let proxy = uri.and_then(|uri| Matcher::from_system().intercept(&uri)).map(|proxy| {
            let uri = proxy.uri();
            let port = uri.port_u16().map(|port| format!(":{port}")).unwrap_or_default();
            format!("{}://{}{port}", uri.scheme_str().unwrap_or("http"), uri.host().unwrap_or_default())
        });
        Route { variables, proxy }
    }

    /// Connects to a host or proxy, given as its URL, and gives the address that took the connection.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    /// # let client = databricks::Client::new(databricks::Config::new(sandbox.url(), sandbox.token())?)?;
    /// let address = client.connect(client.host()).await?;
    /// assert!(address.is_loopback());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the name has no address, or nobody listens there within the configured time.
    pub async fn connect(&self, url: &str) -> Result<IpAddr, Error> {
        let patience = self.transport().connect_timeout();
        let url = Url::parse(url).map_err(|error| Error::configuration(format!("not a URL: {error}")))?;
        let name = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = url.port_or_known_default().unwrap_or(443);
        let found = timeout(patience, lookup_host((name.as_str(), port))).await;
        let addresses: Vec<_> = match found {
            Ok(Ok(addresses)) => addresses.collect(),
            Ok(Err(_)) => Vec::new(),
            Err(_) => return Err(Error::unreachable(format!("the name `{name}` was not looked up in time"))),
        };
        let mut last = format!("the name `{name}` has no address");
        for address in addresses {
            match timeout(patience, TcpStream::connect(address)).await {
                Ok(Ok(_)) => return Ok(address.ip()),
                Ok(Err(error)) => last = format!("`{name}` port {port} does not answer: {}", reason(&error)),
                Err(_) => last = format!("`{name}` port {port} does not answer within {} s", patience.as_secs()),
            }
        }
        Err(Error::unreachable(last))
    }

    /// Asks the host for its metadata, once and without credentials.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    /// # let client = databricks::Client::new(databricks::Config::new(sandbox.url(), sandbox.token())?)?;
    /// let greeting = client.greet().await?;
    /// assert!(greeting.is_metadata);
    /// if let Some((skew, is_ahead)) = greeting.skew(client.now()) {
    ///     println!("{} s {}", skew.as_secs(), if is_ahead { "ahead" } else { "behind" });
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When no host is set or no whole answer comes.
    pub async fn greet(&self) -> Result<Greeting, Error> {
        let transport = self.transport();
        let host = transport.host().await?;
        let url = Url::parse(&format!("{host}{}", Metadata::PATH))
            .map_err(|error| Error::configuration(format!("not a URL: {error}")))?;
        let mut request = Request::new(HttpMethod::GET, url);
        request.headers_mut().insert(USER_AGENT, transport.plain_user_agent());
        let patience = transport.idle_timeout();
        let late = |_| Error::timed_out(patience);
        let response =
            timeout(patience, transport.http_client().execute(request)).await.map_err(late)?.map_err(Error::http)?;
        let protocol = format!("{:?}", response.version());
        let answer = Answer::receive(response, patience, LARGEST_GREETING, Form::Bytes).await?;
        Ok(Greeting::read(&answer, protocol))
    }

    /// Chooses how to authenticate, as the first call does.
    ///
    /// ```no_run
    /// # async fn look(client: databricks::Client) {
    /// let authentication = client.authentication().await;
    /// match authentication.chosen {
    ///     Ok(method) => println!("`{method}` is used"),
    ///     Err(error) => println!("{error}"),
    /// }
    /// for declined in authentication.declined {
    ///     println!("not `{}`: {}", declined.method, declined.reason);
    /// }
    /// # }
    /// ```
    pub async fn authentication(&self) -> Authentication {
        let chosen = self.transport().authenticator().chosen().await.map(|chosen| chosen.name);
        Authentication { chosen, declined: self.transport().context().declined() }
    }

    /// Who is calling, as SCIM tells it.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    /// # let client = databricks::Client::new(databricks::Config::new(sandbox.url(), sandbox.token())?)?;
    /// let me = client.me().await?;
    /// assert!(me["userName"].is_string());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Client::execute`].
    pub async fn me(&self) -> Result<Value, Error> {
        match self.execute(&ME, Arguments::new()).await? {
            Payload::Json(me) => Ok(me),
            Payload::Empty | Payload::Text { .. } | Payload::Binary { .. } => {
                Err(Error::answer("the answer names nobody").in_operation(ME.id))
            }
        }
    }

    /// The time by the clock that the client goes by.
    pub fn now(&self) -> SystemTime {
        self.transport().context().environment.now()
    }

    /// Whose certificates are trusted: a few words, such as `the system's certificate store`.
    pub fn trust(&self) -> String {
        let context = self.transport().context();
        let files: Vec<_> = ["SSL_CERT_FILE", "SSL_CERT_DIR"]
            .into_iter()
            .filter(|name| context.environment.variable(name).is_some())
            .collect();
        let of_files = if files.is_empty() { String::new() } else { format!(", with {}", files.join(" and ")) };
        format!("{}{of_files}", tls::store())
    }

    /// Whether the host is this very machine, where neither proxies nor certificates play a part.
    pub fn is_local(&self) -> bool {
        self.transport().known_host().is_some_and(Host::is_loopback)
    }
}

impl Greeting {
    fn read(answer: &Answer, protocol: String) -> Greeting {
        let header = |name| answer.headers.get(name).and_then(|value| value.to_str().ok());
        let body = String::from_utf8_lossy(&answer.bytes);
        let told = serde_json::from_slice::<Value>(&answer.bytes).ok().filter(|_| answer.status.is_success());
        let metadata = told.as_ref().map(Metadata::read).unwrap_or_default();
        Greeting {
            status: answer.status.as_u16(),
            is_page: is_html(&answer.headers, &body),
            date: header(DATE).and_then(|date| httpdate::parse_http_date(date).ok()),
            protocol,
            is_metadata: metadata != Metadata::default(),
            workspace_id: metadata.workspace_id,
            account_id: metadata.account_id,
            cloud: metadata.cloud,
            host_type: metadata.host_type,
        }
    }

    /// How far the host's clock is from this time, and whether it is ahead.
    pub fn skew(&self, now: SystemTime) -> Option<(Duration, bool)> {
        let date = self.date?;
        Some(match date.duration_since(now) {
            Ok(ahead) => (ahead, true),
            Err(error) => (error.duration(), false),
        })
    }
}

/// The kind of an I/O error, in words that are the same everywhere.
fn reason(error: &std::io::Error) -> String {
    error.kind().to_string()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue, StatusCode};

    use super::*;
    use crate::config::Config;
    use crate::weight::Room;

    fn greeting(status: u16, body: &'static str, date: &'static str) -> Greeting {
        let headers = HeaderMap::from_iter([(DATE, HeaderValue::from_static(date))]);
        let status = StatusCode::from_u16(status).unwrap();
        let (bytes, room) = (Bytes::from_static(body.as_bytes()), Room::default());
        Greeting::read(&Answer { status, headers, bytes, is_odd: false, _room: room }, "HTTP/1.1".to_owned())
    }

    #[test]
    fn a_greeting_is_metadata_or_not() {
        let told = greeting(200, r#"{"workspace_id":"7","cloud":"AWS","host_type":"workspace"}"#, "");
        assert_eq!((told.is_metadata, told.workspace_id.as_deref()), (true, Some("7")));
        for (status, body, is_page) in [
            (200, "<!DOCTYPE html><html></html>", true),
            (404, "<html>no</html>", true),
            (200, "{}", false),
            (404, r#"{"workspace_id":"7"}"#, false),
            (200, "", false),
        ] {
            let told = greeting(status, body, "");
            assert_eq!((told.is_metadata, told.is_page), (false, is_page), "{status} {body}");
        }
    }

    #[test]
    fn clocks_are_compared() {
        let told = greeting(200, "{}", "Thu, 01 Jan 1970 00:10:00 GMT");
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(told.skew(at(0)), Some((Duration::from_secs(600), true)));
        assert_eq!(told.skew(at(630)), Some((Duration::from_secs(30), false)));
        assert_eq!(greeting(200, "{}", "yesterday").skew(at(0)), None);
    }

    #[tokio::test]
    async fn who_listens_and_who_does_not() {
        let client = Client::new(Config::new("http://127.0.0.1:9", "t").unwrap()).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        assert!(client.connect(&url).await.unwrap().is_loopback());
        drop(listener);
        let error = client.connect(&url).await.unwrap_err();
        assert!(error.is_unreachable() && error.to_string().contains("connection refused"), "{error}");
        let error = client.connect("http://nowhere.invalid").await.unwrap_err();
        assert!(error.to_string().contains("the name `nowhere.invalid` has no address"), "{error}");
        assert_eq!(client.route().proxy, None, "loopback is reached directly");
    }
}
