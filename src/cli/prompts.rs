//! `prompts`: what a client offers to a person, at a terminal.

use serde_json::{Map, Value};

use super::arguments::PromptsCommand;
use super::terminal::print;
use super::{LONGEST_ANSWER, json};
use crate::config::Options;
use crate::connect::Opened;
use crate::controls;
use crate::error::Error;
use crate::prompts::{self, Message};
use crate::registry::Registry;
use crate::server::prompts::describe;

/// Runs the command.
pub(super) async fn run(options: &Options, command: PromptsCommand) -> Result<(), Error> {
    let registry = Registry::new(&options.selection()?)?;
    match command {
        PromptsCommand::List { json: true } => {
            print(&json(&registry.prompts().map(|prompt| describe(&registry, prompt)).collect::<Vec<_>>())?)
        }
        PromptsCommand::List { json: false } => list(&registry),
        PromptsCommand::Show { name, arguments: None } => print(&json(&describe(&registry, registry.prompt(&name)?))?),
        PromptsCommand::Show { name, arguments: Some(arguments) } => {
            let prompt = registry.prompt(&name)?;
            let arguments: Map<String, Value> = serde_json::from_str(&arguments)
                .map_err(|error| Error::failed(format!("the arguments are not a JSON object: {error}")))?;
            // Before anything is started for it.
            prompts::pieces(&registry, prompt, arguments.clone())?;
            let opened = Opened::open(options).await?;
            let workspaces = opened.workspaces.each(|context| context.within(LONGEST_ANSWER));
            let messages = prompts::compose(&registry, &workspaces, prompt, arguments).await?;
            let texts = messages.iter().map(|message| match message {
                Message::Text(text) => text.as_str(),
                Message::Resource { contents, .. } => contents.text.as_str(),
            });
            print(&controls::for_terminal(&texts.collect::<Vec<_>>().join("\n\n")))
        }
    }
}

fn list(registry: &Registry) -> Result<(), Error> {
    let width = registry.prompts().map(|prompt| prompt.name.len()).max().unwrap_or_default();
    for prompt in registry.prompts() {
        let arguments = prompt.arguments.iter().map(|argument| match argument.required {
            true => format!("<{}>", argument.name),
            false => format!("[{}]", argument.name),
        });
        let arguments = arguments.collect::<Vec<_>>().join(" ");
        print(&format!("{:width$}  {}  {arguments}", prompt.name, prompt.title))?;
    }
    Ok(())
}
