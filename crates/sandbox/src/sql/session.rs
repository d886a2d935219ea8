//! Who runs statements, where and when, and the views that only they know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use super::types::Type;
use crate::areas::volumes::Files;
use crate::workspace::lock;

/// Who runs a statement, where and when.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    pub(crate) catalog: String,
    pub(crate) schema: String,
    pub(crate) user: String,
    pub(crate) now_micros: i64,
    /// Views that live as long as the session.
    pub(crate) temporary: TemporaryViews,
    /// The files of volumes.
    pub(crate) files: Arc<Mutex<Files>>,
    /// Who can be granted something, in lower case; `None` where nobody is asked about.
    pub(crate) grantees: Option<BTreeSet<String>>,
    /// Named parameters: their type, and their text unless NULL.
    pub(crate) parameters: BTreeMap<String, (Type, Option<String>)>,
}

impl Session {
    pub(crate) fn new(user: &str, now_micros: i64) -> Self {
        Self {
            catalog: "main".to_owned(),
            schema: "default".to_owned(),
            user: user.to_owned(),
            now_micros,
            temporary: Arc::default(),
            files: Arc::default(),
            grantees: None,
            parameters: BTreeMap::new(),
        }
    }

    pub(crate) fn temporary_view(&self, name: &str) -> Option<TemporaryView> {
        lock(&self.temporary).get(&name.to_lowercase()).cloned()
    }
}

/// A view that only its session knows.
#[derive(Debug, Clone)]
pub(crate) struct TemporaryView {
    pub(crate) query: String,
    /// Where its names are resolved.
    pub(crate) catalog: String,
    pub(crate) schema: String,
    pub(crate) columns: Vec<String>,
}

/// Views of one session.
pub(crate) type TemporaryViews = Arc<Mutex<BTreeMap<String, TemporaryView>>>;
