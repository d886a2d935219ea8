use super::{Rules, parse};
use crate::risk::Risk;

fn problem(text: &str) -> String {
    parse("grants.yaml", text).map_or_else(|problem| problem.to_string(), |_| "none".to_owned())
}

#[test]
fn mistakes_are_told_with_their_place() {
    let mut others = Vec::new();
    for (text, expected) in [
        ("[]", "grants.yaml:1:1: expected grants"),
        ("rules: [{groop: a}]", "grants.yaml:1:9: a rule names a `group`, a `scope` or a `principal`"),
        (
            "rules:\n  - group: a\n    ceilling: read",
            "grants.yaml:3:5: unknown key `ceilling`; did you mean `ceiling`?",
        ),
        ("rules:\n  - group: a\n    ceiling: admin", "grants.yaml:3:14: no ceiling is named `admin`"),
        ("rules:\n  - group: a\n    toolsets: [job]", "grants.yaml:2:5: "),
        ("rules:\n  - group: []", "grants.yaml:2:12: `group` is empty"),
        ("rules:\n  - group: ''", "grants.yaml:2:12: `group` is empty"),
        ("rules:\n  - group: 7", "grants.yaml:2:12: expected text"),
        ("default: deny", "grants.yaml:1:10: expected limits such as `read_only: true`; to refuse"),
        ("scopes: {}", "grants.yaml:1:9: `scopes` is empty"),
        ("scopes: {'a b': read}", "grants.yaml:1:10: `a b` is not the name of a scope"),
        ("scopes: {a: all}", "grants.yaml:1:13: no ceiling is named `all`"),
        ("default: {}\ndefault: {}", "grants.yaml:2:"),
        ("else: {}", "grants.yaml:1:1: unknown key `else`"),
    ] {
        let found = problem(text);
        if !found.starts_with(expected) {
            others.push(format!("{text}: {found}"));
        }
    }
    assert!(others.is_empty(), "{}", others.join("\n"));
    assert_eq!(problem("{}"), "none", "nobody is let in, and that may be wanted");
}

#[test]
fn scopes_for_a_risk_are_those_up_to_it() {
    let needed = |rules: &Rules, risk| rules.needed(risk).map(str::to_owned).collect::<Vec<_>>();
    let usual = Rules::default();
    assert_eq!(needed(&usual, Risk::Read), ["databricks.read"]);
    assert_eq!(needed(&usual, Risk::Destructive), ["databricks.read", "databricks.write", "databricks.destructive"]);
    let coarse = parse("grants.yaml", "scopes: {all-apis: destructive}").expect("rules");
    assert_eq!(needed(&coarse, Risk::Read), ["all-apis"]);
    let low = parse("grants.yaml", "scopes: {sql: read}").expect("rules");
    assert_eq!((needed(&low, Risk::Write), low.most()), (vec!["sql".to_owned()], Risk::Read));
}
