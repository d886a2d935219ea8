//! Entries go in and out of files of every shape, and all else stays.

use serde_json::{Value, json};

use super::{Format, Splice, Spot, Text, map_at};

const SERVERS: Spot<'_> = Spot { servers: &["mcpServers"], name: "databricks" };
const CODEX: Spot<'_> = Spot { servers: &["mcp_servers"], name: "databricks" };
const GOOSE: Spot<'_> = Spot { servers: &["extensions"], name: "databricks" };
const NEW_OPENCODE: Spot<'_> = Spot { servers: &["mcp", "servers"], name: "databricks" };

fn entry() -> Value {
    json!({ "command": "/opt/a \"b\"\\c", "args": ["--sandbox", "--profile=a b"], "env": { "A": "1" } })
}

/// Puts the entry in and takes it out again, in both ways. Gives the text with it.
fn round(format: Format, spot: Spot<'_>, original: &str) -> String {
    let text = Text::new(original.to_owned());
    let before = format.value(text.plain()).expect(original);
    let made = spot.servers.len() - super::maps_there(&before, spot.servers).expect("maps");
    let with = format.with(&text, spot, &entry()).unwrap_or_else(|why| panic!("{why}: {original}"));
    let there = Text::new(with.clone());
    let value = format.value(there.plain()).expect("a value");
    assert_eq!(map_at(&value, spot.servers).and_then(|map| map.get(spot.name)), Some(&entry()), "{with}");
    let splice = Splice::between(original, &with);
    let undone = format.undone(&there, spot, made, &splice);
    assert_eq!(undone.as_deref(), Some(original), "undone:\n{with}");
    let other = json!({ "command": "y", "args": [] });
    let replaced = format.replaced(&there, spot, &other).unwrap_or_else(|why| panic!("{why}: {with}"));
    let back = format.replaced(&Text::new(replaced.clone()), spot, &entry()).expect("an entry");
    assert_eq!(back, with, "by way of\n{replaced}");
    // Whoever has lost the receipt, or whose client has written the file anew, loses nothing either.
    let without = format.without(&there, spot, made).unwrap_or_else(|why| panic!("{why}: {with}"));
    let after = format.value(Text::new(without.clone()).plain()).expect("a value");
    assert_eq!(super::without_null(after, spot), super::without_null(before, spot), "{without}");
    with
}

fn count(text: &str, part: &str) -> usize {
    text.matches(part).count()
}

