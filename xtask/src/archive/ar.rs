//! The archives that Debian packages are.

/// Files by name, in this order. A name has at most 16 characters.
pub(crate) fn of(files: &[(&str, Vec<u8>)], seconds: u64) -> Vec<u8> {
    let mut archive = b"!<arch>\n".to_vec();
    for (name, content) in files {
        // Name, time, user, group, mode, size, and the end of the header.
        let mode = 0o100_644;
        let header = format!("{name:<16}{seconds:<12}{:<6}{:<6}{mode:<8o}{:<10}`\n", 0, 0, content.len());
        archive.extend_from_slice(header.as_bytes());
        archive.extend_from_slice(content);
        if content.len() % 2 == 1 {
            archive.push(b'\n');
        }
    }
    archive
}
