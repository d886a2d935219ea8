use super::*;
use crate::policy::file::{Known, parse};

fn known() -> Known {
    Known {
        tools: vec![
            ("execute_sql", "execute_sql"),
            ("run_sql", "execute_sql"),
            ("run_code", "run_code"),
            ("get_table", "get_table"),
        ],
        toolsets: vec!["sql", "compute"],
        operations: vec!["sql.statement_execution.execute_statement", "catalog.tables.get", "catalog.tables.delete"],
    }
}

fn rules(text: &str) -> Rules {
    parse("policy.yaml", text, &known()).map_err(|problem| problem.to_string()).expect(text).0
}

fn act(tool: &'static str, risk: Risk) -> Act<'static> {
    let toolset = if tool == "run_code" { "compute" } else { "sql" };
    Act { tool, toolset, operation: Some("catalog.tables.delete"), risk, workspace: "acme.test" }
}

fn of(rules: &Rules, act: Act<'_>, kind: Kind, name: &str) -> (bool, String) {
    let decision = rules.of_object(act, &Object::new(kind, name).expect("a name"));
    (decision.effect == Effect::Allow, decision.rule)
}

#[test]
fn the_most_precise_rule_wins_and_denies_where_two_are_equal() {
    let rules = rules(
        "rules:\n\
         - { name: all of prod, effect: deny, data: [prod] }\n\
         - { name: sales, effect: allow, data: [prod.sales] }\n\
         - { name: some sales, effect: deny, data: [prod.s*] }\n\
         - { name: by tool, effect: allow, tools: [get_table], data: [prod] }\n\
         - { name: orders, effect: deny, data: [prod.sales.orders] }\n\
         - { name: also orders, effect: allow, data: [prod.sales.orders] }\n\
         - { name: never in acme, effect: deny, workspaces: [acme.*], risks: [destructive] }\n",
    );
    let read = |tool, name| of(&rules, act(tool, Risk::Read), Kind::Data, name);
    assert_eq!(read("execute_sql", "prod.hr.people"), (false, "all of prod".to_owned()));
    assert_eq!(read("execute_sql", "prod.sales.x"), (true, "sales".to_owned()));
    assert_eq!(read("execute_sql", "prod.support.x"), (false, "some sales".to_owned()));
    assert_eq!(read("execute_sql", "prod.sales.orders"), (false, "orders".to_owned()));
    assert_eq!(read("get_table", "prod.hr.people"), (true, "by tool".to_owned()));
    assert_eq!(read("get_table", "prod.support.x"), (false, "some sales".to_owned()));
    assert_eq!(read("execute_sql", "dev.a.b"), (true, "default".to_owned()));
    let destroys = of(&rules, act("execute_sql", Risk::Destructive), Kind::Data, "dev.a.b");
    assert_eq!(destroys, (false, "never in acme".to_owned()));
    // What holds something that is denied is denied as well.
    assert_eq!(read("execute_sql", "prod.sales"), (false, "orders".to_owned()));
    let look = Act { operation: Some("catalog.tables.list"), ..act("execute_sql", Risk::Read) };
    assert_eq!(of(&rules, look, Kind::Data, "prod.sales"), (true, "sales".to_owned()));
}

#[test]
fn what_may_touch_anything_needs_a_rule_by_name_and_what_is_unclear_has_none() {
    let text = "rules:\n\
                - { name: prod, effect: deny, data: [prod] }\n\
                - { name: all tools, effect: allow, toolsets: [compute, sql] }\n\
                - { name: code, effect: allow, tools: [run_code] }\n\
                - { name: sql, effect: allow, tools: [execute_sql] }\n";
    let rules = rules(text);
    let (any, unclear) = (Named::Any, Named::Unclear("why".to_owned()));
    let denied_by = |tool, kind, named: &Named| {
        rules.of_named(act(tool, Risk::Destructive), kind, named).err().map(|(decision, _)| decision.rule)
    };
    assert_eq!(denied_by("run_code", Kind::Data, &any), None);
    assert_eq!(denied_by("get_table", Kind::Data, &any), Some("prod".to_owned()));
    assert_eq!(denied_by("execute_sql", Kind::Data, &any), None);
    assert_eq!(denied_by("execute_sql", Kind::Data, &unclear), Some("prod".to_owned()));
    assert_eq!(denied_by("execute_sql", Kind::Jobs, &unclear), None, "no rule is about jobs");
}

#[test]
fn a_call_begins_where_a_rule_on_objects_could_allow_it() {
    let rules = rules(
        "default: deny\nrules:\n\
         - { name: dev, effect: allow, tools: [run_sql], data: [dev] }\n\
         - { name: reads, effect: allow, risks: [read] }\n",
    );
    let call = |tool, risk| {
        let decision = rules.of_call(Act { operation: None, ..act(tool, risk) });
        (decision.effect == Effect::Allow, decision.rule)
    };
    assert_eq!(call("execute_sql", Risk::Destructive), (true, "dev".to_owned()));
    assert_eq!(call("run_code", Risk::Destructive), (false, "default".to_owned()));
    assert_eq!(call("run_code", Risk::Read), (true, "reads".to_owned()));
    let bare = |tool, risk, several| rules.of_bare_request(act(tool, risk), several).effect == Effect::Allow;
    assert!(bare("execute_sql", Risk::Read, true), "what helps a tool goes with it");
    assert!(!bare("execute_sql", Risk::Write, true) && !bare("run_code", Risk::Write, false));
    assert!(rules.asks_about(Kind::Paths), "without a rule about them, none is allowed");
    let only_data = self::rules("default: deny\nrules:\n- { effect: allow, data: [dev] }\n");
    let bare = only_data.of_bare_request(act("get_table", Risk::Read), true);
    assert_eq!(bare.effect, Effect::Deny, "a rule about objects does not allow what names none");
}

#[test]
fn a_mistake_in_a_policy_has_a_line_and_what_was_meant() {
    for (text, expected) in [
        ("defualt: deny", "policy.yaml:1:1: unknown key `defualt`; did you mean `default`?"),
        ("default: alow", "policy.yaml:1:10: no effect is named `alow`; did you mean `allow`?"),
        ("rules:\n- { effect: deny, tool: [x] }", "2:19: unknown key `tool`; did you mean `tools`?"),
        ("rules:\n- { tools: [run_code] }", "2:3: `effect` is missing"),
        ("rules:\n- effect: deny\n  tools: [run_cod]", "3:11: no tool is named `run_cod`; did you mean `run_code`?"),
        ("rules:\n- effect: deny\n  toolsets: [sqll]", "no toolset is named `sqll`; did you mean `sql`?"),
        ("rules:\n- effect: deny\n  operations: [catalog.table.get]", "did you mean `catalog.tables.get`?"),
        ("rules:\n- effect: deny\n  risks: [reads]", "no risk is named `reads`; did you mean `read`?"),
        ("rules:\n- effect: deny\n  data: []", "`data` is empty: leave it out, or name something"),
        ("rules:\n- effect: deny\n  data: [a..b]", "`a..b` is not the name of a catalog"),
        ("rules:\n- effect: deny\n  data: [a.b.c.d]", "more than three parts"),
        ("rules:\n- effect: deny\n  paths: [Shared]", "`Shared` is not a path"),
        ("rules:\n- effect: deny\n  data: ['a[']", "is not a glob"),
        ("rules:\n- { name: a, effect: deny }\n- { name: a, effect: deny }", "3:3: there are two rules named `a`"),
        ("rules: deny", "expected a list of rules"),
        ("limits: { rows: 0 }", "`rows` is at least 1"),
        ("limits: { workers: -1 }", "expected a whole number of at least 0"),
        ("limits: { row: 1 }", "unknown key `row`; did you mean `rows`?"),
        ("[", "policy.yaml:"),
    ] {
        let problem = parse("policy.yaml", text, &known()).err().map(|problem| problem.to_string());
        assert!(problem.as_ref().is_some_and(|problem| problem.contains(expected)), "{text}: {problem:?}");
    }
    assert!(
        parse("policy.yaml", "default: deny\nrules:\n- { effect: allow, operations: ['catalog.*'] }", &known()).is_ok()
    );
}

/// The schema that editors use has the keys that are read, and no others.
#[test]
fn the_schema_has_the_keys_that_a_policy_may_have() {
    let schema: serde_json::Value =
        serde_json::from_str(include_str!("../../../docs/policy.schema.json")).expect("a JSON Schema");
    for (place, start, value) in [
        ("/properties", "", "x: 1"),
        ("/$defs/rule/properties", "rules:\n- ", "effect: deny\n  x: 1"),
        ("/$defs/limits/properties", "limits:\n  ", "x: 1"),
    ] {
        let problem = parse("p", &format!("{start}{value}"), &known()).expect_err("an unknown key").to_string();
        let (_, keys) = problem.split_once("keys here: ").expect("the keys");
        let mut keys: Vec<_> = keys.split(", ").collect();
        let told = schema.pointer(place).and_then(serde_json::Value::as_object).expect("properties");
        let mut told: Vec<_> = told.keys().map(String::as_str).collect();
        keys.sort_unstable();
        told.sort_unstable();
        assert_eq!(keys, told, "{place}");
    }
}

#[test]
fn the_example_of_the_documentation_is_a_policy() {
    let text = include_str!("../../../docs/policy.md");
    let examples = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let known = crate::registry::known_names();
    let mut count = 0;
    for example in examples {
        let example = if example.starts_with('#') { example.to_owned() } else { format!("rules:\n{example}") };
        let parsed = parse("docs/policy.md", &example, &known);
        assert!(parsed.is_ok(), "{example}: {:?}", parsed.err());
        count += 1;
    }
    assert_eq!(count, 2);
}
