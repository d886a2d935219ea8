//! Checking the chain of an audit log from its first line to its last.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;

use serde_json::Value;

use super::{file, hash};
use crate::error::Error;

/// Checks a log, and says what it holds.
///
/// # Errors
/// When the file cannot be read, or its chain is broken: the first line that breaks it is named.
pub(crate) fn verify(path: &Path) -> Result<String, Error> {
    let shown = path.display();
    let failed = |error: std::io::Error| Error::failed(format!("cannot read the audit log `{shown}`: {error}"));
    let mut lines = BufReader::new(File::open(path).map_err(failed)?);
    let (mut number, mut previous, mut times) = (0_u64, None::<String>, (String::new(), String::new()));
    loop {
        let mut line = Vec::new();
        let length = lines.by_ref().take(file::LONGEST_LINE + 1).read_until(b'\n', &mut line).map_err(failed)?;
        if length == 0 {
            break;
        }
        number += 1;
        let broken = |why: &str| {
            let kept = number - 1;
            let kept = format!("the {kept} before it are unchanged");
            Err(Error::failed(format!("line {number} of the audit log `{shown}` breaks the chain: {why}"))
                .with_hint(kept))
        };
        let Some(line) = line.strip_suffix(b"\n") else {
            return broken("it has no line break at its end, so part of it is missing");
        };
        let Ok(Value::Object(fields)) = serde_json::from_slice(line) else {
            return broken("it is not a JSON object");
        };
        let told = fields.get("previous").map(Value::as_str);
        match (told, previous.as_deref()) {
            (None, _) => return broken("it has no `previous`"),
            (Some(told), before) if told == before => {}
            (Some(_), None) => return broken("the line before it is missing"),
            (Some(_), Some(_)) => {
                return broken(
                    "it does not follow the line before it: that line was changed, or lines between them are missing",
                );
            }
        }
        let time = fields.get("time").and_then(Value::as_str).unwrap_or_default();
        if number == 1 {
            time.clone_into(&mut times.0);
        }
        time.clone_into(&mut times.1);
        previous = Some(hash::of(line));
    }
    let Some(last) = previous else {
        return Ok(format!("{shown}: no lines"));
    };
    Ok(format!(
        "{shown}: {number} lines from {} to {}, and the chain is intact\nhash of the last line: {last}",
        times.0, times.1
    ))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use serde_json::{Map, json};

    use super::super::AuditLog;
    use super::verify;

    /// A log of these many lines.
    fn log(directory: &tempfile::TempDir, lines: u64) -> PathBuf {
        let path = directory.path().join("audit.jsonl");
        let log = AuditLog::open(&path).expect("a log");
        for number in 0..lines {
            let fields = Map::from_iter([("number".to_owned(), json!(number))]);
            log.append("call", fields, number % 2 == 0).expect("written");
        }
        path
    }

    #[test]
    fn a_chain_is_whole_and_each_change_of_it_is_found() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = log(&directory, 4);
        assert!(verify(&path).is_ok_and(|told| told.contains("4 lines")), "{:?}", verify(&path));
        let whole = std::fs::read_to_string(&path).expect("text");
        let lines: Vec<_> = whole.lines().collect();
        let join = |lines: &[&str]| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let changed = lines[1].replace("\"number\":1", "\"number\":7");
        for (text, line) in [
            (join(&[lines[0], &changed, lines[2], lines[3]]), 3),
            (join(&[lines[0], lines[2], lines[3]]), 2),
            (join(&[lines[1], lines[2]]), 1),
            (join(&[lines[0], lines[0], lines[1]]), 2),
            (join(&[lines[0], "{}", lines[1]]), 2),
            (join(&[lines[0], "nonsense"]), 2),
            (join(&[lines[0], "", lines[1]]), 2),
            (format!("{}{{\"previous\"", join(&lines)), 5),
        ] {
            std::fs::write(&path, &text).expect("written");
            let error = verify(&path).expect_err(&text).to_string();
            assert!(error.contains(&format!("line {line} of")), "{error}\n{text}");
        }
        std::fs::write(&path, "").expect("written");
        assert!(verify(&path).is_ok_and(|told| told.contains("no lines")));
    }

    #[test]
    fn a_log_is_continued_and_a_broken_one_is_refused() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = log(&directory, 2);
        log(&directory, 3);
        assert!(verify(&path).is_ok_and(|told| told.contains("5 lines")));
        let mut text = std::fs::read_to_string(&path).expect("text");
        text.truncate(text.len() - 9);
        std::fs::write(&path, &text).expect("written");
        let error = AuditLog::open(&path).expect_err("a broken line").to_string();
        assert!(error.contains("last line") && error.contains("is broken"), "{error}");
        assert_eq!(std::fs::read_to_string(&path).expect("text"), text, "it is as it was");
    }

    #[test]
    fn one_process_writes_a_log_and_only_its_owner_reads_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("audit.jsonl");
        let first = AuditLog::open(&path).expect("a log");
        let error = AuditLog::open(&path).expect_err("it is in use").to_string();
        assert!(error.contains("another process writes"), "{error}");
        let hash = first.hash(b"hunter2");
        drop(first);
        let second = AuditLog::open(&path).expect("a log");
        assert_eq!(second.hash(b"hunter2"), hash, "values can be compared across restarts");
        #[cfg(unix)]
        for name in ["audit.jsonl", "audit.jsonl.key"] {
            use std::os::unix::fs::PermissionsExt;
            let metadata = std::fs::metadata(directory.path().join(name)).expect("a file");
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
        }
        let other = tempfile::tempdir().expect("a directory");
        assert_ne!(AuditLog::open(&other.path().join("a")).expect("a log").hash(b"hunter2"), hash);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_cannot_be_written_is_an_error_and_is_counted() {
        let log = AuditLog::open(std::path::Path::new("/dev/full")).expect("a device");
        for _ in 0..2 {
            let error = log.append("intent", Map::new(), true).expect_err("no room").to_string();
            assert!(error.contains("cannot be written") && error.contains("nothing was sent"), "{error}");
        }
    }
}
