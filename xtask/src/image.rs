//! An OCI image of the server, without a container engine: a layout directory of the image specification.
//!
//! What is in the image is what the Containerfile says: its final stage is read for user, labels, port and command, and
//! `deploy/root.sh` makes the root directory, with the binary and the libraries that it needs. The same input gives the same
//! digest: no times, no owners of this machine, files in order. It needs no root.
//!
//! The specification has no place for a health check: `HEALTHCHECK` of the Containerfile is of Docker's own format, and
//! orchestrators have probes of their own. `databricks-mcp-server health` is in the image for both.

mod archive;
mod containerfile;

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result, bail, ensure};
use clap::Args;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::archive::gzip;
use crate::{print, release, root};
use containerfile::Stage;

/// The time of everything: none.
const CREATED: &str = "1970-01-01T00:00:00Z";
const LAYOUT: &str = "oci-layout";
/// How hard the layer is compressed.
const LEVEL: u32 = 6;
const CONTAINERFILE: &str = "deploy/Containerfile";

/// Write an OCI image of the server, without a container engine
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The binary of the image (a release build, made now)
    #[arg(long, value_name = "FILE")]
    binary: Option<PathBuf>,
    /// The directory of the image layout; one that is there is replaced
    #[arg(long, value_name = "DIRECTORY", default_value = "target/image")]
    output: PathBuf,
}

/// Prints where the image is, and its digest.
pub(crate) fn run(arguments: &Arguments) -> Result<ExitCode> {
    ensure!(
        cfg!(target_os = "linux"),
        "the image is made on Linux: its libraries are those of the machine that makes it"
    );
    let binary = match &arguments.binary {
        Some(binary) => binary.clone(),
        None => release::built()?,
    };
    let digest = make(&binary, &arguments.output)?;
    print(&format!("{} {digest}\n", arguments.output.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the image of a binary into a directory, and gives its digest.
pub(crate) fn make(binary: &Path, output: &Path) -> Result<String> {
    let content = std::fs::read(binary).with_context(|| format!("cannot read `{}`", binary.display()))?;
    let architecture = architecture(&content).with_context(|| format!("in `{}`", binary.display()))?;
    let text = std::fs::read_to_string(root().join(CONTAINERFILE)).with_context(|| format!("no `{CONTAINERFILE}`"))?;
    let stage = Stage::last(&text).with_context(|| format!("in `{CONTAINERFILE}`"))?;
    let directory = tempfile::tempdir().context("cannot make a directory")?;
    let tree = directory.path().join("root");
    let script = Command::new("sh").arg(root().join("deploy/root.sh")).arg(binary).arg(&tree).status();
    ensure!(script.context("cannot run `sh`")?.success(), "`deploy/root.sh` failed");
    write(output, &archive::of(&tree)?, &stage, architecture)
}

/// What the image specification calls the machine that a binary is for.
fn architecture(binary: &[u8]) -> Result<&'static str> {
    // The class and the byte order of an ELF file, and its machine.
    match (binary.get(..6), binary.get(18..20)) {
        (Some(b"\x7fELF\x02\x01"), Some([0x3e, 0])) => Ok("amd64"),
        (Some(b"\x7fELF\x02\x01"), Some([0xb7, 0])) => Ok("arm64"),
        _ => bail!("it is no Linux program for x86-64 or ARM64"),
    }
}

/// Writes the layout with one layer, and gives the digest of the manifest.
fn write(output: &Path, layer: &[u8], stage: &Stage, architecture: &str) -> Result<String> {
    clear(output)?;
    let blobs = output.join("blobs/sha256");
    std::fs::create_dir_all(&blobs).with_context(|| format!("cannot make `{}`", blobs.display()))?;
    let blob = |content: &[u8], kind: &str| {
        let digest = digest(content);
        let path = blobs.join(digest.trim_start_matches("sha256:"));
        std::fs::write(&path, content).with_context(|| format!("cannot write `{}`", path.display()))?;
        let kind = format!("application/vnd.oci.image.{kind}");
        Ok::<Value, anyhow::Error>(json!({ "mediaType": kind, "digest": digest, "size": content.len() }))
    };
    let config = json!({
        "created": CREATED,
        "architecture": architecture,
        "os": "linux",
        "config": stage.config(),
        "rootfs": { "type": "layers", "diff_ids": [digest(layer)] },
        "history": [{ "created": CREATED, "created_by": "cargo xtask image" }],
    });
    let packed = gzip(layer, LEVEL)?;
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": blob(config.to_string().as_bytes(), "config.v1+json")?,
        "layers": [blob(&packed, "layer.v1.tar+gzip")?],
        "annotations": stage.labels(),
    });
    let manifest = manifest.to_string();
    let mut entry = blob(manifest.as_bytes(), "manifest.v1+json")?;
    if let Value::Object(entry) = &mut entry {
        entry.insert("platform".to_owned(), json!({ "architecture": architecture, "os": "linux" }));
        let name = json!({ "org.opencontainers.image.ref.name": env!("CARGO_PKG_VERSION") });
        entry.insert("annotations".to_owned(), name);
    }
    let index = json!({
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": [entry],
    });
    for (name, content) in [("index.json", index), (LAYOUT, json!({ "imageLayoutVersion": "1.0.0" }))] {
        std::fs::write(output.join(name), content.to_string()).with_context(|| format!("cannot write `{name}`"))?;
    }
    Ok(digest(manifest.as_bytes()))
}

