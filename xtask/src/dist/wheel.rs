//! The wheel: what `pip install` and `uvx` unpack. The program is a script of it, as maturin's binding `bin` does it.

use anyhow::Result;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use super::about::About;
use super::{Package, Parts};
use crate::archive::{Entry, zip};
use crate::root;

/// The module that starts the program, for `uvx` and `python -m`.
const MODULE: [(&str, &str); 2] =
    [("__init__.py", include_str!("wheel/__init__.py")), ("__main__.py", include_str!("wheel/__main__.py"))];

pub(super) fn make(parts: &Parts) -> Result<Vec<Package>> {
    let Parts { about, program, manual, .. } = parts;
    let stem = format!("{}-{}", about.module(), about.version);
    let (data, info) = (format!("{stem}.data"), format!("{stem}.dist-info"));
    let tag = format!("py3-none-{}", program.wheel_tag());
    let mut entries = module(about, "");
    let script = format!("{data}/scripts/{}", program.file(&about.name));
    entries.push(Entry::program(script, program.content.as_slice()));
    entries.extend(manual.installed(&format!("{data}/data/"), "site-functions"));
    entries.extend(manual.pages(&format!("{data}/data/share/man/man1/")));
    entries.push(Entry::text(format!("{info}/METADATA"), metadata(about)?));
    let wheel = format!("Wheel-Version: 1.0\nGenerator: cargo xtask dist\nRoot-Is-Purelib: false\nTag: {tag}\n");
    entries.push(Entry::text(format!("{info}/WHEEL"), wheel));
    // The command with the name of the package, which `uvx` looks for.
    let command = format!("[console_scripts]\n{} = {}:main\n", about.more.pypi, about.module());
    entries.push(Entry::text(format!("{info}/entry_points.txt"), command));
    entries.extend(parts.notices(&format!("{info}/licenses/")));
    entries.push(Entry::text(format!("{info}/sboms/{}.cdx.json", about.name), parts.bill.as_str()));
    let record = format!("{info}/RECORD");
    let lines: String = entries.iter().map(record_of).collect();
    entries.push(Entry::text(record.as_str(), format!("{lines}{record},,\n")));
    Ok(vec![Package { name: format!("{stem}-{tag}.whl"), content: zip::of(&entries, parts.style)? }])
}

/// The files of the module below a directory.
pub(super) fn module(about: &About, directory: &str) -> Vec<Entry<'static>> {
    let file = |(name, text): (&str, &str)| {
        let text = text.replace("@PROGRAM@", &about.name);
        Entry::text(format!("{directory}{}/{name}", about.module()), text)
    };
    MODULE.map(file).into()
}

/// What the registry knows of the package.
pub(super) fn metadata(about: &About) -> Result<String> {
    let About { version, description, license, repository, keywords, more, .. } = about;
    let classifiers = [
        "Environment :: Console",
        "Intended Audience :: Developers",
        "Programming Language :: Rust",
        "Topic :: Database :: Front-Ends",
    ];
    let classifiers: String = classifiers.iter().map(|text| format!("Classifier: {text}\n")).collect();
    let files: String =
        ["LICENSE", "NOTICE", "THIRD-PARTY.txt"].iter().map(|file| format!("License-File: {file}\n")).collect();
    Ok(format!(
        "Metadata-Version: 2.4\nName: {}\nVersion: {version}\nSummary: {description}\nAuthor: {}\n\
         License-Expression: {license}\n{files}Keywords: {}\n{classifiers}Requires-Python: >=3.9\n\
         Project-URL: Source, {repository}\nDescription-Content-Type: text/markdown\n\n{}",
        more.pypi,
        more.author,
        keywords.join(","),
        readme(about)?,
    ))
}

/// The README as registries show it. Its last line proves to the MCP registry that the package is of the server that it
/// lists.
pub(super) fn readme(about: &About) -> Result<String> {
    let text = std::fs::read_to_string(root().join("README.md"))?;
    Ok(format!("{}\n\n<!-- mcp-name: {} -->\n", absolute(&text, &about.repository).trim_end(), about.more.mcp))
}

/// A page of the repository whose links lead to the repository.
fn absolute(text: &str, repository: &str) -> String {
    let mut parts = text.split("](");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let is_elsewhere = part.starts_with('#') || part.split(')').next().is_some_and(|link| link.contains("://"));
        // A picture is shown by its content, not by the page about it.
        let is_picture = text.rsplit_once('[').is_some_and(|(before, _)| before.ends_with('!'));
        let view = if is_picture { "raw" } else { "blob" };
        let place = if is_elsewhere { String::new() } else { format!("{repository}/{view}/main/") };
        format!("{text}]({place}{part}")
    })
}

fn record_of(entry: &Entry<'_>) -> String {
    let hash = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(&entry.content));
    format!("{},sha256={hash},{}\n", entry.path, entry.content.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_of_the_readme_lead_to_the_repository() {
        let text = "[a](docs/a.md), ![p](p.svg), [b](#b), [c](https://c.test/x) and (d)";
        assert_eq!(
            absolute(text, "https://r.test"),
            "[a](https://r.test/blob/main/docs/a.md), ![p](https://r.test/raw/main/p.svg), [b](#b), \
             [c](https://c.test/x) and (d)"
        );
    }
}
