//! The one way to the workspace: credentials, headers, limits, timeouts and retries.
//!
//! The executor of the operation table and the generated typed client both send through [`Transport::send`].

mod presigned;

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http::header::{CONTENT_LENGTH, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use reqwest::Request;
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, timeout};

use crate::answer::{Answer, Question};
use crate::auth::{AuthHeaders, Authenticator, Chosen, Context, OnBehalf};
use crate::clock::Clock;
use crate::config::Config;
use crate::content::Content;
use crate::deadline::{Attempts, Deadline};
use crate::departure::{Terms, UnderWay};
use crate::error::Error;
use crate::host::Host;
use crate::limit::Gate;
use crate::mask::Mask;
use crate::operation::{Operation, Response};
use crate::queue::{Closing, Queue};
use crate::retry::RetryPolicy;
use crate::scope::Scope;
use crate::secret::Secret;
use crate::tls;
use crate::trace::{self, Beginning, Trace};
use crate::user_agent::UserAgent;
use crate::watch::Watch;
use crate::weight::Form;

/// What the sandbox puts on answers that it has no state for.
const MADE_UP_HEADER: HeaderName = HeaderName::from_static("x-sandbox-synthesized");
/// Routes a call to one of the workspaces behind a host.
const WORKSPACE_HEADER: HeaderName = HeaderName::from_static("x-databricks-workspace-id");
/// An upload may take this long per byte on top of the idle timeout: one second per 64 KiB.
const SLOWEST_UPLOAD: u64 = 64 * 1024;
/// A cheap handle: clones share connections, limits and credentials.
#[derive(Clone)]
pub(crate) struct Transport {
    shared: Arc<Shared>,
    user_agent: Arc<UserAgent>,
    terms: Terms,
    closing: Option<Closing>,
    deadline: Option<Deadline>,
    scope: Option<Scope>,
    watch: Option<Arc<dyn Watch>>,
    trace: Option<Arc<dyn Trace>>,
}

struct Shared {
    workspace_id: Option<HeaderValue>,
    authenticator: Arc<Authenticator>,
    config: Arc<Config>,
    http: reqwest::Client,
    gate: Gate,
    clock: Clock,
}

impl Shared {
    fn new(
        workspace_id: Option<HeaderValue>,
        authenticator: Arc<Authenticator>,
        config: Arc<Config>,
        http: reqwest::Client,
    ) -> Shared {
        Shared { workspace_id, authenticator, http, gate: Gate::new(config.limits), clock: Clock::default(), config }
    }
}

/// What the transport must know about a call besides its request.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call {
    /// The operation's name, for messages.
    pub(crate) operation: &'static str,
    /// Whether sending the request twice does no more than sending it once.
    pub(crate) repeatable: bool,
    /// Whether a 503 means that nothing was begun.
    pub(crate) unavailable_is_refusal: bool,
    /// Whether the call belongs to one workspace.
    pub(crate) workspace_routing: bool,
    /// Whether the call belongs to an account.
    pub(crate) is_of_account: bool,
    /// What a success carries; a web page instead of JSON is a login page.
    pub(crate) response: Response,
    /// The method and the path of the operation, for traces.
    pub(crate) method: &'static str,
    pub(crate) template: &'static str,
    /// Overrides the configured retry budget.
    pub(crate) retry_budget: Option<Duration>,
    /// Overrides the configured idle timeout.
    pub(crate) idle_timeout: Option<Duration>,
    /// Whether the service holds the call open until its work is done.
    pub(crate) held_open: bool,
}

impl Call {
    pub(crate) fn new(operation: &Operation, repeatable: bool) -> Call {
        Call {
            operation: operation.id,
            repeatable,
            unavailable_is_refusal: false,
            workspace_routing: operation.workspace_routing,
            is_of_account: operation.is_of_account(),
            response: operation.response,
            method: operation.method.as_str(),
            template: operation.path,
            retry_budget: None,
            idle_timeout: None,
            held_open: false,
        }
    }
}

impl Transport {
    pub(crate) fn new(config: Config) -> Result<Transport, Error> {
        let workspace_id = config.routed_workspace().map(|id| {
            HeaderValue::try_from(id).map_err(|_| {
                Error::configuration("the workspace id contains characters that are not allowed in an id")
                    .with_hint("check DATABRICKS_WORKSPACE_ID")
            })
        });
        let http = http_client(&config)?;
        let authenticator = Arc::new(Authenticator::new(Context::new(&config, http.clone())));
        Ok(Transport {
            user_agent: Arc::new(config.user_agent.clone()),
            terms: Terms::default(),
            closing: None,
            deadline: None,
            scope: None,
            watch: None,
            trace: None,
            shared: Arc::new(Shared::new(workspace_id.transpose()?, authenticator, Arc::new(config), http)),
        })
    }

