//! Reads `multipart/form-data`, the form in which clients upload to the workspace tree.

/// The parts of a body by name, in order; nothing for a body that is cut off.
pub(crate) fn parts(content_type: &str, body: &[u8]) -> Option<Vec<(String, Vec<u8>)>> {
    let (_, boundary) = content_type.split_once("boundary=")?;
    let boundary = boundary.split(';').next()?.trim().trim_matches('"');
    if boundary.is_empty() || boundary.len() > 70 {
        return None;
    }
    let opening = format!("--{boundary}");
    let separator = format!("\r\n{opening}");
    let mut rest = body.get(find(body, opening.as_bytes())? + opening.len()..)?;
    let mut parts = Vec::new();
    while let Some(part) = rest.strip_prefix(b"\r\n") {
        let end = find(part, separator.as_bytes())?;
        let (part, after) = part.split_at_checked(end)?;
        let head = find(part, b"\r\n\r\n")?;
        let name = String::from_utf8_lossy(part.get(..head)?).split("name=\"").nth(1)?.split('"').next()?.to_owned();
        parts.push((name, part.get(head + 4..)?.to_vec()));
        rest = after.get(separator.len()..)?;
    }
    rest.starts_with(b"--").then_some(parts)
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_whole_forms_only() {
        let body = b"--x\r\nContent-Disposition: form-data; name=\"path\"\r\n\r\n/a\r\n--x\r\nContent-Disposition: form-data; name=\"content\"; filename=\"f\"\r\n\r\n1\r\n2\r\n--x--\r\n";
        let found = parts("multipart/form-data; boundary=x", body).unwrap();
        assert_eq!(found, [("path".to_owned(), b"/a".to_vec()), ("content".to_owned(), b"1\r\n2".to_vec())]);
        assert!(parts("multipart/form-data; boundary=x", &body[..body.len() - 6]).is_none());
        assert!(parts("multipart/form-data", body).is_none());
    }
}
