//! `health`: what it asks, and what its exit code says.
#![cfg(unix)]

use std::net::TcpListener;
use std::process::Output;

use crate::callers::{ANNA, Keys};
use crate::house::{Outcome, until};
use crate::process::{Process, certify, command};

/// What `health` says with these flags and variables.
async fn health(arguments: &[&str], variables: &[(&str, &str)]) -> std::io::Result<(bool, String)> {
    let arguments: Vec<_> = ["health"].iter().chain(arguments).copied().collect();
    let mut command = command(&arguments);
    let Output { status, stdout, stderr } = command.envs(variables.iter().copied()).output().await?;
    let said = [stdout, stderr].concat();
    Ok((status.success(), String::from_utf8_lossy(&said).trim().to_owned()))
}

#[tokio::test]
async fn a_server_is_found_by_the_variables_that_started_it() -> Outcome {
    // It is free again, and hardly anybody else takes it.
    let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let (listen, keys) =
        (format!("0.0.0.0:{port}"), Keys::new(&format!("keys: [{{ name: anna, sha256: {ANNA} }}]\n"))?);
    let path = keys.path.display().to_string();
    let variables = [
        ("DATABRICKS_MCP_LISTEN", listen.as_str()),
        ("DATABRICKS_MCP_AUTH", "bearer"),
        ("DATABRICKS_MCP_LOG_LEVEL", "error"),
        ("DATABRICKS_MCP_KEYS", path.as_str()),
        // Under no other name do clients address it.
        ("DATABRICKS_MCP_PUBLIC_URL", "https://mcp.acme.test/mcp"),
    ];
    let (healthy, said) = health(&[], &variables).await?;
    assert!(!healthy && said.contains("cannot be asked"), "{said}");
    let mut start = command(&["http", "--sandbox"]);
    start.envs(variables);
    let process = Process::open(start).await?;
    assert_eq!(health(&[], &variables).await?, (true, "ok".to_owned()));
    assert_eq!(health(&["--ready"], &variables).await?, (true, "ready".to_owned()));
    let url = format!("http://127.0.0.1:{port}");
    assert_eq!(health(&[&url], &[]).await?, (true, "ok".to_owned()));
    let (healthy, said) = health(&[&format!("{url}/nothing")], &[]).await?;
    assert!(!healthy && said.starts_with("status 404"), "{said}");
    process.signal()?;
    process.ended().await?;
    assert!(!health(&[], &variables).await?.0);
    Ok(())
}

#[tokio::test]
async fn a_server_without_a_workspace_is_alive_and_not_ready() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("mcp.sock").display().to_string();
    let listen = format!("unix:{path}");
    let mut start = command(&["http", "--listen", &listen]);
    start.env("DATABRICKS_HOST", "http://127.0.0.1:9").env("DATABRICKS_TOKEN", "dapi-none");
    let _process = Process::open(start).await?;
    assert_eq!(health(&["--unix", &path], &[]).await?, (true, "ok".to_owned()));
    let (ready, said) = health(&["--ready", "--unix", &path], &[]).await?;
    assert!(!ready && said.starts_with("status 503") && said.contains("does not answer"), "{said}");
    Ok(())
}

#[tokio::test]
async fn with_tls_only_the_server_of_this_certificate_is_believed() -> Outcome {
    let folder = tempfile::tempdir()?;
    certify(folder.path())?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    let start = ["http", "--sandbox", "--listen", "127.0.0.1:0", "--tls-cert", &cert, "--tls-key", &key];
    let process = Process::open(command(&start)).await?;
    let address = process.url.trim_start_matches("https://").trim_end_matches("/mcp").to_owned();
    let own = ["--listen", &address, "--tls-cert", &cert, "--tls-key", &key];
    assert_eq!(health(&own, &[]).await?, (true, "ok".to_owned()));
    // Nobody whom this system trusts has issued it.
    let (healthy, said) = health(&[&process.url], &[]).await?;
    assert!(!healthy && said.contains("cannot be asked"), "{said}");
    // Nor is another one believed that says it were the server.
    let other = tempfile::tempdir()?;
    certify(other.path())?;
    let foreign = other.path().join("cert.pem").display().to_string();
    let (healthy, said) = health(&["--listen", &address, "--tls-cert", &foreign, "--tls-key", &key], &[]).await?;
    assert!(!healthy, "{said}");
    // A new certificate is taken when the server has it, too.
    certify(folder.path())?;
    until("it is healthy again", || async { Ok(health(&own, &[]).await?.0) }).await
}
