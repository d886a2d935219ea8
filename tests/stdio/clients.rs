//! `install`, `uninstall` and `setup` of the real binary, in homes with files as clients write them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;

use crate::{Outcome, initialize, talk};

const SECRET: &str = "dapi-0123456789-never-written";

/// Files as clients write them, and where they are.
const FILES: [(&str, &str, &str); 7] = [
    ("claude-code", ".claude.json", include_str!("clients/claude.json")),
    ("codex", ".codex/config.toml", include_str!("clients/codex.toml")),
    ("goose", ".config/goose/config.yaml", include_str!("clients/goose.yaml")),
    ("zed", ".config/zed/settings.json", include_str!("clients/zed.json")),
    ("opencode", ".config/opencode/opencode.jsonc", include_str!("clients/opencode.jsonc")),
    ("vscode", ".config/Code/User/mcp.json", include_str!("clients/vscode.json")),
    ("cursor", ".cursor/mcp.json", include_str!("clients/cursor.json")),
];
const ALL: &str = "claude-code,claude-desktop,cursor,vscode,vscode-insiders,windsurf,codex,gemini,zed,cline,roo,goose,\
                   junie,continue,opencode,kiro";

/// Each file and directory, with its mode and what is in it.
type Tree = BTreeMap<PathBuf, (u32, Vec<u8>)>;

/// A person with a home directory and a project.
struct Person {
    home: TempDir,
}

struct Ended {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Person {
    fn new() -> Result<Self, Box<dyn std::error::Error>> {
        let person = Self { home: TempDir::new()? };
        fs::create_dir(person.home.path().join("project"))?;
        Ok(person)
    }

    fn with_files() -> Result<Self, Box<dyn std::error::Error>> {
        let person = Self::new()?;
        for (_, path, text) in FILES {
            person.write(path, text)?;
        }
        Ok(person)
    }

    fn path(&self, path: &str) -> PathBuf {
        self.home.path().join(path)
    }

    fn write(&self, path: &str, text: &str) -> Outcome {
        let path = self.path(path);
        fs::create_dir_all(path.parent().ok_or("no parent")?)?;
        Ok(fs::write(path, text)?)
    }

    fn read(&self, path: &str) -> Result<String, std::io::Error> {
        fs::read_to_string(self.path(path))
    }

    async fn run(&self, arguments: &[&str]) -> Result<Ended, Box<dyn std::error::Error>> {
        self.run_with(arguments, &[]).await
    }

    async fn run_with(
        &self,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> Result<Ended, Box<dyn std::error::Error>> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_databricks-mcp-server"));
        command.args(arguments).env_clear().env("HOME", self.home.path()).env("USERPROFILE", self.home.path());
        command.envs(variables.iter().copied()).current_dir(self.path("project")).stdin(Stdio::null());
        let output = command.output().await?;
        let (stdout, stderr) = (String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?);
        assert!(!stdout.contains("never_shown") && !stderr.contains("never_shown"), "{stdout}{stderr}");
        Ok(Ended { code: output.status.code(), stdout, stderr })
    }

    /// Everything in the home: modes and bytes.
    fn tree(&self) -> Result<Tree, Box<dyn std::error::Error>> {
        let (mut tree, mut directories) = (Tree::new(), vec![self.home.path().to_owned()]);
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory)? {
                let path = entry?.path();
                let metadata = path.symlink_metadata()?;
                let bytes = if metadata.is_file() { fs::read(&path)? } else { Vec::new() };
                if metadata.is_dir() {
                    directories.push(path.clone());
                }
                tree.insert(path, (mode(&metadata), bytes));
            }
        }
        Ok(tree)
    }
}

fn mode(metadata: &fs::Metadata) -> u32 {
    metadata.permissions().mode()
}

