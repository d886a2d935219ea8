//! Makes what a seed says, as far as possible by the requests that a client would send, so that a seed is checked as
//! strictly as they are.

use std::sync::Arc;

use axum::body::Bytes;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::{DAY, Seed};
use crate::areas::clusters::{Cluster, State};
use crate::areas::objects::normal;
use crate::json::Members;
use crate::reply::Content;
use crate::router::Router;
use crate::server::perform;
use crate::sql::{Cancel, Limits};
use crate::workspace::{Workspace, lock};

/// So many rows are inserted by one statement.
const ROWS_AT_ONCE: usize = 500;

/// Where a seed is planted.
struct Garden<'a> {
    workspace: &'a Arc<Workspace>,
    router: &'a Router,
}

fn list<'a>(members: &'a Map<String, Value>, name: &str) -> &'a [Value] {
    members.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn map<'a>(members: &'a Map<String, Value>, name: &str) -> impl Iterator<Item = (&'a String, &'a Value)> {
    members.get(name).and_then(Value::as_object).into_iter().flatten()
}

impl Seed {
    /// Makes what it says; the message of an error names the place.
    pub(crate) async fn plant(&self, workspace: &Arc<Workspace>, router: &Router) -> Result<(), String> {
        let garden = Garden { workspace, router };
        let root = &self.root;
        for (at, catalog) in list(root, "catalogs").iter().enumerate() {
            garden.catalog(catalog, &format!("catalogs[{at}]")).await?;
        }
        for (at, sql) in list(root, "sql").iter().enumerate() {
            garden.sql(sql.as_str().unwrap_or_default(), &format!("sql[{at}]"))?;
        }
        garden.name_tables();
        for (at, body) in list(root, "warehouses").iter().enumerate() {
            garden.warehouse(body, &format!("warehouses[{at}]")).await?;
        }
        for (at, body) in list(root, "clusters").iter().enumerate() {
            garden.cluster(body, &format!("clusters[{at}]")).await?;
        }
        for (path, source) in map(root, "notebooks") {
            garden.notebook(path, source, &format!("notebooks[\"{path}\"]")).await?;
        }
        for (path, text) in map(root, "files") {
            garden.file(path, text.as_str().unwrap_or_default(), &format!("files[\"{path}\"]")).await?;
        }
        for (scope, secrets) in map(root, "secrets") {
            let place = format!("secrets[\"{scope}\"]");
            garden.post("/api/2.0/secrets/scopes/create", json!({"scope": scope}), &place).await?;
            for (key, value) in secrets.as_object().into_iter().flatten() {
                let body = json!({"scope": scope, "key": key, "string_value": value});
                garden.post("/api/2.0/secrets/put", body, &format!("{place}[\"{key}\"]")).await?;
            }
        }
        for (name, path) in [("users", "Users"), ("groups", "Groups")] {
            for (at, body) in list(root, name).iter().enumerate() {
                let path = format!("/api/2.0/preview/scim/v2/{path}");
                garden.post(&path, body.clone(), &format!("{name}[{at}]")).await?;
            }
        }
        for (at, body) in list(root, "jobs").iter().enumerate() {
            garden.job(body, &format!("jobs[{at}]")).await?;
        }
        for (at, request) in list(root, "requests").iter().enumerate() {
            let text = |name: &str| request.at(name).as_str().unwrap_or_default();
            let body = request.get("body").map(ToString::to_string).unwrap_or_default();
            garden.send(text("method"), text("path"), body, &format!("requests[{at}]")).await?;
        }
        Ok(())
    }
}

/// Takes a field that is the seed's own out of a body.
fn take(body: &mut Value, name: &str) -> Option<Value> {
    body.as_object_mut()?.shift_remove(name)
}

