//! The client: a configured transport and the executor of the operation table.

mod payload;

use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::HeaderMap;
use http::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Request, Url};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use crate::answer::Answer;
use crate::arguments::{Arguments, Payload};
use crate::auth::OnBehalf;
use crate::config::Config;
use crate::content::{Content, Part};
use crate::deadline::Deadline;
use crate::departure::Terms;
use crate::encode::{Encoded, encode};
use crate::error::Error;
use crate::host::Host;
use crate::mask::Mask;
use crate::operation::{Body, Method, Operation, Response};
use crate::projection::Projection;
use crate::queue::Closing;
use crate::scope::Scope;
use crate::trace::Trace;
use crate::transport::{Call, Transport};
use crate::watch::{Outgoing, Watch};
use crate::weight::Form;

/// A client of one workspace. Cloning is cheap; clones share connections, limits and credentials.
///
/// ```
/// use databricks::{Client, Config};
///
/// let client = Client::new(Config::new("acme.test", "dapi123")?)?;
/// let another = client.clone(); // of the same connections
/// assert_eq!(another.host(), "https://acme.test");
/// # Ok::<(), databricks::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    transport: Transport,
}

impl Client {
    /// Makes a client without touching the network. Host and credentials may be missing; each call then says so.
    ///
    /// ```no_run
    /// use databricks::{Client, Config, Environment, Settings};
    ///
    /// // The host and the credentials of this machine's variables and profiles.
    /// let client = Client::new(Config::resolve(Settings::default(), Environment::system())?)?;
    /// # Ok::<(), databricks::Error>(())
    /// ```
    ///
    /// # Errors
    /// When a setting cannot be used, for example an id that no header can carry.
    pub fn new(config: Config) -> Result<Client, Error> {
        Ok(Client { transport: Transport::new(config)? })
    }

    /// A client for another caller: of the same connections, with limits of its own, and with credentials of its own where
    /// it calls on somebody's behalf.
    ///
    /// ```
    /// use databricks::{CallerToken, Client, Config, OnBehalf};
    ///
    /// let client = Client::new(Config::new("acme.test", "dapi-of-the-server")?)?;
    /// let token = CallerToken::new("dapi-of-the-caller");
    /// let theirs = client.for_caller(Some(OnBehalf::Token(token.clone())));
    /// token.set("a newer one"); // which later calls send
    /// assert_eq!(theirs.host(), client.host());
    /// # Ok::<(), databricks::Error>(())
    /// ```
    pub fn for_caller(&self, on_behalf: Option<OnBehalf>) -> Client {
        Client { transport: self.transport.for_caller(on_behalf) }
    }

    /// The same client, calling on behalf of another program, which the `User-Agent` then names.
    ///
    /// ```
    /// # let client = databricks::Client::new(databricks::Config::default())?;
    /// // Both share connections and credentials.
    /// let for_editor = client.with_upstream("acme-editor", "1.2.0");
    /// # Ok::<(), databricks::Error>(())
    /// ```
    pub fn with_upstream(&self, name: &str, version: &str) -> Client {
        Client { transport: self.transport.with_upstream(name, version) }
    }

    /// The same client, whose calls end when the token is cancelled. A request that waits for its turn, for a credential
    /// or for another attempt is then never sent. One that is on the wire already is waited for, as only its answer
    /// tells what it did; it is not sent again.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    /// # let client = databricks::Client::new(databricks::Config::new(sandbox.url(), sandbox.token())?)?;
    /// use databricks::{Arguments, operations};
    /// use tokio_util::sync::CancellationToken;
    ///
    /// let token = CancellationToken::new();
    /// let starting = client.until(token.clone());
    /// token.cancel();
    /// let error = starting.execute(&operations::JOBS_JOBS_CREATE, Arguments::new()).await.unwrap_err();
    /// assert!(error.is_called_off());
    /// # Ok(())
    /// # }
    /// ```
    pub fn until(&self, token: CancellationToken) -> Client {
        Client { transport: self.transport.on_terms(Terms::Until(token)) }
    }

    /// The same client, whose requests have this deadline. A client made from it by [`Client::ahead`] has none, and one
    /// made by [`Client::until`] is ended by its token instead.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use databricks::Deadline;
    ///
    /// # let client = databricks::Client::new(databricks::Config::default())?;
    /// let client = client.with_deadline(Deadline::after(Duration::from_secs(40)));
    /// assert!(client.deadline().is_some() && client.ahead().deadline().is_none());
    /// # Ok::<(), databricks::Error>(())
    /// ```
    pub fn with_deadline(&self, deadline: Deadline) -> Client {
        Client { transport: self.transport.with_deadline(deadline) }
    }