/// The command of the server in a client's file, read as that client reads it.
fn command_in(path: &Path, name: &str) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let text = fs::read_to_string(path)?;
    let text = text.trim_start_matches('\u{feff}');
    let value: Value = match path.extension().and_then(|extension| extension.to_str()) {
        Some("toml") => {
            let document: toml_edit::DocumentMut = text.parse()?;
            let server = document["mcp_servers"][name].as_table().ok_or("no table")?;
            let args = server["args"].as_array().ok_or("no arguments")?.iter().filter_map(|word| word.as_str());
            json!({ "command": server["command"].as_str(), "args": args.collect::<Vec<_>>() })
        }
        Some("yaml") => serde_saphyr::from_str::<Value>(text)?["extensions"][name].clone(),
        _ => {
            let root = jsonc_parser::cst::CstRootNode::parse(text, &jsonc_parser::ParseOptions::default())?;
            let root = root.to_serde_value().ok_or("no value")?;
            let maps = ["/mcpServers", "/servers", "/context_servers", "/mcp/servers", "/mcp"];
            let server = maps.iter().find_map(|map| root.pointer(map)?.get(name));
            server.ok_or("no server")?.clone()
        }
    };
    let words = ["command", "cmd", "args"].into_iter().flat_map(|key| match &value[key] {
        Value::Array(words) => words.clone(),
        Value::Null => Vec::new(),
        word => vec![word.clone()],
    });
    Ok(words.filter_map(|word| word.as_str().map(str::to_owned)).collect())
}

/// Starts what is written there, and gives the names of its tools.
async fn tools_of(words: &[String]) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let (program, arguments) = words.split_first().ok_or("no program")?;
    assert!(Path::new(program).is_absolute(), "{program}");
    let mut command = Command::new(program);
    // As from a desktop: in no directory of the person's, and without a PATH.
    command.args(arguments).env_clear().current_dir("/").kill_on_drop(true);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let list = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" });
    let (received, stderr, _) = talk(command.spawn()?, &[initialize(), initialized, list], 2).await?;
    assert_eq!(stderr, "");
    let tools = received[1]["result"]["tools"].as_array().ok_or("no tools")?;
    Ok(tools.iter().filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect())
}