    /// A transport for another caller: of the same connections, with limits of its own, and with credentials of its own
    /// where it calls on somebody's behalf.
    pub(crate) fn for_caller(&self, on_behalf: Option<OnBehalf>) -> Transport {
        let Shared { workspace_id, authenticator, config, http, .. } = &*self.shared;
        let (authenticator, config) = match on_behalf {
            None => (Arc::clone(authenticator), Arc::clone(config)),
            Some(on_behalf) => {
                let config = Config { on_behalf: Some(on_behalf), ..Config::clone(config) };
                (Arc::new(Authenticator::new(Context::new(&config, http.clone()))), Arc::new(config))
            }
        };
        let shared = Shared::new(workspace_id.clone(), authenticator, config, http.clone());
        Transport { shared: Arc::new(shared), ..self.clone() }
    }

    /// The same transport, calling on behalf of another program.
    pub(crate) fn with_upstream(&self, name: &str, version: &str) -> Transport {
        let user_agent = UserAgent::clone(&self.user_agent).with_upstream(name, version);
        Transport { user_agent: Arc::new(user_agent), ..self.clone() }
    }

    /// The same transport, whose requests leave on other terms. What goes ahead of the others has no deadline and no
    /// closing: it cleans up after a call whose time may be over.
    pub(crate) fn on_terms(&self, terms: Terms) -> Transport {
        let is_ahead = matches!(terms, Terms::Ahead);
        let (deadline, closing) = (self.deadline.clone(), self.closing.clone());
        Transport {
            terms,
            deadline: deadline.filter(|_| !is_ahead),
            closing: closing.filter(|_| !is_ahead),
            ..self.clone()
        }
    }

    /// The same transport, whose requests begin no change after a closing.
    pub(crate) fn with_closing(&self, closing: Closing) -> Transport {
        Transport { closing: Some(closing), ..self.clone() }
    }

