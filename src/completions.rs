//! Completions: possible values of a prompt's argument, or of a variable in a resource's URI, given the beginning.
//!
//! Values come from lists of the workspace, under the same rules as the tools that show them: a list whose tool cannot
//! be called offers nothing, and what the policy file denies is not offered. A keystroke costs at most one request to
//! the workspace, and none if the cache has the list; of a long list, each keystroke reads one more page.

mod listing;
mod rank;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use databricks::requests::catalog::tables;
use databricks::{Mask, Projection, Request as _, Watch};
use serde_json::Value;

use self::listing::{Asked, Candidate, Listing};
use self::rank::{rank, ranked};
use crate::audit::End;
use crate::cache::Kept;
use crate::calls::record;
use crate::calls::watch::{CallWatch, Watched};
use crate::context::Context;
use crate::cursor::Cursor;
use crate::definition::{Action, Completes, PromptDefinition, ResourceDefinition, ToolDefinition};
use crate::domain::request;
use crate::error::Error;
use crate::nearest::{did_you_mean, shortened};
use crate::operation;
use crate::policy::rules::Act;
use crate::registry::{self, Registry};
use crate::risk::Risk;
use crate::workspaces::{ARGUMENT, Workspaces};

/// The protocol's limit.
const MOST: usize = 100;
/// Pages of a list that are looked at.
const MOST_PAGES: usize = 50;
/// Nobody waits longer for what is typed faster.
const TIME: Duration = Duration::from_secs(5);

/// Where a value is asked for.
#[derive(Debug, Clone, Copy)]
pub enum Place<'a> {
    /// An argument of the prompt of this name.
    Prompt(&'a str),
    /// A variable of this URI template.
    Template(&'a str),
}

/// What may be meant, the likeliest first.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Completion {
    /// At most a hundred.
    pub values: Vec<String>,
    /// How many there are; `None` where that is not known.
    pub total: Option<usize>,
    /// Whether there are more.
    pub has_more: bool,
}

impl Completion {
    fn of(mut values: Vec<String>, is_whole: bool) -> Self {
        let total = is_whole.then_some(values.len());
        let has_more = !is_whole || values.len() > MOST;
        values.truncate(MOST);
        Self { values, total, has_more }
    }
}

/// What a keystroke asks for.
#[derive(Debug)]
pub struct Question {
    source: Source,
    /// The workspace that was chosen before.
    workspace: Option<String>,
}

#[derive(Debug)]
enum Source {
    /// These values, of which none has to be asked for.
    Known(Vec<String>),
    Listed(Box<Listing>),
}

impl Question {
    /// What a keystroke asks for.
    ///
    /// # Errors
    /// Where there is no such prompt, template or argument.
    pub fn new(
        registry: &Registry,
        place: Place<'_>,
        argument: &str,
        typed: &str,
        chosen: &HashMap<String, String>,
    ) -> Result<Self, Error> {
        // One of a name that there is none of offers nothing, so it stays.
        let known = |name: &String| registry.workspaces().iter().find(|access| access.name.eq_ignore_ascii_case(name));
        let workspace = chosen.get(ARGUMENT).filter(|_| !registry.workspaces().is_empty());
        let workspace = workspace.map(|name| known(name).map_or_else(|| name.clone(), |access| access.name.clone()));
        let source = match place {
            _ if argument == ARGUMENT && !registry.workspaces().is_empty() => {
                check(place, registry)?;
                Source::Known(offered(registry.workspaces().iter().map(|access| access.name.as_str()), typed))
            }
            Place::Prompt(name) => of_prompt(registry.prompt(name)?, argument, typed, chosen)?,
            Place::Template(template) => of_template(registry, resource(registry, template)?, argument, typed)?,
        };
        Ok(Self { source, workspace })
    }

    /// Tells two questions apart that need different lists.
    pub(crate) fn list(&self) -> String {
        match &self.source {
            Source::Known(_) => String::new(),
            Source::Listed(listing) => format!("{:?} {}", self.workspace, key(listing)),
        }
    }