#[tokio::test]
async fn the_server_starts_from_what_is_written_and_comes_out_again_byte_for_byte() -> Outcome {
    let person = Person::with_files()?;
    fs::set_permissions(person.path(".claude.json"), fs::Permissions::from_mode(0o600))?;
    let before = person.tree()?;
    let none = person.run(&["install", "--sandbox"]).await?;
    assert!(none.code == Some(1) && none.stderr.contains("add `--yes` for all that were found"), "{}", none.stderr);
    let dry = person.run(&["install", "--sandbox", "--dry-run"]).await?;
    assert_eq!((dry.code, dry.stderr.as_str()), (Some(0), ""));
    assert!(dry.stdout.contains("Nothing was written"), "{}", dry.stdout);
    assert_eq!(person.tree()?, before);

    let arguments = ["--sandbox", "--read-only", "--preset", "analyst", "--policy", "rules.yaml"];
    fs::write(person.path("project/rules.yaml"), "version: 1\n")?;
    let before = person.tree()?;
    let done = person.run(&[&["install", "--yes"], &arguments[..]].concat()).await?;
    assert_eq!((done.code, done.stderr.as_str()), (Some(0), ""), "{}", done.stdout);
    let rules = person.path("project/rules.yaml").canonicalize()?;
    for (client, path, original) in FILES {
        let words = command_in(&person.path(path), "databricks")?;
        let expected = ["--policy", &*rules.to_string_lossy(), "--read-only", "--sandbox", "--toolsets", "analyst"];
        let mut given: Vec<_> = words[1..].to_vec();
        given.iter_mut().for_each(|word| {
            if word.ends_with("rules.yaml") {
                *word = Path::new(word).canonicalize().map_or(word.clone(), |path| path.to_string_lossy().into_owned());
            }
        });
        given.sort();
        let mut expected = expected.map(str::to_owned).to_vec();
        expected.sort();
        assert_eq!(given, expected, "{client}");
        let text = person.read(path)?;
        let kept = original.lines().filter(|line| !line.trim().is_empty() && client != "cursor");
        for line in kept.filter(|line| !line.ends_with(['}', ']'])) {
            assert!(text.contains(line), "{client} lost {line:?}:\n{text}");
        }
        assert!(original.contains("\r\n") == text.contains("\r\n"), "{client}");
    }
    for path in [FILES[0].1, FILES[1].1, FILES[2].1, FILES[4].1] {
        let words: Vec<_> = command_in(&person.path(path), "databricks")?;
        let words: Vec<_> = words.into_iter().filter(|word| word != "--policy" && !word.ends_with(".yaml")).collect();
        let tools = tools_of(&words).await?;
        assert!(tools.contains(&"list_catalogs".to_owned()), "{path}: {tools:?}");
        assert!(!tools.iter().any(|name| name.starts_with("delete_")), "{path}: {tools:?}");
    }
    let installed = person.tree()?;
    let again = person.run(&[&["install", "--yes"], &arguments[..]].concat()).await?;
    assert_eq!((again.code, again.stdout.matches("has this server already").count()), (Some(0), 7), "{}", again.stdout);
    assert_eq!(person.tree()?, installed);
    let other = person.run(&["install", "--yes", "--sandbox"]).await?;
    assert_eq!(other.code, Some(0), "{}", other.stderr);
    assert_eq!(command_in(&person.path(FILES[1].1), "databricks")?[1..], ["--sandbox"]);
    assert!(!other.stdout.contains("numStartups") && other.stdout.contains("--read-only"), "{}", other.stdout);

    let done = person.run(&["uninstall"]).await?;
    assert_eq!(
        (done.code, done.stdout.matches("byte for byte").count()),
        (Some(0), 7),
        "{}{}",
        done.stdout,
        done.stderr
    );
    assert_eq!(person.tree()?, before);
    let again = person.run(&["uninstall"]).await?;
    assert!(again.code == Some(0) && again.stdout.contains("No client has a server `databricks`"), "{}", again.stdout);
    Ok(())
}

#[tokio::test]
async fn files_that_were_not_there_go_away_again() -> Outcome {
    let person = Person::new()?;
    let before = person.tree()?;
    let done = person.run(&["install", "--sandbox", "--client", ALL, "--name", "dbx"]).await?;
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert_eq!(done.stdout.matches(" has the server now").count(), 16, "{}", done.stdout);
    let opencode: Value = serde_json::from_str(&person.read(".config/opencode/opencode.json")?)?;
    assert_eq!((&opencode["mcp"]["dbx"]["type"], &opencode["mcp"]["dbx"]["enabled"]), (&json!("local"), &json!(true)));
    let tools = tools_of(&command_in(&person.path(".continue/mcpServers/dbx.json"), "dbx")?).await?;
    assert!(tools.len() > 30);
    let project = "claude-code,cursor,vscode,codex,gemini,zed,roo,junie,continue,opencode,kiro";
    let done =
        person.run(&["install", "--sandbox", "--client", project, "--scope", "project", "--name", "dbx"]).await?;
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert_eq!(command_in(&person.path("project/.mcp.json"), "dbx")?[1..], ["--sandbox"]);
    let done = person.run(&["uninstall", "--all"]).await?;
    assert_eq!(
        (done.code, done.stdout.matches("'s file is gone").count()),
        (Some(0), 27),
        "{}{}",
        done.stdout,
        done.stderr
    );
    assert_eq!(person.tree()?, before);
    Ok(())
}

