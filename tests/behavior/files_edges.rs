//! Files with odd names, sizes and kinds.

use std::fs;

use databricks_mcp_server::local::LocalRoots;
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};

const VOLUME: &str = "/Volumes/main/default/landing";

async fn harness(faults: Value) -> Result<(Harness, tempfile::TempDir), Box<dyn std::error::Error>> {
    let home = tempfile::tempdir()?;
    let local = LocalRoots::open(&[home.path().to_owned()])?;
    Ok((Harness::impatient(faults, local).await?, home))
}

#[tokio::test]
async fn names_arrive_as_they_are_and_empty_files_are_files() -> Outcome {
    let (harness, home) = harness(json!([])).await?;
    for (at, name) in
        ["a b.txt", "100%.txt", "%20.txt", "what?.txt", "no#1.txt", "größe+&=.txt", "日本.txt"].iter().enumerate()
    {
        for (folder, text) in [(VOLUME, "text"), ("/Shared/odd", "text"), (VOLUME, ""), ("/Shared/odd", "")] {
            fs::write(home.path().join(name), text)?;
            let up = json!({ "path": format!("{folder}/"), "local_path": name, "overwrite": true });
            let up = harness.answer("upload_file", up).await?;
            assert_eq!((&up["path"], &up["size"]), (&json!(format!("{folder}/{name}")), &json!(text.len())));
            let back = format!("back-{at}-{}/", text.len());
            let down = json!({ "path": up["path"], "local_path": back, "overwrite": true });
            assert_eq!(harness.answer("download_file", down).await?["sha256"], up["sha256"], "{folder}/{name}");
            assert_eq!(fs::read_to_string(home.path().join(back).join(name))?, text);
        }
    }
    let read = harness.answer("read_volume_file", json!({ "path": format!("{VOLUME}/100%.txt") })).await?;
    assert_eq!(read["content"], "");
    Ok(())
}

#[tokio::test]
async fn a_file_takes_the_place_of_a_file_only() -> Outcome {
    let (harness, home) = harness(json!([])).await?;
    for path in ["/Shared/etl/load_orders", "/Shared/etl"] {
        let write = json!({ "path": path, "content": "x", "overwrite": true });
        let refusal = harness.refusal("upload_file", write).await?;
        assert!(refusal.contains("type mismatch") && refusal.contains("`import_notebook`"), "{refusal}");
    }
    for (path, why) in
        [(format!("{VOLUME}/new/"), "names a folder"), ("/volumes/main/default/landing/x".to_owned(), "`/Volumes/`")]
    {
        let refusal = harness.refusal("upload_file", json!({ "path": path, "content": "x" })).await?;
        assert!(refusal.contains(why), "{refusal}");
    }
    fs::create_dir(home.path().join("folder"))?;
    let readme = format!("{VOLUME}/README.md");
    let refusal =
        harness.refusal("download_file", json!({ "path": readme, "local_path": "folder", "overwrite": true })).await?;
    assert!(refusal.contains("is not a file"), "{refusal}");
    Ok(())
}

#[cfg(unix)]
#[tokio::test]
async fn what_is_no_file_is_never_read() -> Outcome {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let (harness, home) = harness(json!([])).await?;
    let app = home.path().join("app");
    fs::create_dir(&app)?;
    let _socket = std::os::unix::net::UnixListener::bind(app.join("socket"))?;
    std::os::unix::fs::symlink("/etc/hostname", app.join("link"))?;
    fs::write(app.join("a.txt"), "a")?;
    for path in ["app/socket", "app/link", "app"] {
        let refusal =
            harness.refusal("upload_file", json!({ "path": format!("{VOLUME}/x"), "local_path": path })).await?;
        assert!(refusal.contains("is not a file") || refusal.contains("outside"), "{path}: {refusal}");
    }
    let call = json!({ "path": format!("{VOLUME}/app"), "local_path": "app" });
    let answer = harness.answer("upload_folder", call.clone()).await?;
    assert_eq!((&answer["uploaded"], &answer["skipped_links"]), (&json!(1), &json!(2)), "{answer}");
    fs::write(app.join(OsStr::from_bytes(b"b\xff.txt")), "b")?;
    let refusal = harness.refusal("upload_folder", call).await?;
    assert!(refusal.contains("is not UTF-8") && refusal.contains("`exclude`"), "{refusal}");
    let call = json!({ "path": format!("{VOLUME}/app"), "local_path": "app", "exclude": ["b*"] });
    assert_eq!(harness.answer("upload_folder", call).await?["skipped_existing"], 1);
    Ok(())
}

