//! The methods that go through Azure, except the Azure CLI.

use super::authenticate;
use super::provider::{Provider, usual};

const HOST: (&str, &str) = ("DATABRICKS_HOST", "adb-1.2.azuredatabricks.net");
const APPLICATION: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";
const RESOURCE_ID: &str = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Databricks/workspaces/w";

#[tokio::test]
async fn a_service_principal_of_entra_id_gets_two_tokens() {
    for (tenant, set) in [("tenant-1", None), ("tenant-2", Some(("ARM_TENANT_ID", "tenant-2")))] {
        let provider = Provider::usual().await;
        let mut variables = vec![
            HOST,
            ("ARM_CLIENT_ID", "id"),
            ("ARM_CLIENT_SECRET", "secret"),
            ("DATABRICKS_AZURE_RESOURCE_ID", RESOURCE_ID),
        ];
        variables.extend(set);
        let (method, headers) = authenticate(&provider.config(&variables)).await.unwrap();
        assert_eq!(method, "azure-client-secret");
        let mut asked = provider.asked();
        let ask = |resource: &str| {
            format!(
                "POST https://login.microsoftonline.com/{tenant}/oauth2/token\ncontent-type: application/x-www-form-urlencoded\n\
                 grant_type=client_credentials&resource={resource}&client_id=id&client_secret=secret"
            )
        };
        assert_eq!(asked.pop().unwrap(), ask("https%3A%2F%2Fmanagement.core.windows.net%2F"));
        assert_eq!(asked.pop().unwrap(), ask(APPLICATION));
        let discovery = "GET https://adb-1.2.azuredatabricks.net/aad/auth";
        let expected: &[&str] = if set.is_none() { &[discovery] } else { &[] };
        assert_eq!(asked, expected);
        let (first, second) = (asked.len(), asked.len() + 1);
        assert_eq!(
            headers,
            [
                format!("authorization: Bearer token-{first}"),
                format!("x-databricks-azure-sp-management-token: token-{second}"),
                format!("x-databricks-azure-workspace-resource-id: {RESOURCE_ID}"),
            ]
        );
    }
}

#[tokio::test]
async fn the_clouds_of_azure_have_their_own_addresses() {
    for (host, login, management) in [
        ("adb-1.2.databricks.azure.us", "login.microsoftonline.us", "management.core.usgovcloudapi.net"),
        ("adb-1.2.databricks.azure.cn", "login.chinacloudapi.cn", "management.core.chinacloudapi.cn"),
    ] {
        let provider = Provider::usual().await;
        let config = provider.config(&[
            ("DATABRICKS_HOST", host),
            ("ARM_CLIENT_ID", "id"),
            ("ARM_CLIENT_SECRET", "secret"),
            ("ARM_TENANT_ID", "tenant"),
        ]);
        authenticate(&config).await.unwrap();
        let ask = provider.asked().pop().unwrap();
        assert!(ask.starts_with(&format!("POST https://{login}/tenant/oauth2/token")), "{ask}");
        assert!(ask.contains(&format!("resource=https%3A%2F%2F{management}%2F&")), "{ask}");
    }
}