    /// How a request waits that changes something or not.
    fn queue(&self, changes: bool) -> Queue<'_> {
        Queue { terms: &self.terms, closing: self.closing.as_ref(), changes }
    }

    /// The same transport, whose requests have this deadline.
    pub(crate) fn with_deadline(&self, deadline: Deadline) -> Transport {
        Transport { deadline: Some(deadline), ..self.clone() }
    }

    pub(crate) fn deadline(&self) -> Option<&Deadline> {
        self.deadline.as_ref()
    }

    /// Waits for `work` until the deadline. Where a token calls requests off, it is the token that ends them: one that is
    /// on the wire is waited for, as only its answer tells what it did.
    async fn limit<T>(&self, attempts: &Attempts, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match (&self.deadline, &self.terms) {
            (Some(deadline), Terms::Until(_)) => deadline.report_on(attempts, work).await,
            (Some(deadline), Terms::Usual | Terms::Ahead) => deadline.limit(attempts, work).await,
            (None, _) => work.await,
        }
    }

    /// Counts a request against the most that may be made until the deadline.
    fn count(&self) -> Result<(), Error> {
        self.deadline.as_ref().map_or(Ok(()), Deadline::count)
    }

    /// The retries that fit into the time that is left.
    fn retry(&self, budget: Option<Duration>) -> RetryPolicy {
        let budget = budget.unwrap_or(self.shared.config.retry.budget);
        let budget = self.deadline.as_ref().map_or(budget, |deadline| deadline.retry_budget(budget));
        RetryPolicy { budget, ..self.shared.config.retry }
    }

    /// The same transport, which may call only these operations.
    pub(crate) fn within(&self, scope: Scope) -> Transport {
        Transport { scope: Some(scope), ..self.clone() }
    }

    /// The same transport, whose requests are watched.
    pub(crate) fn watched(&self, watch: Arc<dyn Watch>) -> Transport {
        Transport { watch: Some(watch), ..self.clone() }
    }

    /// The same transport, whose requests are traced.
    pub(crate) fn traced(&self, trace: Arc<dyn Trace>) -> Transport {
        Transport { trace: Some(trace), ..self.clone() }
    }

    pub(crate) fn watch(&self) -> Option<&Arc<dyn Watch>> {
        self.watch.as_ref()
    }

    /// Whether requests go ahead of all others, as they undo something.
    pub(crate) fn is_ahead(&self) -> bool {
        matches!(self.terms, Terms::Ahead)
    }

    /// The HTTP client. It sends no credentials by itself.
    pub(crate) fn http_client(&self) -> &reqwest::Client {
        &self.shared.http
    }

    pub(crate) fn account_id(&self) -> Option<&str> {
        self.context().account_id()
    }

    pub(crate) fn clock(&self) -> &Clock {
        &self.shared.clock
    }

    pub(crate) fn authenticator(&self) -> &Authenticator {
        &self.shared.authenticator
    }

    pub(crate) fn context(&self) -> &Context {
        self.shared.authenticator.context()
    }

    /// Hides the secrets of the settings and the credentials sent last.
    pub(crate) fn mask(&self) -> Mask {
        self.shared.authenticator.mask()
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        self.shared.config.connect_timeout
    }

    pub(crate) fn idle_timeout(&self) -> Duration {
        self.shared.config.idle_timeout
    }

    /// Who is calling, where nobody has authenticated.
    pub(crate) fn plain_user_agent(&self) -> HeaderValue {
        self.user_agent.header(None)
    }

    /// The host as far as it is known without asking anybody.
    pub(crate) fn known_host(&self) -> Option<&Host> {
        self.context().host()
    }

    /// The host, or what must be set to have one.
    pub(crate) async fn host(&self) -> Result<&Host, Error> {
        self.limit(&Attempts::new("host"), self.known_or_asked_host()).await
    }

    async fn known_or_asked_host(&self) -> Result<&Host, Error> {
        self.terms.wait(self.shared.authenticator.host()).await??.ok_or_else(|| no_host(self.context()))
    }

    /// The workspace to route to: as set, else as the host has told.
    fn workspace_id(&self) -> Option<HeaderValue> {
        self.shared.workspace_id.clone().or_else(|| {
            let told = self.context().known_metadata()?.workspace_id.as_deref()?;
            HeaderValue::try_from(told).ok()
        })
    }

    /// Sends a request to the workspace, repeats it where that is allowed, and returns the whole successful answer.
    ///
    /// Dropping the future aborts the attempt under way and makes no other. Where the terms are to be called off, the
    /// attempt that is on the wire is the last.
    /// The content, if any, is its body, and is read while it is sent.
    pub(crate) async fn send(
        &self,
        mut request: Request,
        content: Option<&Content>,
        call: Call,
    ) -> Result<Answer, Error> {
        let changes = changes(&request);
        let host = self.known_host().map(Host::as_str).unwrap_or_default();
        let Call { operation, method, template, .. } = call;
        let span = self.trace.as_ref().map(|trace| trace.begin(&Beginning { operation, method, template, host }));
        if let Some(span) = &span {
            trace::send_along(&**span, request.headers_mut());
        }
        let attempts = &Attempts::new(operation).traced(span);
        // On the heap: the futures of callers nest deeply enough.
        let work = Box::pin(self.send_until_answered(request, content, call, attempts));
        let outcome = self.limit(attempts, work).await;
        attempts.ended(outcome.as_ref().map(|answer| answer.status.as_u16()));
        outcome.map_err(|error| {
            let may_have_happened = error.may_have_happened() && changes;
            error.with_outcome(may_have_happened).in_operation(operation)
        })
    }

    async fn send_until_answered(
        &self,
        mut request: Request,
        content: Option<&Content>,
        call: Call,
        attempts: &Attempts,
    ) -> Result<Answer, Error> {
        if let Some(scope) = &self.scope {
            scope.check(call.operation)?;
        }
        self.count()?;
        let host = self.known_or_asked_host().await?;
        if request.url().origin().ascii_serialization() != host.as_str() {
            // The credential is for this host alone.
            return Err(Error::argument("the request is for another host"));
        }
        self.check_level(host, call).await?;
        let lacks_body =
            request.body().is_none() && matches!(*request.method(), Method::POST | Method::PUT | Method::PATCH);
        let headers = request.headers_mut();
        if let Some(content) = content {
            headers.insert(CONTENT_LENGTH, content.length().into());
        } else if lacks_body {
            // Gateways answer 411 to these methods without a length, and hyper sends none by itself.
            headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        let (request, renewed) = (&request, &AtomicBool::new(false));
        let attempt = |number| async move {
            let outcome = self.send_with_credential(request, content, call, attempts, (number, renewed)).await;
            outcome.inspect_err(|error| attempts.failed(error))
        };
        self.retry(call.retry_budget).run(call.repeatable, self.queue(changes(request)), attempt).await
    }

    /// Makes one attempt, and a second where the service refuses the credential and there is a newer one.
    async fn send_with_credential(
        &self,
        request: &Request,
        content: Option<&Content>,
        call: Call,
        attempts: &Attempts,
        (number, renewed): (u32, &AtomicBool),
    ) -> Result<Answer, Error> {
        loop {
            let ready = self.terms.wait(Box::pin(self.prepare(request, content, call, attempts))).await??;
            let Ready { request, chosen, proof, slot } = ready;
            let start = Instant::now();
            let sent = sensitive(request.headers());
            self.shared.authenticator.remember(&sent);
            let form = if call.response == Response::Json { Form::Json } else { Form::Bytes };
            let idle = call.idle_timeout.unwrap_or(self.shared.config.idle_timeout);
            let exchange = Exchange { response: call.response, form, sent, idle };
            // On the heap, as what repeats it is moved about.
            let result = Box::pin(self.attempt(request, attempts, exchange)).await;
            drop(slot);
            let status = result.as_ref().map_or_else(Error::status, |answer| Some(answer.status.as_u16()));
            if let Some(observer) = &self.shared.config.observer {
                observer.attempted(number, status, start.elapsed());
            }
            attempts.attempted(number, status);
            tracing::debug!(
                operation = call.operation,
                attempt = number,
                status,
                milliseconds = start.elapsed().as_millis(),
                "called the workspace"
            );
            match result {
                // A call that is refused for its credential has not begun; it is made again with another, once.
                Err(error) if error.refuses_credential() => {
                    attempts.authenticates();
                    if renewed.swap(true, Ordering::Relaxed)
                        || !self.terms.wait(chosen.renew(self.context(), &proof)).await??
                    {
                        return Err(chosen.explain(self.context(), error));
                    }
                    tracing::debug!(method = chosen.name, "replaced a credential that was refused");
                }
                Err(error) if call.unavailable_is_refusal && error.status() == Some(503) => {
                    return Err(error.turned_away());
                }
                result => return result,
            }
        }
    }

    /// Refuses a call for a workspace where the host serves an account, and the reverse: the service would answer that
    /// there is no such path.
    async fn check_level(&self, host: &Host, call: Call) -> Result<(), Error> {
        let context = self.context();
        if !call.is_of_account {
            if context.is_account_host() && self.workspace_id().is_none() {
                let message = format!("`{host}` is the host of an account, but the call is for a workspace");
                return Err(Error::configuration(message).with_hint("set DATABRICKS_HOST to the workspace's URL"));
            }
        } else if context.is_workspace_host().await {
            let message = format!("`{host}` is the host of a workspace, but the call is for an account");
            return Err(Error::configuration(message).with_hint(
                "set DATABRICKS_HOST to the account's URL, for example `https://accounts.cloud.databricks.com`, and \
                 DATABRICKS_ACCOUNT_ID",
            ));
        }
        Ok(())
    }

    /// Makes one attempt ready to leave: with a credential, and with its turn.
    async fn prepare(
        &self,
        request: &Request,
        content: Option<&Content>,
        call: Call,
        attempts: &Attempts,
    ) -> Result<Ready<'_>, Error> {
        attempts.authenticates();
        let chosen = self.shared.authenticator.chosen().await?;
        let proof = chosen.proof(self.context()).await?;
        let mut request =
            request.try_clone().ok_or_else(|| Error::argument("a streamed body cannot be sent through this client"))?;
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, self.user_agent.header(Some(chosen.name)));
        if let Some(id) = self.workspace_id().filter(|_| call.workspace_routing) {
            headers.insert(WORKSPACE_HEADER, id);
        }
        headers.extend(proof.headers.clone());
        if let Some(content) = content {
            *request.body_mut() = Some(content.body());
        }
        attempts.queues();
        let waits = |wait| self.watch.iter().for_each(|watch| watch.waits(wait));
        let slot =
            self.queue(changes(&request)).turn(self.shared.gate.pass(&self.terms, call.held_open, waits)).await?;
        Ok(Ready { request, chosen, proof, slot })
    }

    /// Sends a request once. What was sent as a credential is taken out of an error that echoes it.
    async fn attempt(&self, request: Request, attempts: &Attempts, exchange: Exchange) -> Result<Answer, Error> {
        let Exchange { response: expected, form, sent, idle } = exchange;
        let question = Question { method: request.method().clone(), path: request.url().path().to_owned(), expected };
        let told = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        let held = || request.body().and_then(reqwest::Body::as_bytes).map_or(0, |bytes| bytes.len() as u64);
        let longest = idle.saturating_add(Duration::from_secs(told.unwrap_or_else(held) / SLOWEST_UPLOAD));
        attempts.sends();
        let under_way = UnderWay::new(attempts.name(), request.method());
        let exchange = |request| async move {
            let response = timeout(longest, self.shared.http.execute(request))
                .await
                .map_err(|_| Error::timed_out(longest))?
                .map_err(Error::http)?;
            self.shared.clock.hear(response.headers());
            Answer::receive(response, idle, self.shared.config.max_response_bytes, form).await
        };
        let raw = self.terms.exchange(request, exchange).await;
        under_way.end();
        let answer = raw?.judge(&question, &sent.and(&self.shared.authenticator.mask()))?;
        if let Some(deadline) = self.deadline.as_ref().filter(|_| answer.headers.contains_key(MADE_UP_HEADER)) {
            deadline.note_made_up();
        }
        Ok(answer)
    }

    /// Waits for something that comes before a request is made.
    pub(crate) async fn wait<T>(&self, wait: impl Future<Output = T>) -> Result<T, Error> {
        self.terms.wait(wait).await
    }

    /// Reads an answer in JSON. Where that fails or would change a number, what is to blame is replaced and told.
    pub(crate) fn read<T>(
        &self,
        operation: &str,
        answer: &mut Answer,
        read: impl Fn(&[u8]) -> Result<T, serde_json::Error>,
    ) -> Result<T, serde_json::Error> {
        if !answer.is_odd
            && let Ok(value) = read(&answer.bytes)
        {
            return Ok(value);
        }
        let repairs = answer.repair().unwrap_or_default();
        for repair in repairs {
            tracing::warn!(operation, repair, "a part of an answer was not valid JSON and was replaced");
            if let Some(deadline) = &self.deadline {
                deadline.note(repair);
            }
        }
        read(&answer.bytes)
    }
}

