//! `audit`: what is exposed, for people and for `--approved`.

use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::thread;

use crate::cli::json;
use crate::cli::terminal::print;
use crate::config::Options;
use crate::error::Error;
use crate::policy::PolicyFile;
use crate::registry::Registry;
use crate::surface::{Digest, Exposed, Surface};
use crate::text_file;

/// Prints the surface of these options.
pub(super) fn show(options: &Options, as_json: bool) -> Result<(), Error> {
    let policy = options.policy().map(Registry::load_policy).transpose()?;
    let surface = Surface::of(&Registry::new(&options.selection()?)?, options, policy.as_ref());
    if as_json {
        return print(&json(&surface.approval()?)?);
    }
    print(&text(&surface)?)
}

/// Refuses what keeps a server from starting: a policy that is not understood, and what was not approved.
pub(super) fn check(options: &Options) -> Result<(), Error> {
    let policy = options.policy().map(Registry::load_policy).transpose()?;
    match options.approved() {
        Some(path) => Surface::of(&Registry::new(&options.selection()?)?, options, policy.as_ref()).check(&read(path)?),
        None => Ok(()),
    }
}

/// The digest of what a registry exposes, which is what was approved if anything was.
pub(super) fn checked(
    registry: Arc<Registry>,
    options: &Options,
    policy: Option<Arc<PolicyFile>>,
) -> Result<Arc<Digest>, Error> {
    if let Some(path) = options.approved() {
        Surface::of(&registry, options, policy.as_deref()).check(&read(path)?)?;
    }
    let options = options.clone();
    let digest = move || Surface::of(&registry, &options, policy.as_deref()).digest().ok();
    let digest = Arc::new(Digest::new(Box::new(digest)));
    // Where there is no thread to be had, who asks first waits for it.
    let ahead = Arc::clone(&digest);
    _ = thread::Builder::new().name("digest".to_owned()).spawn(move || LazyLock::force(&ahead).is_some());
    Ok(digest)
}

fn read(path: &Path) -> Result<String, Error> {
    text_file::read(path)
        .map_err(|error| Error::failed(format!("cannot read `--approved {}`: {error}", path.display())))
}

fn text(surface: &Surface) -> Result<String, Error> {
    let count = |listed: bool, risk: &str| {
        surface.tools.values().filter(|tool| tool.listed == listed && tool.risk == risk).count().to_string()
    };
    let row = |what: &str, listed: bool| {
        let [read, write, destructive] = ["read", "write", "destructive"].map(|risk| count(listed, risk));
        format!("{what:24} {read:>5} read {write:>5} write {destructive:>5} destructive")
    };
    let yes = |is_so: bool| if is_so { "yes" } else { "no" };
    let options = &surface.options;
    let mut lines = vec![
        format!("version                  {}", surface.version),
        format!("digest                   sha256:{}", surface.digest()?),
        format!("read-only                {}", yes(options.read_only)),
        format!("people's SQL functions   {}", yes(!options.no_user_functions)),
        format!("dry run                  {}", yes(options.dry_run)),
        format!("confirmed by a person    {}", options.confirm),
        format!(
            "protected names          {}",
            if options.protect.is_empty() { "none".to_owned() } else { options.protect.join(", ") }
        ),
        format!(
            "policy                   {}",
            options.policy.as_ref().map_or("none".to_owned(), |digest| format!("sha256:{digest}"))
        ),
        format!("files of this machine    {}", yes(options.local_files)),
        row("listed tools", true),
        row("callable, not listed", false),
        String::new(),
    ];
    for (name, is_read_only) in &options.workspaces {
        lines.push(format!("workspace {name}{}", if *is_read_only { ", read-only" } else { "" }));
    }
    let width = surface.tools.keys().map(String::len).max().unwrap_or_default();
    let listed = |wanted: bool| surface.tools.iter().filter(move |(_, tool)| tool.listed == wanted);
    lines.extend(listed(true).map(|(name, tool)| line(name, tool, width)));
    if listed(false).next().is_some() {
        lines.extend([String::new(), "callable without being listed:".to_owned()]);
        lines.extend(listed(false).map(|(name, tool)| line(name, tool, width)));
    }
    lines.extend([String::new(), "resources:".to_owned()]);
    lines.extend(surface.resources.iter().map(|(uri, requests)| format!("{uri}  {}", requests.join(", "))));
    if !surface.prompts.is_empty() {
        lines.extend([String::new(), "prompts:".to_owned()]);
        lines.extend(surface.prompts.iter().map(|(name, digest)| format!("{name}  sha256:{digest}")));
    }
    Ok(lines.join("\n"))
}

fn line(name: &str, tool: &Exposed, width: usize) -> String {
    let confirm = tool.confirm.as_ref().map(|confirm| format!(" (confirm {confirm})")).unwrap_or_default();
    format!("{name:width$}  {:11}  {}{confirm}", tool.risk, tool.requests.join(", "))
}
