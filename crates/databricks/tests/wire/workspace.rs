//! A server that answers by a script and remembers what it was asked, and the operations the tests call.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Method as HttpMethod, Response as HttpResponse, Uri};
use databricks::{
    Arguments, Body as RequestBody, Client, Config, Error, Location, Method, Operation, PageStyle, Pagination,
    Parameter, Payload, Response, RetryPolicy,
};
use tokio::net::TcpListener;

pub(crate) const TOKEN: &str = "dapi-0123456789";

/// One request, as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) method: HttpMethod,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

type Requests = Arc<Mutex<Vec<Request>>>;

/// The server; it ends with the test's runtime.
pub(crate) struct Workspace {
    pub(crate) address: SocketAddr,
    requests: Requests,
}

impl Workspace {
    /// Answers the n-th request (from 0) with `script(n)`.
    pub(crate) async fn start<F>(script: F) -> io::Result<Workspace>
    where
        F: Fn(usize) -> HttpResponse<Body> + Clone + Send + Sync + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let requests = Requests::default();
        let log = Arc::clone(&requests);
        let record = move |method: HttpMethod, uri: Uri, headers: HeaderMap, body: Bytes| async move {
            let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push(Request { method, uri, headers, body });
            script(log.len() - 1)
        };
        tokio::spawn(axum::serve(listener, Router::new().fallback(record)).into_future());
        Ok(Workspace { address, requests })
    }

    /// The same answer to everything.
    pub(crate) async fn always(status: u16, headers: &[(&str, &str)], body: &str) -> io::Result<Workspace> {
        let body = body.to_owned();
        let headers: Vec<_> = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Workspace::start(move |_| {
            let builder = HttpResponse::builder().status(status);
            let builder = headers.iter().fold(builder, |builder, (name, value)| builder.header(name, value));
            builder.body(Body::from(body.clone())).unwrap_or_default()
        })
        .await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A configuration that reaches this workspace and does not wait long for anything.
    pub(crate) fn config(&self) -> Result<Config, Error> {
        Ok(Config { retry: quick(), ..Config::new(&self.url(), TOKEN)? })
    }

    pub(crate) fn client(&self) -> Result<Client, Error> {
        Client::new(self.config()?)
    }

    /// Everything asked so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

pub(crate) fn quick() -> RetryPolicy {
    let pause = Duration::from_millis(1);
    RetryPolicy { budget: Duration::from_secs(10), pause, longest_pause: pause }
}

/// An answer with a JSON body.
pub(crate) fn json(status: u16, body: &'static str) -> HttpResponse<Body> {
    HttpResponse::builder()
        .status(status)
        .header("content-type", "application/json")
        .body(Body::from(body))
        .unwrap_or_default()
}

/// Calls an operation without arguments.
pub(crate) async fn call(client: &Client, operation: &'static Operation) -> Result<Payload, Error> {
    client.execute(operation, Arguments::new()).await
}

const QUERY: Parameter = Parameter {
    name: "limit",
    location: Location::Query,
    required: false,
    multi_segment: false,
    flatten: false,
    auto_uuid: false,
    from_config: false,
    preset: None,
};

pub(crate) static LIST: Operation = Operation {
    id: "jobs.jobs.list",
    method: Method::Get,
    path: "/api/2.2/jobs/list",
    parameters: &[QUERY, Parameter { name: "name", ..QUERY }, Parameter { name: "page_token", ..QUERY }],
    body: RequestBody::None,
    response: Response::Json,
    pagination: Some(Pagination {
        style: PageStyle::Token,
        location: Location::Query,
        items: Some("jobs"),
        request: Some("page_token"),
        response: Some("next_page_token"),
        start: 0,
        count: None,
    }),
    workspace_routing: true,
    deprecated: false,
};

pub(crate) static CREATE: Operation = Operation {
    id: "jobs.jobs.create",
    method: Method::Post,
    path: "/api/2.2/jobs/create",
    parameters: &[],
    body: RequestBody::Json,
    pagination: None,
    ..LIST
};

/// As `CREATE`, with a key that makes repeating it safe.
pub(crate) static KEYED: Operation = Operation {
    id: "jobs.jobs.run_now",
    parameters: &[Parameter { name: "request_id", location: Location::Body, auto_uuid: true, ..QUERY }],
    ..CREATE
};

pub(crate) static DOWNLOAD: Operation = Operation {
    id: "files.files.download",
    path: "/api/2.0/fs/files{file_path}",
    parameters: &[Parameter {
        name: "file_path",
        location: Location::Path,
        required: true,
        multi_segment: true,
        ..QUERY
    }],
    response: Response::Binary,
    pagination: None,
    workspace_routing: false,
    ..LIST
};

pub(crate) static METADATA: Operation =
    Operation { id: "files.files.get_metadata", method: Method::Head, response: Response::Empty, ..DOWNLOAD };

pub(crate) static UPLOAD: Operation = Operation {
    id: "files.files.upload",
    method: Method::Put,
    body: RequestBody::Binary,
    response: Response::Empty,
    ..DOWNLOAD
};