#[test]
fn json_of_every_shape_takes_an_entry_and_gives_it_back() {
    for original in [
        "",
        "\n",
        "{}",
        "{}\n",
        "{ }",
        "{\n}\n",
        "\n\n{\n}\n\n",
        "// nothing yet",
        "// nothing yet\n/* still\n nothing */\n",
        r#"{"mcpServers":{}}"#,
        r#"{"mcpServers":{"a":{"command":"x"}}}"#,
        r#"{ "mcpServers": { "a": { "command": "x" } } }"#,
        r#"{ "mcpServers": null }"#,
        r#"{"a":1,"b":[1,2,{"c":null}]}"#,
        "{\n  \"mcpServers\": {}\n}\n",
        "{\n  \"mcpServers\": {\n  }\n}\n",
        "{\n  \"mcpServers\": {\n    // none yet\n  }\n}\n",
        "{\n  \"mcpServers\": null, // none\n  \"b\": 1\n}\n",
        "{\n    \"mcpServers\": {\n        \"a\": {\n            \"command\": \"x\"\n        }\n    }\n}",
        "{\n\t\"mcpServers\": {\n\t\t\"a\": { \"command\": \"x\", \"args\": [] },\n\t},\n\t\"z\": 1, // one\n}\n",
        "{\n  \"mcpServers\": { \"a\": { \"command\": \"x\" } },\n  \"z\": { \"y\": [] }\n}\n",
        "{\n  \"mcpServers\": {\n    \"a\": { \"command\": \"x\" } // first\n    // the end\n  } /* of servers */\n}\n",
        "{\n  \"mcpServers\": {\n    \"a\": { \"command\": \"x\" }, // the first\n    // the end\n  },\n}\n",
        "{\n  \"mcpServers\": {\n    \"a\": 1 /* c */, /* d */ // e\n  }\n}\n",
        "{\r\n  \"mcpServers\": {\r\n    \"a\": { \"command\": \"x\" }\r\n  },\r\n  \"é\": \"ü\\u00e9\"\r\n}\r\n",
        "{\r\n  \"a\": 1,\n  \"mcpServers\": {\r\n  }\n}\r\n",
        "\u{feff}{\n  \"a\": 1\n}\n",
        "\u{feff}{\r\n\t\"mcpServers\": {\r\n\t\t\"a\": {}\r\n\t}\r\n}",
        "{\n  \"projects\": { \"/a\": { \"mcpServers\": { \"databricks\": { \"command\": \"theirs\" } } } }\n}\n",
        "{\n  \"a\": \"https://x // no comment\",\n  \"b\": \"\\\"}, {\"\n}\n",
        "{\n  \"n\": [1e3, -0.5, 12345678901234567890]\n}\n",
        "  {\n    \"a\": 1\n  }\n",
        "{\"a\": 1,\n \"b\": 2}\n",
        "{ // why\n  \"a\": 1 }\n",
    ] {
        let with = round(Format::Json, SERVERS, original);
        let lone = with.replace("\r\n", "").contains('\n');
        let mixed = original.replace("\r\n", "").contains('\n');
        assert!(!original.contains("\r\n") || lone == mixed, "{with:?}");
        round(Format::Json, NEW_OPENCODE, original);
    }
    for original in
        ["{\n  \"mcp\": {\n    \"servers\": {}\n  }\n}\n", "{\"mcp\":{}}", "{\n  \"mcp\": { \"timeout\": 1 }\n}\n"]
    {
        round(Format::Json, NEW_OPENCODE, original);
    }
}