    /// The same client, whose requests begin no change after a closing. A client made from it by [`Client::ahead`] has
    /// none, so that what was begun can be undone. See [`Closing`].
    pub fn with_closing(&self, closing: Closing) -> Client {
        Client { transport: self.transport.with_closing(closing) }
    }

    /// The deadline of this client's requests.
    pub fn deadline(&self) -> Option<&Deadline> {
        self.transport.deadline()
    }

    /// The same client, whose requests wait neither for those of others nor for the rate limit. It is meant for
    /// undoing, which must not wait for what it undoes.
    ///
    /// ```
    /// # let client = databricks::Client::new(databricks::Config::default())?;
    /// let undoing = client.ahead();
    /// # Ok::<(), databricks::Error>(())
    /// ```
    pub fn ahead(&self) -> Client {
        Client { transport: self.transport.on_terms(Terms::Ahead) }
    }

    /// The same client, which may call only these operations. Clients made from it may call no others either.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), databricks::Error> {
    /// # let client = databricks::Client::new(databricks::Config::new("https://acme.test", "dapi123")?)?;
    /// use databricks::{Arguments, Operation, Scope, operations};
    ///
    /// static DECLARED: [&Operation; 1] = [&operations::JOBS_JOBS_LIST];
    /// let reader = client.within(Scope { holder: "reader", operations: &DECLARED });
    /// let error = reader.execute(&operations::COMPUTE_CLUSTERS_LIST, Arguments::new()).await.unwrap_err();
    /// assert!(error.to_string().contains("`reader` does not declare"));
    /// # Ok(())
    /// # }
    /// ```
    pub fn within(&self, scope: Scope) -> Client {
        Client { transport: self.transport.within(scope) }
    }

    /// The same client, each of whose requests to an operation is shown to a watch before it is sent. Clients made from it
    /// are watched as well, and a new watch takes the place of an older one. See [`Watch`].
    pub fn watched(&self, watch: Arc<dyn Watch>) -> Client {
        Client { transport: self.transport.watched(watch) }
    }

    /// The same client, each of whose requests to an operation is followed to its end. Clients made from it are traced as
    /// well, and a new trace takes the place of an older one. See [`Trace`].
    pub fn traced(&self, trace: Arc<dyn Trace>) -> Client {
        Client { transport: self.transport.traced(trace) }
    }

    /// The origin of the workspace, for example `https://acme.test`; empty when none is set.
    ///
    /// ```
    /// let client = databricks::Client::new(databricks::Config::new("acme.test/?o=7", "dapi123")?)?;
    /// assert_eq!(client.host(), "https://acme.test");
    /// # Ok::<(), databricks::Error>(())
    /// ```
    pub fn host(&self) -> &str {
        self.transport.known_host().map_or("", Host::as_str)
    }

    /// Hides what this client holds as secret in any text: secret settings, and the credentials that it sent last.
    ///
    /// ```
    /// let client = databricks::Client::new(databricks::Config::new("acme.test", "dapi-very-secret")?)?;
    /// assert_eq!(client.mask().text("no access for dapi-very-secret"), "no access for ***");
    /// # Ok::<(), databricks::Error>(())
    /// ```
    pub fn mask(&self) -> Mask {
        self.transport.mask()
    }

    /// What time it is at the service, as its last answer told; `None` before the first answer, or where it tells none.
    ///
    /// ```
    /// let client = databricks::Client::new(databricks::Config::new("acme.test", "dapi123")?)?;
    /// assert_eq!(client.service_time(), None);
    /// # Ok::<(), databricks::Error>(())
    /// ```
    pub fn service_time(&self) -> Option<SystemTime> {
        self.transport.clock().now()
    }

    pub(crate) fn transport(&self) -> &Transport {
        &self.transport
    }