/// Whether a request may change something.
fn changes(request: &Request) -> bool {
    !matches!(*request.method(), Method::GET | Method::HEAD)
}

/// How the answer of one attempt is read.
struct Exchange {
    /// What a success carries.
    response: Response,
    /// What becomes of it.
    form: Form,
    /// What was sent as a credential.
    sent: Mask,
    idle: Duration,
}

/// An attempt that may leave at once.
struct Ready<'a> {
    request: Request,
    chosen: Arc<Chosen>,
    proof: AuthHeaders,
    slot: Option<SemaphorePermit<'a>>,
}

/// Neither credentials nor the insides of the HTTP client.
impl fmt::Debug for Transport {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Transport")
            .field("host", &self.known_host().map(Host::as_str))
            .field("authenticator", &self.shared.authenticator)
            .finish_non_exhaustive()
    }
}

/// The credentials of a request, each without its scheme.
fn sensitive(headers: &HeaderMap) -> Mask {
    let sent = headers.values().filter(|value| value.is_sensitive()).filter_map(|value| value.to_str().ok());
    Mask::credentials(sent.map(|value| Secret::from(value.rsplit(' ').next().unwrap_or(value))))
}

/// A client without credentials. It follows no redirect: one of an API call leads to a login page, which is reported,
/// and the credential goes nowhere else.
pub(crate) fn http_client(config: &Config) -> Result<reqwest::Client, Error> {
    let mut http = reqwest::Client::builder()
        .tls_backend_preconfigured(tls::client_config()?)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(config.connect_timeout)
        .pool_idle_timeout(Duration::from_secs(90));
    if config.host.as_ref().is_some_and(Host::is_loopback) {
        // A proxy could not reach what runs on this machine.
        http = http.no_proxy();
    }
    http.build()
        .map_err(|error| Error::configuration(format!("cannot set up the HTTP client: {}", error.without_url())))
}

pub(crate) fn no_host(context: &Context) -> Error {
    Error::configuration(format!("no workspace host is set{}", context.remarks())).with_hint(
        "set DATABRICKS_HOST or `--host` to the workspace's URL, or log in with `databricks-mcp-server auth login`; to try the \
         server without a workspace, start it with `--sandbox`",
    )
}