#[test]
fn json_is_written_as_the_file_is() {
    let with = round(Format::Json, SERVERS, "{\n\t\"mcpServers\": {\n\t\t\"a\": {} // one\n\t}\n}\n");
    assert!(with.contains("\t\t\"a\": {}, // one\n\t\t\"databricks\": {\n\t\t\t\"command\": "), "{with}");
    let with = round(Format::Json, SERVERS, r#"{"mcpServers":{"a":{}}}"#);
    assert!(with.starts_with(r#"{"mcpServers":{"a":{},"databricks":{"command":"#), "{with}");
    let with = round(Format::Json, SERVERS, "{ \"mcpServers\": { \"a\": {} } }\n");
    assert!(with.starts_with("{ \"mcpServers\": { \"a\": {}, \"databricks\": { \"command\": "), "{with}");
    let with = round(Format::Json, SERVERS, "");
    assert!(with.starts_with("{\n  \"mcpServers\": {\n    \"databricks\": {\n") && with.ends_with("}\n"), "{with}");
}

/// JSON of random shape, with comments, blanks and trailing commas where they may be.
fn grown(random: &mut fastrand::Rng, depth: usize, indent: usize, lines: bool) -> String {
    let blank = |random: &mut fastrand::Rng| match random.u8(0..6) {
        0 => " ".repeat(random.usize(1..3)),
        1 => "/* {\"a\": 1, */".to_owned(),
        2 if lines => format!("// }} , \n{}", " ".repeat(indent)),
        _ => String::new(),
    };
    if depth == 0 || random.u8(0..4) == 0 {
        let values = ["1", "-2.5e3", "\"\"", "\"a\\\"}\"", "true", "null", "[]", "{}", "\"// no\"", "\"é\"", "[1, 2]"];
        return values[random.usize(..values.len())].to_owned();
    }
    let names = ["a", "mcpServers", "mcp", "servers", "x y", "é", "projects"];
    let mut chosen: Vec<_> = names.iter().filter(|_| random.bool()).collect();
    random.shuffle(&mut chosen);
    let mut text = "{".to_owned();
    for (index, name) in chosen.iter().enumerate() {
        let object = **name == "mcpServers" || **name == "mcp" || **name == "servers";
        let value = match grown(random, depth - 1, indent + 2, lines) {
            value if object && !value.starts_with('{') => "{}".to_owned(),
            value => value,
        };
        let (before, after) = (blank(random), blank(random));
        let last = index + 1 == chosen.len();
        let comma = if last && random.u8(0..3) > 0 { "" } else { "," };
        let line = if lines { format!("\n{}", " ".repeat(indent + 2)) } else { String::new() };
        text.push_str(&format!("{line}{before}\"{name}\":{after}{value}{comma}{}", blank(random)));
    }
    if lines && !chosen.is_empty() {
        text.push_str(&format!("\n{}", " ".repeat(indent)));
    }
    format!("{text}}}")
}

#[test]
fn json_of_random_shape_comes_back() {
    let mut random = fastrand::Rng::with_seed(16);
    let mut seen = 0;
    for round_number in 0..120 {
        let lines = random.bool();
        let mut original = grown(&mut random, 4, 0, lines);
        if !original.starts_with('{') {
            continue;
        }
        seen += 1;
        if round_number % 3 == 0 {
            original = original.replace('\n', "\r\n");
        }
        let with = round(Format::Json, SERVERS, &original);
        assert!(count(&with, "\"a\\\"}\"") == count(&original, "\"a\\\"}\""), "{with}");
        round(Format::Json, NEW_OPENCODE, &original);
    }
    assert!(seen > 50, "{seen}");
}

#[test]
fn toml_of_every_shape_takes_an_entry_and_gives_it_back() {
    for original in [
        "",
        "\n",
        "# mine\n",
        "# mine",
        "model = \"o3\" # best\n",
        "model = \"o3\"",
        "[mcp_servers]\n",
        "[mcp_servers.docs]\ncommand = \"npx\"\nargs = [ \"-y\", # why\n  \"docs\" ]\n",
        "# mine\nmodel = 'o3'\n\n[mcp_servers.docs]\ncommand = \"npx\"\n\n[tools]\nweb = true",
        "[mcp_servers.docs]\ncommand = \"npx\"\n[mcp_servers.docs.env]\nTOKEN = \"x\"\n\n# the end\n",
        "[tools]\nweb = true\n\n\n[profiles.a]\nmodel = \"x\"\n\n",
        "mcp_servers = { docs = { command = \"npx\" } } # on one line\n[tools]\n",
        "mcp_servers.docs.command = \"npx\"\nmcp_servers.docs.args = []\n",
        "[mcp_servers]\ndocs = { command = \"npx\" }\n\n[tools]\n",
        "date = 2026-11-30T00:00:00Z\nf = 1.50\nh = 0xFF\ns = '''\n[mcp_servers.no]\n'''\n",
        "model = \"o3\"\r\n\r\n[mcp_servers.docs]\r\ncommand = \"npx\"\r\n\r\n[tools]\r\nweb = true\r\n",
        "\u{feff}model = \"o3\"\n",
        "[[hooks]]\na = 1\n\n[[hooks]]\na = 2\n",
        "\t[tools]\n\tweb = true\n",
    ] {
        round(Format::Toml, CODEX, original);
    }
}

#[test]
fn yaml_of_every_shape_takes_an_entry_and_gives_it_back() {
    for original in [
        "",
        "\n",
        "# mine\n",
        "---\nGOOSE_MODEL: x\n",
        "GOOSE_MODEL: x",
        "GOOSE_MODEL: x\nextensions:\n",
        "GOOSE_MODEL: x\nextensions: {}\nGOOSE_MODE: auto\n",
        "extensions: {} # none yet\n",
        "extensions: # mine\n  developer:\n    enabled: true\n",
        "extensions:\n  developer:\n    enabled: true # yes\n    type: builtin\n\n# tail\nZ: 1\n",
        "extensions:\n    developer:\n        enabled: true\n    # a remark\nZ: 1",
        "extensions:\n  developer:\n    args:\n      - \"--a: b\"\n      - '# no'\n    text: |\n      databricks:\n        no: 1\n",
        "a: |\n  extensions:\n    x: 1\nextensions:\n  \"developer\": { enabled: true }\n",
        "\"extensions\":\n  developer: {enabled: true}\nlist:\n- 1\n- 2\n",
        "extensions:\r\n  developer:\r\n    enabled: true\r\n\r\nZ: 1\r\n",
        "\u{feff}GOOSE_MODEL: x\nextensions:\n  a:\n    b: 1\n",
        "a: &x\n  b: 1\nc: *x\nextensions:\n\n  developer:\n\n    enabled: true\n\n\nZ: 1\n",
    ] {
        round(Format::Yaml, GOOSE, original);
    }
}

#[test]
fn what_cannot_be_edited_safely_is_refused() {
    let refused = |format: Format, spot, original: &str| {
        format.with(&Text::new(original.to_owned()), spot, &entry()).expect_err(original)
    };
    for original in [
        "{",
        "{\"a\" 1}",
        "[]",
        "1",
        "{'a': 1}",
        "{a: 1}",
        "{\"mcpServers\": []}",
        "{\"mcpServers\": \"x\"}",
        "{} {}",
        "{\"mcpServers\": {}, \"mcpServers\": {}}",
    ] {
        refused(Format::Json, SERVERS, original);
    }
    for original in ["a = ", "[a\n", "a = 1\na = 2\n", "mcp_servers = 1\n", "[[mcp_servers]]\na = 1\n"] {
        refused(Format::Toml, CODEX, original);
    }
    for original in [
        "extensions: [a]\n",
        "extensions: {a: {b: 1}}\n",
        "{extensions: {}}\n",
        "- a\n",
        "a: 1\n---\nb: 2\n",
        "a: 1\n...\n",
        "a: [\n",
        "extensions:\n- a\n",
        "extensions: text\n",
        "extensions: &x\n  a:\n    b: 1\n",
    ] {
        refused(Format::Yaml, GOOSE, original);
    }
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Format::Json.value(&format!("{{\"a\": {deep}}}")).is_err());
}

#[test]
fn an_error_does_not_quote_the_file() {
    for (format, text) in [
        (Format::Json, "{\n  \"TOKEN\": \"dapi-secret\" \"x\"\n}"),
        (Format::Toml, "TOKEN = \"dapi-secret\" x\n"),
        (Format::Yaml, "TOKEN: \"dapi-secret\" x\n  a: b\n"),
    ] {
        let error = format.value(text).expect_err(text);
        assert!(!error.contains("dapi-secret") && error.contains("line "), "{error}");
    }
}

#[test]
fn an_entry_comes_out_of_a_file_that_was_written_anew() {
    let text = "{\"z\": 1, \"mcpServers\": {\"databricks\": {\"command\": \"x\", \"disabled\": true}, \"b\": {}}}";
    let out = Format::Json.without(&Text::new(text.to_owned()), SERVERS, 1).expect("text");
    assert_eq!(Format::Json.value(&out), Ok(json!({ "z": 1, "mcpServers": { "b": {} } })), "{out}");
    let text = "[mcp_servers.databricks]\ncommand = \"x\"\n[mcp_servers.databricks.tools.a]\napproval = \"ask\"\n[z]\n";
    let out = Format::Toml.without(&Text::new(text.to_owned()), CODEX, 1).expect("text");
    assert_eq!(out, "[z]\n");
    let text = "extensions:\n  databricks:\n    cmd: x\n\n  b:\n    cmd: y\n";
    let out = Format::Yaml.without(&Text::new(text.to_owned()), GOOSE, 1).expect("text");
    assert_eq!(out, "extensions:\n\n  b:\n    cmd: y\n");
}
