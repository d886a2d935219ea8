//! `doctor` by the real binary: all is well on the sandbox, and each kind of broken set-up is named as what it is.
//!
//! What it prints is in `tests/doctor/`, one file a case; accept changes with `UPDATE_SNAPSHOTS=1`.

#[cfg(target_os = "linux")] // Elsewhere the system's own store says whom to trust, and no variable.
#[path = "../network/certificates.rs"]
mod certificates;
mod fake;

use std::error::Error;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use databricks_sandbox::{Faults, Options, Sandbox};
use serde_json::Value;
use tokio::process::Command;

use fake::{http, json, page, refusal, well};

type Outcome = Result<(), Box<dyn Error>>;

const ACCEPT: &str = "UPDATE_SNAPSHOTS";
const TOKEN: &str = "dapi-0123456789-never-shown";

/// A set-up: variables, the configuration file, arguments.
#[derive(Default)]
struct Setup<'a> {
    variables: Vec<(&'a str, &'a str)>,
    profiles: &'a str,
    arguments: Vec<&'a str>,
}

impl<'a> Setup<'a> {
    /// A host and a token for it.
    fn of(host: &'a str) -> Self {
        Self { variables: vec![("DATABRICKS_HOST", host), ("DATABRICKS_TOKEN", TOKEN)], ..Self::default() }
    }

    fn and(mut self, name: &'a str, value: &'a str) -> Self {
        self.variables.push((name, value));
        self
    }

    fn with(mut self, arguments: &[&'a str]) -> Self {
        self.arguments.extend(arguments);
        self
    }

    /// What is printed, and the exit code.
    async fn examined(&self) -> Result<(String, Option<i32>), Box<dyn Error>> {
        let home = tempfile::tempdir()?;
        let file = home.path().join(".databrickscfg");
        std::fs::write(&file, self.profiles)?;
        let mut command = Command::new(env!("CARGO_BIN_EXE_databricks-mcp-server"));
        command.arg("doctor").args(&self.arguments).env_clear().env("HOME", home.path());
        // Few tools, so that the reports change with this command alone.
        command.args(["--tools", "list_jobs,list_catalogs,list_workspace_items,execute_sql"]);
        command.envs(self.variables.iter().copied()).stdin(Stdio::null());
        let output = command.output().await?;
        let (text, errors) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
        assert_eq!(errors, "");
        assert!(!text.contains(TOKEN), "{text}");
        Ok((text.replace(&*home.path().to_string_lossy(), "~"), output.status.code()))
    }

    /// Checks the report against its snapshot, and that the fault is in this check and no other.
    async fn shows(&self, name: &str, fault: Option<&str>) -> Outcome {
        let (text, code) = self.examined().await?;
        let failed: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("  failed   ")).collect();
        let failed: Vec<_> = failed.iter().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(failed, fault.into_iter().collect::<Vec<_>>(), "{name}:\n{text}");
        assert_eq!(code, Some(i32::from(fault.is_some())), "{name}:\n{text}");
        compare(name, &settled(&text))
    }
}

/// The report without what differs from run to run.
fn settled(text: &str) -> String {
    let mut settled = String::new();
    for line in text.lines() {
        let line = match line.split_once("server          version") {
            Some((before, _)) => format!("{before}server          version …"),
            None => ports(line),
        };
        settled.push_str(line.trim_end());
        settled.push('\n');
    }
    settled
}

/// Every port of loopback, but the one where nobody listens.
fn ports(line: &str) -> String {
    let mut parts = line.split("127.0.0.1:");
    let mut settled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let rest = part.trim_start_matches(|digit: char| digit.is_ascii_digit());
        let port = part.strip_suffix(rest).filter(|port| *port == "9").unwrap_or("PORT");
        settled.push_str(&format!("127.0.0.1:{port}{rest}"));
    }
    settled
}

fn compare(name: &str, current: &str) -> Outcome {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/doctor").join(format!("{name}.txt"));
    if std::env::var_os(ACCEPT).is_some() {
        return Ok(std::fs::write(path, current)?);
    }
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    assert_eq!(current, expected, "accept with `{ACCEPT}=1 cargo test --test doctor`, then review the difference");
    Ok(())
}

#[tokio::test]
async fn all_is_well_on_the_sandbox() -> Outcome {
    let setup = Setup::default().with(&["--sandbox", "--sql"]);
    setup.shows("sandbox", None).await?;
    let (text, _) = setup.with(&["--json"]).examined().await?;
    let report: Value = serde_json::from_str(&text)?;
    assert_eq!((&report["healthy"], &report["server"]["status"]), (&Value::Bool(true), &"ok".into()));
    let checks = report["workspaces"][0]["checks"].as_array().ok_or("no checks")?;
    let names: Vec<_> = checks.iter().filter_map(|check| check["check"].as_str()).collect();
    let expected = "configuration host metadata authentication identity permissions warehouse clock proxy tls";
    assert_eq!(names.join(" "), expected);
    assert!(checks.iter().all(|check| check["status"] == "ok" && check.get("hint").is_none()), "{report}");
    Ok(())
}

