//! Prompts: common requests, with the tools that answer them. Each is a file of `allowlist/prompts/`.

use std::collections::BTreeSet;

use super::Allowlist;
use crate::completes::Completes;
use crate::nearest::did_you_mean;
use crate::yaml::{Key, Node, Position, Problem};

/// Characters of a value, unless the argument says otherwise.
const LONGEST: i64 = 1_000;
/// The most that an argument may allow: a long statement.
const MOST_LONGEST: i64 = 50_000;
/// The most arguments: a person has to fill them in.
const MOST_ARGUMENTS: usize = 6;
const MOST_DESCRIPTION_CHARACTERS: usize = 400;
/// The argument that the server adds where it has several workspaces.
const WORKSPACE: &str = "workspace";

/// One prompt.
#[derive(Debug, Clone)]
pub struct Prompt {
    /// Name that clients ask for.
    pub name: String,
    /// Where it stands.
    pub position: Position,
    /// Name for people.
    pub title: String,
    /// What a person reads.
    pub description: String,
    /// What a person fills in, in the order of the file.
    pub arguments: Vec<PromptArgument>,
    /// The tools without which it is of no use.
    pub tools: Vec<String>,
    /// Tools that it names besides.
    pub optional: Vec<String>,
    /// What the model gets, in order.
    pub messages: Vec<PromptMessage>,
    /// Where each tool stands in its list.
    tool_positions: Vec<(String, Position)>,
    /// Where each message stands.
    message_positions: Vec<Position>,
}

/// What a person fills in.
#[derive(Debug, Clone)]
pub struct PromptArgument {
    /// Name.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// What a person reads.
    pub description: String,
    /// A value as it may be.
    pub example: String,
    /// Whether it must be given.
    pub required: bool,
    /// What stands in its place where none is given.
    pub default: Option<String>,
    /// The most characters of a value.
    pub longest: usize,
    /// What its values are completed from.
    pub completes: Option<Completes>,
    /// Values that are offered, though others may be given.
    pub values: Vec<String>,
}

/// A part of what the model gets.
#[derive(Debug, Clone)]
pub enum PromptMessage {
    /// A text with the slots of arguments.
    Text(String),
    /// A resource as it is when the prompt is asked for.
    Embed {
        /// Name of the resource.
        resource: String,
        /// URI variable to argument.
        with: Vec<(String, String)>,
        /// What to do where it cannot be read.
        otherwise: String,
    },
}

/// Reads the file of a prompt.
pub(super) fn read(stem: &str, node: Node) -> Result<Prompt, Vec<Problem>> {
    let mut problems = Vec::new();
    let prompt = prompt(stem, node, &mut problems).map_err(|problem| vec![problem])?;
    if problems.is_empty() { Ok(prompt) } else { Err(problems) }
}

fn prompt(stem: &str, node: Node, problems: &mut Vec<Problem>) -> Result<Prompt, Problem> {
    let mut file = node.mapping("a prompt: `prompt`, `title`, `description`, `arguments`, `tools`, `messages`")?;
    let (name, title, description) = (file.require("prompt"), file.string("title"), file.require("description"));
    let (arguments, tools, optional) = (file.take("arguments"), file.require("tools"), file.take("optional"));
    let messages = file.require("messages");
    // A misspelt key is named before anything is missed because of it.
    file.finish()?;
    let name = name?;
    let (position, name) = (name.position.clone(), name.string()?);
    if name != stem {
        return Err(position.problem(format!("the file is `{stem}.yaml`, so the prompt is `{stem}`")));
    }
    if !is_name(&name) {
        return Err(position.problem("a name is 3 to 40 of `a-z0-9_` and starts with a letter"));
    }
    let description = short(description?)?;
    let mut declared = Vec::new();
    if let Some(node) = arguments {
        let entries = node.mapping("names of arguments and what they are")?;
        let at = entries.position.clone();
        for (key, node) in entries.into_entries() {
            declared.push(argument(key, node)?);
        }
        if declared.len() > MOST_ARGUMENTS {
            return Err(at.problem(format!("{} arguments; a person fills in {MOST_ARGUMENTS} at most", declared.len())));
        }
    }
    let tools = names(tools?)?;
    let optional = optional.map(names).transpose()?.unwrap_or_default();
    let mut slots = Slots { arguments: &declared, used: BTreeSet::new() };
    let (mut messages_read, mut message_positions) = (Vec::new(), Vec::new());
    let messages = messages?;
    let at = messages.position.clone();
    for node in messages.sequence("a list of `text` and `embed`")? {
        let position = node.position.clone();
        match message(node, &mut slots) {
            Ok(message) => {
                messages_read.push(message);
                message_positions.push(position);
            }
            Err(problem) => problems.push(problem),
        }
    }
    // What could not be read would only seem to be missing.
    if problems.is_empty() {
        if !matches!(messages_read.first(), None | Some(PromptMessage::Text(_))) {
            problems.push(at.problem("the first message is a `text`, which says what to do"));
        }
        let unused = declared.iter().filter(|argument| !slots.used.contains(&argument.name));
        problems.extend(unused.map(|argument| {
            at.problem(format!("no message has a slot `{{{}}}`, though it is an argument", argument.name))
        }));
        if messages_read.is_empty() {
            problems.push(at.problem("there is no message"));
        }
    }
    Ok(Prompt {
        name,
        position,
        title: title?,
        description,
        arguments: declared,
        tools: tools.iter().map(|(name, _)| name.clone()).collect(),
        optional: optional.iter().map(|(name, _)| name.clone()).collect(),
        messages: messages_read,
        tool_positions: tools.into_iter().chain(optional).collect(),
        message_positions,
    })
}

