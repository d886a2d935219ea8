//! What shells and `man` know of the command line: completions and manual pages, made from its definition.

use std::path::Path;

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;

use crate::cli::Cli;
use crate::cli::terminal::print;
use crate::error::Error;

/// What each page says of where it comes from.
const SOURCE: &str = concat!("databricks-mcp-server ", env!("CARGO_PKG_VERSION"));

/// Prints the completions for a shell.
pub(crate) fn completions(shell: Shell) -> Result<(), Error> {
    let (mut command, mut script) = (Cli::command(), Vec::new());
    let name = command.get_name().to_owned();
    clap_complete::generate(shell, &mut command, name, &mut script);
    print(String::from_utf8_lossy(&script).trim_end())
}

/// Writes a page for each command into a directory.
pub(crate) fn write(directory: &Path) -> Result<(), Error> {
    let failed = |error: std::io::Error| Error::failed(format!("cannot write to `{}`: {error}", directory.display()));
    std::fs::create_dir_all(directory).map_err(failed)?;
    for (name, page) in pages(&Cli::command()).map_err(failed)? {
        std::fs::write(directory.join(name), page).map_err(failed)?;
    }
    Ok(())
}

/// The pages of a command and of those below it, with the names of their files. Options that every command takes stand
/// on the first page only.
fn pages(command: &Command) -> std::io::Result<Vec<(String, Vec<u8>)>> {
    let name = command.get_display_name().unwrap_or(command.get_name());
    let mut page = Vec::new();
    // The page would list `help` as a command of its own.
    let shown = command.clone().disable_help_subcommand(true);
    Man::new(shown).source(SOURCE).manual("MCP").render(&mut page)?;
    let mut pages = vec![(format!("{name}.1"), page)];
    for below in command.get_subcommands().filter(|command| !command.is_hide_set()) {
        let words = format!("{} {}", command.get_bin_name().unwrap_or(command.get_name()), below.get_name());
        let below = below.clone().display_name(words.replace(' ', "-")).bin_name(words);
        pages.extend(self::pages(&below)?);
    }
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_command_has_a_page_of_its_own_options() {
        let pages = pages(&Cli::command()).unwrap();
        let page = |name: &str| {
            let (_, page) = pages.iter().find(|(file, _)| file == name).unwrap();
            String::from_utf8(page.clone()).unwrap()
        };
        let first = page("databricks-mcp-server.1");
        assert!(
            first.contains("\\-\\-read\\-only\\fR") && first.contains("databricks\\-mcp\\-server\\-http(1)"),
            "{first}"
        );
        let login = page("databricks-mcp-server-auth-login.1");
        assert!(
            login.contains("\\fBdatabricks\\-mcp\\-server auth login\\fR") && !login.contains("version"),
            "{login}"
        );
        assert!(login.contains("no\\-browser") && !login.contains("read\\-only"), "{login}");
        assert!(pages.iter().all(|(name, _)| !name.contains("-man") && !name.contains("-help")));
    }

    #[test]
    fn completions_of_each_shell_know_commands_and_flags() {
        for shell in Shell::value_variants() {
            let (mut command, mut script) = (Cli::command(), Vec::new());
            clap_complete::generate(*shell, &mut command, "databricks-mcp-server", &mut script);
            let script = String::from_utf8(script).unwrap();
            for word in ["doctor", "completions", "read-only", "max-result-tokens"] {
                assert!(script.contains(word), "{shell}: {word}");
            }
        }
    }
}
