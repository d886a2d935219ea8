//! Clusters that change while they exist: their size, what a mask names, their owner.
//!
//! Derived: what a resize takes, and the texts of refusals.

use serde_json::{Map, Value, json};

use super::life::{Cluster, State};
use super::{RESTART, check, id_of, unexpected, with};
use crate::areas::scim;
use crate::error::ApiError;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::Outcome;
use crate::workspace::{USER, Workspace};

/// The two ways to say how large a cluster is; each replaces the other.
const SIZES: [&str; 2] = ["num_workers", "autoscale"];

pub(super) fn resize(workspace: &Workspace, request: &Request) -> Outcome {
    let id = id_of(request)?;
    let fields = request.fields()?;
    check::one_size(&fields.0)?;
    let lapse = workspace.clock.lapse(RESTART);
    with(workspace, &id, |cluster, now| match cluster.state {
        State::Running => {
            grow(cluster, &fields.0, now, now + lapse);
            Ok(Reply::nothing())
        }
        state => Err(unexpected(&id, state)),
    })
}

/// Sets the size of a cluster that runs; it has it when the clock shows `ready`.
fn grow(cluster: &mut Cluster, fields: &Map<String, Value>, now: i64, ready: i64) {
    let before = cluster.workers();
    set_size(&mut cluster.settings, fields);
    let details = json!({"current_num_workers": before, "target_num_workers": cluster.workers(), "cause": "USER_REQUEST", "user": USER});
    cluster.event(now, "RESIZING", details);
    cluster.go(State::Resizing, State::Running, ready);
}

fn set_size(settings: &mut Map<String, Value>, fields: &Map<String, Value>) {
    if SIZES.iter().any(|size| fields.contains_key(*size)) {
        settings.retain(|name, _| !SIZES.contains(&name.as_str()));
    }
    let given = SIZES.into_iter().filter_map(|size| Some((size.to_owned(), fields.get(size)?.clone())));
    settings.extend(given);
}

/// Changes what the mask names: to what is given for it, or to nothing.
pub(super) fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let id = id_of(request)?;
    let fields = request.fields()?;
    let given = fields.object("cluster")?.cloned().unwrap_or_default();
    let mask = fields.required_text("update_mask")?;
    let mut names: Vec<&str> = mask.split(',').filter_map(|path| path.trim().split('.').next()).collect();
    if names.contains(&"*") {
        names = given.keys().map(String::as_str).collect();
    }
    if let Some(unnamed) = given.keys().find(|name| !names.contains(&name.as_str())) {
        return Err(ApiError::invalid_parameter(format!("Field '{unnamed}' is not in update_mask: {mask}")));
    }
    let lapse = workspace.clock.lapse(RESTART);
    with(workspace, &id, |cluster, now| {
        if !matches!(cluster.state, State::Running | State::Terminated) {
            return Err(unexpected(&id, cluster.state));
        }
        let mut settings = cluster.settings.clone();
        for name in names.iter().filter(|name| !SIZES.contains(name)) {
            match given.get(*name) {
                Some(value) => settings.insert((*name).to_owned(), value.clone()),
                None => settings.remove(*name),
            };
        }
        if cluster.state == State::Running && names.iter().all(|name| SIZES.contains(name)) {
            check::one_size(&given)?;
            grow(cluster, &given, now, now + lapse);
            return Ok(Reply::nothing());
        }
        set_size(&mut settings, &given);
        check::settings(workspace, &mut settings, false)?;
        cluster.settings = settings;
        cluster.event(now, "EDITED", json!({"user": USER}));
        if cluster.state == State::Running {
            cluster.go(State::Restarting, State::Running, now + lapse);
        }
        Ok(Reply::nothing())
    })
}

/// Hands a cluster to another user, which it has to be terminated for.
pub(super) fn change_owner(workspace: &Workspace, request: &Request) -> Outcome {
    let id = id_of(request)?;
    let fields = request.fields()?;
    let owner = fields.required_text("owner_username")?;
    if !scim::is_user(workspace, owner) {
        return Err(ApiError::invalid_parameter(format!("User {owner} does not exist")));
    }
    with(workspace, &id, |cluster, now| {
        if cluster.state != State::Terminated {
            return Err(unexpected(&id, cluster.state));
        }
        cluster.settings.insert("creator_user_name".to_owned(), json!(owner));
        cluster.event(now, "EDITED", json!({"user": USER}));
        Ok(Reply::nothing())
    })
}
