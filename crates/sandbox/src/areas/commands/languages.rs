//! Scala and R, of which a few words are known: printing a text or a number, and failing.
//!
//! Of Scala: `println("…")`, `print("…")`, `throw new Class("…")`. Of R: `print(…)`, `cat("…")`, `stop("…")`.
//! Comments and empty lines do nothing; anything else is refused, as its effect would be a guess.

/// What the source prints, or why it fails.
pub(super) fn run(language: &str, source: &str) -> Result<String, String> {
    let mut printed = String::new();
    for line in source.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let line = line.trim_end_matches(';');
        let text = match language {
            _ if line.starts_with("//") || line.starts_with('#') => continue,
            "scala" => scala(line)?,
            _ => r(line)?,
        };
        let text = text.ok_or_else(|| {
            format!("UnsupportedOperationException: the sandbox knows a few words of {language} only, and not: {line}")
        })?;
        printed.push_str(&text);
    }
    Ok(printed.trim_end().to_owned())
}

fn scala(line: &str) -> Result<Option<String>, String> {
    if let Some(thrown) = line.strip_prefix("throw new ") {
        let (class, message) = thrown.split_once('(').unwrap_or((thrown, ""));
        return Err(format!("{class}: {}", literal(message.trim_end_matches(')')).unwrap_or_default()));
    }
    let printed = |call| line.strip_prefix(call).and_then(|rest| literal(rest.strip_suffix(')')?));
    Ok(printed("println(").map(|text| text + "\n").or_else(|| printed("print(")))
}

fn r(line: &str) -> Result<Option<String>, String> {
    if let Some(message) = line.strip_prefix("stop(") {
        return Err(format!("Error: {}", literal(message.trim_end_matches(')')).unwrap_or_default()));
    }
    let inside = |call| line.strip_prefix(call).and_then(|rest| rest.strip_suffix(')')).map(str::trim);
    let shown = inside("print(").and_then(|given| {
        // Texts are shown in quotes.
        Some(if given.starts_with(['"', '\'']) {
            format!("[1] \"{}\"\n", literal(given)?)
        } else {
            format!("[1] {}\n", literal(given)?)
        })
    });
    Ok(shown.or_else(|| inside("cat(").and_then(literal)))
}

/// A text in quotes, or a number.
fn literal(text: &str) -> Option<String> {
    let text = text.trim();
    for quote in ['"', '\''] {
        let inner = text.strip_prefix(quote).and_then(|rest| rest.strip_suffix(quote));
        if let Some(inner) = inner.filter(|inner| !inner.contains(quote)) {
            return Some(inner.replace("\\n", "\n"));
        }
    }
    text.parse::<f64>().ok().map(|_| text.to_owned())
}
