//! What a host says of itself, and how the OAuth endpoints are found.

use super::authenticate;
use super::provider::{Provider, usual};

const CONFIG: &str = "/.well-known/databricks-config";

/// The addresses asked for by a service principal of a host that says this of itself, after the first one.
async fn asked(
    host: &'static str,
    metadata: Option<&'static str>,
    extra: &[(&'static str, &'static str)],
) -> Vec<String> {
    let provider = Provider::start(move |line, number| match metadata {
        Some(metadata) if line.ends_with(CONFIG) => (200, metadata.to_owned()),
        _ if line.ends_with("/.well-known/oauth-authorization-server") => {
            let place =
                line.strip_prefix("GET ").unwrap().strip_suffix("/.well-known/oauth-authorization-server").unwrap();
            let body =
                format!(r#"{{"authorization_endpoint":"{place}/v1/authorize","token_endpoint":"{place}/v1/token"}}"#);
            (200, body)
        }
        _ => usual(line, number),
    })
    .await;
    let mut variables =
        vec![("DATABRICKS_HOST", host), ("DATABRICKS_CLIENT_ID", "id"), ("DATABRICKS_CLIENT_SECRET", "secret")];
    variables.extend(extra);
    let result = authenticate(&provider.config(&variables)).await;
    let lines: Vec<_> = provider.asked().iter().map(|asked| asked.lines().next().unwrap().to_owned()).collect();
    assert_eq!(lines.iter().filter(|line| line.ends_with(CONFIG)).count(), usize::from(extra.len() != 2), "{lines:?}");
    match result {
        Ok(_) => lines.into_iter().filter(|line| !line.ends_with(CONFIG)).collect(),
        Err(error) => error.to_string().lines().filter(|line| line.contains("oauth-m2m")).map(str::to_owned).collect(),
    }
}

#[tokio::test]
async fn endpoints_are_found() {
    let account = r#"{"oidc_endpoint":"https://acme.test/oidc/accounts/{account_id}/","account_id":"acc"}"#;
    let unknown_account = r#"{"oidc_endpoint":"https://acme.test/oidc/accounts/{account_id}/"}"#;
    let id = ("DATABRICKS_ACCOUNT_ID", "mine");
    for (host, metadata, extra, expected) in [
        ("acme.test", None, &[][..], "https://acme.test/oidc"),
        ("acme.test", Some("<html>"), &[], "https://acme.test/oidc"),
        ("acme.test", Some("[1]"), &[], "https://acme.test/oidc"),
        ("acme.test", Some("{}"), &[], "https://acme.test/oidc"),
        ("acme.test", Some(r#"{"oidc_endpoint":"https://o.test/x","cloud":null}"#), &[], "https://o.test/x"),
        ("acme.test", Some(account), &[], "https://acme.test/oidc/accounts/acc"),
        ("acme.test", Some(account), &[id], "https://acme.test/oidc/accounts/mine"),
        ("acme.test", Some(unknown_account), &[], "https://acme.test/oidc"),
    ] {
        let expected =
            [format!("GET {expected}/.well-known/oauth-authorization-server"), format!("POST {expected}/v1/token")];
        assert_eq!(asked(host, metadata, extra).await, expected, "{metadata:?}");
    }
    // The endpoints of an account are not asked for.
    let expected = ["POST https://accounts.acme.test/oidc/accounts/mine/v1/token"];
    assert_eq!(asked("accounts.acme.test", None, &[id]).await, expected);
    let told = "  tried `oauth-m2m`: the host is an account's, but DATABRICKS_ACCOUNT_ID is not set";
    assert_eq!(asked("accounts.acme.test", None, &[]).await, [told]);
    // What the host says of its kind goes before its name, and a kind that is not known says nothing.
    let told = r#"{"host_type":"ACCOUNT","account_id":"told"}"#;
    let expected = ["POST https://acme.test/oidc/accounts/told/v1/token"];
    assert_eq!(asked("acme.test", Some(told), &[]).await, expected);
    let unified = r#"{"host_type":"unified","account_id":"told"}"#;
    let expected = [
        "GET https://accounts.acme.test/oidc/.well-known/oauth-authorization-server",
        "POST https://accounts.acme.test/oidc/v1/token",
    ];
    assert_eq!(asked("accounts.acme.test", Some(unified), &[]).await, expected);
    let strange = r#"{"host_type":"lunar","account_id":"told"}"#;
    let expected = ["POST https://accounts.acme.test/oidc/accounts/told/v1/token"];
    assert_eq!(asked("accounts.acme.test", Some(strange), &[]).await, expected);
    // A set place is taken unseen.
    let set = ("DATABRICKS_DISCOVERY_URL", "https://d.test/p/.well-known/oauth-authorization-server");
    let expected = ["GET https://d.test/p/.well-known/oauth-authorization-server", "POST https://d.test/p/v1/token"];
    assert_eq!(asked("acme.test", None, &[set, ("DATABRICKS_CLOUD", "AWS")]).await, expected);
}

#[tokio::test]
async fn the_audience_is_the_hosts_or_the_accounts() {
    for (metadata, variables, expected) in [
        (r#"{"token_federation_default_oidc_audiences":["told"],"account_id":"acc"}"#, vec![], "told"),
        (r#"{"account_id":"acc"}"#, vec![], "acc"),
        (r#"{"account_id":"acc","workspace_id":7}"#, vec![], "https%3A%2F%2Facme.test%2Foidc%2Fv1%2Ftoken"),
        (r#"{"account_id":"acc"}"#, vec![("DATABRICKS_TOKEN_AUDIENCE", "set")], "set"),
        ("{}", vec![], "https%3A%2F%2Facme.test%2Foidc%2Fv1%2Ftoken"),
    ] {
        let provider = Provider::start(move |line, number| match line {
            line if line.ends_with(CONFIG) => (200, metadata.to_owned()),
            line if line.contains("github.test") => (200, r#"{"value":"g.h.j"}"#.to_owned()),
            line => usual(line, number),
        })
        .await;
        let mut all = vec![
            ("DATABRICKS_HOST", "acme.test"),
            ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://github.test/token?v=2"),
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-token"),
        ];
        all.extend(variables);
        assert_eq!(authenticate(&provider.config(&all)).await.unwrap().0, "github-oidc");
        assert_eq!(provider.count(&format!("/token?v=2&audience={expected}")), 1, "{:?}", provider.asked());
    }
}
