//! Settings that cannot be meant as written. They are refused at the start, since otherwise every call would fail,
//! after its retries.

use crate::auth::{Attribute, Settings};
use crate::error::Error;

/// Refuses placeholders that nobody has filled in, and tokens that no header can carry.
pub(super) fn check(settings: &Settings) -> Result<(), Error> {
    for attribute in Attribute::all() {
        let Some(value) = settings.get(attribute) else { continue };
        // A password may be any text.
        if attribute != Attribute::Password && is_placeholder(value, attribute) {
            let name = settings.name(attribute);
            return Err(Error::configuration(format!(
                "{name} is a placeholder that was not filled in{}",
                shown(attribute, value)
            ))
            .with_hint(format!(
                "the program that starts this one does not expand variables there: write the value itself, or remove \
                     {name} from its configuration so that it is inherited from the environment"
            )));
        }
    }
    match settings.get(Attribute::Token) {
        Some(token) => token_problem(token).map_or(Ok(()), |problem| {
            let name = settings.name(Attribute::Token);
            Err(Error::configuration(format!("{name} is not a token: {problem}"))
                .with_hint(format!("set {name} to the token alone, as the workspace shows it when it creates one")))
        }),
        None => Ok(()),
    }
}

/// `${NAME}`, `$(NAME)`, `{{name}}`, `%NAME%`, `$NAME` and `<name>`, which clients and guides write in the place of a value. In
/// the host they may stand anywhere.
fn is_placeholder(value: &str, attribute: Attribute) -> bool {
    let whole = |start: &str, end: &str| {
        let inside = value.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
        inside.is_some_and(|inside| !inside.is_empty() && !inside.contains(char::is_whitespace))
    };
    let is_variable = value.strip_prefix('$').is_some_and(|name| {
        name.starts_with(|first: char| first.is_ascii_uppercase() || first == '_')
            && name
                .chars()
                .all(|character| character.is_ascii_uppercase() || character.is_ascii_digit() || character == '_')
    });
    let is_host = attribute == Attribute::Host;
    is_variable
        || [("${", "}"), ("$(", ")"), ("{{", "}}"), ("%", "%"), ("<", ">")].iter().any(|(start, end)| whole(start, end))
        || (is_host && ["${", "$(", "{{", "<"].iter().any(|start| value.contains(start)))
}

/// The value, where it is none that must not be shown.
fn shown(attribute: Attribute, value: &str) -> String {
    if attribute.is_secret() { String::new() } else { format!(": `{value}`") }
}

fn token_problem(token: &str) -> Option<&'static str> {
    if token.get(..7).is_some_and(|start| start.eq_ignore_ascii_case("bearer ")) {
        return Some("it starts with `Bearer`, which is added when it is sent");
    }
    if token.starts_with(['"', '\'']) {
        return Some("it is in quotes");
    }
    let is_broken = token.contains(|character: char| character.is_whitespace() || !character.is_ascii_graphic());
    is_broken.then_some("it contains a blank, a line break or another character that is not allowed in a token")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(attribute: Attribute, value: &str) -> Option<String> {
        let error = check(&Settings::default().with(attribute, value)).err()?;
        assert!(error.is_configuration() && !error.is_retryable() && error.hint().is_some());
        Some(error.message().into_owned())
    }

    #[test]
    fn placeholders_are_refused() {
        for value in [
            "${DATABRICKS_HOST}",
            "${env:DATABRICKS_HOST}",
            "${input:host}",
            "{{host}}",
            "$(host)",
            "%DATABRICKS_HOST%",
            "$DATABRICKS_HOST",
            "<your-workspace>",
            "https://${HOST}",
            "https://{{host}}.cloud.test/",
            "https://<host>",
        ] {
            let expected = format!("host is a placeholder that was not filled in: `{value}`");
            assert_eq!(error(Attribute::Host, value), Some(expected));
        }
        for value in ["${DATABRICKS_TOKEN}", "{{token}}", "$DATABRICKS_TOKEN", "<token>"] {
            let message = error(Attribute::Token, value);
            assert_eq!(message.as_deref(), Some("token is a placeholder that was not filled in"));
        }
        assert!(error(Attribute::WarehouseId, "${WAREHOUSE}").is_some());
    }

    #[test]
    fn values_that_may_be_meant_pass() {
        for (attribute, value) in [
            (Attribute::Host, "https://acme.test/?o=1#x"),
            (Attribute::Token, "dapi0123456789abcdef-2"),
            (Attribute::Token, "eyJhbGciOi.eyJ.a_b-c~d+e/f=="),
            (Attribute::Password, "${x}"),
            (Attribute::ClientSecret, "$ecret"),
            (Attribute::ClientSecret, "100%"),
        ] {
            assert_eq!(error(attribute, value), None, "{value}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused_without_repeating_it() {
        for (value, part) in [
            ("Bearer dapi123", "`Bearer`"),
            ("bearer dapi123", "`Bearer`"),
            ("\"dapi123\"", "quotes"),
            ("dapi 123", "blank"),
            ("dapi\n123", "line break"),
            ("dapi\u{200b}123", "character"),
        ] {
            let message = error(Attribute::Token, value).unwrap();
            assert!(message.contains(part) && !message.contains("dapi"), "{message}");
        }
    }
}
