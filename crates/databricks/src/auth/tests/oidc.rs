//! The methods that end at Databricks' own token endpoint, and the local metadata service.

use super::authenticate;
use super::provider::{OAUTH_SERVER, Provider, set, usual};
use crate::auth::Attribute;

const DISCOVERY: [&str; 2] = [
    "GET https://acme.test/.well-known/databricks-config",
    "GET https://acme.test/oidc/.well-known/oauth-authorization-server",
];
const EXCHANGE: &str = "POST https://acme.test/oidc/v1/token\ncontent-type: application/x-www-form-urlencoded\n\
    grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
    &subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt";

#[tokio::test]
async fn a_service_principal_sends_its_secret_as_basic_auth() {
    let provider = Provider::usual().await;
    let config = provider.config(&[
        ("DATABRICKS_HOST", "acme.test"),
        ("DATABRICKS_CLIENT_ID", "id 1"),
        ("DATABRICKS_CLIENT_SECRET", "sec:ret+"),
    ]);
    let expected = ("oauth-m2m", vec!["authorization: Bearer token-2".to_owned()]);
    assert_eq!(authenticate(&config).await.unwrap(), expected);
    let [metadata, discovery] = DISCOVERY;
    let token = "POST https://acme.test/oidc/v1/token\ncontent-type: application/x-www-form-urlencoded\n\
        authorization: Basic aWQlMjAxOnNlYyUzQXJldCUyQg==\ngrant_type=client_credentials&scope=all-apis";
    assert_eq!(provider.asked(), [metadata, discovery, token]);
}

#[tokio::test]
async fn scopes_and_group_are_asked_for() {
    let provider = Provider::usual().await;
    let mut config = provider.config(&[
        ("DATABRICKS_HOST", "acme.test"),
        ("DATABRICKS_CLIENT_ID", "id"),
        ("DATABRICKS_CLIENT_SECRET", "secret"),
        ("DATABRICKS_GROUP_ID", "77"),
    ]);
    set(&mut config, Attribute::Scopes, "sql, clusters");
    authenticate(&config).await.unwrap();
    let token = provider.asked().pop().unwrap();
    assert!(token.ends_with("\ngrant_type=client_credentials&scope=clusters%20sql&assume_group=77"), "{token}");
}

#[tokio::test]
async fn a_refused_service_principal_is_told_without_its_secret() {
    let provider = Provider::start(|line, number| match line.ends_with("/token") {
        true => (
            401,
            r#"{"error":"invalid_client","error_description":"Client authentication failed for hunter2-hunter2"}"#
                .to_owned(),
        ),
        false => usual(line, number),
    })
    .await;
    let config = provider.config(&[
        ("DATABRICKS_HOST", "acme.test"),
        ("DATABRICKS_CLIENT_ID", "id"),
        ("DATABRICKS_CLIENT_SECRET", "hunter2-hunter2"),
        ("DATABRICKS_AUTH_TYPE", "oauth-m2m"),
    ]);
    let error = authenticate(&config).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot authenticate to `https://acme.test` with `oauth-m2m`: `https://acme.test` answered with status 401: \
         invalid_client: Client authentication failed for ***"
    );
    assert!(error.is_unauthenticated() && !error.is_retryable());
}

#[tokio::test]
async fn a_jwt_of_a_variable_is_exchanged() {
    let provider = Provider::usual().await;
    let mut variables = vec![("DATABRICKS_HOST", "acme.test"), ("DATABRICKS_OIDC_TOKEN", "j.w.t")];
    let expected = ("env-oidc", vec!["authorization: Bearer token-2".to_owned()]);
    assert_eq!(authenticate(&provider.config(&variables)).await.unwrap(), expected);
    let [metadata, discovery] = DISCOVERY;
    let exchange = format!("{EXCHANGE}&subject_token=j.w.t&scope=all-apis");
    assert_eq!(provider.asked(), [metadata, discovery, &exchange]);

    variables.extend([("DATABRICKS_OIDC_TOKEN_ENV", "MINE"), ("MINE", "o.t.h"), ("DATABRICKS_CLIENT_ID", "sp")]);
    variables.extend([("DATABRICKS_GROUP_ID", "77"), ("DATABRICKS_AUTH_TYPE", "env-oidc")]);
    authenticate(&provider.config(&variables)).await.unwrap();
    let exchange = format!("{EXCHANGE}&subject_token=o.t.h&scope=all-apis&client_id=sp&assume_group=77");
    assert_eq!(provider.asked().pop().unwrap(), exchange);
}

#[tokio::test]
async fn a_jwt_of_a_file_is_read_for_each_exchange() {
    let provider = Provider::usual().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let config = provider.config(&[("DATABRICKS_HOST", "acme.test"), ("DATABRICKS_OIDC_TOKEN_FILE", path)]);
    let error = authenticate(&config).await.unwrap_err();
    assert!(error.to_string().contains(&format!("tried `file-oidc`: `{path}` is empty")), "{error}");
    for jwt in ["one", "two"] {
        std::fs::write(path, format!("{jwt}\n")).unwrap();
        assert_eq!(authenticate(&config).await.unwrap().0, "file-oidc");
        assert_eq!(provider.asked().pop().unwrap(), format!("{EXCHANGE}&subject_token={jwt}&scope=all-apis"));
    }
}