fn is_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
        && (3..=40).contains(&name.len())
}

fn short(node: Node) -> Result<String, Problem> {
    let position = node.position.clone();
    let text = node.text("description")?.trim().to_owned();
    match text.chars().count() {
        count if count > MOST_DESCRIPTION_CHARACTERS => {
            Err(position.problem(format!("{count} characters; a person reads {MOST_DESCRIPTION_CHARACTERS} at most")))
        }
        _ => Ok(text),
    }
}

/// Names, none of them twice.
fn names(node: Node) -> Result<Vec<(String, Position)>, Problem> {
    let mut names: Vec<(String, Position)> = Vec::new();
    for node in node.sequence("a list of tools")? {
        let position = node.position.clone();
        let name = node.string()?;
        if names.iter().any(|(known, _)| *known == name) {
            return Err(position.problem(format!("`{name}` stands here twice")));
        }
        names.push((name, position));
    }
    Ok(names)
}

fn argument(key: Key, node: Node) -> Result<PromptArgument, Problem> {
    let mut entry = node.mapping("what the argument is: `title`, `description`, `example`, …")?;
    let (title, description, example) = (entry.string("title"), entry.require("description"), entry.string("example"));
    let (required, default) = (entry.boolean("required", false), entry.optional_string("default"));
    let (longest, completes, values) = (entry.take("longest"), entry.take("complete"), entry.strings("values"));
    entry.finish()?;
    if !is_name(&key.text) && key.text.len() > 2 || key.text.contains(['{', '}']) {
        return Err(key.position.problem("a name is of `a-z0-9_` and starts with a letter"));
    }
    if key.text == WORKSPACE {
        let message = format!("the server adds `{WORKSPACE}` itself where there are several");
        return Err(key.position.problem(message));
    }
    let (required, default) = (required?, default?);
    if required && default.is_some() {
        return Err(key.position.problem(format!("`{}` is required, so its `default` is never used", key.text)));
    }
    let longest = match longest {
        Some(node) => {
            let position = node.position.clone();
            let longest = node.integer()?;
            if !(1..=MOST_LONGEST).contains(&longest) {
                return Err(position.problem(format!("`longest` is 1 to {MOST_LONGEST} characters")));
            }
            longest
        }
        None => LONGEST,
    };
    let completes = match completes {
        Some(node) => {
            let position = node.position.clone();
            let word = node.string()?;
            let known = || Completes::ALL.map(Completes::name);
            Some(Completes::named(&word).ok_or_else(|| {
                let hint = did_you_mean(&word, known());
                let known = known().join(", ");
                position.problem(format!("nothing is completed from `{word}`{hint}; there are: {known}"))
            })?)
        }
        None => None,
    };
    let values = values?;
    if completes.is_some() && !values.is_empty() {
        return Err(key.position.problem(format!("`{}` has both `complete` and `values`", key.text)));
    }
    Ok(PromptArgument {
        name: key.text,
        title: title?,
        description: short(description?)?,
        example: example?,
        required,
        default,
        longest: usize::try_from(longest).unwrap_or_default(),
        completes,
        values,
    })
}

/// The arguments that messages have slots for.
struct Slots<'a> {
    arguments: &'a [PromptArgument],
    used: BTreeSet<String>,
}

impl Slots<'_> {
    fn find(&mut self, name: &str, position: &Position) -> Result<&PromptArgument, Problem> {
        let found = self.arguments.iter().find(|argument| argument.name == name).ok_or_else(|| {
            let hint = did_you_mean(name, self.arguments.iter().map(|argument| argument.name.as_str()));
            position.problem(format!("no argument is named `{name}`{hint}"))
        })?;
        self.used.insert(name.to_owned());
        Ok(found)
    }

    /// Checks every slot of a text.
    fn of_text(&mut self, text: &str, position: &Position) -> Result<(), Problem> {
        let mut rest = text;
        while let Some((_, after)) = rest.split_once('{') {
            let Some((name, after)) = after.split_once('}') else {
                return Err(position.problem("a `{` has no `}`: braces are for the slots of arguments"));
            };
            let argument = self.find(name, position)?;
            if !argument.required && argument.default.is_none() {
                let message =
                    format!("`{name}` may be left out: give it a `default`, which stands in its slot, or require it");
                return Err(position.problem(message));
            }
            rest = after;
        }
        Ok(())
    }
}

