//! `auth login`, `status` and `logout` of the real binary, with a workspace that checks every field, and a browser that
//! goes where it is sent.

mod workspace;

use std::error::Error;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use workspace::{Workspace, browse};

type Outcome = Result<(), Box<dyn Error>>;

type Said = Lines<BufReader<ChildStdout>>;

const PATIENCE: Duration = Duration::from_secs(60);

/// A person with a home directory.
struct Person {
    home: TempDir,
    workspace: Workspace,
}

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Person {
    async fn new() -> Result<Self, Box<dyn Error>> {
        Ok(Self { home: TempDir::new()?, workspace: Workspace::start().await? })
    }

    /// A command of this person, without a keyring.
    fn command(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_databricks-mcp-server"));
        command.args(arguments).env_clear().env("HOME", self.home.path()).env("USERPROFILE", self.home.path());
        command.env("DATABRICKS_OAUTH_CALLBACK_PORT", "0").envs(variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    async fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Result<Ended, Box<dyn Error>> {
        let output = timeout(PATIENCE, self.command(arguments, variables).output()).await??;
        let (stdout, stderr) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
        for secret in ["access-", "refresh-", "code-"] {
            assert!(!stdout.contains(secret) && !stderr.contains(secret), "{stdout}{stderr}");
        }
        Ok(Ended { code: output.status.code(), stdout, stderr })
    }

    /// Logs in: starts the command, goes to the page it names with `answer` as what the person says there, and waits.
    async fn log_in(&self, arguments: &[&str], answer: &str) -> Result<Ended, Box<dyn Error>> {
        let command = [&["auth", "login", "--no-browser", "--log-level", "trace"], arguments].concat();
        let mut child = self.command(&command, &[]).spawn()?;
        let (url, mut stdout, mut lines) = page(&mut child).await?;
        let shown = browse(&format!("{url}&{answer}")).await?;
        let output = timeout(PATIENCE, child.wait_with_output()).await??;
        while let Some(line) = timeout(PATIENCE, lines.next_line()).await?? {
            stdout.push_str(&line);
            stdout.push('\n');
        }
        let ended = Ended { code: output.status.code(), stdout, stderr: String::from_utf8(output.stderr)? };
        assert_eq!(shown.contains("You are logged in"), ended.code == Some(0), "{shown} {ended:?}");
        assert!(!ended.stderr.contains("access-") && !ended.stderr.contains("refresh-"), "{}", ended.stderr);
        assert!(!ended.stderr.contains("code-"), "{}", ended.stderr);
        Ok(ended)
    }
}

/// The page that a login names, what it said until then, and what else it has to say.
async fn page(child: &mut Child) -> Result<(String, String, Said), Box<dyn Error>> {
    let mut lines = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
    let mut said = String::new();
    let found = loop {
        let Some(line) = timeout(PATIENCE, lines.next_line()).await?? else {
            let mut stderr = String::new();
            child.stderr.take().ok_or("no stderr")?.read_to_string(&mut stderr).await?;
            return Err(format!("it ended early: {said}{stderr}").into());
        };
        said.push_str(&line);
        said.push('\n');
        if let Some(url) = line.trim().strip_prefix("http") {
            break format!("http{url}");
        }
    };
    Ok((found, said, lines))
}

#[tokio::test]
async fn a_login_is_made_used_shown_and_forgotten() -> Outcome {
    let person = Person::new().await?;
    let host = person.workspace.url();
    let ended = person.log_in(&["--host", &host], "consent=yes").await?;
    let told = format!("Logged in to {host} as me@acme.test. The tokens are stored in a file that only you can read.");
    assert!(ended.stdout.contains(&told), "{ended:?}");
    assert!(ended.stdout.contains("A file, because the keyring of this system cannot be used"), "{ended:?}");
    assert!(ended.stdout.contains("returns to port"), "{ended:?}");

    // The server uses it where nothing else is set.
    let called = person.run(&["call", "list_jobs", "--host", &host], &[]).await?;
    assert_eq!(called.code, Some(0), "{called:?}");
    assert!(person.workspace.log().last().is_some_and(|line| line.starts_with("GET /api/2.2/jobs/list access-1")));

    let shown = person.run(&["auth", "status", "--json", "--host", &host], &[]).await?;
    let status: Value = serde_json::from_str(&shown.stdout)?;
    let login = &status["logins"][0];
    assert_eq!((login["host"].as_str(), login["state"].as_str()), (Some(host.as_str()), Some("valid")), "{status}");
    assert_eq!((login["storage"].as_str(), login["renews"].as_bool()), (Some("file"), Some(true)), "{status}");
    let checked = &status["workspaces"][0];
    assert_eq!(
        (checked["method"].as_str(), checked["user"].as_str()),
        (Some("external-browser"), Some("me@acme.test"))
    );
    assert_eq!((checked["works"].as_bool(), shown.code), (Some(true), Some(0)));
    let shown = person.run(&["auth", "status"], &[]).await?;
    assert!(shown.stdout.contains(&format!("{host}: renews itself")), "{shown:?}");
    assert!(shown.stdout.contains("no workspace is set") && shown.code == Some(0), "{shown:?}");

    let gone = person.run(&["auth", "logout", "--host", &host], &[]).await?;
    assert_eq!(gone.stdout, format!("Forgot the login to {host}.\n"));
    let again = person.run(&["auth", "logout", "--host", &host], &[]).await?;
    assert_eq!((again.stdout.as_str(), again.code), ("There is no login to forget.\n", Some(0)));
    let called = person.run(&["call", "list_jobs", "--host", &host], &[]).await?;
    assert_eq!(called.code, Some(1));
    assert!(called.stderr.contains("`databricks-mcp-server auth login`"), "{called:?}");
    Ok(())
}

#[tokio::test]
async fn a_profile_is_written_and_leads_to_its_login() -> Outcome {
    let person = Person::new().await?;
    let host = person.workspace.url();
    let ended = person.log_in(&["--host", &host, "--profile", "dev", "--storage", "file"], "consent=yes").await?;
    let file = person.home.path().join(".databrickscfg");
    assert!(
        ended.stdout.contains(&format!("Profile `dev` of `{}` now names this workspace.", file.display())),
        "{ended:?}"
    );
    assert!(!ended.stdout.contains("A file, because"), "{ended:?}");
    assert_eq!(std::fs::read_to_string(&file)?, format!("[dev]\nhost = {host}\n"));
    private(&file)?;

    let shown = person.run(&["auth", "status", "--profile", "dev"], &[]).await?;
    let told = format!("{host} (profile `dev`): authenticates with `external-browser` as me@acme.test");
    assert!(shown.stdout.contains(&told), "{shown:?}");
    // What comes first in the chain is told.
    let shown =
        person.run(&["auth", "status", "--json"], &[("DATABRICKS_HOST", &host), ("DATABRICKS_TOKEN", "bad")]).await?;
    let status: Value = serde_json::from_str(&shown.stdout)?;
    let checked = &status["workspaces"][0];
    assert_eq!((checked["method"].as_str(), checked["works"].as_bool()), (Some("pat"), Some(false)), "{status}");
    assert!(shown.code == Some(1) && shown.stderr.contains("hint: "), "{shown:?}");

    // The profile may be gone by the time of the logout.
    std::fs::remove_file(&file)?;
    let gone = person.run(&["auth", "logout", "--profile", "dev"], &[]).await?;
    assert_eq!(gone.stdout, format!("Forgot the login to {host} (profile `dev`).\n"), "{gone:?}");
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn a_login_is_kept_where_nobody_else_can_read_it() -> Outcome {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt, symlink};

    let person = Person::new().await?;
    let host = person.workspace.url();
    let told = person.log_in(&["--host", &host], "consent=yes").await?;
    assert!(told.stderr.contains("Waiting for the browser"), "{told:?}");
    let directory = person.home.path().join(".config/databricks-mcp-server/oauth");
    let mut files = fs::read_dir(&directory)?.flatten().map(|entry| entry.path());
    let file = files.find(|path| path.extension().is_some_and(|end| end == "json")).ok_or("no login")?;
    fs::set_permissions(&file, Permissions::from_mode(0o644))?;
    fs::set_permissions(&directory, Permissions::from_mode(0o755))?;
    person.log_in(&["--host", &host], "consent=yes").await?;
    private(&file)?;
    assert_eq!(directory.metadata()?.permissions().mode() & 0o777, 0o700);

    let elsewhere = person.home.path().join("elsewhere");
    fs::rename(&file, &elsewhere)?;
    symlink(&elsewhere, &file)?;
    let before = fs::read(&elsewhere)?;
    let mut child = person.command(&["auth", "login", "--no-browser", "--host", &host], &[]).spawn()?;
    let (url, _, _) = page(&mut child).await?;
    browse(&format!("{url}&consent=yes")).await?;
    let output = timeout(PATIENCE, child.wait_with_output()).await??;
    let errors = String::from_utf8(output.stderr)?;
    assert!(output.status.code() == Some(1) && errors.contains("it is a link"), "{errors}");
    assert_eq!(fs::read(&elsewhere)?, before);
    Ok(())
}

#[cfg(unix)]
fn private(path: &Path) -> Outcome {
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(path.metadata()?.permissions().mode() & 0o777, 0o600);
    Ok(())
}

#[cfg(not(unix))]
fn private(_: &Path) -> Outcome {
    Ok(())
}

#[tokio::test]
async fn a_refusal_and_a_broken_code_end_the_login() -> Outcome {
    let person = Person::new().await?;
    let host = person.workspace.url();
    let ended = person.log_in(&["--host", &host], "consent=no").await?;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("the login was refused: access_denied: the user said no"), "{}", ended.stderr);
    assert!(ended.stderr.contains("hint: log in again"), "{}", ended.stderr);
    let ended = person.log_in(&["--host", &host], "consent=broken").await?;
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("invalid_grant"), "{}", ended.stderr);
    let shown = person.run(&["auth", "status"], &[]).await?;
    assert!(shown.stdout.contains("none; `databricks-mcp-server auth login` creates one"), "{shown:?}");
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_is_said_at_once() -> Outcome {
    let person = Person::new().await?;
    let host = person.workspace.url();
    for (arguments, variables, expected) in [
        (
            &["auth", "login", "--no-browser", "--timeout", "1", "--host", &host][..],
            &[][..],
            "did not come back within 1 s",
        ),
        (&["auth", "login", "--sandbox"], &[], "the sandbox needs no login"),
        (&["auth", "login", "--host", "http://acme.test"], &[], "in clear text"),
        (&["auth", "login", "--no-browser"], &[("DATABRICKS_OAUTH_CALLBACK_PORT", "x")], "is not a port number"),
        (&["auth", "logout"], &[], "name it with `--host` or `--profile`, or say `--all`"),
        (&["auth", "status", "--profile", "gone"], &[], "has no `gone` profile configured"),
    ] {
        let ended = person.run(arguments, variables).await?;
        assert_eq!(ended.code, Some(1), "{arguments:?}");
        assert!(ended.stderr.contains(expected), "{arguments:?}: {}", ended.stderr);
    }
    Ok(())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_browser_is_opened() -> Outcome {
    use std::os::unix::fs::PermissionsExt;
    let person = Person::new().await?;
    let host = person.workspace.url();
    let (programs, opened) = (TempDir::new()?, person.home.path().join("opened"));
    let script = programs.path().join("xdg-open");
    std::fs::write(
        &script,
        format!("#!/bin/sh\nprintf %s \"$1\" > '{0}.new'\n/bin/mv '{0}.new' '{0}'\n", opened.display()),
    )?;
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755))?;
    let path = programs.path().to_str().ok_or("no path")?;
    let mut child = person.command(&["auth", "login", "--host", &host], &[("PATH", path)]).spawn()?;
    let (url, said, _rest) = page(&mut child).await?;
    assert!(said.starts_with("Opening the browser."), "{said}");
    let visited = timeout(PATIENCE, async {
        while !opened.exists() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        std::fs::read_to_string(&opened)
    });
    assert_eq!(visited.await??, url);
    browse(&format!("{url}&consent=yes")).await?;
    let output = timeout(PATIENCE, child.wait_with_output()).await??;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

#[tokio::test]
async fn all_logins_are_forgotten_at_once() -> Outcome {
    let person = Person::new().await?;
    let host = person.workspace.url();
    for profile in ["one", "two"] {
        assert_eq!(person.log_in(&["--host", &host, "--profile", profile], "consent=yes").await?.code, Some(0));
    }
    // Which of them is meant is not guessed.
    let called = person.run(&["call", "list_jobs", "--host", &host], &[]).await?;
    assert!(called.stderr.contains("several logins are stored for this host: `one`, `two`"), "{called:?}");
    let gone = person.run(&["auth", "logout", "--all"], &[]).await?;
    assert_eq!(gone.stdout.lines().count(), 2, "{gone:?}");
    let shown = person.run(&["auth", "status", "--json"], &[]).await?;
    let status: Value = serde_json::from_str(&shown.stdout)?;
    assert_eq!(status["logins"].as_array().map(Vec::len), Some(0));
    Ok(())
}