    /// Calls an operation.
    ///
    /// A JSON answer is returned as it came; where the service sends nothing in its place, as `{}`. A `HEAD` answers
    /// by its headers: `content-length` (an integer), `content-type` and `last-modified`, those that came, as JSON.
    /// Failed attempts are repeated within the retry budget where that cannot do anything twice. Dropping the future
    /// aborts the call.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    /// # let client = databricks::Client::new(databricks::Config::new(sandbox.url(), sandbox.token())?)?;
    /// use databricks::{Arguments, Location, Payload, operations};
    ///
    /// let arguments = Arguments::new().with(Location::Path, "full_name", "main.default");
    /// match client.execute(&operations::CATALOG_SCHEMAS_GET, arguments).await? {
    ///     Payload::Json(schema) => assert_eq!(schema["catalog_name"], "main"),
    ///     other => println!("{other:?}"),
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When host or credentials are not set, a value is missing or does not fit its place, no answer comes, or the
    /// service answers with an error.
    pub async fn execute(&self, operation: &'static Operation, arguments: Arguments) -> Result<Payload, Error> {
        self.execute_reading(operation, arguments, &Projection::whole()).await
    }

    /// As [`Client::execute`], but of an answer in JSON only what somebody will look at is read. A [`Watch`] that wants to
    /// see all of an answer makes it whole.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    /// # let client = databricks::Client::new(databricks::Config::new(sandbox.url(), sandbox.token())?)?;
    /// use databricks::{Arguments, Location, Projection, operations};
    ///
    /// let arguments = Arguments::new().with(Location::Path, "full_name", "main.default");
    /// let schema = client.execute_reading(&operations::CATALOG_SCHEMAS_GET, arguments, &Projection::of(["name"])).await?;
    /// assert_eq!(schema.into_json(), Some(serde_json::json!({ "name": "default" })));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Client::execute`].
    pub async fn execute_reading(
        &self,
        operation: &'static Operation,
        arguments: Arguments,
        projection: &Projection,
    ) -> Result<Payload, Error> {
        self.call(operation, arguments, projection).await.map_err(|error| error.in_operation(operation.id))
    }

    /// Sends a request, see [`requests`](crate::requests).
    ///
    /// # Errors
    /// As [`Client::execute`], and when the answer does not have the expected shape.
    pub async fn send<R: crate::Request>(&self, request: R) -> Result<R::Answer, Error> {
        let answer = async {
            let operation = R::OPERATION;
            let answer = self.ask(operation, request.into_arguments(), HeaderMap::new(), None).await?;
            // Only an object is: a list can be read into a type that has only fields with a default.
            let is_object = answer.bytes.trim_ascii_start().first() == Some(&b'{');
            if is_object
                && !answer.is_odd
                && !self.is_seen(operation)
                && let Some(read) = R::parse(&answer.bytes)
            {
                return Ok(read);
            }
            // Says also what is wrong with an answer that is not as expected.
            R::read(self.seen(operation, answer, &Projection::whole())?)
        };
        answer.await.map_err(|error| error.in_operation(R::OPERATION.id))
    }

    /// As [`Client::execute`], with one header of the answer, where it came.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    /// # let client = databricks::Client::new(databricks::Config::new(sandbox.url(), sandbox.token())?)?;
    /// use databricks::{Arguments, Location, operations};
    ///
    /// let question = Arguments::new().with(Location::Path, "name", "sandbox-completions").with(Location::Body, "prompt", "Hi");
    /// let (_, model) =
    ///     client.execute_with_header(&operations::SERVING_SERVING_ENDPOINTS_QUERY, question, "served-model-name").await?;
    /// assert!(model.is_some());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Client::execute`].
    pub async fn execute_with_header(
        &self,
        operation: &'static Operation,
        arguments: Arguments,
        header: &str,
    ) -> Result<(Payload, Option<String>), Error> {
        let told = |answer: Answer| {
            let header = answer.headers.get(header).and_then(|value| value.to_str().ok()).map(str::to_owned);
            Ok((self.payload(operation, answer, &Projection::whole())?, header))
        };
        let answer = self.ask(operation, arguments, HeaderMap::new(), None).await;
        answer.and_then(told).map_err(|error| error.in_operation(operation.id))
    }

    /// Calls an operation that answers with JSON.
    pub(crate) async fn json(
        &self,
        operation: &'static Operation,
        arguments: Arguments,
        projection: &Projection,
    ) -> Result<Value, Error> {
        match self.execute_reading(operation, arguments, projection).await? {
            Payload::Json(answer) => Ok(answer),
            Payload::Empty | Payload::Text { .. } | Payload::Binary { .. } => {
                Err(Error::answer("the answer is not JSON").in_operation(operation.id))
            }
        }
    }