#[tokio::test]
async fn what_others_do_to_a_file_stays() -> Outcome {
    let person = Person::new()?;
    person.write(".cursor/mcp.json", "{}\n")?;
    person.run(&["install", "--sandbox", "--client", "cursor,codex,goose"]).await?;
    // Cursor adds a server, somebody allows a tool, Codex's file is written anew.
    let text = person.read(".cursor/mcp.json")?;
    let more = text.replacen(
        "\"databricks\": {",
        "\"a\": { \"command\": \"x\" },\n    \"databricks\": {\n      \"autoApprove\": [\"x\"],",
        1,
    );
    fs::write(person.path(".cursor/mcp.json"), more)?;
    let codex = person.read(".codex/config.toml")?;
    fs::write(person.path(".codex/config.toml"), format!("model = \"o3\"\n{codex}enabled = false\n"))?;
    let done = person.run(&["install", "--sandbox", "--read-only", "--client", "cursor,codex"]).await?;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let cursor: Value = serde_json::from_str(&person.read(".cursor/mcp.json")?)?;
    assert_eq!(cursor["mcpServers"]["databricks"]["autoApprove"], json!(["x"]));
    assert_eq!(command_in(&person.path(".cursor/mcp.json"), "databricks")?[1..], ["--read-only", "--sandbox"]);
    assert!(person.read(".codex/config.toml")?.contains("enabled = false"));
    let goose = person.read(".config/goose/config.yaml")?;
    fs::write(person.path(".config/goose/config.yaml"), format!("{goose}GOOSE_MODE: auto\n"))?;
    let done = person.run(&["uninstall"]).await?;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let cursor: Value = serde_json::from_str(&person.read(".cursor/mcp.json")?)?;
    assert_eq!(cursor, json!({ "mcpServers": { "a": { "command": "x" } } }));
    assert_eq!(person.read(".codex/config.toml")?.trim(), "model = \"o3\"");
    assert_eq!(person.read(".config/goose/config.yaml")?, "GOOSE_MODE: auto\n");
    Ok(())
}

