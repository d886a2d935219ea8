//! One workspace: its clock, its ids, and the state of every area behind a lock of its own.

pub(crate) mod catalog;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::Options;
use crate::areas::clusters::Clusters;
use crate::areas::commands::Commands;
use crate::areas::dbfs::Dbfs;
use crate::areas::history::History;
use crate::areas::jobs::Jobs;
use crate::areas::libraries::Libraries;
use crate::areas::objects::Objects;
use crate::areas::permissions::Permissions;
use crate::areas::pipelines::Pipelines;
use crate::areas::policies::Policies;
use crate::areas::secrets::Secrets;
use crate::areas::statements::Statements;
use crate::areas::transfers::Uploads;
use crate::areas::volumes::Files;
use crate::areas::warehouses::Warehouses;
use crate::clock::Clock;
use crate::faults::Active;
use crate::ids::Ids;
use crate::sql::{Engine, Session};
use crate::store::Store;
use crate::work::{Workers, aside};
use catalog::Catalog;

/// The one user of the sandbox.
pub(crate) const USER: &str = "sandbox.user@example.test";
pub(crate) const USER_ID: i64 = 4_815_162_342;
const WORKSPACE_ID: i64 = 7_405_606_000_000_001;

#[derive(Debug)]
pub(crate) struct Workspace {
    token: String,
    url: String,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) faults: Active,
    pub(crate) engine: Engine,
    pub(crate) workers: Arc<Workers>,
    pub(crate) store: Store,
    pub(crate) catalog: Mutex<Catalog>,
    pub(crate) statements: Mutex<Statements>,
    pub(crate) history: Mutex<History>,
    pub(crate) warehouses: Mutex<Warehouses>,
    pub(crate) clusters: Mutex<Clusters>,
    pub(crate) jobs: Mutex<Jobs>,
    pub(crate) objects: Mutex<Objects>,
    pub(crate) files: Arc<Mutex<Files>>,
    pub(crate) uploads: Mutex<Uploads>,
    pub(crate) secrets: Mutex<Secrets>,
    pub(crate) commands: Mutex<Commands>,
    pub(crate) dbfs: Mutex<Dbfs>,
    pub(crate) libraries: Mutex<Libraries>,
    pub(crate) policies: Mutex<Policies>,
    pub(crate) permissions: Mutex<Permissions>,
    pub(crate) pipelines: Mutex<Pipelines>,
}

impl Workspace {
    pub(crate) fn new(options: &Options, url: String) -> Self {
        Self {
            token: options.token.clone().unwrap_or_default(),
            url,
            clock: Clock::new(options.speed, options.epoch_millis),
            ids: Ids::new(),
            faults: Active::new(&options.faults),
            engine: Engine::default(),
            workers: Arc::new(Workers::new(options.speed)),
            store: Store::default(),
            catalog: Mutex::default(),
            statements: Mutex::default(),
            history: Mutex::default(),
            warehouses: Mutex::default(),
            clusters: Mutex::default(),
            jobs: Mutex::default(),
            objects: Mutex::default(),
            files: Arc::default(),
            uploads: Mutex::default(),
            secrets: Mutex::default(),
            commands: Mutex::default(),
            dbfs: Mutex::default(),
            libraries: Mutex::default(),
            policies: Mutex::default(),
            permissions: Mutex::default(),
            pipelines: Mutex::default(),
        }
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn id(&self) -> i64 {
        WORKSPACE_ID
    }

    /// A SQL session of the sandbox's user.
    pub(crate) fn session(&self) -> Session {
        let session = Session::new(USER, self.clock.now().saturating_mul(1000));
        Session { files: Arc::clone(&self.files), ..session }
    }

    /// Lets everything that is due happen. Called before each request is answered, which waits for work that is done soon.
    pub(crate) async fn tick(self: &Arc<Self>) {
        let until = Instant::now() + self.workers.patience();
        loop {
            let workspace = Arc::clone(self);
            let advance = move || {
                crate::areas::pipelines::tables::advance(&workspace);
                crate::areas::runs::advance(&workspace)
            };
            let is_settled = match aside(advance).await {
                true => !self.workers.settle(until).await,
                // What is left to do goes on with the next request.
                false => Instant::now() >= until,
            };
            if is_settled {
                break;
            }
        }
    }
}

/// Locks; a handler that panicked leaves the state as it was, which is better than no workspace.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
