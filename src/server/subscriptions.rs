//! Subscriptions to resources: `subscriptions/listen`, and `resources/subscribe` of the revisions with a handshake.
//!
//! What is told is that a resource has changed; whoever wants to know how reads it. One poller serves all who listen to the
//! same resource, of one caller: the pollers are of a caller's own server, and read with their credentials.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rmcp::model::{ErrorCode, ErrorData, ResourceUpdatedNotificationParam, SubscriptionFilter};
use rmcp::service::{Peer, RequestContext, RoleServer, SubscriptionContext};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::{RESOURCE_TIME, Server, no_method, protocol_error, told_as};
use crate::error::Error;
use crate::registry::Registry;
use crate::resources;
use crate::server::changes;
use crate::watching::{Pace, Turn, Watched, Watching};
use crate::workspaces::Workspaces;

/// So many resources one caller may listen to at once.
const MOST: usize = 100;
/// How often it is looked whether a client with a session has a stream again.
const HEARD: Duration = Duration::from_millis(500);
/// How long a client may take to read what it is told.
const TELL_TIME: Duration = Duration::from_secs(30);

/// The subscriptions of one caller, and those of one session that have no stream of their own; clones share both.
#[derive(Debug, Clone)]
pub(super) struct Subscriptions {
    watching: Watching,
    places: Arc<Semaphore>,
    /// By URI; dropping one ends it.
    of_session: Arc<Mutex<HashMap<String, AbortOnDropHandle<()>>>>,
    /// Where a client with a session over HTTP is told something.
    outlet: Option<Arc<dyn Outlet>>,
}

/// Where a client is told something that belongs to no request.
pub(crate) trait Outlet: fmt::Debug + Send + Sync {
    /// Whether somebody listens now.
    fn is_heard(&self) -> bool;

    /// Says a message; `false` where nobody takes it now.
    fn tell(&self, message: &str) -> bool;
}

/// A way to tell a client that a resource has changed.
#[derive(Debug, Clone)]
enum Teller {
    /// By its connection, which lasts.
    Peer(Peer<RoleServer>),
    /// By a stream of its session, which comes and goes.
    Session(Arc<dyn Outlet>),
}

impl Teller {
    /// Whether somebody hears what is told.
    fn is_heard(&self) -> bool {
        match self {
            Self::Peer(peer) => !peer.is_transport_closed(),
            Self::Session(outlet) => outlet.is_heard(),
        }
    }
}

impl Subscriptions {
    pub(super) fn new(pace: Pace) -> Self {
        Self {
            watching: Watching::new(pace),
            places: Arc::new(Semaphore::new(MOST)),
            of_session: Arc::default(),
            outlet: None,
        }
    }

    /// None yet, of another caller.
    pub(super) fn apart(&self) -> Self {
        Self { watching: self.watching.apart(), places: Arc::new(Semaphore::new(MOST)), ..self.for_session() }
    }

    /// None yet, in another session of the same caller.
    pub(super) fn for_session(&self) -> Self {
        Self { of_session: Arc::default(), outlet: None, ..self.clone() }
    }

    fn place(&self) -> Result<OwnedSemaphorePermit, ErrorData> {
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| too_many())
    }
}

/// A resource that somebody listens to, and its place among those that they may.
struct Listening {
    watched: Watched,
    _place: OwnedSemaphorePermit,
}

impl Server {
    /// The same, which looks at watched resources as often as this, and ever more seldom while nothing changes.
    #[must_use]
    pub fn with_looks_every(self, shortest: Duration) -> Self {
        let pace = Pace { shortest, longest: shortest * 30 };
        Self { subscriptions: Subscriptions::new(pace), ..self }
    }

    /// The same server, whose client with a session over HTTP is told things there.
    pub(crate) fn with_outlet(mut self, outlet: Arc<dyn Outlet>) -> Self {
        self.subscriptions.outlet = Some(outlet);
        self
    }

    /// Whether a client of a revision with a handshake can be told anything: not over HTTP without a session.
    pub(super) fn can_tell(&self, request: &RequestContext<RoleServer>) -> bool {
        self.teller(request).is_some()
    }

    fn teller(&self, request: &RequestContext<RoleServer>) -> Option<Teller> {
        match request.extensions.get::<http::request::Parts>() {
            None => Some(Teller::Peer(request.peer.clone())),
            Some(_) => self.subscriptions.outlet.clone().map(Teller::Session),
        }
    }