    /// Calls an operation that takes raw bytes, and reads these while they are sent. [`Arguments::idempotent`] says
    /// whether to send them again when it is not known if the first attempt arrived.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    /// # let client = databricks::Client::new(databricks::Config::new(sandbox.url(), sandbox.token())?)?;
    /// use bytes::Bytes;
    /// use databricks::{Arguments, Content, Location, operations};
    ///
    /// let path = "/Volumes/main/default/landing/notes.txt";
    /// let arguments = Arguments::new().with(Location::Path, "file_path", path).with(Location::Query, "overwrite", true);
    /// let content = Content::from(Bytes::from_static(b"ready")); // or `Content::new` over a file
    /// // With `overwrite`, writing it twice does no harm.
    /// client.upload(&operations::FILES_FILES_UPLOAD, arguments.idempotent(true), &content).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Client::execute`], and when the content cannot be read.
    pub async fn upload(
        &self,
        operation: &'static Operation,
        arguments: Arguments,
        content: &Content,
    ) -> Result<Payload, Error> {
        let arguments = arguments.with_bytes(Bytes::new());
        let answer = self.ask(operation, arguments, HeaderMap::new(), Some(content)).await;
        let read = |answer| self.payload(operation, answer, &Projection::whole());
        answer.and_then(read).map_err(|error| error.in_operation(operation.id))
    }

    /// Reads a part of a file: the bytes of `range`, counted from 0, its end excluded. `unmodified_since`, the time
    /// that an earlier part told, makes it an error (412) if the file has changed meanwhile.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sandbox = databricks_sandbox::Sandbox::start(databricks_sandbox::Options::default()).await?;
    /// # let client = databricks::Client::new(databricks::Config::new(sandbox.url(), sandbox.token())?)?;
    /// use databricks::{Arguments, Location, operations};
    ///
    /// let path = "/Volumes/main/default/landing/README.md";
    /// let file = Arguments::new().with(Location::Path, "file_path", path);
    /// let first = client.read_part(&operations::FILES_FILES_DOWNLOAD, file.clone(), 0..9, None).await?;
    /// assert_eq!(&first.bytes[..], b"# Landing");
    /// // The rest of the same file, or an error if somebody has written it anew.
    /// let unchanged = first.last_modified.as_deref();
    /// let rest = client.read_part(&operations::FILES_FILES_DOWNLOAD, file, 9..1_000, unchanged).await?;
    /// assert_eq!(rest.start, 9);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Client::execute`]; 416 where the file ends before the part begins.
    pub async fn read_part(
        &self,
        operation: &'static Operation,
        arguments: Arguments,
        range: Range<u64>,
        unmodified_since: Option<&str>,
    ) -> Result<Part, Error> {
        let answer = match Part::headers(&range, unmodified_since) {
            Ok(headers) => self.ask(operation, arguments, headers, None).await,
            Err(error) => Err(error),
        };
        answer.and_then(Part::read).map_err(|error| error.in_operation(operation.id))
    }