/// Takes away an image that was written before, and nothing else.
fn clear(output: &Path) -> Result<()> {
    let is_empty = std::fs::read_dir(output).map_or(true, |mut entries| entries.next().is_none());
    if is_empty {
        return Ok(());
    }
    ensure!(output.join(LAYOUT).is_file(), "`{}` is there and holds no image", output.display());
    std::fs::remove_dir_all(output).with_context(|| format!("cannot remove `{}`", output.display()))
}

fn digest(content: &[u8]) -> String {
    let bytes = Sha256::digest(content);
    bytes.iter().fold("sha256:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_same_tree_gives_the_same_image_whoever_made_it() {
        let stage = Stage::last("FROM scratch\nUSER 1:1\nLABEL a=\"b\"\nENTRYPOINT [\"/run\"]\n").unwrap();
        let digests: Vec<_> = [0o700, 0o755]
            .into_iter()
            .map(|mode| {
                let folder = tempfile::tempdir().unwrap();
                let tree = folder.path().join("root");
                std::fs::create_dir_all(tree.join("usr/bin")).unwrap();
                std::fs::write(tree.join("usr/bin/run"), "program").unwrap();
                std::fs::write(tree.join("etc"), "text").unwrap();
                std::fs::set_permissions(tree.join("usr/bin/run"), std::fs::Permissions::from_mode(mode)).unwrap();
                let output = folder.path().join("image");
                let write = || write(&output, &archive::of(&tree).unwrap(), &stage, "amd64").unwrap();
                let first = write();
                assert_eq!(first, write(), "it takes the place of the one before");
                let index: Value = serde_json::from_slice(&std::fs::read(output.join("index.json")).unwrap()).unwrap();
                assert_eq!(index["manifests"][0]["digest"], first.as_str());
                let manifest = std::fs::read(output.join("blobs/sha256").join(&first[7..])).unwrap();
                assert_eq!(digest(&manifest), first);
                first
            })
            .collect();
        assert_eq!(digests[0], digests[1]);
    }

    #[test]
    fn nothing_but_an_image_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        assert!(clear(folder.path()).is_ok() && clear(&folder.path().join("new")).is_ok());
        std::fs::write(folder.path().join("letters.txt"), "dear").unwrap();
        assert!(clear(folder.path()).unwrap_err().to_string().contains("holds no image"));
    }

    #[test]
    fn programs_are_told_from_others() {
        assert!(architecture(b"#!/bin/sh").is_err());
        assert!(architecture(&std::fs::read(std::env::current_exe().unwrap()).unwrap()).is_ok());
    }
}