    fn listening(&self, workspaces: &Workspaces, uri: &str) -> Result<Listening, ErrorData> {
        let place = self.subscriptions.place()?;
        let watched = self.subscriptions.watching.listen(&self.registry, workspaces, uri, &self.stop);
        Ok(Listening { watched, _place: place })
    }

    /// Whether anything can be subscribed to, now or once more is enabled.
    fn offers_any(&self, registry: &Registry) -> bool {
        self.registry.can_grow() || are_offered(registry)
    }

    /// What of a subscription there can be notifications for; `None` where there are none at all.
    pub(super) fn accepted(&self, requested: &SubscriptionFilter) -> Option<SubscriptionFilter> {
        let (can_grow, registry) = (self.registry.can_grow(), self.registry());
        if !self.offers_any(&registry) {
            return None;
        }
        let mut accepted = if can_grow { changes::of_definitions(requested) } else { SubscriptionFilter::default() };
        let wanted = requested.resource_subscriptions.iter().flatten();
        let known = wanted.filter(|uri| resources::is_watchable(&registry, &self.workspaces, uri));
        // One more than there may be: `listen` refuses them.
        let known: Vec<_> = known.take(MOST + 1).cloned().collect();
        accepted.resource_subscriptions = Some(known).filter(|known| !known.is_empty());
        Some(accepted)
    }

    /// `subscriptions/listen`: sends what it is for, until the client or the server ends it.
    pub(super) async fn listened(&self, subscription: &SubscriptionContext) -> Result<(), ErrorData> {
        let workspaces = self.workspaces(subscription.request_context());
        let uris: BTreeSet<_> = subscription.accepted().resource_subscriptions.iter().flatten().cloned().collect();
        if uris.len() > MOST {
            return Err(too_many());
        }
        let (sender, mut told) = mpsc::channel(1);
        // Dropping them ends the listening.
        let mut listeners = JoinSet::new();
        for uri in uris {
            let listening = self.listening(&workspaces, &uri)?;
            listeners.spawn(hear(listening, uri, sender.clone()));
        }
        drop(sender);
        let updates = async {
            while let Some(uri) = told.recv().await {
                subscription.sink().notify_resource_updated(uri).await.map_err(changes::ended)?;
            }
            // The stream stays: what it is for may be listened to again on another.
            std::future::pending().await
        };
        tokio::select! {
            outcome = updates => outcome,
            outcome = changes::relay(&self.registry, subscription, &self.stop) => outcome,
        }
    }

    /// `resources/subscribe`.
    pub(super) async fn subscribed(&self, uri: String, request: &RequestContext<RoleServer>) -> Result<(), ErrorData> {
        let registry = self.registry();
        if !self.offers_any(&registry) {
            return Err(no_method("resources/subscribe"));
        }
        let teller = self.teller(request).ok_or_else(nowhere)?;
        if !resources::is_watchable(&registry, &self.workspaces, &uri) {
            let watched = registry.resources().iter().filter(|resource| resource.watch.is_some());
            let watched: Vec<_> = watched.map(|resource| format!("`{}`", resource.uri)).collect();
            let message = format!("`{uri}` cannot be watched; what can is {}", watched.join(", "));
            return Err(protocol_error(Error::unknown_resource(message)));
        }
        // One whose resource has come to its end has nothing more to tell, and may be begun anew.
        self.open().retain(|_, telling| !telling.is_finished());
        if self.open().contains_key(&uri) {
            return Ok(());
        }
        let workspaces = self.workspaces(request);
        let mut listening = self.listening(&workspaces, &uri)?;
        // A client learns here that there is no such thing, or that it may not read it.
        let stand = tokio::select! {
            stand = timeout(RESOURCE_TIME, listening.watched.stand()) => stand,
            () = request.ct.cancelled() => return Err(ErrorData::internal_error("the request was cancelled", None)),
        };
        let late = || ErrorData::internal_error(format!("`{uri}` could not be read in time"), None);
        stand.map_err(|_| late())?.map_err(|error| told_as(&error))?;
        let (server, stop) = (self.clone().without_session(), self.stop.clone());
        let telling = tell_all(server, workspaces, listening, uri.clone(), teller);
        let telling = tokio::spawn(async move { stop.run_until_cancelled(telling).await.unwrap_or_default() });
        self.open().insert(uri, AbortOnDropHandle::new(telling));
        Ok(())
    }