    /// On the heap: callers move their futures about, and would move this one with them.
    fn ask<'a>(
        &'a self,
        operation: &'static Operation,
        arguments: Arguments,
        headers: HeaderMap,
        content: Option<&'a Content>,
    ) -> Pin<Box<dyn Future<Output = Result<Answer, Error>> + Send + 'a>> {
        Box::pin(self.send_and_watch(operation, arguments, headers, content))
    }

    async fn send_and_watch(
        &self,
        operation: &'static Operation,
        arguments: Arguments,
        headers: HeaderMap,
        content: Option<&Content>,
    ) -> Result<Answer, Error> {
        let host = self.transport.host().await?;
        let (retry_budget, idle_timeout) = (arguments.retry_budget(), arguments.idle_timeout());
        let (unavailable_is_refusal, held_open) = (arguments.is_unavailable_refusal(), arguments.is_held_open());
        let mut encoded = encode(operation, arguments, self.transport.account_id())?;
        let arguments = std::mem::take(&mut encoded.arguments);
        if let Some(watch) = self.transport.watch() {
            let length = |body: &(Bytes, &str)| body.0.len() as u64;
            let bytes = content.map(Content::length).or_else(|| encoded.body.as_ref().map(length));
            let outgoing = Outgoing {
                operation,
                arguments: &arguments,
                path: &encoded.path,
                query: &encoded.query,
                content_bytes: bytes.filter(|_| operation.body == Body::Binary),
                is_undoing: self.transport.is_ahead(),
            };
            self.transport.wait(watch.before(&outgoing)).await??;
        }
        drop(arguments);
        let call = Call::new(operation, encoded.repeatable);
        let call = Call { retry_budget, idle_timeout, unavailable_is_refusal, held_open, ..call };
        let mut request = request(operation, host, encoded)?;
        request.headers_mut().extend(headers);
        let answer = self.transport.send(request, content, call).await;
        if let Some(watch) = self.transport.watch() {
            let id = answer.as_ref().map(|answer| answer.headers.get("x-request-id").and_then(|id| id.to_str().ok()));
            watch.after(id.unwrap_or_else(Error::request_id));
        }
        answer
    }

    async fn call(
        &self,
        operation: &'static Operation,
        arguments: Arguments,
        projection: &Projection,
    ) -> Result<Payload, Error> {
        let answer = self.ask(operation, arguments, HeaderMap::new(), None).await?;
        self.seen(operation, answer, projection)
    }

    /// Downloads what a presigned URL of an answer points to, such as a chunk of a SQL result. No credentials are
    /// sent along, and the URL, being a credential itself, appears in no log and no error.
    ///
    /// ```no_run
    /// # async fn example(client: databricks::Client, result: serde_json::Value) -> Result<(), databricks::Error> {
    /// // From the answer to a statement with the disposition `EXTERNAL_LINKS`.
    /// if let Some(link) = result["external_links"][0]["external_link"].as_str() {
    ///     let chunk = client.download_presigned(link).await?;
    ///     println!("{} bytes", chunk.len());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the URL is not `https` (loopback aside), has expired, or the download fails.
    pub async fn download_presigned(&self, url: &str) -> Result<Bytes, Error> {
        self.download_presigned_with(url, []).await
    }

    /// As [`Client::download_presigned`], with the headers that the answer asks to send along with its URL.
    ///
    /// ```no_run
    /// # async fn example(client: databricks::Client, link: &str) -> Result<(), databricks::Error> {
    /// let file = client.download_presigned_with(link, [("x-goog-encryption-algorithm", "AES256")]).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Client::download_presigned`], and when a header cannot be sent.
    pub async fn download_presigned_with<'a>(
        &self,
        url: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Bytes, Error> {
        Ok(self.transport.fetch_presigned(url, headers, Form::Bytes).await?.bytes)
    }

    /// As [`Client::download_presigned_with`], for JSON of a known shape, such as the rows of a chunk.
    ///
    /// ```no_run
    /// # async fn example(client: databricks::Client, link: &str) -> Result<(), databricks::Error> {
    /// let rows: Vec<Vec<Option<String>>> = client.download_presigned_json(link, []).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Client::download_presigned_with`], and when what comes is not JSON of this shape.
    pub async fn download_presigned_json<'a, T: DeserializeOwned>(
        &self,
        url: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<T, Error> {
        let mut answer = self.transport.fetch_presigned(url, headers, Form::Json).await?;
        self.transport.read("download", &mut answer, |text| serde_json::from_slice(text)).map_err(|error| {
            // The position only: the content is somebody's data.
            let (line, column) = (error.line(), error.column());
            Error::answer(format!("the downloaded data is not the expected JSON (line {line}, column {column})"))
        })
    }
}

fn request(operation: &Operation, host: &Host, encoded: Encoded) -> Result<Request, Error> {
    let mut url = Url::parse(&format!("{host}{}", encoded.path))
        .map_err(|error| Error::argument(format!("the path is not usable: {error}")))?;
    if url.path() != encoded.path {
        // The encoder lets nothing pass that a URL parser would resolve. Should it ever, nothing is sent astray.
        return Err(Error::argument("a path parameter changes the path"));
    }
    if !encoded.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&encoded.query);
    }
    encoded.check_length(&url)?;
    let mut request = Request::new(operation.method.into(), url);
    let accept = match operation.response {
        // A `HEAD` asks for whatever a `GET` would give.
        Response::Empty if operation.method == Method::Head => "*/*",
        // Where a success has nothing to tell, an error still comes as JSON.
        Response::Json | Response::Empty => "application/json",
        Response::Text => "text/plain",
        Response::Binary => "application/octet-stream",
    };
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static(accept));
    if let Some((body, media_type)) = encoded.body {
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        *request.body_mut() = Some(body.into());
    }
    Ok(request)
}
