//! What a person confirms before a call changes something: in both eras, as the client sends and gets it, line by line.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use databricks_mcp_server::audit::AuditLog;
use databricks_mcp_server::consent::{Choice, Consent, Level, Terms};
use databricks_mcp_server::context::Context;
use databricks_mcp_server::registry::{Registry, Selection};
use databricks_mcp_server::server::Server;
use databricks_mcp_server::shape::Budget;
use databricks_mcp_server::transport::stdio;
use databricks_sandbox::{Faults, Options, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, DuplexStream, Lines};
use tokio::time::timeout;

use crate::harness::{self, Outcome};

type Failure = Box<dyn std::error::Error>;

const PATIENCE: Duration = Duration::from_secs(30);

/// How a client asks its person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Era {
    Legacy,
    Modern,
}

const ERAS: [Era; 2] = [Era::Legacy, Era::Modern];

/// A server with a workspace, and a client that writes what it likes.
struct Wire {
    input: DuplexStream,
    output: Lines<BufReader<DuplexStream>>,
    era: Era,
    can_ask: bool,
    next: u64,
    _sandbox: Arc<Sandbox>,
    workspace: databricks::Client,
}

/// What a call comes to before anybody is asked, or after.
#[derive(Debug)]
enum Heard {
    /// The question, and what has to be sent back.
    Question(String, Value),
    /// The result, or the error.
    Answer(Value),
}

struct Given<'a> {
    confirm: Option<Level>,
    protect: &'a [&'a str],
    can_ask: bool,
    faults: Value,
    log: Option<&'a Path>,
    open: Duration,
    dry_run: bool,
}

impl Default for Given<'_> {
    fn default() -> Self {
        let open = Duration::from_secs(300);
        Self { confirm: None, protect: &[], can_ask: true, faults: json!([]), log: None, open, dry_run: false }
    }
}

impl Wire {
    async fn open(era: Era, given: Given<'_>) -> Result<Self, Failure> {
        let faults = Faults::parse(&given.faults.to_string())?;
        let sandbox = Arc::new(Sandbox::start(Options::default().with_faults(faults)).await?);
        let protect: Vec<_> = given.protect.iter().map(|text| (*text).to_owned()).collect();
        let mut context = Context::new(harness::client(&sandbox)?, Budget::tokens(6_000), None);
        context.consent = Consent::under(Terms::new(Choice(given.confirm), &protect)?.open_for(given.open));
        context.audit = given.log.map(AuditLog::open).transpose()?;
        context.policy.dry_run = given.dry_run;
        let selection = Selection { toolsets: vec!["all".to_owned()], dry_run: given.dry_run, ..Selection::default() };
        let server = Server::new(Registry::new(&selection)?, context);
        let ((input, far_input), (output, far_output)) = (tokio::io::duplex(1 << 16), tokio::io::duplex(1 << 16));
        let mut connection = stdio::open(server, far_input, far_output);
        tokio::spawn(async move {
            let _ = connection.ended().await;
            connection.finish().await;
        });
        let workspace = harness::client(&sandbox)?;
        let output = BufReader::new(output).lines();
        let mut wire = Self { input, output, era, can_ask: given.can_ask, next: 0, _sandbox: sandbox, workspace };
        if era == Era::Legacy {
            let client = json!({ "name": "test", "version": "1" });
            let params = json!({
                "protocolVersion": "2025-11-25", "capabilities": wire.capabilities(), "clientInfo": client,
            });
            let id = wire.send("initialize", params).await?;
            wire.answer(id).await?;
            wire.write(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await?;
        }
        Ok(wire)
    }

    fn capabilities(&self) -> Value {
        if self.can_ask { json!({ "elicitation": { "form": {} } }) } else { json!({}) }
    }

    async fn write(&mut self, message: Value) -> Outcome {
        Ok(self.input.write_all(format!("{message}\n").as_bytes()).await?)
    }

    async fn read(&mut self) -> Result<Value, Failure> {
        let line = timeout(PATIENCE, self.output.next_line()).await??.ok_or("the server has ended")?;
        Ok(serde_json::from_str(&line)?)
    }

    async fn send(&mut self, method: &str, mut params: Value) -> Result<u64, Failure> {
        self.next += 1;
        if self.era == Era::Modern {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientCapabilities": self.capabilities(),
                "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
            });
        }
        let id = self.next;
        self.write(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await?;
        Ok(id)
    }