    /// `resources/unsubscribe`: whoever is not subscribed has what they want.
    pub(super) fn unsubscribed(&self, uri: &str, request: &RequestContext<RoleServer>) -> Result<(), ErrorData> {
        if !self.offers_any(&self.registry()) {
            return Err(no_method("resources/unsubscribe"));
        }
        self.teller(request).ok_or_else(nowhere)?;
        self.open().remove(uri);
        Ok(())
    }

    fn open(&self) -> MutexGuard<'_, HashMap<String, AbortOnDropHandle<()>>> {
        self.subscriptions.of_session.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for what the session must not wait for, and which must not keep the session.
    fn without_session(self) -> Self {
        let subscriptions = self.subscriptions.for_session();
        Self { subscriptions, ..self }
    }
}

/// Whether any resource can be watched.
pub(super) fn are_offered(registry: &Registry) -> bool {
    registry.resources().iter().any(|resource| resource.watch.is_some())
}

/// Sends the URI at each change. Who subscribes to what is over already is told so once, as they may not know.
async fn hear(mut listening: Listening, uri: String, told: mpsc::Sender<String>) {
    let Ok(mut stand) = listening.watched.stand().await else {
        let _ = told.send(uri).await;
        return;
    };
    if stand.is_over {
        let _ = told.send(uri).await;
        return;
    }
    loop {
        let turn = listening.watched.turn(&stand).await;
        if turn != Turn::Over(false) && told.send(uri.clone()).await.is_err() {
            return;
        }
        match (turn, listening.watched.stand().await) {
            (Turn::Changed, Ok(now)) => stand = now,
            _ => return,
        }
    }
}

/// Tells a client of each change, until nothing more changes or nobody can be told. While its session has no stream, nothing
/// is looked at for it.
async fn tell_all(server: Server, workspaces: Workspaces, mut listening: Listening, uri: String, teller: Teller) {
    let mut last = None;
    loop {
        if !teller.is_heard() {
            drop(listening);
            if !heard(&teller).await {
                return;
            }
            // Others may have taken its place meanwhile.
            let Ok(again) = server.listening(&workspaces, &uri) else { return };
            listening = again;
        }
        let Ok(stand) = listening.watched.stand().await else {
            tell(&teller, &uri).await;
            return;
        };
        let has_changed = last.as_ref().is_some_and(|last| *last != stand);
        if has_changed || (last.is_none() && stand.is_over) {
            tell(&teller, &uri).await;
        }
        if stand.is_over {
            return;
        }
        last = Some(stand.clone());
        tokio::select! {
            turn = listening.watched.turn(&stand) => if turn == Turn::Over(false) { return },
            () = left(&teller) => {}
        }
    }
}

/// Tells a client that a resource has changed, once somebody hears it.
async fn tell(teller: &Teller, uri: &str) {
    match teller {
        Teller::Peer(peer) => {
            let told = peer.notify_resource_updated(ResourceUpdatedNotificationParam::new(uri));
            if !matches!(timeout(TELL_TIME, told).await, Ok(Ok(()))) {
                tracing::debug!("a client was not told of a change");
            }
        }
        Teller::Session(outlet) => {
            let message =
                json!({ "jsonrpc": "2.0", "method": "notifications/resources/updated", "params": { "uri": uri } });
            let message = message.to_string();
            while !outlet.tell(&message) {
                sleep(HEARD).await;
            }
        }
    }
}

/// Waits until nobody hears a client's messages.
async fn left(teller: &Teller) {
    while teller.is_heard() {
        sleep(HEARD).await;
    }
}

/// Waits until somebody hears them again; `false` where nobody ever will.
async fn heard(teller: &Teller) -> bool {
    while !teller.is_heard() {
        if matches!(teller, Teller::Peer(_)) {
            return false;
        }
        sleep(HEARD).await;
    }
    true
}

fn too_many() -> ErrorData {
    let message = format!(
        "you listen to {MOST} resources, as many as this server watches for one caller; end a subscription first"
    );
    ErrorData::new(ErrorCode(-32_000), message, None)
}

fn nowhere() -> ErrorData {
    let message = "over HTTP without a session, this server cannot tell you of changes: begin a session with `initialize`, or use \
                   `subscriptions/listen` of revision 2026-07-28";
    ErrorData::new(ErrorCode::METHOD_NOT_FOUND, message, None)
}