#[tokio::test]
async fn a_workspace_by_variables() -> Outcome {
    let sandbox = Sandbox::start(Options::default().with_token(TOKEN)).await?;
    Setup::of(sandbox.url()).and("HTTPS_PROXY", "http://127.0.0.1:9").shows("variables", None).await
}

#[tokio::test]
async fn no_host() -> Outcome {
    Setup::default().and("DATABRICKS_TOKEN", TOKEN).shows("no_host", Some("host")).await
}

#[tokio::test]
async fn a_host_without_an_address() -> Outcome {
    Setup::of("https://nowhere.invalid").shows("no_address", Some("host")).await
}

#[tokio::test]
async fn a_host_that_refuses_connections() -> Outcome {
    // Nothing listens on the discard port.
    Setup::of("http://127.0.0.1:9").shows("refused", Some("host")).await
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_certificate_is_trusted_or_not() -> Outcome {
    let certificates = certificates::Certificates::make()?;
    let host = fake::https(certificates.server(), well)?;
    let (right, wrong) = (certificates.authority(), certificates.another());
    let (right, wrong) = (right.to_str().ok_or("no path")?, wrong.to_str().ok_or("no path")?);
    Setup::of(&host).and("SSL_CERT_FILE", right).shows("trusted", None).await?;
    Setup::of(&host).and("SSL_CERT_FILE", wrong).shows("untrusted", Some("tls")).await
}

#[tokio::test]
async fn a_host_that_is_no_workspace() -> Outcome {
    Setup::of(&http(|_| page())?).shows("no_workspace", Some("metadata")).await
}

#[tokio::test]
async fn a_wrong_token() -> Outcome {
    let sandbox = Sandbox::start(Options::default()).await?;
    Setup::of(sandbox.url()).shows("wrong_token", Some("identity")).await?;
    let unauthorized = http(|path| match path {
        "/.well-known/databricks-config" => well(path),
        _ => refusal("401 Unauthorized", r#"{"error_code":"UNAUTHENTICATED","message":"Credential was not sent"}"#),
    })?;
    Setup::of(&unauthorized).shows("unauthorized", Some("identity")).await
}

#[tokio::test]
async fn a_token_that_may_nothing() -> Outcome {
    let host = http(|path| match path {
        "/.well-known/databricks-config" => well(path),
        _ => refusal("403 Forbidden", r#"{"error_code":"PERMISSION_DENIED","message":"no access to this workspace"}"#),
    })?;
    let (text, code) = Setup::of(&host).examined().await?;
    assert_eq!(code, Some(1));
    compare("no_permission", &settled(&text))
}

#[tokio::test]
async fn a_permission_that_lacks() -> Outcome {
    let host = http(|path| match path {
        "/api/2.1/unity-catalog/catalogs" => {
            refusal("403 Forbidden", r#"{"error_code":"PERMISSION_DENIED","message":"no metastore access"}"#)
        }
        _ => well(path),
    })?;
    Setup::of(&host).shows("lacking_permission", Some("permissions")).await
}

#[tokio::test]
async fn no_credentials() -> Outcome {
    let sandbox = Sandbox::start(Options::default()).await?;
    Setup::default().and("DATABRICKS_HOST", sandbox.url()).shows("no_credentials", Some("authentication")).await
}

#[tokio::test]
async fn two_methods_at_once() -> Outcome {
    let sandbox = Sandbox::start(Options::default()).await?;
    let setup = Setup::of(sandbox.url()).and("DATABRICKS_USERNAME", "ann").and("DATABRICKS_PASSWORD", TOKEN);
    setup.shows("two_methods", Some("authentication")).await
}

#[tokio::test]
async fn profiles_that_are_not_there_or_not_readable() -> Outcome {
    let unknown =
        Setup { profiles: "[dev]\nhost = https://dev.test\n[prod]\nhost = https://prod.test\n", ..Setup::default() };
    unknown.with(&["--profile", "prd"]).shows("unknown_profile", Some("configuration")).await?;
    let malformed =
        Setup { profiles: "[dev]\nhost = https://dev.test\ndapi-0123456789-never-shown\n", ..Setup::default() };
    malformed.with(&["--profile", "dev"]).shows("malformed_file", Some("configuration")).await
}

#[tokio::test]
async fn profiles_with_lines_that_do_not_count() -> Outcome {
    let profiles = "[dev]\nHOST = https://dev.test\n[prod]\nhost = https://prod.test\n[dev]\ntoken dapi-0123456789-never-shown:1\ncluster_id = 1\n";
    let setup = Setup { profiles, ..Setup::default() };
    setup.with(&["--profile", "dev"]).shows("ignored_lines", Some("host")).await
}

#[tokio::test]
async fn variables_that_the_client_did_not_expand() -> Outcome {
    Setup::of("${DATABRICKS_HOST}").shows("unexpanded_host", Some("configuration")).await?;
    let sandbox = Sandbox::start(Options::default()).await?;
    let token = Setup::default().and("DATABRICKS_HOST", sandbox.url()).and("DATABRICKS_TOKEN", "{{token}}");
    token.shows("unexpanded_token", Some("configuration")).await
}

#[cfg(unix)]
#[tokio::test]
async fn a_named_pipe_as_the_configuration_file() -> Outcome {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&path).status().await?.success());
    let path = path.to_string_lossy();
    let (text, code) = Setup::default().and("DATABRICKS_CONFIG_FILE", &path).examined().await?;
    assert!(code == Some(1) && text.contains("it is not a regular file"), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_client_secret_that_has_expired() -> Outcome {
    let host = http(|path| match path {
        "/oidc/.well-known/oauth-authorization-server" => {
            json(r#"{"authorization_endpoint":"{self}/oidc/v1/authorize","token_endpoint":"{self}/oidc/v1/token"}"#)
        }
        "/oidc/v1/token" => refusal(
            "401 Unauthorized",
            r#"{"error":"invalid_client","error_description":"Client authentication failed"}"#,
        ),
        _ => well(path),
    })?;
    let setup = Setup::default().and("DATABRICKS_HOST", &host).and("DATABRICKS_CLIENT_ID", "a1");
    setup.and("DATABRICKS_CLIENT_SECRET", TOKEN).shows("expired_secret", Some("authentication")).await
}

#[tokio::test]
async fn a_login_page_for_want_of_a_workspace() -> Outcome {
    let host = http(|path| match path {
        "/.well-known/databricks-config" => json(r#"{"account_id":"acc","cloud":"AWS","host_type":"unified"}"#),
        _ => page(),
    })?;
    Setup::of(&host).shows("no_workspace_id", Some("identity")).await
}

#[tokio::test]
async fn a_clock_that_is_wrong() -> Outcome {
    for (minutes, name, fault) in [(10, "clock_wrong", Some("clock")), (3, "clock_off", None)] {
        let host = http(move |path| {
            let date = SystemTime::now() + Duration::from_secs(60 * minutes + 5);
            well(path).with(format!("Date: {}", httpdate::fmt_http_date(date)))
        })?;
        Setup::of(&host).shows(name, fault).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_proxy_that_is_not_there() -> Outcome {
    let setup = Setup::of("https://acme.test").and("HTTPS_PROXY", "http://me:hunter2@127.0.0.1:9");
    let (text, _) = setup.examined().await?;
    assert!(!text.contains("hunter2"), "{text}");
    setup.shows("proxy", Some("proxy")).await?;
    Setup::of("https://nowhere.invalid")
        .and("HTTPS_PROXY", "http://127.0.0.1:9")
        .and("NO_PROXY", ".invalid")
        .shows("proxy_bypassed", Some("host"))
        .await
}

#[tokio::test]
async fn warehouses_that_are_stopped_or_missing() -> Outcome {
    let none = http(|path| match path {
        "/api/2.0/sql/warehouses" => json(r#"{"warehouses":[]}"#),
        _ => well(path),
    })?;
    Setup::of(&none).shows("no_warehouse", Some("warehouse")).await?;
    let stopped = http(|path| match path {
        "/api/2.0/sql/warehouses" => json(r#"{"warehouses":[{"id":"w1","name":"Small","state":"STOPPED"}]}"#),
        _ => well(path),
    })?;
    Setup::of(&stopped).shows("stopped_warehouse", None).await?;
    let setup = Setup::of(&stopped).and("DATABRICKS_WAREHOUSE_ID", "w2");
    setup.shows("wrong_warehouse", Some("warehouse")).await
}

#[tokio::test]
async fn a_workspace_that_limits_the_rate() -> Outcome {
    let faults = r#"[{ "route": "/api/**", "fault": "too_many_requests", "retry_after": 30 }]"#;
    let options = Options::default().with_token(TOKEN).with_faults(Faults::parse(faults)?);
    let sandbox = Sandbox::start(options).await?;
    Setup::of(sandbox.url()).shows("rate_limited", Some("identity")).await
}

#[tokio::test]
async fn a_private_link() -> Outcome {
    let host = http(|path| match path {
        "/.well-known/databricks-config" => well(path),
        _ => refusal("302 Found", "").with("Location: /login.html?error=private-link-validation-error:7"),
    })?;
    Setup::of(&host).shows("private_link", Some("identity")).await
}

#[tokio::test]
async fn several_profiles_each_by_its_own() -> Outcome {
    let dev = Sandbox::start(Options::default().with_token("dapi-of-dev-123")).await?;
    let profiles = format!("[dev]\nhost = {}\ntoken = dapi-of-dev-123\n[prod]\nhost = {}\n", dev.url(), http(well)?);
    // The shell's variables belong to some workspace, and to which nobody knows.
    let setup = Setup { profiles: &profiles, ..Setup::of("https://shell.invalid") };
    let setup = setup.and("DATABRICKS_MCP_PROFILES", "dev,prod").and("DATABRICKS_WAREHOUSE_ID", "shell");
    setup.shows("several", Some("authentication")).await
}