fn quoted(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

fn literal(value: &Value) -> String {
    match value {
        Value::String(text) => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        other => other.to_string(),
    }
}

impl Garden<'_> {
    async fn send(&self, method: &str, path: &str, body: impl Into<Bytes>, place: &str) -> Result<Value, String> {
        let reply = perform(self.workspace, self.router, method, path, body.into()).await;
        let reply = reply.unwrap_or_else(crate::error::ApiError::into_reply);
        let json = if let Content::Json(json) = reply.content { json } else { Value::Null };
        match reply.status {
            200..=299 => Ok(json),
            _ => Err(format!("`{place}`: {}", json.at("message").as_str().unwrap_or("it was refused"))),
        }
    }

    async fn post(&self, path: &str, body: Value, place: &str) -> Result<Value, String> {
        self.send("POST", path, body.to_string(), place).await
    }

    fn sql(&self, sql: &str, place: &str) -> Result<(), String> {
        let workspace = self.workspace;
        let (limits, cancel) = (Limits::default(), Cancel::default());
        let ran = workspace.engine.run(&workspace.catalog, &workspace.session(), sql, limits, &cancel);
        ran.map(drop).map_err(|error| format!("`{place}`: {}", error.message.trim()))
    }

    /// Tables that the engine has made have no ids yet.
    fn name_tables(&self) {
        for table in lock(&self.workspace.catalog).tables.values_mut().filter(|table| table.node.id.is_empty()) {
            table.node.id = self.workspace.ids.uuid();
        }
    }

    async fn catalog(&self, catalog: &Value, place: &str) -> Result<(), String> {
        let mut body = catalog.clone();
        take(&mut body, "schemas");
        let name = catalog.at("name").as_str().unwrap_or_default();
        if !lock(&self.workspace.catalog).catalogs.contains_key(&name.to_lowercase()) {
            self.post("/api/2.1/unity-catalog/catalogs", body, place).await?;
        }
        for (at, schema) in catalog.at("schemas").as_array().into_iter().flatten().enumerate() {
            self.schema(name, schema, &format!("{place}.schemas[{at}]")).await?;
        }
        Ok(())
    }

    async fn schema(&self, catalog: &str, schema: &Value, place: &str) -> Result<(), String> {
        let mut body = schema.clone();
        take(&mut body, "tables");
        take(&mut body, "volumes");
        body.set("catalog_name", catalog);
        let name = schema.at("name").as_str().unwrap_or_default();
        if !lock(&self.workspace.catalog).has_schema(&catalog.to_lowercase(), &name.to_lowercase()) {
            self.post("/api/2.1/unity-catalog/schemas", body, place).await?;
        }
        for (at, table) in schema.at("tables").as_array().into_iter().flatten().enumerate() {
            let full_name = [catalog, name, table.at("name").as_str().unwrap_or_default()].map(quoted).join(".");
            self.table(&full_name, table, &format!("{place}.tables[{at}]"))?;
        }
        for (at, volume) in schema.at("volumes").as_array().into_iter().flatten().enumerate() {
            let mut body = volume.clone();
            body.set("catalog_name", catalog);
            body.set("schema_name", name);
            body.set("volume_type", "MANAGED");
            self.post("/api/2.1/unity-catalog/volumes", body, &format!("{place}.volumes[{at}]")).await?;
        }
        Ok(())
    }

    fn table(&self, full_name: &str, table: &Value, place: &str) -> Result<(), String> {
        let columns = table.at("columns").as_array().cloned().unwrap_or_default();
        let text = |value: &Value, name: &str| value.at(name).as_str().unwrap_or_default().to_owned();
        let comment = |value: &Value| match value.at("comment") {
            Value::String(_) => format!(" COMMENT {}", literal(value.at("comment"))),
            _ => String::new(),
        };
        let declared = columns.iter().map(|column| {
            let null = if column.at("nullable") == false { " NOT NULL" } else { "" };
            format!("{} {}{null}{}", quoted(&text(column, "name")), text(column, "type"), comment(column))
        });
        let declared = declared.collect::<Vec<_>>().join(", ");
        self.sql(&format!("CREATE TABLE {full_name} ({declared}){}", comment(table)), place)?;
        let rows = table.at("rows").as_array().cloned().unwrap_or_default();
        for (chunk, rows) in rows.chunks(ROWS_AT_ONCE).enumerate() {
            let mut values = Vec::with_capacity(rows.len());
            for (at, row) in rows.iter().enumerate() {
                let cells = row.as_array().map_or(&[][..], Vec::as_slice);
                if cells.len() != columns.len() {
                    let at = chunk * ROWS_AT_ONCE + at;
                    let (has, wants) = (cells.len(), columns.len());
                    return Err(format!("`{place}.rows[{at}]` has {has} cells for {wants} columns"));
                }
                let cells = cells.iter().zip(&columns);
                let cells = cells.map(|(cell, column)| format!("CAST({} AS {})", literal(cell), text(column, "type")));
                values.push(format!("({})", cells.collect::<Vec<_>>().join(", ")));
            }
            self.sql(&format!("INSERT INTO {full_name} VALUES {}", values.join(", ")), &format!("{place}.rows"))?;
        }
        Ok(())
    }

    /// A warehouse at rest: `state` is RUNNING or STOPPED, `id` any.
    async fn warehouse(&self, body: &Value, place: &str) -> Result<(), String> {
        let mut body = body.clone();
        let (id, state) = (take(&mut body, "id"), take(&mut body, "state"));
        let running = one_of(state, &["RUNNING", "STOPPED"], place)?.is_none_or(|state| state == "RUNNING");
        let made = self.post("/api/2.0/sql/warehouses", body, place).await?;
        let made = made.at("id").as_str().unwrap_or_default().to_owned();
        let mut warehouses = lock(&self.workspace.warehouses);
        let mut warehouse = warehouses.by_id.remove(&made).ok_or_else(|| format!("`{place}` was not made"))?;
        warehouse.rest(running);
        let id = id.and_then(|id| id.as_str().map(str::to_owned)).unwrap_or(made);
        warehouses.default.get_or_insert_with(|| id.clone());
        warehouses.by_id.insert(id, warehouse);
        Ok(())
    }

    /// A cluster at rest: `state` is RUNNING, TERMINATED or ERROR, `cluster_id` any.
    async fn cluster(&self, body: &Value, place: &str) -> Result<(), String> {
        let mut body = body.clone();
        let (id, state) = (take(&mut body, "cluster_id"), take(&mut body, "state"));
        let state = match one_of(state, &["RUNNING", "TERMINATED", "ERROR"], place)?.as_deref() {
            Some("TERMINATED") => State::Terminated,
            Some("ERROR") => State::Error,
            _ => State::Running,
        };
        let made = self.post("/api/2.1/clusters/create", body, place).await?;
        let made = made.at("cluster_id").as_str().unwrap_or_default().to_owned();
        let mut clusters = lock(&self.workspace.clusters);
        let settings = clusters.0.remove(&made).map(|cluster| cluster.settings).unwrap_or_default();
        let id = id.and_then(|id| id.as_str().map(str::to_owned)).unwrap_or(made);
        clusters.0.insert(id, Cluster::new(settings, state, self.workspace.clock.epoch() - DAY));
        Ok(())
    }

    async fn notebook(&self, path: &str, source: &Value, place: &str) -> Result<(), String> {
        let text = source.as_str().or_else(|| source.at("source").as_str()).unwrap_or_default();
        let language = source.at("language").as_str().unwrap_or("PYTHON");
        let content = STANDARD.encode(text);
        let body =
            json!({"path": path, "format": "SOURCE", "language": language, "overwrite": true, "content": content});
        self.folder_of(path, place).await?;
        self.post("/api/2.0/workspace/import", body, place).await.map(drop)
    }

    async fn folder_of(&self, path: &str, place: &str) -> Result<(), String> {
        let path = normal(path).map_err(|_| format!("`{place}`: a path starts with `/`"))?;
        match path.rsplit_once('/') {
            Some((folder, _)) if !folder.is_empty() => {
                self.post("/api/2.0/workspace/mkdirs", json!({"path": folder}), place).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    async fn file(&self, path: &str, text: &str, place: &str) -> Result<(), String> {
        if path.starts_with("/Volumes/") {
            let path = format!("/api/2.0/fs/files{}?overwrite=true", path.replace('%', "%25").replace('?', "%3F"));
            return self.send("PUT", &path, text.to_owned(), place).await.map(drop);
        }
        let content = STANDARD.encode(text);
        self.folder_of(path, place).await?;
        let body = json!({"path": path, "format": "RAW", "overwrite": true, "content": content});
        self.post("/api/2.0/workspace/import", body, place).await.map(drop)
    }

    /// A job, with its own `job_id` if it names one.
    async fn job(&self, body: &Value, place: &str) -> Result<(), String> {
        let mut body = body.clone();
        let id = take(&mut body, "job_id");
        let made = self.post("/api/2.2/jobs/create", body, place).await?;
        if let Some(id) = id {
            let wrong = || format!("`{place}.job_id` must be a whole number");
            let id = id.as_i64().ok_or_else(wrong)?;
            let mut jobs = lock(&self.workspace.jobs);
            if let Some(mut job) = made.at("job_id").as_i64().and_then(|made| jobs.jobs.remove(&made)) {
                job.id = id;
                jobs.jobs.insert(id, job);
            }
        }
        Ok(())
    }
}

fn one_of(value: Option<Value>, known: &[&str], place: &str) -> Result<Option<String>, String> {
    match value {
        None => Ok(None),
        Some(Value::String(text)) if known.contains(&text.as_str()) => Ok(Some(text)),
        Some(other) => Err(format!("`{place}.state` is {other}, and must be one of {}", known.join(", "))),
    }
}
