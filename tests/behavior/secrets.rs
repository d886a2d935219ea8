//! Secrets do not come back: neither those that a call gives nor those that the client holds, however the service quotes them.

use serde_json::json;

use crate::harness::{Harness, Outcome};

#[tokio::test]
async fn a_value_that_is_stored_does_not_come_back_in_the_error() -> Outcome {
    for value in ["correct horse \"battery\" staple", "line one\nline two of a private key", "pin 4711"] {
        let harness = Harness::scripted(|target, body| {
            target.starts_with("POST /api/2.0/secrets/put").then(|| {
                let message = format!("Could not parse request object near: {body}");
                json!({ "error_code": "MALFORMED_REQUEST", "message": message })
            })
        })
        .await?;
        let arguments = json!({ "scope": "prod", "key": "db", "string_value": value });
        let refusal = harness.refusal("put_secret", arguments).await?;
        assert!(refusal.contains("MALFORMED_REQUEST") && refusal.contains("***"), "{refusal}");
        for part in ["horse", "battery", "line two", "4711"] {
            assert!(!refusal.contains(part), "{refusal}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_argument_that_does_not_fit_is_not_quoted_if_it_is_secret() -> Outcome {
    let harness = Harness::scripted(|_, _| None).await?;
    let arguments = json!({ "scope": "prod", "key": "db", "string_value": ["hunter2-hunter2"] });
    let refusal = harness.refusal("put_secret", arguments).await?;
    assert!(refusal.contains("string_value") && !refusal.contains("hunter2"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn the_token_does_not_come_back_in_answers_and_errors() -> Outcome {
    let token = std::sync::Arc::new(std::sync::OnceLock::<String>::new());
    let told = std::sync::Arc::clone(&token);
    let harness = Harness::scripted(move |target, _| {
        let token = told.get()?;
        let (start, end) = token.split_at(4);
        if target.starts_with("GET /api/2.2/jobs/list") {
            let name = format!("{start}\u{200b}{end}");
            let settings = json!({ "name": name, "description": token });
            return Some(json!({ "jobs": [{ "job_id": 1, "settings": settings, "creator_user_name": token }] }));
        }
        target.starts_with("GET /api/2.2/jobs/get").then(|| {
            let message = format!("invalid credential {start}\u{7}{end} ({})", token.replace('-', "\\u002d"));
            json!({ "error_code": token, "message": message })
        })
    })
    .await?;
    token.set(harness.token()).map_err(|_| "it was set before")?;
    let listed = harness.answer("list_jobs", json!({ "fields": ["*"] })).await?.to_string();
    assert!(listed.contains("***") && !visible(&listed).contains(&harness.token()), "{listed}");
    let refusal = harness.refusal("get_job", json!({ "job_id": 1 })).await?;
    assert!(refusal.contains("invalid credential *** (***)"), "{refusal}");
    Ok(())
}

/// A text as it is seen, without what hides in it.
fn visible(text: &str) -> String {
    text.replace("\\u200b", "").replace('\u{200b}', "")
}

#[tokio::test]
async fn who_may_use_a_scope_is_told() -> Outcome {
    let harness = Harness::whole().await?;
    let put = json!({ "scope": "prod", "principal": "analysts", "permission": "READ" });
    harness.answer("create_secret_scope", json!({ "scope": "prod" })).await?;
    harness.direct("POST", "/api/2.0/secrets/acls/put", Some(put)).await?;
    let told = harness.answer("list_secret_acls", json!({ "scope": "prod" })).await?;
    let expected = json!({ "principal": "analysts", "permission": "READ" });
    assert!(told["items"].as_array().is_some_and(|items| items.contains(&expected)), "{told}");
    Ok(())
}

#[tokio::test]
async fn a_token_in_the_place_of_a_name_does_not_come_back() -> Outcome {
    const TOKEN: &str = "dapi0123456789abcdef0123456789abcdef-2";
    let harness = Harness::whole().await?;
    for (tool, arguments) in [
        ("list_jobs", json!({ TOKEN: 1 })),
        ("create_job", json!({ "name": "a", "tasks": [{ TOKEN: { TOKEN: 1 } }] })),
        ("list_jobs", json!({ "fields": [TOKEN], "limit": TOKEN })),
        ("get_input_schema", json!({ "tool": TOKEN })),
        ("call_read_operation", json!({ "operation": TOKEN })),
        ("get_table_schema", json!({ "full_name": TOKEN })),
        ("export_notebook", json!({ "path": format!("/{TOKEN}") })),
    ] {
        let said = crate::harness::text(&harness.call(tool, arguments).await?);
        assert!(!said.contains("dapi0123"), "{tool}: {said}");
    }
    let error = harness.call(TOKEN, json!({})).await.err().ok_or("there is such a tool")?;
    assert!(error.to_string().contains("`***`") && !format!("{error:?}").contains("dapi0123"), "{error:?}");
    let error =
        harness.read(&format!("databricks://notebooks/{TOKEN}")).await.err().ok_or("there is such a resource")?;
    assert!(!error.to_string().contains("dapi0123"), "{error}");
    Ok(())
}