#[tokio::test]
async fn a_github_job_asks_for_a_jwt_with_the_right_audience() {
    let provider = Provider::start(|line, number| match line.contains("github.test") {
        true => (200, r#"{"value":"g.h.j"}"#.to_owned()),
        false => usual(line, number),
    })
    .await;
    let mut variables = vec![
        ("DATABRICKS_HOST", "acme.test"),
        ("DATABRICKS_CLIENT_ID", "sp"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://github.test/token?api-version=2"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-token"),
    ];
    assert_eq!(authenticate(&provider.config(&variables)).await.unwrap().0, "github-oidc");
    let [metadata, discovery] = DISCOVERY;
    let ask = "GET https://github.test/token?api-version=2&audience=https%3A%2F%2Facme.test%2Foidc%2Fv1%2Ftoken\n\
        authorization: Bearer request-token";
    let exchange = format!("{EXCHANGE}&subject_token=g.h.j&scope=all-apis&client_id=sp");
    let mut asked = provider.asked();
    asked.sort();
    assert_eq!(asked, [metadata, discovery, ask, &exchange]);

    variables.push(("DATABRICKS_TOKEN_AUDIENCE", "mine"));
    authenticate(&provider.config(&variables)).await.unwrap();
    assert_eq!(provider.count("https://github.test/token?api-version=2&audience=mine"), 1);
}

#[tokio::test]
async fn a_pipeline_of_azure_devops_asks_for_a_jwt() {
    let provider = Provider::start(|line, number| match line.contains("devops.test") {
        true => (200, r#"{"oidcToken":"d.e.v"}"#.to_owned()),
        false => usual(line, number),
    })
    .await;
    let config = provider.config(&[
        ("DATABRICKS_HOST", "acme.test"),
        ("DATABRICKS_CLIENT_ID", "sp"),
        ("SYSTEM_ACCESSTOKEN", "pipeline-token"),
        ("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI", "https://devops.test/org/"),
        ("SYSTEM_TEAMPROJECTID", "project"),
        ("SYSTEM_HOSTTYPE", "build"),
        ("SYSTEM_PLANID", "plan"),
        ("SYSTEM_JOBID", "job"),
    ]);
    assert_eq!(authenticate(&config).await.unwrap().0, "azure-devops-oidc");
    let asked = provider.asked();
    let ask = "POST https://devops.test/org/project/_apis/distributedtask/hubs/build/plans/plan/jobs/job/oidctoken\
        ?api-version=7.2-preview.1\nauthorization: Bearer pipeline-token";
    assert_eq!(asked.iter().filter(|text| *text == ask).count(), 1, "{asked:?}");
    assert_eq!(asked.last().unwrap(), &format!("{EXCHANGE}&subject_token=d.e.v&scope=all-apis&client_id=sp"));
}

#[tokio::test]
async fn the_metadata_service_is_asked_on_this_machine_only() {
    let provider =
        Provider::start(|_, _| (200, r#"{"access_token":"token-0","expires_on":"1800003600"}"#.to_owned())).await;
    let url = format!("{}/path", provider.url());
    let config = provider.config(&[("DATABRICKS_HOST", "acme.test"), ("DATABRICKS_METADATA_SERVICE_URL", &url)]);
    let expected = ("metadata-service", vec!["authorization: Bearer token-0".to_owned()]);
    assert_eq!(authenticate(&config).await.unwrap(), expected);
    let ask = "GET /path\nx-databricks-metadata-version: 1\nx-databricks-host: https://acme.test";
    assert_eq!(provider.asked(), [ask]);

    let elsewhere =
        [("DATABRICKS_HOST", "acme.test"), ("DATABRICKS_METADATA_SERVICE_URL", "http://elsewhere.test/path-7")];
    let error = authenticate(&provider.config(&elsewhere)).await.unwrap_err();
    assert!(error.to_string().contains("tried `metadata-service`: the metadata service is not on this machine"));
    assert!(!format!("{error:?}").contains("path-7"));
}

#[tokio::test]
async fn a_secret_is_not_sent_in_clear_text() {
    let with = |place: &'static str| {
        Provider::start(move |line, number| match line.ends_with("oauth-authorization-server") {
            true => (200, OAUTH_SERVER.replace(place, &place.replace("https://", "http://"))),
            false => usual(line, number),
        })
    };
    let principal =
        [("DATABRICKS_HOST", "acme.test"), ("DATABRICKS_CLIENT_ID", "id"), ("DATABRICKS_CLIENT_SECRET", "secret")];
    for (place, what) in [
        ("https://acme.test/oidc/v1/token", "the token endpoint that the host names is not `https`"),
        ("https://acme.test/oidc/v1/authorize", "the login page that the host names is not `https`"),
    ] {
        let provider = with(place).await;
        let error = authenticate(&provider.config(&principal)).await.unwrap_err();
        assert!(error.to_string().contains(what), "{error}");
        assert_eq!(provider.count("/token"), 0);
    }
    // Nor does one who can read along say where the endpoints are.
    let provider = Provider::usual().await;
    let discovery = ("DATABRICKS_DISCOVERY_URL", "http://acme.test/oidc/.well-known/oauth-authorization-server");
    let error = authenticate(&provider.config(&[principal.as_slice(), &[discovery]].concat())).await.unwrap_err();
    assert!(error.to_string().contains("the addresses of the OAuth endpoints is not `https`"), "{error}");
    // The credential of a job goes to nobody else either.
    let job = [
        ("DATABRICKS_HOST", "acme.test"),
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "http://github.test/token?v=2"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "request-token"),
    ];
    let error = authenticate(&provider.config(&job)).await.unwrap_err();
    let told = "a secret is not sent to `http://github.test`, which is neither `https` nor on this machine";
    assert!(error.to_string().contains(told), "{error}");
    assert_eq!(provider.count("github.test/token?v=2"), 0);
}