    async fn answer(&mut self, id: u64) -> Result<Value, Failure> {
        loop {
            let message = self.read().await?;
            if message["id"] == id && message.get("method").is_none() {
                return Ok(message);
            }
        }
    }

    /// Calls a tool, with more in its parameters.
    async fn start(&mut self, tool: &str, arguments: &Value, more: Value) -> Result<Heard, Failure> {
        let mut params = json!({ "name": tool, "arguments": arguments });
        for (name, value) in more.as_object().into_iter().flatten() {
            params[name] = value.clone();
        }
        self.send("tools/call", params).await?;
        self.heard().await
    }

    async fn heard(&mut self) -> Result<Heard, Failure> {
        loop {
            let message = self.read().await?;
            if message["method"] == "elicitation/create" {
                let text = message["params"]["message"].as_str().unwrap_or_default().to_owned();
                assert_eq!(message["params"]["requestedSchema"]["required"], json!(["confirm"]), "{message}");
                return Ok(Heard::Question(text, message["id"].clone()));
            }
            if message.get("method").is_some() {
                continue;
            }
            let result = &message["result"];
            if result["resultType"] == "input_required" {
                let asked = &result["inputRequests"]["confirm"];
                assert_eq!(asked["method"], "elicitation/create", "{message}");
                let text = asked["params"]["message"].as_str().unwrap_or_default().to_owned();
                return Ok(Heard::Question(text, result["requestState"].clone()));
            }
            return Ok(Heard::Answer(message));
        }
    }

    /// The question about a call.
    async fn question(&mut self, tool: &str, arguments: &Value) -> Result<(String, Value), Failure> {
        match self.start(tool, arguments, json!({})).await? {
            Heard::Question(text, state) => Ok((text, state)),
            Heard::Answer(answer) => Err(format!("{tool} was not asked about: {answer}").into()),
        }
    }

    /// Answers a question about a call, as a person who does this.
    async fn reply(&mut self, tool: &str, arguments: &Value, state: &Value, person: Value) -> Result<Value, Failure> {
        let heard = match self.era {
            Era::Legacy => {
                self.write(json!({ "jsonrpc": "2.0", "id": state, "result": person })).await?;
                self.heard().await?
            }
            Era::Modern => {
                let more = json!({ "requestState": state, "inputResponses": { "confirm": person } });
                self.start(tool, arguments, more).await?
            }
        };
        match heard {
            Heard::Answer(answer) => Ok(answer),
            Heard::Question(text, _) => Err(format!("{tool} was asked about again: {text}").into()),
        }
    }

    /// The answer to a call that nobody has to confirm.
    async fn unasked(&mut self, tool: &str, arguments: Value) -> Result<Value, Failure> {
        match self.start(tool, &arguments, json!({})).await? {
            Heard::Answer(answer) => Ok(answer),
            Heard::Question(text, _) => Err(format!("{tool} was asked about: {text}").into()),
        }
    }

    /// The structured answer to such a call.
    async fn done(&mut self, tool: &str, arguments: Value) -> Result<Value, Failure> {
        let answer = self.unasked(tool, arguments).await?;
        assert_eq!(answer["result"]["isError"], false, "{tool}: {answer}");
        Ok(answer["result"]["structuredContent"].clone())
    }

    async fn job(&mut self, name: &str) -> Result<Value, Failure> {
        use databricks::operations::JOBS_JOBS_CREATE;
        let arguments = databricks::Arguments::new().with(databricks::Location::Body, "name", name);
        let made = self.workspace.execute(&JOBS_JOBS_CREATE, arguments).await?.into_json().ok_or("no job")?;
        Ok(json!({ "job_id": made["job_id"] }))
    }