#[tokio::test]
async fn two_servers_in_one_file_go_in_either_order() -> Outcome {
    for order in [["databricks", "prod"], ["prod", "databricks"]] {
        let person = Person::new()?;
        person.write(".claude.json", "{}\n")?;
        let before = person.tree()?;
        for name in ["databricks", "prod"] {
            let done =
                person.run(&["install", "--sandbox", "--name", name, "--client", "claude-code,goose,kiro"]).await?;
            assert_eq!(done.code, Some(0), "{}", done.stderr);
        }
        for name in order {
            let done = person.run(&["uninstall", "--name", name]).await?;
            assert_eq!(done.code, Some(0), "{}", done.stderr);
        }
        let mut after = person.tree()?;
        let text =
            after.get(&person.path(".claude.json")).map(|(_, bytes)| String::from_utf8_lossy(bytes).into_owned());
        assert_eq!(text.map(|text| text.split_whitespace().collect::<String>()).as_deref(), Some("{}"));
        if order[0] == "databricks" {
            // What was around the first is written anew then, and the file before that is kept.
            let is_kept = |path: &Path| path.starts_with(person.path(".local")) || path.ends_with(".claude.json");
            after.retain(|path, _| !is_kept(path));
            after.extend(before.clone());
        }
        assert_eq!(after, before, "{order:?}");
    }
    // What somebody has taken out by hand is forgotten.
    let person = Person::new()?;
    person.write(".kiro/settings/mcp.json", "{}")?;
    let before = person.tree()?;
    person.run(&["install", "--sandbox", "--client", "kiro"]).await?;
    person.write(".kiro/settings/mcp.json", "{}")?;
    let done = person.run(&["uninstall"]).await?;
    assert!(done.stdout.contains("Kiro does not have this server"), "{}", done.stdout);
    let mut after = person.tree()?;
    after.retain(|path, _| !path.starts_with(person.path(".local")));
    assert_eq!(after, before);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_changed_safely_is_left_alone_and_said() -> Outcome {
    let person = Person::new()?;
    person.write(".cursor/mcp.json", "{ \"mcpServers\": { \"TOKEN\": \"never_shown\" \"x\": 1 } }")?;
    person.write(".claude.json", "{ \"mcpServers\": { \"databricks\": { \"command\": \"databricks-labs-mcp\" } } }")?;
    person.write(".gemini/settings.json", "{ \"mcpServers\": [] }")?;
    person.write(".config/goose/config.yaml", "extensions: { a: { type: builtin } }\n")?;
    person.write(".kiro/settings/mcp.json", "{}")?;
    person.write(".junie/mcp/mcp.json/no-file", "")?;
    fs::write(person.path(".codeium"), "")?;
    fs::create_dir_all(person.path(".config/Code/User"))?;
    fs::write(person.path(".config/Code/User/mcp.json"), b"\xff\xfe{\x00}\x00")?;
    let mut permissions = fs::metadata(person.path(".kiro/settings/mcp.json"))?.permissions();
    permissions.set_readonly(true);
    fs::set_permissions(person.path(".kiro/settings/mcp.json"), permissions)?;
    let before = person.tree()?;
    let names = "cursor,claude-code,gemini,goose,kiro,junie,vscode,windsurf";
    let done = person.run(&["install", "--sandbox", "--client", names]).await?;
    assert_eq!(done.code, Some(1), "{}", done.stdout);
    for words in [
        "cannot read `",
        "line 1, column",
        "another server is called `databricks`",
        "choose another name with `--name`",
        "its `mcpServers` is no map",
        "its `extensions` is not written as a block",
        "add this to `extensions` by hand",
        "is read-only",
        "is no file",
        "is UTF-16",
    ] {
        assert!(done.stderr.contains(words), "no {words:?} in\n{}", done.stderr);
    }
    assert_eq!(person.tree()?, before);
    // The rest is done all the same.
    let done = person.run(&["install", "--sandbox", "--client", "cursor,codex"]).await?;
    assert!(done.code == Some(1) && person.path(".codex/config.toml").exists(), "{}", done.stderr);
    let done = person.run(&["install", "--sandbox", "--client", "claude-code", "--name", "dbx"]).await?;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let done = person.run(&["uninstall", "--client", "claude-code"]).await?;
    assert!(done.code == Some(0) && done.stdout.contains("has another server under this name"), "{}", done.stdout);
    let done = person.run(&["uninstall", "--all"]).await?;
    assert_eq!((done.code, person.tree()? == before), (Some(0), true), "{}{}", done.stdout, done.stderr);
    Ok(())
}

#[tokio::test]
async fn a_link_is_followed_and_in_a_project_only_within_it() -> Outcome {
    let person = Person::new()?;
    person.write("dotfiles/codex.toml", "model = \"o3\"\n")?;
    fs::create_dir(person.path(".codex"))?;
    symlink("../dotfiles/codex.toml", person.path(".codex/config.toml"))?;
    symlink("nowhere.json", person.path(".claude.json"))?;
    symlink(person.path("dotfiles"), person.path("project/.cursor"))?;
    person.write("project/shared.json", "{}")?;
    symlink("shared.json", person.path("project/.mcp.json"))?;
    let before = person.tree()?;
    let done = person.run(&["install", "--sandbox", "--client", "codex,claude-code"]).await?;
    assert!(done.code == Some(1) && done.stdout.contains("(a link to `"), "{}", done.stdout);
    assert!(done.stderr.contains("is a link that leads nowhere"), "{}", done.stderr);
    assert!(person.path(".codex/config.toml").is_symlink());
    assert!(person.read("dotfiles/codex.toml")?.contains("[mcp_servers.databricks]"));
    let project = ["install", "--sandbox", "--scope", "project", "--client", "cursor,claude-code"];
    let done = person.run(&project).await?;
    assert!(done.code == Some(1) && done.stderr.contains("leads out of the project"), "{}", done.stderr);
    assert!(person.read("project/shared.json")?.contains("databricks"));
    person.run(&["uninstall", "--all"]).await?;
    assert_eq!(person.tree()?, before);
    Ok(())
}

#[tokio::test]
async fn no_secret_is_written_and_a_workspace_is_named() -> Outcome {
    let person = Person::new()?;
    let none = person.run_with(&["install", "--client", "cursor"], &[("DATABRICKS_TOKEN", SECRET)]).await?;
    assert!(none.code == Some(1) && none.stderr.contains("nothing says which workspace"), "{}", none.stderr);
    person.write(".databrickscfg", &format!("[dev]\nhost = https://acme.test\ntoken = {SECRET}\n"))?;
    let none = person.run(&["install", "--client", "cursor"]).await?;
    assert!(none.code == Some(1) && none.stderr.contains("`--profile` with one of dev"), "{}", none.stderr);
    for (arguments, words) in [
        (["--profile", "prod"], "has no `prod` profile"),
        (["--sandbox", "--toolsets=jbos"], "did you mean `jobs`?"),
        (["--sandbox", "--preset=analist"], "did you mean `analyst`?"),
        (["--sandbox", "--client=cursr"], "did you mean `cursor`?"),
    ] {
        let wrong = person.run(&[&["install", "--client", "cursor"], &arguments[..]].concat()).await?;
        assert!(wrong.code == Some(1) && wrong.stderr.contains(words), "{}", wrong.stderr);
    }
    let wrong = person.run(&["install", "--sandbox", "--name", "Data Bricks"]).await?;
    assert_eq!(wrong.code, Some(2), "{}", wrong.stderr);

    let file = person.path(".databrickscfg");
    let variables = [("DATABRICKS_CONFIG_PROFILE", "dev"), ("DATABRICKS_CONFIG_FILE", file.to_str().ok_or("text")?)];
    let variables = [&variables[..], &[("DATABRICKS_TOKEN", SECRET), ("DATABRICKS_MCP_READ_ONLY", "1")]].concat();
    let done = person.run_with(&["install", "--client", ALL], &variables).await?;
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    assert_eq!(command_in(&person.path(".cursor/mcp.json"), "databricks")?[1..], ["--read-only", "--profile", "dev"]);
    let goose: Value = serde_saphyr::from_str(&person.read(".config/goose/config.yaml")?)?;
    assert_eq!(goose["extensions"]["databricks"]["envs"]["DATABRICKS_CONFIG_FILE"], json!(file));
    for (path, (_, bytes)) in person.tree()? {
        assert!(path.ends_with(".databrickscfg") || !String::from_utf8_lossy(&bytes).contains(SECRET), "{path:?}");
    }
    Ok(())
}

#[tokio::test]
async fn setup_works_by_flags_and_says_so() -> Outcome {
    let person = Person::new()?;
    let none = person.run(&["setup", "--sandbox"]).await?;
    assert!(none.code == Some(1) && none.stderr.contains("name them with `--client`"), "{}", none.stderr);
    let done = person.run(&["setup", "--sandbox", "--preset", "analyst", "--client", "claude-code"]).await?;
    assert_eq!(done.code, Some(0), "{}{}", done.stdout, done.stderr);
    assert!(done.stderr.contains("Asking nothing"), "{}", done.stderr);
    for words in ["Claude Code has the server now", "all is well", "Then ask, for example"] {
        assert!(done.stdout.contains(words), "no {words:?} in\n{}", done.stdout);
    }
    let words = command_in(&person.path(".claude.json"), "databricks")?;
    assert_eq!(words[1..], ["--sandbox", "--toolsets", "analyst"]);
    assert!(!tools_of(&words).await?.is_empty());
    // One that does not authenticate is told, and what was written stays.
    person.write(".databrickscfg", "[dev]\nhost = http://127.0.0.1:9\n")?;
    let done = person.run(&["setup", "--profile", "dev", "--client", "claude-code"]).await?;
    assert!(done.code == Some(1) && done.stdout.contains("failed"), "{}{}", done.stdout, done.stderr);
    assert_eq!(command_in(&person.path(".claude.json"), "databricks")?[1..], ["--profile", "dev"]);
    Ok(())
}
