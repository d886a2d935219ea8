//! What is approved is what is served: `audit`, its digest, and `--approved`.

use serde_json::{Value, json};

use crate::wire::{Outcome, Wire, binary, initialize};

#[tokio::test]
async fn a_server_starts_only_with_what_was_approved() -> Outcome {
    let written = binary(&["audit", "--json", "--toolsets", "jobs"]).output().await?;
    let approval: Value = serde_json::from_slice(&written.stdout)?;
    let digest = approval["digest"].as_str().ok_or("no digest")?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("approved.json");
    std::fs::write(&file, &written.stdout)?;
    let file = file.to_str().ok_or("no path")?;

    let mut wire = Wire::open(binary(&["--toolsets", "jobs", "--approved", file]))?;
    let answer = wire.ask(&initialize(1, "2025-11-25")).await?;
    let description = answer["result"]["serverInfo"]["description"].as_str().unwrap_or_default();
    assert!(description.ends_with(&format!("sha256:{digest}")), "{answer}");
    assert_eq!(wire.end().await?.0, Some(0));
    let told = binary(&["audit", "--toolsets", "jobs"]).output().await?;
    assert!(String::from_utf8(told.stdout)?.contains(digest), "people see the same digest");

    let edited = std::fs::read_to_string(file)?.replacen("\"destructive\"", "\"read\"", 1);
    let forged = directory.path().join("edited.json");
    std::fs::write(&forged, edited)?;
    let forged = forged.to_str().ok_or("no path")?;
    for (options, words) in [
        (&["--toolsets", "jobs,apps", "--approved", file][..], "`tools.deploy_app` was not approved"),
        (&["--toolsets", "jobs", "--read-only", "--approved", file], "`options.read_only`"),
        (&["--toolsets", "jobs", "--approved", forged], "changed after it was written"),
        (&["--toolsets", "jobs", "--approved", "/nowhere/approved.json"], "cannot read `--approved"),
    ] {
        let mut wire = Wire::open(binary(options))?;
        // It may have ended before it is spoken to.
        let _ = wire.send(&json!({})).await;
        let (code, stderr) = wire.end().await?;
        assert!(code == Some(1) && stderr.contains(words), "{options:?}: {code:?} {stderr}");
        for command in [&["tools", "list"][..], &["call", "list_jobs"], &["resources", "list"], &["prompts", "list"]] {
            let output = binary(&[options, command].concat()).output().await?;
            let stderr = String::from_utf8(output.stderr)?;
            assert!(output.status.code() == Some(1) && stderr.contains(words), "{options:?} {command:?}: {stderr}");
        }
    }
    Ok(())
}