    async fn exists(&self, job: &Value) -> Result<bool, Failure> {
        use databricks::operations::JOBS_JOBS_GET;
        let arguments = databricks::Arguments::new().with(databricks::Location::Query, "job_id", job["job_id"].clone());
        match self.workspace.execute(&JOBS_JOBS_GET, arguments).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() || error.is_bad_request() => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn yes() -> Value {
    json!({ "action": "accept", "content": { "confirm": true } })
}

/// The text of a result that is an error.
fn refusal(answer: &Value) -> Result<&str, Failure> {
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    Ok(answer["result"]["content"][0]["text"].as_str().ok_or("no text")?)
}

#[tokio::test]
async fn what_a_person_confirms_is_done_and_the_question_names_the_object() -> Outcome {
    for era in ERAS {
        let mut wire = Wire::open(era, Given::default()).await?;
        let job = wire.job("nightly load").await?;
        let (text, state) = wire.question("delete_job", &job).await?;
        for words in
            ["Delete job `nightly load`?", "made by sandbox.user@example.test", "it has no runs", "cannot be undone"]
        {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(text.contains("Workspace: 127.0.0.1") && !text.contains("cancel_run"), "{text}");
        assert!(wire.exists(&job).await?, "nothing was sent");
        let answer = wire.reply("delete_job", &job, &state, yes()).await?;
        assert_eq!(answer["result"]["isError"], false, "{era:?}: {answer}");
        assert!(!wire.exists(&job).await?, "{era:?}");
    }
    Ok(())
}

#[tokio::test]
async fn without_a_yes_nothing_is_sent() -> Outcome {
    for era in ERAS {
        let mut wire = Wire::open(era, Given::default()).await?;
        let job = wire.job("kept").await?;
        for (person, words) in [
            (json!({ "action": "decline" }), "declined"),
            (json!({ "action": "cancel" }), "closed without an answer"),
            (json!({ "action": "accept", "content": { "confirm": false } }), "declined"),
            (json!({ "action": "accept" }), "declined"),
        ] {
            let (_, state) = wire.question("delete_job", &job).await?;
            let answer = wire.reply("delete_job", &job, &state, person.clone()).await?;
            let text = refusal(&answer)?;
            assert!(text.contains(words) && text.contains("nothing was sent"), "{era:?} {person}: {text}");
            assert!(wire.exists(&job).await?, "{era:?} {person}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_client_that_fails_to_ask_or_goes_sends_nothing() -> Outcome {
    let mut wire = Wire::open(Era::Legacy, Given::default()).await?;
    let job = wire.job("kept").await?;
    let (_, id) = wire.question("delete_job", &job).await?;
    let error = json!({ "code": -32_603, "message": "there is no window" });
    wire.write(json!({ "jsonrpc": "2.0", "id": id, "error": error })).await?;
    let Heard::Answer(answer) = wire.heard().await? else { return Err("asked again".into()) };
    assert!(refusal(&answer)?.contains("did not put the question"), "{answer}");
    // A call that is cancelled while its person thinks is over.
    let (_, id) = wire.question("delete_job", &job).await?;
    let cancelled = json!({ "requestId": wire.next });
    wire.write(json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": cancelled })).await?;
    wire.write(json!({ "jsonrpc": "2.0", "id": id, "result": yes() })).await?;
    wire.done("list_jobs", json!({ "limit": 1 })).await?;
    assert!(wire.exists(&job).await?);
    Ok(())
}

#[tokio::test]
async fn nobody_answers_in_time() -> Outcome {
    let given = Given { open: Duration::from_millis(300), ..Given::default() };
    let mut wire = Wire::open(Era::Legacy, given).await?;
    let job = wire.job("kept").await?;
    wire.question("delete_job", &job).await?;
    let Heard::Answer(answer) = wire.heard().await? else { return Err("asked again".into()) };
    assert!(refusal(&answer)?.contains("nobody confirmed this call within"), "{answer}");
    // A state lives for whole seconds.
    let mut wire = Wire::open(Era::Modern, Given { open: Duration::ZERO, ..Given::default() }).await?;
    let job = wire.job("kept").await?;
    let (_, state) = wire.question("delete_job", &job).await?;
    let answer = wire.reply("delete_job", &job, &state, yes()).await?;
    assert!(refusal(&answer)?.contains("the answer came more than"), "{answer}");
    assert!(wire.exists(&job).await?);
    Ok(())
}

#[tokio::test]
async fn a_state_holds_for_its_call_and_once() -> Outcome {
    let mut wire = Wire::open(Era::Modern, Given::default()).await?;
    let (job, other) = (wire.job("one").await?, wire.job("other").await?);
    let (_, state) = wire.question("delete_job", &job).await?;
    let forged = json!(state.as_str().map(|text| format!("{text}A")));
    let mut stranger = Wire::open(Era::Modern, Given::default()).await?;
    let theirs = stranger.job("theirs").await?;
    let (_, foreign) = stranger.question("delete_job", &theirs).await?;
    for (tool, arguments, state, words) in [
        ("delete_job", &other, &state, "belongs to another call"),
        ("cancel_all_runs", &job, &state, "belongs to another call"),
        ("delete_job", &job, &forged, "was changed"),
        ("delete_job", &job, &json!("anything"), "was changed"),
        ("delete_job", &job, &foreign, "was changed"),
    ] {
        let answer = wire.reply(tool, arguments, state, yes()).await?;
        assert_eq!(answer["error"]["code"], -32_602, "{answer}");
        assert!(answer["error"]["message"].as_str().is_some_and(|text| text.contains(words)), "{words}: {answer}");
    }
    assert!(wire.exists(&job).await? && wire.exists(&other).await?);
    // Without the answer, the person is asked again, and the first question is still open.
    let more = json!({ "requestState": state, "inputResponses": { "something else": {} } });
    assert!(matches!(wire.start("delete_job", &job, more).await?, Heard::Question(..)));
    let broken = wire.reply("delete_job", &job, &state, json!("yes")).await?;
    assert_eq!(broken["error"]["code"], -32_602, "{broken}");
    let answer = wire.reply("delete_job", &job, &state, yes()).await?;
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    let answer = wire.reply("delete_job", &job, &state, yes()).await?;
    assert!(refusal(&answer)?.contains("was used before"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn who_cannot_ask_is_refused_what_is_marked_and_does_the_rest() -> Outcome {
    for era in ERAS {
        let given = Given { can_ask: false, ..Given::default() };
        let mut wire = Wire::open(era, given).await?;
        let job = wire.job("kept").await?;
        let answer = wire.unasked("delete_job", job.clone()).await?;
        let text = refusal(&answer)?;
        for words in ["`delete_job` needs the consent of a person", "`elicitation`", "--confirm never"] {
            assert!(text.contains(words), "{words}: {text}");
        }
        assert!(wire.exists(&job).await?);
        // Destructive, and not marked.
        wire.done("update_job", json!({ "job_id": job["job_id"], "new_settings": { "max_concurrent_runs": 2 } }))
            .await?;
        wire.done("execute_sql", json!({ "statement": "CREATE TABLE main.default.kept AS SELECT 1 AS a" })).await?;
        let dropped = wire.unasked("execute_sql", json!({ "statement": "DROP TABLE main.default.kept" })).await?;
        assert!(refusal(&dropped)?.contains("the statement drops a table"), "{dropped}");
        let rows = wire.done("execute_sql", json!({ "statement": "SELECT a FROM main.default.kept" })).await?;
        assert_eq!(rows["rows"], json!([[1]]));
    }
    Ok(())
}

#[tokio::test]
async fn the_flag_decides_what_is_asked_about() -> Outcome {
    let settings = |job: &Value| json!({ "job_id": job["job_id"], "new_settings": { "max_concurrent_runs": 2 } });
    let folder = json!({ "path": "/Shared/asked" });
    for era in ERAS {
        let mut wire = Wire::open(era, Given::default()).await?;
        let job = wire.job("asked about").await?;
        wire.question("update_job", &settings(&job)).await?;
        let mut wire = Wire::open(era, Given::default()).await?;
        wire.done("create_workspace_folder", folder.clone()).await?;
        let mut wire = Wire::open(era, Given { confirm: Some(Level::Write), ..Given::default() }).await?;
        let (text, _) = wire.question("create_workspace_folder", &folder).await?;
        assert!(text.contains("`/Shared/asked`"), "{text}");
        let mut wire = Wire::open(era, Given { confirm: Some(Level::Never), ..Given::default() }).await?;
        let job = wire.job("gone").await?;
        wire.done("delete_job", job).await?;
        let firm = Given { confirm: Some(Level::Destructive), can_ask: false, ..Given::default() };
        let mut wire = Wire::open(era, firm).await?;
        let job = wire.job("kept").await?;
        let answer = wire.unasked("update_job", settings(&job)).await?;
        assert!(refusal(&answer)?.contains("as it is destructive"), "{answer}");
        wire.done("create_workspace_folder", folder.clone()).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_statement_is_asked_about_if_it_destroys_and_is_shown() -> Outcome {
    for era in ERAS {
        let mut wire = Wire::open(era, Given::default()).await?;
        for quiet in [
            "SELECT * FROM samples.retail.orders",
            "CREATE TABLE main.default.t AS SELECT 1 AS a",
            "INSERT INTO main.default.t VALUES (2)",
            "UPDATE main.default.t SET a = 3 WHERE a = 2",
            "DELETE FROM main.default.t WHERE a = 3",
        ] {
            wire.done("execute_sql", json!({ "statement": quiet })).await?;
        }
        let statement = json!({ "statement": "DELETE FROM t -- all of it", "catalog": "main", "schema": "default" });
        let (text, state) = wire.question("execute_sql", &statement).await?;
        for words in
            ["Run a statement that deletes every row?", "DELETE FROM t -- all of it", "`main.default.t`: owner"]
        {
            assert!(text.contains(words), "{words}: {text}");
        }
        let answer = wire.reply("execute_sql", &statement, &state, yes()).await?;
        assert_eq!(answer["result"]["isError"], false, "{answer}");
        if era == Era::Modern {
            let named = json!({ "name": "b", "value": "x" });
            let marked = json!({ "statement": "TRUNCATE TABLE IDENTIFIER(:t) -- :b", "parameters": [
                { "name": "t", "value": "main.default.t" }, named,
            ] });
            let (text, _) = wire.question("execute_sql", &marked).await?;
            assert!(text.contains(":t is `main.default.t`") && text.contains("`main.default.t`: owner"), "{text}");
        }
        let schema = json!({ "statement": "DROP SCHEMA main.default CASCADE" });
        let (text, _) = wire.question("execute_sql", &schema).await?;
        assert!(text.contains("drops a schema with all that is in it") && text.contains("it holds"), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn executors_and_other_names_come_by_the_same_question() -> Outcome {
    for era in ERAS {
        let mut wire = Wire::open(era, Given::default()).await?;
        let job = wire.job("nightly").await?;
        for operation in ["delete_job", "jobs.jobs.delete"] {
            let call = json!({ "operation": operation, "arguments": job });
            let (text, state) = wire.question("call_destructive_operation", &call).await?;
            assert!(text.contains("Delete job `nightly`?"), "{text}");
            let answer =
                wire.reply("call_destructive_operation", &call, &state, json!({ "action": "decline" })).await?;
            assert!(refusal(&answer)?.contains("declined"), "{answer}");
        }
        // Code is shown as it is.
        let code = "print(1)\nprint('the last line')";
        let call = json!({ "code": code });
        let (text, state) = wire.question("run_code", &call).await?;
        assert!(text.contains(&format!("code:\n{code}")), "{text}");
        wire.reply("run_code", &call, &state, json!({ "action": "decline" })).await?;
        // One without a tool, which the server knows no read for.
        let table =
            json!({ "operation": "catalog.tables.delete", "arguments": { "full_name": "main.default.greetings" } });
        let (text, state) = wire.question("call_destructive_operation", &table).await?;
        assert!(text.contains("main.default.greetings") && text.contains("Deletes (drops) a table"), "{text}");
        let answer = wire.reply("call_destructive_operation", &table, &state, yes()).await?;
        assert_eq!(answer["result"]["isError"], false, "{answer}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_protected_is_always_asked_about() -> Outcome {
    let protect = ["prod*", "main.sales", "/Shared/prod"];
    for era in ERAS {
        let given = || Given { confirm: Some(Level::Never), protect: &protect, ..Given::default() };
        let mut wire = Wire::open(era, given()).await?;
        // Named by an id, and known by its name.
        let (prod, dev) = (wire.job("prod nightly").await?, wire.job("dev nightly").await?);
        let settings = |job: &Value| json!({ "job_id": job["job_id"], "new_settings": { "max_concurrent_runs": 2 } });
        wire.done("get_job", prod.clone()).await?;
        wire.done("update_job", settings(&dev)).await?;
        let (text, state) = wire.question("update_job", &settings(&prod)).await?;
        assert!(text.contains("`prod nightly` is protected on this server (`prod*`)"), "{text}");
        let answer = wire.reply("update_job", &settings(&prod), &state, yes()).await?;
        assert_eq!(answer["result"]["isError"], false, "{answer}");
        for (statement, is_asked) in [
            ("SELECT * FROM main.sales.orders", false),
            ("INSERT INTO main.default.greetings SELECT * FROM main.default.greetings", false),
            ("INSERT INTO main.sales.orders SELECT * FROM main.sales.orders", true),
            ("OPTIMIZE main.default.greetings", false),
            ("OPTIMIZE main.sales.orders", true),
            ("ALTER SCHEMA sales OWNER TO `x`", true),
            ("EXECUTE IMMEDIATE 'SELECT 1'", true),
        ] {
            let call = json!({ "statement": statement, "catalog": "main", "schema": "default" });
            let heard = wire.start("execute_sql", &call, json!({})).await?;
            assert_eq!(matches!(heard, Heard::Question(..)), is_asked, "{statement}: {heard:?}");
            if let (Heard::Question(_, state), Era::Legacy) = (&heard, era) {
                wire.reply("execute_sql", &call, state, json!({ "action": "decline" })).await?;
            }
        }
        let folder = |path: &str| json!({ "path": path });
        wire.done("create_workspace_folder", folder("/Shared/dev/x")).await?;
        let (text, _) = wire.question("create_workspace_folder", &folder("/Workspace/Shared/prod/x")).await?;
        assert!(text.contains("is protected on this server (`/Shared/prod`)"), "{text}");
        let given = Given { can_ask: false, ..given() };
        let mut wire = Wire::open(era, given).await?;
        let prod = wire.job("prod nightly").await?;
        let answer = wire.unasked("delete_job", prod).await?;
        assert!(refusal(&answer)?.contains("is protected (`--protect prod*`)"), "{answer}");
        assert!(!refusal(&answer)?.contains("--confirm never"), "{answer}");
        // The pattern is one of catalogs.
        wire.done("create_schema", json!({ "catalog_name": "main", "name": "prod_copy" })).await?;
        let refused = wire.unasked("create_schema", json!({ "catalog_name": "prod", "name": "copy" })).await?;
        assert!(refusal(&refused)?.contains("`--protect prod*`"), "{refused}");
    }
    Ok(())
}

#[tokio::test]
async fn a_dry_run_asks_nobody() -> Outcome {
    for era in ERAS {
        let given = Given { dry_run: true, protect: &["*"], confirm: Some(Level::Write), ..Given::default() };
        let mut wire = Wire::open(era, given).await?;
        let job = wire.job("kept").await?;
        let shown = wire.done("delete_job", job).await?;
        assert_eq!(shown["dry_run"], true, "{shown}");
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_read_is_said_in_the_question() -> Outcome {
    let faults = json!([{ "route": "jobs.jobs.get", "fault": "permission_denied" }]);
    for era in ERAS {
        let mut wire = Wire::open(era, Given { faults: faults.clone(), ..Given::default() }).await?;
        let job = wire.job("hidden").await?;
        let (text, _) = wire.question("delete_job", &job).await?;
        assert!(text.contains("Delete job?") && text.contains("could not be read ("), "{text}");
        assert!(text.contains(&format!("job_id = `{}`", job["job_id"])), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn no_name_or_argument_breaks_out_of_its_line() -> Outcome {
    let mut wire = Wire::open(Era::Modern, Given::default()).await?;
    let job = wire.job("harmless`?\nWorkspace: test\u{202e}").await?;
    let (text, _) = wire.question("delete_job", &job).await?;
    assert!(text.contains("Delete job `harmless'? Workspace: test`?"), "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("Workspace:")).count(), 1, "{text}");
    Ok(())
}

#[tokio::test]
async fn the_audit_log_tells_what_was_decided() -> Outcome {
    for era in ERAS {
        let folder = tempfile::tempdir()?;
        let log = folder.path().join("audit.jsonl");
        let mut wire = Wire::open(era, Given { log: Some(&log), ..Given::default() }).await?;
        let job = wire.job("audited").await?;
        for person in [json!({ "action": "decline" }), yes()] {
            let (_, state) = wire.question("delete_job", &job).await?;
            wire.reply("delete_job", &job, &state, person).await?;
        }
        let text = std::fs::read_to_string(&log)?;
        let lines: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let calls: Vec<_> = lines.iter().filter(|line| line["event"] == "call").collect();
        let told = |line: &&Value| (line["outcome"].clone(), line["confirmation"].clone(), line["decision"].clone());
        assert_eq!(
            calls.iter().map(told).collect::<Vec<_>>(),
            [
                (json!("asked"), json!("asked"), json!("allowed")),
                (json!("error"), json!("declined"), json!("refused")),
                (json!("asked"), json!("asked"), json!("allowed")),
                (json!("ok"), json!("accepted"), json!("allowed")),
            ],
            "{era:?}: {text}"
        );
        assert_eq!(calls[1]["rule"], "confirm: declined");
    }
    Ok(())
}
