//! What every call has at hand.

mod start;

use std::sync::Arc;
use std::time::Duration;

use databricks::{Client, Deadline, Request};
use tokio::sync::OnceCell;

use crate::audit::{AuditLog, Record};
use crate::cache::Cache;
use crate::caller::Caller;
use crate::cleanup::Cleanup;
use crate::consent::Consent;
use crate::directory::{Directory, Empty};
use crate::error::Error;
use crate::handover::Handover;
use crate::images::Media;
use crate::local::LocalRoots;
use crate::policy::{Policy, PolicyFile};
use crate::progress::Progress;
use crate::seal::Seal;
use crate::shape::Budget;

/// The workspace and the limits of this server; cheap to clone.
#[derive(Debug, Clone)]
pub struct Context {
    /// The REST client.
    pub client: Client,
    /// How much one answer may hold.
    pub budget: Budget,
    /// The SQL warehouse to use where a call names none.
    pub warehouse_id: Option<String>,
    /// What calls may do here.
    pub policy: Policy,
    /// The policy file of this server.
    pub policy_file: Option<Arc<PolicyFile>>,
    /// What calls started, to be undone if they are cancelled.
    pub cleanup: Cleanup,
    /// The directories of this machine that tools may use.
    pub local: LocalRoots,
    /// Where this call tells how far it is.
    pub progress: Progress,
    /// What this call is for, and where it leaves work that goes on.
    pub handover: Handover,
    /// Where this call puts the pictures of its answer.
    pub media: Media,
    /// The audit log of this server.
    pub audit: Option<AuditLog>,
    /// The record of this call in it.
    pub record: Record,
    /// Who calls.
    pub caller: Caller,
    /// What a person has to confirm, and whether one has.
    pub consent: Consent,
    /// The seal on what the caller keeps; `None` where there is one caller only.
    pub seal: Option<Seal>,
    /// Lists that change slowly, for completions.
    pub cache: Cache,
    /// The identity that the workspace is called with, once somebody has asked for it.
    pub identity: Arc<OnceCell<String>>,
    /// The other tools and operations that this server knows.
    pub directory: Arc<dyn Directory>,
}

impl Context {
    /// The context of calls for a workspace, with the budget of one answer. Each call narrows it to what its
    /// registry allows.
    pub fn new(client: Client, budget: Budget, warehouse_id: Option<String>) -> Self {
        Self {
            client,
            budget,
            warehouse_id,
            policy: Policy::default(),
            policy_file: None,
            cleanup: Cleanup::default(),
            local: LocalRoots::default(),
            progress: Progress::default(),
            handover: Handover::default(),
            media: Media::default(),
            audit: None,
            record: Record::default(),
            caller: Caller::default(),
            consent: Consent::default(),
            seal: None,
            cache: Cache::default(),
            identity: Arc::default(),
            directory: Arc::new(Empty),
        }
    }

    /// The same context, whose requests go ahead of all others: for undoing, which must not wait for what it undoes.
    pub(crate) fn ahead(&self) -> Self {
        Self { client: self.client.ahead(), ..self.clone() }
    }

    /// The same context for what has to be done before the work can be handed over: it is waited for to the end.
    pub(crate) fn by_itself(&self) -> Self {
        Self { handover: Handover::default(), ..self.clone() }
    }

    /// The same context, whose requests end within this time. Those that take long are reported as progress.
    pub(crate) fn within(&self, time: Duration) -> Self {
        self.until(Deadline::after(time))
    }

    /// The same context without a deadline: for what takes as long as its data is large.
    pub(crate) fn unlimited(&self) -> Self {
        self.until(Deadline::unlimited())
    }

    fn until(&self, deadline: Deadline) -> Self {
        let progress = self.progress.clone();
        let deadline = deadline.reporting_to(move |text| progress.report(text));
        Self { client: self.client.with_deadline(deadline), ..self.clone() }
    }

    /// Sends a request.
    pub(crate) async fn send<R: Request>(&self, request: R) -> Result<R::Answer, Error> {
        Ok(self.client.send(request).await?)
    }
}
