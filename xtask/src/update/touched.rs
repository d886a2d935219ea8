//! Which changes of the API touch what is exposed, and in which place.

use std::collections::{BTreeMap, BTreeSet};

use codegen::Api;
use codegen::allowlist::{Allowlist, Source};
use codegen::api::{Location, Operation, Response, Schema};

use super::state::{Before, Specs};
use crate::specs::diff::{Change, Shape, What};

/// A change, and what of ours it touches.
#[derive(Debug)]
pub(super) struct Touched<'a> {
    pub(super) change: &'a Change,
    /// At least one.
    pub(super) touches: Vec<Touch>,
}

/// A place of ours that a change reaches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Touch {
    /// An argument that callers of a tool give.
    Argument {
        /// The argument's name for callers.
        argument: String,
        /// The tool.
        tool: String,
    },
    /// A parameter that a tool always gives the same value.
    Fixed {
        /// The parameter.
        parameter: String,
        /// The tool.
        tool: String,
    },
    /// A parameter that a tool does not send.
    Unsent {
        /// The parameter.
        parameter: String,
        /// The tool.
        tool: String,
    },
    /// What a tool answers.
    Answer(String),
    /// A tool as a whole.
    Tool(String),
    /// A composite, by an operation that it uses.
    Composite {
        /// The operation.
        operation: String,
        /// The tool.
        tool: String,
    },
    /// A resource.
    Resource(String),
    /// An operation that the executors reach.
    Reachable(String),
}

impl Touch {
    /// The name of the tool, resource or operation, and what stands before and behind such names.
    fn split(&self) -> (&str, String, String) {
        let before = |text: String| (text, String::new());
        let (name, (before, behind)) = match self {
            Self::Argument { tool, argument } => (tool, before(format!("argument `{argument}` of "))),
            Self::Fixed { tool, parameter } => (tool, before(format!("the fixed `{parameter}` of "))),
            Self::Unsent { tool, parameter } => (tool, before(format!("`{parameter}`, which is no argument of "))),
            Self::Answer(tool) => (tool, before("the answer of ".to_owned())),
            Self::Tool(tool) => (tool, before("the tool ".to_owned())),
            Self::Composite { tool, operation } => (tool, (String::new(), format!(" by `{operation}`"))),
            Self::Resource(name) => (name, before("the resource ".to_owned())),
            Self::Reachable(operation) => (operation, (String::new(), " through `reach`".to_owned())),
        };
        (name, before, behind)
    }
}

/// Touches in words; names in the same place stand together.
pub(super) fn listed(touches: &[Touch]) -> String {
    let mut places: Vec<((String, String), Vec<String>)> = Vec::new();
    for touch in touches {
        let (name, before, behind) = touch.split();
        let (place, name) = ((before, behind), format!("`{name}`"));
        match places.last_mut() {
            Some((last, names)) if *last == place => names.push(name),
            _ => places.push((place, vec![name])),
        }
    }
    let place =
        |((before, behind), names): ((String, String), Vec<String>)| format!("{before}{}{behind}", names.join(", "));
    places.into_iter().map(place).collect::<Vec<_>>().join("; ")
}

/// The changes that touch what was exposed before, those that break first.
pub(super) fn touched<'a>(changes: &'a [Change], before: &Before, now: &Specs) -> Vec<Touched<'a>> {
    let places = Places::new(before, now);
    let touched = changes.iter().map(|change| Touched { change, touches: places.touches(change, &before.allowlist) });
    let mut touched: Vec<_> = touched.filter(|touched| !touched.touches.is_empty()).collect();
    touched.sort_by_key(|touched| !touched.change.breaking);
    touched
}

/// A part of an operation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// A parameter, or a property of the body, by its place and name.
    Input(&'static str, String),
    Output,
    Whole,
}

/// Where schemas occur in exposed operations, before or now.
#[derive(Default)]
struct Places {
    /// The parts in which a schema occurs, at whatever depth.
    within: BTreeMap<String, BTreeSet<(String, Part)>>,
    /// The operations whose body a schema is: its properties are their parameters.
    bodies: BTreeMap<String, BTreeSet<String>>,
}

impl Places {
    fn new(before: &Before, now: &Specs) -> Self {
        let mut places = Self::default();
        for specs in [&before.specs, now] {
            for id in before.allowlist.table() {
                if let Some(operation) = specs.api.operations.get(id) {
                    places.add(&specs.api, operation);
                }
                let body = specs.surface.operations.get(id).and_then(|operation| operation.body.as_ref());
                if let Some(Shape::Other(schema)) = body {
                    places.bodies.entry(schema.clone()).or_default().insert(id.to_owned());
                }
            }
        }
        places
    }

