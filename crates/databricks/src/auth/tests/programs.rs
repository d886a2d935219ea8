//! The methods that run another program: the Databricks CLI and the Azure CLI.

use std::path::Path;
use std::sync::{Arc, Mutex};

use tempfile::TempDir;

use super::authenticate;
use super::provider::Provider;
use crate::auth::{Authenticator, Context, Environment, ProgramOutput};
use crate::error::Error;
use crate::transport::http_client;

const TOKEN: &str = r#"{"access_token":"token-cli","token_type":"Bearer","expiry":"2027-01-15T09:00:00.123456789Z"}"#;
const AZURE_HOST: (&str, &str) = ("DATABRICKS_HOST", "adb-1.2.azuredatabricks.net");
const USER: &str = r#"{"user":{"name":"me@x.test","type":"user"}}"#;

/// Programs that answer by a script, and what they were called with.
struct Programs {
    directory: TempDir,
    calls: Arc<Mutex<Vec<String>>>,
}

impl Programs {
    fn new(names: &[&str]) -> Programs {
        let directory = tempfile::tempdir().unwrap();
        for name in names {
            std::fs::write(directory.path().join(format!("{name}{}", std::env::consts::EXE_SUFFIX)), "binary").unwrap();
        }
        Programs { directory, calls: Arc::default() }
    }

    fn path(&self) -> &str {
        self.directory.path().to_str().unwrap()
    }

    /// The script gets the arguments; an error is what goes to the standard error.
    fn in_world(
        &self,
        environment: Environment,
        script: impl Fn(&str) -> Result<String, String> + Send + Sync + 'static,
    ) -> Environment {
        let calls = Arc::clone(&self.calls);
        environment.with_runner(move |command| {
            let name = Path::new(&command[0]).file_stem().unwrap().to_string_lossy().into_owned();
            let arguments = command[1..].join(" ");
            calls.lock().unwrap().push(format!("{name} {arguments}"));
            let output = match script(&arguments) {
                Ok(stdout) => ProgramOutput { success: true, stdout, stderr: String::new() },
                Err(stderr) => ProgramOutput { success: false, stdout: String::new(), stderr },
            };
            Box::pin(async { Ok(output) })
        })
    }

    fn calls(&self) -> Vec<String> {
        std::mem::take(&mut *self.calls.lock().unwrap())
    }
}