#[tokio::test]
async fn azure_tells_the_host_of_a_resource() {
    let provider = Provider::start(|line, number| match line.contains("/subscriptions/") {
        true => (200, r#"{"properties":{"workspaceUrl":"adb-9.9.azuredatabricks.net"}}"#.to_owned()),
        false => usual(line, number),
    })
    .await;
    let config = provider.config(&[
        ("ARM_CLIENT_ID", "id"),
        ("ARM_CLIENT_SECRET", "secret"),
        ("ARM_TENANT_ID", "tenant"),
        ("DATABRICKS_AZURE_RESOURCE_ID", RESOURCE_ID),
    ]);
    let transport = crate::transport::Transport::new(config).unwrap();
    assert!(transport.known_host().is_none());
    assert_eq!(transport.host().await.unwrap().as_str(), "https://adb-9.9.azuredatabricks.net");
    let asked = provider.asked();
    assert!(asked[0].contains("&resource=https%3A%2F%2Fmanagement.azure.com%2F&"), "{asked:?}");
    let ask =
        format!("GET https://management.azure.com{RESOURCE_ID}?api-version=2018-04-01\nauthorization: Bearer token-0");
    assert_eq!(asked[1], ask);
}

#[tokio::test]
async fn the_words_of_entra_id_are_told_without_its_trace() {
    let provider = Provider::start(|_, _| {
        let description = r"AADSTS7000215: Invalid client secret provided. Trace ID: 1 Correlation ID: 2";
        (401, format!(r#"{{"error":"invalid_client","error_description":"{description}","error_codes":[7000215]}}"#))
    })
    .await;
    let config = provider.config(&[
        HOST,
        ("ARM_CLIENT_ID", "id"),
        ("ARM_CLIENT_SECRET", "secret"),
        ("ARM_TENANT_ID", "tenant"),
        ("DATABRICKS_AUTH_TYPE", "azure-client-secret"),
    ]);
    assert_eq!(
        authenticate(&config).await.unwrap_err().to_string(),
        "cannot authenticate to `https://adb-1.2.azuredatabricks.net` with `azure-client-secret`: \
         `https://login.microsoftonline.com` answered with status 401: \
         invalid_client: AADSTS7000215: Invalid client secret provided"
    );
}

#[tokio::test]
async fn a_managed_identity_is_asked_of_the_machine() {
    let provider = Provider::start(|line, number| match line.contains("169.254.169.254") {
        true => {
            (200, format!(r#"{{"access_token":"token-{number}","expires_on":"1800003600","token_type":"Bearer"}}"#))
        }
        false => usual(line, number),
    })
    .await;
    let config = provider.config(&[HOST, ("ARM_USE_MSI", "true"), ("ARM_CLIENT_ID", "id")]);
    let (method, headers) = authenticate(&config).await.unwrap();
    assert_eq!(method, "azure-msi");
    assert_eq!(headers, ["authorization: Bearer token-1", "x-databricks-azure-sp-management-token: token-2"]);
    let ask = |resource: &str| {
        format!(
            "GET http://169.254.169.254/metadata/identity/oauth2/token?api-version=2018-02-01&resource={resource}\
             &client_id=id\nmetadata: true"
        )
    };
    let management = ask("https%3A%2F%2Fmanagement.core.windows.net%2F");
    let metadata = "GET https://adb-1.2.azuredatabricks.net/.well-known/databricks-config";
    assert_eq!(provider.asked(), [metadata, &ask(APPLICATION), &management]);
}

#[tokio::test]
async fn a_github_job_is_trusted_by_entra_id() {
    let provider = Provider::start(|line, number| match line {
        line if line.contains("github.test") => (200, r#"{"value":"g.h.j"}"#.to_owned()),
        line if line.ends_with("/oidc/v1/token") => (400, r#"{"error":"invalid_request"}"#.to_owned()),
        line => usual(line, number),
    })
    .await;
    let config = provider.config(&[
        HOST,
        ("ARM_CLIENT_ID", "id"),
        ("ARM_TENANT_ID", "tenant"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://github.test/token?v=2"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-token"),
    ]);
    let (method, headers) = authenticate(&config).await.unwrap();
    assert_eq!((method, headers.len()), ("github-oidc-azure", 1));
    let mut asked = provider.asked();
    assert_eq!(
        asked.pop().unwrap(),
        format!(
            "POST https://login.microsoftonline.com/tenant/oauth2/token\ncontent-type: application/x-www-form-urlencoded\n\
             grant_type=client_credentials&resource={APPLICATION}&client_id=id\
             &client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=g.h.j"
        )
    );
    let ask = "GET https://github.test/token?v=2&audience=api%3A%2F%2FAzureADTokenExchange\nauthorization: Bearer request-token";
    assert_eq!(asked.pop().unwrap(), ask);
}

#[tokio::test]
async fn azure_is_not_asked_for_other_clouds() {
    let provider = Provider::usual().await;
    let mut variables = vec![
        ("DATABRICKS_HOST", "acme.cloud.databricks.com"),
        ("ARM_CLIENT_ID", "id"),
        ("ARM_CLIENT_SECRET", "secret"),
        ("ARM_TENANT_ID", "tenant"),
    ];
    let error = authenticate(&provider.config(&variables)).await.unwrap_err().to_string();
    assert!(error.contains("tried `azure-client-secret`: the host is not on Azure"), "{error}");
    variables.push(("DATABRICKS_CLOUD", "azure"));
    assert_eq!(authenticate(&provider.config(&variables)).await.unwrap().0, "azure-client-secret");
}