    /// What may be meant. A list that cannot be read offers nothing.
    pub async fn answer(self, registry: &Registry, workspaces: &Workspaces) -> Completion {
        let listing = match self.source {
            Source::Known(values) => return Completion::of(values, true),
            Source::Listed(listing) => listing,
        };
        let context = match &self.workspace {
            None => Some(workspaces.first()),
            Some(name) => workspaces.get(name),
        };
        let Some(context) = context else { return Completion::default() };
        let Ok(tool) = registry::definition(listing.tool) else { return Completion::default() };
        if !registry.can_call(tool) {
            return Completion::default();
        }
        let context = &context.within(TIME);
        let mut pages = Vec::new();
        let mut is_whole = false;
        let mut position = None;
        while pages.len() < MOST_PAGES {
            match page(registry, context, tool, &listing, position.clone()).await {
                Ok((kept, is_fresh)) => {
                    position.clone_from(&kept.next);
                    pages.push(kept);
                    is_whole = position.is_none();
                    if is_whole || is_fresh {
                        break;
                    }
                }
                Err(error) => {
                    tracing::info!(tool = tool.name, %error, "not completed");
                    break;
                }
            }
        }
        if pages.is_empty() {
            return Completion::default();
        }
        let is_shown = |candidate: &Candidate| is_allowed(context, &listing, tool, candidate);
        let items = pages.iter().flat_map(|kept| &kept.items).filter_map(|item| listing.candidate(item));
        let found = ranked(items.filter(is_shown), |candidate| candidate.rank);
        Completion::of(found.into_iter().map(|candidate| candidate.value).collect(), is_whole)
    }
}

/// Refuses a place that there is none of.
fn check(place: Place<'_>, registry: &Registry) -> Result<(), Error> {
    match place {
        Place::Prompt(name) => registry.prompt(name).map(|_| ()),
        Place::Template(template) => resource(registry, template).map(|_| ()),
    }
}

fn resource(registry: &Registry, template: &str) -> Result<&'static ResourceDefinition, Error> {
    let shown = |resource: &ResourceDefinition| registry.template(resource);
    let found = registry.resources().iter().find(|resource| shown(resource) == template || resource.uri == template);
    found.copied().ok_or_else(|| {
        let all: Vec<_> = registry.resources().iter().map(|resource| shown(resource)).collect();
        let hint = did_you_mean(template, all.iter().map(String::as_str));
        Error::bad_request(format!("no resource has the template `{}`{hint}", shortened(template)))
    })
}

fn of_prompt(
    prompt: &'static PromptDefinition,
    name: &str,
    typed: &str,
    chosen: &HashMap<String, String>,
) -> Result<Source, Error> {
    let Some(argument) = prompt.arguments.iter().find(|argument| argument.name == name) else {
        let hint = did_you_mean(name, prompt.arguments.iter().map(|argument| argument.name));
        let message = format!("prompt `{}` has no argument `{}`{hint}", prompt.name, shortened(name));
        return Err(Error::bad_request(message));
    };
    let Some(completes) = argument.completes else {
        return Ok(Source::Known(offered(argument.values.iter().copied(), typed)));
    };
    let others = prompt.arguments.iter().filter(|other| other.name != name);
    let chosen = others.filter_map(|other| Some((other.completes?, chosen.get(other.name)?.clone())));
    let chosen: Vec<_> = chosen.collect();
    Ok(listed(&Asked { completes, typed, is_bare: false, chosen: &chosen }))
}

fn of_template(
    registry: &Registry,
    resource: &'static ResourceDefinition,
    name: &str,
    typed: &str,
) -> Result<Source, Error> {
    if !resource.variables.iter().any(|(variable, _)| *variable == name) {
        let hint = did_you_mean(name, resource.variables.iter().map(|(variable, _)| *variable));
        let template = registry.template(resource);
        return Err(Error::bad_request(format!("`{template}` has no variable `{}`{hint}", shortened(name))));
    }
    let Some(completes) = Completes::named(resource.name) else { return Ok(Source::Known(Vec::new())) };
    Ok(listed(&Asked { completes, typed, is_bare: true, chosen: &[] }))
}

fn listed(asked: &Asked<'_>) -> Source {
    Listing::of(asked).map_or(Source::Known(Vec::new()), |listing| Source::Listed(Box::new(listing)))
}

/// The texts that fit.
fn offered<'a>(texts: impl Iterator<Item = &'a str>, typed: &str) -> Vec<String> {
    ranked(texts, |text| rank(typed, text)).into_iter().map(str::to_owned).collect()
}

/// What tells lists apart.
fn key(listing: &Listing) -> String {
    format!("{} {} {}", listing.tool, listing.operation, Value::Object(listing.given.clone()))
}