fn cli(version: &'static str) -> impl Fn(&str) -> Result<String, String> + Send + Sync + 'static {
    move |arguments| match arguments {
        "version" => Ok(format!("Databricks CLI v{version}\n")),
        _ => Ok(TOKEN.to_owned()),
    }
}

#[tokio::test]
async fn the_databricks_cli_is_asked_as_its_version_allows() {
    let host = ("DATABRICKS_HOST", "acme.test");
    let accounts = ("DATABRICKS_HOST", "accounts.acme.test");
    let profile = ("DATABRICKS_CONFIG_PROFILE", "dev");
    for (version, variables, token) in [
        ("0.296.0", vec![host], "--host https://acme.test"),
        ("0.296.0", vec![host, profile], "--profile dev"),
        ("0.207.1", vec![host, profile], "--profile dev"),
        ("0.207.0", vec![host, profile], "--host https://acme.test"),
        ("0.0.0-dev+123", vec![host, profile], "--host https://acme.test"),
        ("?", vec![host, profile], "--host https://acme.test"),
        ("1.0.0", vec![accounts, ("DATABRICKS_ACCOUNT_ID", "a")], "--host https://accounts.acme.test --account-id a"),
    ] {
        let (provider, programs) = (Provider::usual().await, Programs::new(&["databricks"]));
        let mut variables = variables.clone();
        variables.push(("PATH", programs.path()));
        let config = Provider::config_in(programs.in_world(provider.environment(&variables), cli(version)));
        let expected = ("databricks-cli", vec!["authorization: Bearer token-cli".to_owned()]);
        assert_eq!(authenticate(&config).await.unwrap(), expected);
        assert_eq!(programs.calls(), ["databricks version".to_owned(), format!("databricks auth token {token}")]);
        assert!(provider.asked().is_empty());
    }
}

#[tokio::test]
async fn the_databricks_cli_is_made_to_refresh_a_refused_token() {
    for (version, flag) in [("0.296.0", " --force-refresh"), ("0.295.9", "")] {
        let (provider, programs) = (Provider::usual().await, Programs::new(&["databricks"]));
        let variables = [("DATABRICKS_HOST", "acme.test"), ("PATH", programs.path())];
        let config = Provider::config_in(programs.in_world(provider.environment(&variables), cli(version)));
        let authenticator = Authenticator::new(Context::new(&config, http_client(&config).unwrap()));
        let chosen = authenticator.chosen().await.unwrap();
        let proof = chosen.proof(authenticator.context()).await.unwrap();
        assert!(chosen.renew(authenticator.context(), &proof).await.unwrap());
        let expected = format!("databricks auth token --host https://acme.test{flag}");
        assert_eq!(programs.calls().pop().unwrap(), expected);
    }
}

/// The error when the Databricks CLI answers so.
async fn cli_error(answer: Result<&str, &str>, auth_type: Option<&str>) -> Error {
    let (provider, programs) = (Provider::usual().await, Programs::new(&["databricks"]));
    let mut variables = vec![("DATABRICKS_HOST", "acme.test"), ("PATH", programs.path())];
    variables.extend(auth_type.map(|name| ("DATABRICKS_AUTH_TYPE", name)));
    let answer = answer.map(str::to_owned).map_err(str::to_owned);
    let config = Provider::config_in(programs.in_world(provider.environment(&variables), move |_| answer.clone()));
    authenticate(&config).await.unwrap_err()
}

#[tokio::test]
async fn what_the_databricks_cli_lacks_is_told() {
    for (answer, expected) in [
        (Err("Error: no login\n"), "`databricks auth token` failed: Error: no login"),
        (Ok("secret-token"), "`databricks auth token` did not print JSON"),
        (Ok(r#"{"expiry":"2027-01-15T09:00:00Z"}"#), "the answer has no `access_token`"),
        (Ok(r#"{"access_token":"secret-token"}"#), "`databricks auth token` does not say when the token expires"),
        (
            Ok(r#"{"access_token":"secret-token","expiry":"soon"}"#),
            "`databricks auth token` does not say when the token expires",
        ),
    ] {
        let error = cli_error(answer, Some("databricks-cli")).await;
        let start = "cannot authenticate to `https://acme.test` with `databricks-cli`: ";
        assert_eq!(error.to_string(), format!("{start}{expected}"));
        assert!(!format!("{error:?}").contains("secret-token"));
        let error = cli_error(answer, None).await.to_string();
        assert!(error.contains(&format!("\n  tried `databricks-cli`: {expected}\n")), "{error}");
    }
    assert_eq!(cli_error(Err("x"), None).await.hint(), Some("run `databricks auth login`"));
}

#[tokio::test]
async fn the_old_databricks_cli_and_a_missing_one_are_passed_over() {
    let (provider, programs) = (Provider::usual().await, Programs::new(&["databricks"]));
    let file = programs.directory.path().join(format!("databricks{}", std::env::consts::EXE_SUFFIX));
    std::fs::write(file, "#!/usr/bin/python\nfrom databricks_cli.cli import cli\n").unwrap();
    for (variable, expected) in [
        (("PATH", programs.path()), "is the old CLI; version 0.100.0 or later is needed"),
        (("PATH", "/nowhere"), "`databricks` is not on PATH"),
        (("DATABRICKS_CLI_PATH", "/nowhere/cli"), "there is no program `/nowhere/cli`"),
    ] {
        let error = authenticate(&provider.config(&[("DATABRICKS_HOST", "acme.test"), variable])).await.unwrap_err();
        let line = error.to_string().lines().find(|line| line.contains("databricks-cli")).unwrap().to_owned();
        assert!(line.ends_with(expected), "{line}");
    }
    assert!(programs.calls().is_empty());
}

/// A token of the Azure CLI for a resource, named in it.
fn az_token(arguments: &str) -> String {
    let resource = if arguments.contains("management") { "management" } else { "databricks" };
    format!(r#"{{"accessToken":"token-{resource}","expiresOn":"2027-01-15 10:00:00.000000","expires_on":1800003600}}"#)
}

#[tokio::test]
async fn the_azure_cli_is_asked_for_two_tokens() {
    let (provider, programs) = (Provider::usual().await, Programs::new(&["az"]));
    let environment = provider.environment(&[AZURE_HOST, ("PATH", programs.path())]);
    let config = Provider::config_in(programs.in_world(environment, |arguments| match arguments {
        "account show --output json" => Ok(USER.to_owned()),
        arguments => Ok(az_token(arguments)),
    }));
    let (method, headers) = authenticate(&config).await.unwrap();
    assert_eq!(method, "azure-cli");
    let expected =
        ["authorization: Bearer token-databricks", "x-databricks-azure-sp-management-token: token-management"];
    assert_eq!(headers, expected);
    let calls = programs.calls();
    assert_eq!(calls[0], "az account show --output json");
    let ask =
        |resource: &str| format!("az account get-access-token --resource {resource} --output json --tenant tenant-1");
    assert!(calls.contains(&ask("2ff814a6-3304-4ab8-85cb-cd0e6f879c1d")), "{calls:?}");
    assert!(calls.contains(&ask("https://management.core.windows.net/")), "{calls:?}");
}

#[tokio::test]
async fn the_azure_cli_is_asked_by_who_is_logged_in() {
    let principal = r#"{"user":{"name":"id","type":"servicePrincipal"}}"#;
    let managed = r#"{"user":{"name":"systemAssignedIdentity","type":"servicePrincipal"}}"#;
    let id = ("DATABRICKS_AZURE_RESOURCE_ID", "/subscriptions/s-1/x");
    // Who is logged in, what fails, and how the last successful call for a Databricks token ends.
    for (account, extra, refused, last) in [
        (principal, None, "--tenant", "--output json"),
        (managed, None, "nothing", "--output json"),
        (USER, None, "management", "--tenant tenant-1"),
        (USER, Some(id), "nothing", "--tenant tenant-1"),
    ] {
        let (provider, programs) = (Provider::usual().await, Programs::new(&["az"]));
        let mut variables = vec![AZURE_HOST, ("PATH", programs.path())];
        variables.extend(extra);
        let environment = provider.environment(&variables);
        let config = Provider::config_in(programs.in_world(environment, move |arguments| match arguments {
            "account show --output json" => Ok(account.to_owned()),
            arguments if arguments.contains(refused) => Err("no".to_owned()),
            arguments => Ok(az_token(arguments)),
        }));
        let (method, headers) = authenticate(&config).await.unwrap();
        assert_eq!(method, "azure-cli");
        let has_management = headers.iter().any(|header| header.contains("management"));
        assert_eq!(has_management, refused != "management", "{headers:?}");
        let calls = programs.calls();
        let good = calls.iter().rfind(|call| call.contains("2ff814a6") && !call.contains(refused)).unwrap();
        assert!(good.ends_with(last), "{calls:?}");
    }
}

#[tokio::test]
async fn an_older_azure_cli_tells_the_end_in_its_token() {
    // {"exp":1800003600}
    let jwt = "h.eyJleHAiOjE4MDAwMDM2MDB9.token-jwt";
    for (token, works) in [(jwt, true), ("token-opaque", false)] {
        let (provider, programs) = (Provider::usual().await, Programs::new(&["az"]));
        let environment = provider.environment(&[AZURE_HOST, ("PATH", programs.path())]);
        let config = Provider::config_in(programs.in_world(environment, move |arguments| match arguments {
            "account show --output json" => Ok(USER.to_owned()),
            _ => Ok(format!(r#"{{"accessToken":"{token}","expiresOn":"2027-01-15 10:00:00.000000"}}"#)),
        }));
        let result = authenticate(&config).await;
        assert_eq!(result.is_ok(), works);
        if let Err(error) = result {
            assert!(error.to_string().contains("tried `azure-cli`: `az` does not say when the token expires"));
        }
    }
}