fn message(node: Node, slots: &mut Slots<'_>) -> Result<PromptMessage, Problem> {
    let mut entry = node.mapping("`text`, or `embed` with `with` and `otherwise`")?;
    let (text, embed, with) = (entry.take("text"), entry.take("embed"), entry.take("with"));
    let otherwise = entry.take("otherwise");
    entry.finish()?;
    match (text, embed) {
        (Some(node), None) if with.is_none() && otherwise.is_none() => {
            let position = node.position.clone();
            let text = node.text("text")?.trim().to_owned();
            slots.of_text(&text, &position)?;
            Ok(PromptMessage::Text(text))
        }
        (None, Some(node)) => {
            let missing = |key: &str| entry.position.problem(format!("`{key}` is missing"));
            let resource = node.string()?;
            let mut bound = Vec::new();
            let with = with.ok_or_else(|| missing("with"))?;
            for (key, node) in with.mapping("variables of the URI and arguments")?.into_entries() {
                let position = node.position.clone();
                let argument = node.string()?;
                slots.find(&argument, &position)?;
                bound.push((key.text, argument));
            }
            let otherwise = otherwise.ok_or_else(|| missing("otherwise"))?;
            let position = otherwise.position.clone();
            let otherwise = otherwise.text("otherwise")?.trim().to_owned();
            slots.of_text(&otherwise, &position)?;
            Ok(PromptMessage::Embed { resource, with: bound, otherwise })
        }
        _ => Err(entry.position.problem("a message is a `text`, or an `embed` with `with` and `otherwise`")),
    }
}

impl PromptMessage {
    /// The text that the model gets, or gets in place of a resource.
    fn text(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Embed { otherwise, .. } => otherwise,
        }
    }
}

/// What stands in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Every mistake that shows once all files are read: what a prompt names in others.
pub(super) fn check(allowlist: &Allowlist) -> Vec<Problem> {
    allowlist.prompts.values().flat_map(|prompt| check_one(allowlist, prompt)).collect()
}

fn check_one(allowlist: &Allowlist, prompt: &Prompt) -> Vec<Problem> {
    let mut problems = Vec::new();
    let hint = |name: &str| did_you_mean(name, allowlist.tools.keys().map(String::as_str));
    let named: BTreeSet<&str> = prompt.messages.iter().flat_map(|message| quoted(message.text())).collect();
    for (name, position) in &prompt.tool_positions {
        if !allowlist.tools.contains_key(name) {
            problems.push(position.problem(format!("no tool is named `{name}`{}", hint(name))));
        } else if !named.contains(name.as_str()) {
            problems.push(position.problem(format!("no message names the tool `{name}`, which stands here")));
        } else if prompt.tool_positions.iter().filter(|(known, _)| known == name).count() > 1 {
            problems.push(position.problem(format!("`{name}` is both in `tools` and `optional`")));
        }
    }
    for (message, position) in prompt.messages.iter().zip(&prompt.message_positions) {
        for name in quoted(message.text()) {
            if prompt.tool_positions.iter().any(|(known, _)| known == name) {
                continue;
            }
            if allowlist.tools.contains_key(name) {
                let message = format!("the text names the tool `{name}`: put it into `tools` or `optional`");
                problems.push(position.problem(message));
            } else if is_like_tool(allowlist, name) {
                let message = format!("the text names `{name}`, and no tool has that name{}", hint(name));
                problems.push(position.problem(message));
            }
        }
        problems.extend(embeds(allowlist, message).map(|fault| position.problem(fault)));
    }
    problems
}

/// Whether a word would be taken for a tool: it begins with a verb that tools begin with, and is of the same letters.
fn is_like_tool(allowlist: &Allowlist, word: &str) -> bool {
    let verb = |name: &str| name.split_once('_').map(|(verb, _)| verb.to_owned());
    is_name(word) && verb(word).is_some_and(|of| allowlist.tools.keys().any(|name| verb(name) == Some(of.clone())))
}

/// What is wrong with an embedded resource.
fn embeds(allowlist: &Allowlist, message: &PromptMessage) -> Option<String> {
    let PromptMessage::Embed { resource: name, with, .. } = message else { return None };
    let Some(resource) = allowlist.resources.get(name) else {
        let hint = did_you_mean(name, allowlist.resources.keys().map(String::as_str));
        return Some(format!("no resource is named `{name}`{hint}"));
    };
    let variables = || resource.variables.iter().map(|(variable, _)| variable.as_str());
    if let Some((unknown, _)) = with.iter().find(|(variable, _)| variables().all(|known| known != variable)) {
        let hint = did_you_mean(unknown, variables());
        return Some(format!("`{}` has no variable `{unknown}`{hint}", resource.uri));
    }
    let missing = variables().find(|known| with.iter().all(|(variable, _)| variable != known));
    missing.map(|missing| format!("`with` has no value for `{{{missing}}}` of `{}`", resource.uri))
}