    fn add(&mut self, api: &Api, operation: &Operation) {
        let inputs = operation
            .parameters
            .iter()
            .map(|parameter| (Part::Input(place(parameter.location), parameter.name.clone()), &parameter.schema));
        let output = match &operation.response {
            Response::Json(schema) => Some((Part::Output, schema)),
            Response::Empty | Response::Text(_) | Response::Binary(_) => None,
        };
        for (part, schema) in inputs.chain(output) {
            let mut reached = BTreeSet::new();
            reach(api, schema, &mut reached);
            for name in reached {
                self.within.entry(name).or_default().insert((operation.id.clone(), part.clone()));
            }
        }
    }

    fn touches(&self, change: &Change, allowlist: &Allowlist) -> Vec<Touch> {
        let mut touches = BTreeSet::new();
        let is_direct = allowlist.decisions.contains_key(&change.id);
        if is_direct {
            let part = match change.what {
                What::Parameter => match change.field.split_once(' ') {
                    Some(("path", name)) => Part::Input("path", name.to_owned()),
                    Some((_, name)) => Part::Input("query", name.to_owned()),
                    None => Part::Whole,
                },
                What::Body if !change.field.is_empty() => Part::Input("body", change.field.clone()),
                What::Response => Part::Output,
                _ => Part::Whole,
            };
            touch(&change.id, &part, true, allowlist, &mut touches);
        }
        for (operation, part) in self.within.get(&change.id).into_iter().flatten() {
            touch(operation, part, false, allowlist, &mut touches);
        }
        for operation in self.bodies.get(&change.id).into_iter().flatten() {
            let part = if change.field.is_empty() { Part::Whole } else { Part::Input("body", change.field.clone()) };
            touch(operation, &part, true, allowlist, &mut touches);
        }
        touches.into_iter().collect()
    }
}

/// Adds what of ours depends on a part of an operation.
fn touch(id: &str, part: &Part, is_direct: bool, allowlist: &Allowlist, touches: &mut BTreeSet<Touch>) {
    let Some(decision) = allowlist.decisions.get(id) else { return };
    if let Some(tool) = decision.tool.as_ref().and_then(|name| allowlist.tools.get(name)) {
        let name = tool.name.clone();
        touches.extend(match part {
            Part::Whole => Some(Touch::Tool(name)),
            Part::Output => Some(Touch::Answer(name)),
            Part::Input(at, parameter) => {
                let mut arguments = tool.operation.iter().flat_map(|operation| &operation.arguments);
                let sent = arguments.find(|argument| argument.wire == *parameter && place(argument.location) == *at);
                match sent.map(|argument| &argument.source) {
                    Some(Source::Caller(input)) => Some(Touch::Argument { tool: name, argument: input.name.clone() }),
                    Some(_) => Some(Touch::Fixed { tool: name, parameter: parameter.clone() }),
                    // What a tool does not send matters where it comes, goes or becomes required, and not within.
                    None if is_direct => Some(Touch::Unsent { tool: name, parameter: parameter.clone() }),
                    None => None,
                }
            }
        });
    }
    let composite = |tool: &String| Touch::Composite { tool: tool.clone(), operation: id.to_owned() };
    touches.extend(decision.used_by.iter().map(composite));
    if decision.reachable.is_some() {
        touches.insert(Touch::Reachable(id.to_owned()));
    }
    if let Some(resource) = decision.resource.as_ref().filter(|_| !matches!(part, Part::Input(..))) {
        touches.insert(Touch::Resource(resource.clone()));
    }
}

fn place(location: Location) -> &'static str {
    match location {
        Location::Path => "path",
        Location::Query => "query",
        Location::Body => "body",
    }
}

/// Every named schema of which a value may be made.
fn reach(api: &Api, schema: &Schema, reached: &mut BTreeSet<String>) {
    match schema {
        Schema::Array(inner) | Schema::Map(inner) => reach(api, inner, reached),
        Schema::Object(properties) => properties.iter().for_each(|property| reach(api, &property.schema, reached)),
        Schema::Reference(name) => {
            if reached.insert(name.clone())
                && let Some(schema) = api.schemas.get(name)
            {
                reach(api, schema, reached);
            }
        }
        _ => {}
    }
}