/// A page of a list, from the cache or from the workspace, and whether it was read just now.
async fn page(
    registry: &Registry,
    context: &Context,
    tool: &'static ToolDefinition,
    listing: &Listing,
    position: Option<String>,
) -> Result<(Arc<Kept>, bool), Error> {
    let principal = context.caller.principal.as_deref().unwrap_or_default();
    let key = format!("{principal:?} {} {position:?}", key(listing));
    let read = read(registry, context, tool, listing, position);
    // On the heap: rmcp keeps the futures of all requests on its stack.
    context.cache.page(listing.operation, &key, listing.time_to_live(), Box::pin(read)).await
}

/// Asks the workspace, once: under the policy, with a line in the audit log.
async fn read(
    registry: &Registry,
    context: &Context,
    tool: &'static ToolDefinition,
    listing: &Listing,
    position: Option<String>,
) -> Result<(Vec<Value>, Option<String>), Error> {
    let record = record::of_completion(context, listing.completes.name(), &listing.given).await;
    let _guard = record.guard();
    let policy = context.policy.and(registry.policy());
    let watch = Watched {
        record: record.clone(),
        progress: context.progress.clone(),
        policy,
        file: context.policy_file.clone(),
        tool: tool.name,
        toolset: tool.toolset,
        operation: Some(listing.operation),
        risk: Risk::Read,
        decided: Risk::Read,
        mask: Mask::default(),
        asking: None,
    };
    record.tell("operation", listing.operation);
    let watch = Arc::new(CallWatch::new(watch, &context.client));
    let client = context.client.watched(Arc::clone(&watch) as Arc<dyn Watch>);
    let asking = Context { policy, client, record: record.clone(), ..context.clone() };
    let answer = match watch.begin(false) {
        Ok(()) => page_of(&asking, tool, listing, position).await,
        Err(refused) => Err(refused),
    };
    let answer = answer.map_err(|error| match watch.refused_by() {
        Some(rule) => error.refused_by(rule),
        None => error,
    });
    match &answer {
        Ok((items, _)) if record.log().is_some() => {
            record.end(&End::Answer(items.iter().map(|item| item.to_string().len()).sum()));
        }
        Ok(_) => {}
        Err(error) => record.end(&End::Error(error)),
    }
    answer
}

async fn page_of(
    context: &Context,
    tool: &'static ToolDefinition,
    listing: &Listing,
    page: Option<String>,
) -> Result<(Vec<Value>, Option<String>), Error> {
    match tool.action {
        Action::Operation(plain) => {
            let request = operation::request(plain.arguments, listing.given.clone())?.idempotent(true);
            let mut request = request.with_retry_budget(Duration::ZERO);
            if let Some(limit) = &plain.limit {
                request.insert(limit.location, limit.wire, limit.page_size);
            }
            let cursor = Cursor { page, ..Cursor::default() };
            operation::page_of(context, plain, request, (&cursor, Projection::whole())).await
        }
        // The tables of a schema, which are the only ones that no plain tool lists.
        Action::Composite(_) => {
            let text = |name: &str| listing.given.get(name).and_then(Value::as_str).unwrap_or_default();
            let request = tables::List::new(text("catalog_name"), text("schema_name"))
                .include_browse(true)
                .omit_columns(true)
                .omit_properties(true)
                .with_retry_budget(Duration::ZERO);
            let position = page.map(|text| serde_json::from_str(&text)).transpose();
            let position: Option<databricks::Cursor> = position.map_err(|_| Error::bad_page_token())?;
            let page = request::page(context, request, position.as_ref()).await?;
            Ok((page.items, page.next.map(|next| serde_json::to_string(&next).unwrap_or_default())))
        }
    }
}

/// Whether the policy file lets the caller see a thing, as reading it would.
fn is_allowed(context: &Context, listing: &Listing, tool: &ToolDefinition, candidate: &Candidate) -> bool {
    let (Some(file), Some(kind)) = (&context.policy_file, listing.kind()) else { return true };
    let workspace = context.client.host().rsplit('/').next().unwrap_or_default();
    let (tool, toolset, operation) = (tool.name, tool.toolset, Some(listing.operation));
    file.shows(Act { tool, toolset, operation, risk: Risk::Read, workspace }, kind, &candidate.object)
}
