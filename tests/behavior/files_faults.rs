//! Files under faults: what arrives arrives once and whole, what does not leaves nothing, and each failure says what to do.

use std::fs;
use std::time::Duration;

use databricks_mcp_server::local::LocalRoots;
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};
use crate::waiting::items;

const VOLUME: &str = "/Volumes/main/default/landing";
const UPLOAD: &str = "PUT /api/2.0/fs/files/**";
const DOWNLOAD: &str = "GET /api/2.0/fs/files/**";
const IMPORT: &str = "POST /api/2.0/workspace/import";

async fn harness(faults: Value) -> Result<(Harness, tempfile::TempDir), Box<dyn std::error::Error>> {
    let home = tempfile::tempdir()?;
    let local = LocalRoots::open(&[home.path().to_owned()])?;
    Ok((Harness::impatient(faults, local).await?, home))
}

fn lost(route: &str) -> Value {
    json!({ "route": route, "fault": "connection_reset", "handled": true, "times": 1 })
}

fn denied(route: &str) -> Value {
    json!({ "route": route, "fault": "permission_denied" })
}

/// Bytes that differ from place to place.
fn bytes(count: u32) -> Vec<u8> {
    (0..count).map(|number| (number % 253) as u8).collect()
}

#[tokio::test]
async fn an_upload_that_is_turned_away_at_first_arrives_once_and_whole() -> Outcome {
    let busy = |route: &str| json!({ "route": route, "fault": "unavailable", "times": 2 });
    let (harness, home) = harness(json!([busy(UPLOAD), busy(IMPORT)])).await?;
    fs::write(home.path().join("data.bin"), bytes(600_001))?;
    for (folder, name) in [(VOLUME, "volume.bin"), ("/Shared", "tree.bin")] {
        let path = format!("{folder}/data.bin");
        let up =
            harness.answer("upload_file", json!({ "path": path, "local_path": "data.bin", "overwrite": true })).await?;
        let down = harness.answer("download_file", json!({ "path": path, "local_path": name })).await?;
        assert_eq!(up["sha256"], down["sha256"], "{down}");
        assert!(fs::read(home.path().join(name))? == bytes(600_001), "other bytes came back from {path}");
    }
    for rule in harness.faults().await?.as_array().ok_or("no rules")? {
        assert_eq!((&rule["hits"], &rule["seen"]), (&json!(2), &json!(3)), "{rule}");
    }
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_of_an_upload_is_told_or_made_good() -> Outcome {
    for (route, path, list) in [
        (UPLOAD, format!("{VOLUME}/lost.txt"), "list_volume_files"),
        (IMPORT, "/Shared/lost.txt".to_owned(), "list_workspace_items"),
    ] {
        let (harness, _home) = harness(json!([lost(route)])).await?;
        let write = |overwrite: bool| json!({ "path": path, "content": "whole", "overwrite": overwrite });
        let refusal = harness.refusal("upload_file", write(false)).await?;
        for expected in ["may have arrived", list, "`overwrite: true`"] {
            assert!(refusal.contains(expected), "no {expected}: {refusal}");
        }
        assert_eq!(harness.faults().await?[0]["seen"], 1, "it was sent again");
        let again = harness.refusal("upload_file", write(false)).await?;
        assert!(again.contains("already at this path"), "{again}");

        let (harness, home) = self::harness(json!([lost(route)])).await?;
        harness.answer("upload_file", write(true)).await?;
        assert_eq!(harness.faults().await?[0]["seen"], 2, "it was not sent again");
        harness.answer("download_file", json!({ "path": path, "local_path": "back" })).await?;
        assert_eq!(fs::read_to_string(home.path().join("back"))?, "whole");
    }
    let (harness, _home) = harness(json!([lost(IMPORT)])).await?;
    let notebook = json!({ "path": "/Shared/lost", "content": "print(1)", "language": "PYTHON" });
    let refusal = harness.refusal("import_notebook", notebook.clone()).await?;
    assert!(refusal.contains("was made although its answer was lost") && refusal.contains("`PYTHON`"), "{refusal}");
    let again = harness.refusal("import_notebook", notebook).await?;
    assert!(again.contains("already at this path"), "{again}");
    assert!(harness.answer("export_notebook", json!({ "path": "/Shared/lost" })).await?["content"].is_string());
    Ok(())
}

#[tokio::test]
async fn a_missing_permission_is_told_and_leaves_nothing() -> Outcome {
    let (harness, home) = harness(json!([denied("/api/2.0/fs/**"), denied("/api/2.0/workspace/**")])).await?;
    let (volume, tree) = (format!("{VOLUME}/README.md"), "/Shared/etl/load_orders");
    fs::create_dir(home.path().join("app"))?;
    fs::write(home.path().join("app/a.txt"), "a")?;
    for (tool, arguments) in [
        ("upload_file", json!({ "path": volume, "content": "x" })),
        ("upload_file", json!({ "path": "/Shared/x.txt", "content": "x" })),
        ("download_file", json!({ "path": volume, "local_path": "new/down" })),
        ("download_file", json!({ "path": tree, "local_path": "new/down" })),
        ("read_volume_file", json!({ "path": volume })),
        ("upload_folder", json!({ "path": VOLUME, "local_path": "app/../app" })),
        ("upload_folder", json!({ "path": format!("{VOLUME}/app"), "local_path": "app" })),
        ("upload_folder", json!({ "path": "/Shared/app", "local_path": "app" })),
        ("import_notebook", json!({ "path": "/Shared/x", "content": "1", "language": "PYTHON" })),
        ("export_notebook", json!({ "path": tree })),
    ] {
        let refusal = harness.refusal(tool, arguments.clone()).await?;
        let expected = if arguments["local_path"] == "app/../app" { "outside of" } else { "lacks the permission" };
        assert!(refusal.contains(expected), "{tool} {arguments}: {refusal}");
    }
    assert!(!home.path().join("new").exists(), "something was made for nothing");
    Ok(())
}

#[tokio::test]
async fn a_file_that_changes_while_it_is_read_is_no_file() -> Outcome {
    // The second part is late, and meanwhile somebody writes.
    let late = json!({ "route": DOWNLOAD, "fault": "slow_headers", "delay_ms": 3_000, "after": 1, "times": 1 });
    let (harness, home) = harness(json!([late])).await?;
    fs::write(home.path().join("data.bin"), bytes(9_000_001))?;
    let path = format!("{VOLUME}/data.bin");
    harness.answer("upload_file", json!({ "path": path, "local_path": "data.bin" })).await?;
    let change = async {
        harness.until_heard(|state| state.contains("of 9000001 bytes")).await?;
        harness.advance(Duration::from_secs(5));
        harness.answer("upload_file", json!({ "path": path, "content": "other", "overwrite": true })).await
    };
    let down = harness.refusal("download_file", json!({ "path": path, "local_path": "back.bin" }));
    let (refusal, changed) = tokio::join!(down, change);
    changed?;
    let refusal = refusal?;
    assert!(
        refusal.contains("was changed while it was read") && refusal.contains("read it again from the start"),
        "{refusal}"
    );
    assert_eq!(fs::read_dir(home.path())?.count(), 1, "something stays of half a download");
    let down = harness.answer("download_file", json!({ "path": path, "local_path": "back.bin" })).await?;
    assert_eq!(down["size"], 5, "{down}");
    Ok(())
}

#[tokio::test]
async fn a_download_that_is_cut_is_made_whole_or_leaves_nothing() -> Outcome {
    let path = format!("{VOLUME}/data.bin");
    for (rule, is_whole) in [
        (json!({ "route": DOWNLOAD, "fault": "truncated_body", "after": 1, "times": 1 }), true),
        (json!({ "route": DOWNLOAD, "fault": "unavailable", "after": 1, "times": 2 }), true),
        (json!({ "route": DOWNLOAD, "fault": "truncated_body", "after": 1 }), false),
        (json!({ "route": DOWNLOAD, "fault": "permission_denied", "after": 1 }), false),
    ] {
        let (harness, home) = harness(json!([rule])).await?;
        fs::write(home.path().join("data.bin"), bytes(9_000_001))?;
        harness.answer("upload_file", json!({ "path": path, "local_path": "data.bin" })).await?;
        let call = json!({ "path": path, "local_path": "back.bin" });
        if is_whole {
            harness.answer("download_file", call).await?;
            assert!(fs::read(home.path().join("back.bin"))? == bytes(9_000_001), "{rule}: other bytes came back");
        } else {
            harness.refusal("download_file", call).await?;
            assert_eq!(fs::read_dir(home.path())?.count(), 1, "{rule}: something stays of half a download");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_cancelled_folder_leaves_complete_files_and_goes_on_no_further() -> Outcome {
    let slow = json!({ "route": UPLOAD, "fault": "slow_headers", "delay_ms": 1_000 });
    let (harness, home) = harness(json!([slow])).await?;
    fs::create_dir(home.path().join("app"))?;
    for number in 0..80 {
        fs::write(home.path().join(format!("app/{number:02}.bin")), bytes(300_000))?;
    }
    let path = format!("{VOLUME}/app");
    // A folder can be listed only once it is there.
    harness.answer("upload_folder", json!({ "path": path, "local_path": "app", "include": ["00.bin"] })).await?;
    let list = ("list_volume_files", json!({ "path": path }));
    let call = json!({ "path": path, "local_path": "app" });
    harness.cancelled("upload_folder", call, list.clone(), |answer| items(answer).count() > 1).await?;
    // It takes as long as what was under way at the end.
    harness.answer("upload_file", json!({ "path": format!("{VOLUME}/after.txt"), "content": "x" })).await?;
    let (files, _) = harness.all(list.0, list.1).await?;
    assert!(files.len() > 1 && files.len() < 40, "{} files", files.len());
    assert!(files.iter().all(|file| file["file_size"] == 300_000), "{files:?}");
    Ok(())
}

#[tokio::test]
async fn files_of_a_folder_that_fail_are_named_and_come_with_a_second_call() -> Outcome {
    let once = |rule: Value| {
        let mut rule = rule;
        rule["times"] = json!(1);
        rule
    };
    let file = |name: &str| format!("PUT /api/2.0/fs/files{VOLUME}/app/{name}");
    let (harness, home) = harness(json!([once(denied(&file("b.csv"))), lost(&file("deep/c.csv"))])).await?;
    fs::create_dir_all(home.path().join("app/deep"))?;
    for (path, text) in [("app/a.csv", "1"), ("app/b.csv", "22"), ("app/deep/c.csv", "333")] {
        fs::write(home.path().join(path), text)?;
    }
    let call = json!({ "path": format!("{VOLUME}/app"), "local_path": "app" });
    let refusal = harness.refusal("upload_folder", call.clone()).await?;
    for expected in ["2 files were not uploaded", "app/b.csv", "app/deep/c.csv", "\"uploaded\":1", "call it again"] {
        assert!(refusal.contains(expected), "no {expected}: {refusal}");
    }
    // One had arrived all the same.
    let answer = harness.answer("upload_folder", call).await?;
    assert_eq!((&answer["uploaded"], &answer["skipped_existing"]), (&json!(1), &json!(2)), "{answer}");
    for (path, text) in [("a.csv", "1"), ("b.csv", "22"), ("deep/c.csv", "333")] {
        let read = harness.answer("read_volume_file", json!({ "path": format!("{VOLUME}/app/{path}") })).await?;
        assert_eq!(read["content"], text, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_too_large_for_the_workspace_tree_is_sent_to_volumes() -> Outcome {
    let (harness, home) = harness(json!([{ "route": IMPORT, "fault": "internal_error" }])).await?;
    fs::create_dir(home.path().join("app"))?;
    fs::write(home.path().join("app/large.py"), bytes(10 * 1024 * 1024 + 1))?;
    for (tool, arguments) in [
        ("upload_file", json!({ "path": "/Shared/large.py", "local_path": "app/large.py" })),
        ("upload_folder", json!({ "path": "/Shared/app", "local_path": "app" })),
        ("import_notebook", json!({ "path": "/Shared/large", "local_path": "app/large.py" })),
    ] {
        let refusal = harness.refusal(tool, arguments).await?;
        assert!(refusal.contains("10485761 bytes") && refusal.contains("`/Volumes/"), "{tool}: {refusal}");
    }
    assert_eq!(harness.faults().await?[0]["seen"], 0, "it was sent");
    let volume = json!({ "path": format!("{VOLUME}/large.py"), "local_path": "app/large.py" });
    assert_eq!(harness.answer("upload_file", volume).await?["size"], 10_485_761);
    Ok(())
}
