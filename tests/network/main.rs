//! The real binary in a network as companies have it: a proxy with a password, and a certificate authority of its own.
#![cfg(target_os = "linux")] // Elsewhere the system's own store says whom to trust, and no variable.

mod certificates;
mod company;

use std::error::Error;
use std::process::{Output, Stdio};

use tokio::process::Command;

use company::{Company, SECRETS};

type Outcome = Result<(), Box<dyn Error>>;

/// Runs a tool there. Everything is logged that this process has to say.
async fn call(company: &Company, extra: &[(&str, &str)]) -> Result<(Output, String), Box<dyn Error>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_databricks-mcp-server"));
    command.args(["--log-level", "trace", "call", "list_jobs"]).env_clear().stdin(Stdio::null()).kill_on_drop(true);
    command.env("HTTPS_PROXY", company.proxy_url()).env("SSL_CERT_FILE", company.authority());
    command.env("DATABRICKS_HOST", "https://acme.test").env("DATABRICKS_CLIENT_ID", "principal");
    command.env("DATABRICKS_CLIENT_SECRET", SECRETS[0]);
    for (name, value) in extra {
        command.env(name, value);
    }
    let output = command.output().await?;
    let log = String::from_utf8(output.stderr.clone())?;
    for secret in SECRETS {
        let shown = log.contains(secret) || String::from_utf8_lossy(&output.stdout).contains(secret);
        assert!(!shown, "`{secret}` is shown:\n{log}");
    }
    Ok((output, log))
}

#[tokio::test]
async fn it_speaks_http2_through_a_proxy_and_trusts_the_authority() -> Outcome {
    let company = Company::start(&["h2", "http/1.1"]).await?;
    let (output, log) = call(&company, &[]).await?;
    assert!(output.status.success(), "{log}");
    let seen = company.seen();
    // One connection serves all requests.
    assert_eq!(seen.connects, ["acme.test:443"], "{log}");
    let lines: Vec<_> = seen.requests.iter().map(|request| request.line.as_str()).collect();
    let expected = [
        "HTTP/2.0 GET /.well-known/databricks-config",
        "HTTP/2.0 GET /oidc/.well-known/oauth-authorization-server",
        "HTTP/2.0 POST /oidc/v1/token",
    ];
    assert_eq!(lines.get(..3), Some(&expected[..]));
    let listed = seen.requests.last().ok_or("no request")?;
    assert!(listed.line.starts_with("HTTP/2.0 GET /api/2.2/jobs/list"), "{}", listed.line);
    assert_eq!(listed.authorization, format!("Bearer {}", SECRETS[1]));
    let product = concat!("databricks-mcp-server/", env!("CARGO_PKG_VERSION"), " databricks-sdk-rust/");
    assert!(listed.user_agent.starts_with(product), "{}", listed.user_agent);
    assert!(listed.user_agent.contains(" auth/oauth-m2m"), "{}", listed.user_agent);
    assert!(log.contains("h2::"), "the HTTP library is not heard:\n{log}");
    Ok(())
}

#[tokio::test]
async fn it_speaks_http1_where_nothing_newer_is_offered() -> Outcome {
    let company = Company::start(&["http/1.1"]).await?;
    let (output, log) = call(&company, &[]).await?;
    assert!(output.status.success(), "{log}");
    let seen = company.seen();
    assert_eq!(seen.connects, ["acme.test:443"], "the connection is not used again");
    assert!(seen.requests.iter().all(|request| request.line.starts_with("HTTP/1.1 ")));
    assert_eq!(seen.requests.last().map(|request| request.authorization.as_str()), Some("Bearer token-never-shown-1"));
    Ok(())
}

#[tokio::test]
async fn an_unknown_authority_is_told_and_gets_no_request() -> Outcome {
    let company = Company::start(&["h2"]).await?;
    let another = company.another_authority();
    let (output, log) = call(&company, &[("SSL_CERT_FILE", another.to_str().ok_or("no path")?)]).await?;
    assert_eq!(output.status.code(), Some(1));
    assert!(log.contains("certificate") && log.contains("hint: set SSL_CERT_FILE"), "{log}");
    assert!(company.seen().requests.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_proxy_that_is_not_there_is_told() -> Outcome {
    let company = Company::start(&["h2"]).await?;
    // Nothing listens on the discard port.
    let (output, log) = call(&company, &[("HTTPS_PROXY", "http://127.0.0.1:9")]).await?;
    assert_eq!(output.status.code(), Some(1));
    assert!(log.contains("proxy settings"), "{log}");
    Ok(())
}

#[tokio::test]
async fn what_runs_on_this_machine_is_reached_without_the_proxy() -> Outcome {
    let company = Company::start(&["h2"]).await?;
    let host = format!("https://localhost:{}", company.workspace_port());
    let (output, log) = call(&company, &[("DATABRICKS_HOST", &host)]).await?;
    assert!(output.status.success(), "{log}");
    let seen = company.seen();
    assert!(seen.connects.is_empty() && !seen.requests.is_empty(), "{log}");
    Ok(())
}

#[tokio::test]
async fn clear_text_is_refused_before_anything_is_sent() -> Outcome {
    let company = Company::start(&["h2"]).await?;
    let (output, log) =
        call(&company, &[("DATABRICKS_HOST", "http://acme.test"), ("HTTP_PROXY", &company.proxy_url())]).await?;
    assert_eq!(output.status.code(), Some(1));
    assert!(log.contains("in clear text") && log.contains("hint: write it with `https://`"), "{log}");
    assert!(company.seen().connects.is_empty());
    Ok(())
}