#[tokio::test]
async fn a_file_that_no_volume_takes_is_not_even_read() -> Outcome {
    let (harness, home) = harness(json!([{ "route": "/api/2.0/fs/**", "fault": "internal_error" }])).await?;
    let size = 5 * 1024 * 1024 * 1024 + 1;
    fs::File::create(home.path().join("huge"))?.set_len(size)?;
    let refusal =
        harness.refusal("upload_file", json!({ "path": format!("{VOLUME}/huge"), "local_path": "huge" })).await?;
    assert!(refusal.contains(&format!("{size} bytes")) && refusal.contains("split the file"), "{refusal}");
    assert_eq!(harness.faults().await?[0]["seen"], 0, "it was sent");
    Ok(())
}

#[tokio::test]
async fn a_folder_that_nobody_lets_in_is_given_up() -> Outcome {
    let (harness, home) =
        harness(json!([{ "route": "PUT /api/2.0/fs/files/**", "fault": "permission_denied" }])).await?;
    fs::create_dir(home.path().join("app"))?;
    for number in 0..60 {
        fs::write(home.path().join(format!("app/{number:02}.txt")), "x")?;
    }
    let refusal = harness.refusal("upload_folder", json!({ "path": VOLUME, "local_path": "app" })).await?;
    assert!(refusal.contains("60 files were not uploaded") && refusal.contains("that were not tried"), "{refusal}");
    let seen = harness.faults().await?[0]["seen"].as_u64().unwrap_or_default();
    assert!((20..=24).contains(&seen), "{seen} were tried");
    Ok(())
}

#[tokio::test]
async fn text_is_read_from_anywhere_within_it() -> Outcome {
    let (harness, _home) = harness(json!([])).await?;
    let path = format!("{VOLUME}/umlauts.txt");
    let text = "äöü日本🙂".repeat(5);
    harness.answer("upload_file", json!({ "path": path, "content": text })).await?;
    for offset in 1..12 {
        let answer = harness.answer("read_volume_file", json!({ "path": path, "offset": offset })).await?;
        let begin = answer["offset"].as_u64().and_then(|at| usize::try_from(at).ok()).ok_or("no offset")?;
        assert_eq!((answer["content"].as_str(), begin - offset < 4), (text.get(begin..), true), "from {offset}");
    }
    let (mut whole, mut offset) = (String::new(), json!(0));
    while whole.len() < text.len() {
        let part = harness.answer("read_volume_file", json!({ "path": path, "offset": offset, "length": 1 })).await?;
        assert_ne!(part["content"], "", "no way on from {offset}");
        whole.push_str(part["content"].as_str().ok_or("no text")?);
        offset = part["next_offset"].clone();
    }
    assert_eq!((whole, offset), (text, Value::Null));
    Ok(())
}

#[tokio::test]
async fn what_the_workspace_is_too_small_for_to_give_out_has_a_way_out() -> Outcome {
    let large = json!({ "error_code": "MAX_NOTEBOOK_SIZE_EXCEEDED", "message": "File size imported is too large to be exported" });
    let script = move |request: &str, _: &str| request.contains("/workspace/export").then(|| large.clone());
    let harness = Harness::scripted(script).await?;
    let read = json!({ "path": "/Shared/etl/load_orders", "format": "HTML" });
    let refusal = harness.refusal("export_notebook", read).await?;
    assert!(refusal.contains("MAX_NOTEBOOK_SIZE_EXCEEDED") && refusal.contains("`SOURCE`"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_cancelled_download_leaves_nothing() -> Outcome {
    let late = json!({ "route": "GET /api/2.0/fs/files/**", "fault": "slow_headers", "delay_ms": 20_000, "after": 1 });
    let (harness, home) = harness(json!([late])).await?;
    fs::write(home.path().join("data.bin"), vec![7; 9_000_001])?;
    let path = format!("{VOLUME}/data.bin");
    harness.answer("upload_file", json!({ "path": path, "local_path": "data.bin" })).await?;
    let count = || fs::read_dir(home.path()).map_or(0, Iterator::count);
    let call = json!({ "path": path, "local_path": "back.bin" });
    // The part that is there already is in a file of its own.
    harness.cancelled("download_file", call, ("list_warehouses", json!({})), |_| count() == 2).await?;
    harness.until("list_warehouses", json!({}), |_| count() == 1).await?;
    assert!(home.path().join("data.bin").exists());
    Ok(())
}
