//! The audit as Markdown, with every name escaped.

use std::fmt::{Display, Write as _};

use super::report::{Counts, Group, Report};

/// A text as Markdown shows it, in one line: nothing in it makes a link, a tag, a cell, a heading, a list or a mention.
pub(super) fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for letter in text.trim().chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            // Followed by a space of no width, neither mentions anybody nor refers to an issue.
            '@' | '#' => {
                escaped.push(letter);
                escaped.push_str("&#8203;");
            }
            '\n' | '\r' | '\t' => escaped.push(' '),
            letter if letter.is_control() => {}
            // Characters that turn the direction of what is around them, or that nobody sees.
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' => {}
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' | '$' => escaped.extend(['\\', letter]),
            // At the beginning these make a list, or a line.
            '-' | '+' | '=' if escaped.is_empty() => escaped.extend(['\\', letter]),
            '.' | ')' if escaped.chars().all(|before| before.is_ascii_digit()) => escaped.extend(['\\', letter]),
            letter => escaped.push(letter),
        }
    }
    // Such texts become links without any other mark.
    escaped.replace("://", "&#58;//").replace("www.", "www&#46;").replace("mailto:", "mailto&#58;")
}

/// A table; the cells are escaped here.
pub(super) fn table<C: Display>(text: &mut String, heads: &[&str], rows: impl IntoIterator<Item = Vec<C>>) {
    let _ = writeln!(text, "| {} |\n|{}", heads.join(" | "), "---|".repeat(heads.len()));
    for row in rows {
        let cells: Vec<_> = row.iter().map(|cell| escape(&cell.to_string())).collect();
        let _ = writeln!(text, "| {} |", cells.join(" | "));
    }
    text.push('\n');
}

/// The whole audit.
pub(super) fn report(report: &Report) -> String {
    let mut text = String::from("# Audit\n\n");
    let Counts { operations, exposed, reachable, excluded, undecided, tools, tokens, prompts, .. } = &report.total;
    let _ = writeln!(
        text,
        "{operations} operations: {exposed} exposed, {reachable} reachable, {excluded} excluded, {undecided} undecided. \
         {tools} tools of {tokens} tokens (o200k\\_base), {prompts} prompts.\n"
    );
    text.push_str("## Findings\n\n");
    match report.findings.is_empty() {
        true => text.push_str("None.\n\n"),
        false => {
            report.findings.iter().for_each(|finding| text += &format!("- {}\n", escape(finding)));
            text.push('\n');
        }
    }
    for (title, groups) in [("Toolsets", &report.toolsets), ("Presets", &report.presets)] {
        let _ = writeln!(text, "## {title}\n");
        let heads = [
            "name",
            "tools",
            "tokens",
            "operations",
            "exposed",
            "reachable",
            "excluded",
            "read",
            "write",
            "destructive",
        ];
        table(&mut text, &heads, groups.iter().map(row));
    }
    text.push_str("## Tools\n\n");
    let rows = report.tools.iter().map(|tool| {
        let fixed: Vec<_> = tool.fixed.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        vec![
            tool.name.clone(),
            tool.toolset.clone(),
            tool.risk.to_owned(),
            tool.tokens.to_string(),
            tool.cut.join(", "),
            tool.hidden.join(", "),
            fixed.join(", "),
        ]
    });
    table(&mut text, &["tool", "toolset", "risk", "tokens", "cut", "hidden", "fixed"], rows);
    text.push_str("## Prompts\n\n");
    let rows = report.prompts.iter().map(|prompt| {
        vec![
            prompt.name.clone(),
            prompt.tokens.to_string(),
            prompt.arguments.join(", "),
            prompt.tools.join(", "),
            prompt.optional.join(", "),
            prompt.embeds.join(", "),
        ]
    });
    table(&mut text, &["prompt", "tokens", "arguments", "tools", "optional tools", "embeds"], rows);
    text.push_str("## Pairs that a search may confuse\n\n");
    let rows =
        report.confusable.iter().map(|pair| vec![pair.tool.clone(), pair.other.clone(), format!("{} %", pair.score)]);
    table(&mut text, &["tool", "other", "likeness"], rows);
    text.push_str("## Excluded operations\n\n");
    let excluded = report
        .operations
        .iter()
        .filter_map(|operation| Some(vec![operation.id.clone(), operation.method.clone(), operation.reason.clone()?]));
    table(&mut text, &["operation", "method", "reason"], excluded);
    text
}

fn row(group: &Group) -> Vec<String> {
    let Counts { tools, tokens, operations, exposed, reachable, excluded, read, write, destructive, .. } = group.counts;
    let name = if group.default { format!("{} (default)", group.name) } else { group.name.clone() };
    let numbers = [tools, tokens, operations, exposed, reachable, excluded, read, write, destructive];
    std::iter::once(name).chain(numbers.iter().map(ToString::to_string)).collect()
}

#[cfg(test)]
mod tests {
    use super::escape;

    #[test]
    fn nothing_in_a_name_is_markup() {
        for (text, escaped) in [
            ("jobs.jobs.create_it (a-b = c)", "jobs.jobs.create\\_it (a-b = c)"),
            ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
            ("[text](https://example.test)", "\\[text\\](https&#58;//example.test)"),
            ("![x](y) ~~z~~", "\\!\\[x\\](y) \\~\\~z\\~\\~"),
            ("a | b\n# c `d` **e** @team", "a \\| b #&#8203; c \\`d\\` \\*\\*e\\*\\* @&#8203;team"),
            ("www.example.test #12", "www&#46;example.test #&#8203;12"),
            ("- one", "\\- one"),
            ("12. one", "12\\. one"),
            ("a&lt;b \\", "a&amp;lt;b \\\\"),
            ("safe\u{202e}drowssap", "safedrowssap"),
        ] {
            assert_eq!(escape(text), escaped);
        }
    }
}
