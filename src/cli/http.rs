//! `http`: serves many callers until the process is asked to stop; and `keys`.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::cli::terminal::{note, print};
use crate::cli::{LAST_RECORDS, LAST_SPANS, UNDO_TIME, shutdown, surface, undo};
use crate::config::Options;
use crate::connect::Opened;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::random;
use crate::registry::Registry;
use crate::server::Server;
use crate::transport::http::{self, HttpOptions};

/// What a key begins with, so that scanners for secrets find one that has got out.
const PREFIX: &str = "dbmcp_";

pub(super) async fn serve(options: &Options, http: &HttpOptions) -> Result<(), Error> {
    let registry = Registry::new(&options.selection()?)?;
    let tools = registry.tools().count();
    let metrics = Metrics::default();
    let opened = Opened::observed(options, Some(Arc::new(metrics.clone()))).await?;
    let traces = options.traces(metrics.spans_dropped.clone())?;
    let template = Server::new(registry, opened.workspaces.clone());
    let policy = opened.workspaces.first().policy_file.clone();
    let digest = surface::checked(template.registry(), options, policy)?;
    let template = template.with_digest(digest);
    let template = template.with_metrics(metrics).with_traces(traces.clone());
    let stop = template.stop();
    // From before the first call on.
    let asked = shutdown::requested();
    let service = http::open(http, template).await?;
    note(&format!("MCP on {} with {tools} tools. Ctrl-C ends it.", service.url()));
    asked.await?;
    tokio::select! {
        () = service.drain() => {}
        // A second signal ends the waiting.
        _ = shutdown::requested() => {}
    }
    // First of all, so that no start takes the place of another call that ends.
    opened.workspaces.close();
    stop.cancel();
    tokio::join!(undo(&opened.workspaces), service.finish(UNDO_TIME));
    traces.finish(LAST_SPANS).await;
    opened.workspaces.finish_audit(LAST_RECORDS);
    Ok(())
}

/// Makes a key and prints it, with the entry for the file of `--keys`.
pub(super) fn new_key(name: &str) -> Result<(), Error> {
    let bytes = random::key("a caller")?;
    let key = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes));
    let name = serde_json::Value::from(name);
    note(
        "The key is shown only once. The caller sends it as `Authorization: Bearer KEY`; the entry goes into the file \
         of `--keys`.",
    );
    print(&format!("# key: {key}\n- name: {name}\n  sha256: {}", http::hash(&key)))
}
