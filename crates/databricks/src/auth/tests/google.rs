//! The methods that go through Google.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{KeyPair, RSA_PKCS1_2048_8192_SHA256, RsaKeyPair, UnparsedPublicKey};
use serde_json::{Value, json};

use super::authenticate;
use super::provider::{Provider, START, usual};
use crate::auth::{Authenticator, Context};
use crate::transport::http_client;

const HOST: (&str, &str) = ("DATABRICKS_HOST", "1.2.gcp.databricks.com");
const FORM: &str = "POST https://oauth2.googleapis.com/token\ncontent-type: application/x-www-form-urlencoded\n";
const IAM: &str = "POST https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/sa@x.test";

/// The base64 of a key that was made for these tests and is used nowhere else. What its file says of it is left out.
fn key() -> String {
    include_str!("google.key").lines().filter(|line| !line.starts_with('#')).collect()
}

fn key_file() -> Value {
    let (label, key) = ("PRIVATE KEY", key());
    json!({
        "type": "service_account", "client_email": "me@x.test", "private_key_id": "key-1",
        "private_key": format!("-----BEGIN {label}-----\n{key}\n-----END {label}-----\n"),
    })
}

/// A JSON web token that ends an hour after the tests begin.
fn jwt() -> String {
    format!("h.{}.token-id", URL_SAFE_NO_PAD.encode(json!({ "exp": START + 3_600 }).to_string()))
}

async fn provider() -> Provider {
    Provider::start(|line, number| match line {
        line if line.ends_with("oauth2.googleapis.com/token") => {
            let body = json!({ "id_token": jwt(), "access_token": format!("token-{number}"), "expires_in": 3600 });
            (200, body.to_string())
        }
        line if line.ends_with(":generateIdToken") => (200, json!({ "token": jwt() }).to_string()),
        line if line.ends_with(":generateAccessToken") => {
            (200, json!({ "accessToken": "token-sa", "expireTime": "2027-01-15T09:00:00Z" }).to_string())
        }
        line => usual(line, number),
    })
    .await
}

/// The claims of a signed request, after its signature has been checked.
fn claims(ask: &str) -> Value {
    let start = format!("{FORM}grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=");
    let assertion = ask.strip_prefix(&start).unwrap_or_else(|| panic!("{ask}"));
    let (signed, signature) = assertion.rsplit_once('.').unwrap();
    let key = RsaKeyPair::from_pkcs8(&STANDARD.decode(key()).unwrap()).unwrap();
    UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public_key().as_ref())
        .verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
        .unwrap();
    let mut parts =
        signed.split('.').map(|part| serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap());
    assert_eq!(parts.next(), Some(json!({ "alg": "RS256", "typ": "JWT", "kid": "key-1" })));
    parts.next().unwrap()
}

#[tokio::test]
async fn a_key_file_signs_for_two_tokens() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key.json");
    std::fs::write(&path, key_file().to_string()).unwrap();
    for given in [key_file().to_string(), path.to_str().unwrap().to_owned()] {
        let provider = provider().await;
        let (method, headers) = authenticate(&provider.config(&[HOST, ("GOOGLE_CREDENTIALS", &given)])).await.unwrap();
        assert_eq!(method, "google-credentials");
        assert_eq!(
            headers,
            [format!("authorization: Bearer {}", jwt()), "x-databricks-gcp-sa-access-token: token-2".to_owned()]
        );
        let asked = provider.asked();
        assert_eq!(asked.len(), 3);
        let common = json!({ "iss": "me@x.test", "aud": "https://oauth2.googleapis.com/token", "iat": START, "exp": START + 3_600 });
        for (ask, (name, value)) in asked[1..].iter().zip([
            ("target_audience", "https://1.2.gcp.databricks.com"),
            ("scope", "https://www.googleapis.com/auth/cloud-platform https://www.googleapis.com/auth/compute"),
        ]) {
            let mut expected = common.clone();
            expected[name] = json!(value);
            assert_eq!(claims(ask), expected);
        }
    }
}

#[tokio::test]
async fn a_broken_key_file_is_not_shown() {
    let provider = provider().await;
    for (given, expected) in [
        ("hunter2", "the file that GOOGLE_CREDENTIALS names cannot be read"),
        (r#"{"client_email":"me","private_key":"hunter2"}"#, "the private key of the Google key file cannot be read"),
        (r#"{"client_email":"hunter2"}"#, "the Google key file has no `private_key`"),
        (r#"{hunter2"#, "GOOGLE_CREDENTIALS is neither JSON nor the path of JSON"),
    ] {
        let config = provider.config(&[HOST, ("GOOGLE_CREDENTIALS", given)]);
        let error = format!("{:?}", authenticate(&config).await.unwrap_err());
        assert!(error.contains(expected) && !error.contains("hunter2"), "{error}");
    }
}

#[tokio::test]
async fn the_machines_own_credentials_act_for_a_service_account() {
    let user = json!({ "type": "authorized_user", "client_id": "ci", "client_secret": "cs", "refresh_token": "rt" });
    let refresh = format!("{FORM}grant_type=refresh_token&client_id=ci&client_secret=cs&refresh_token=rt");
    let machine = "GET http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token\n\
        metadata-flavor: Google";
    for (file, own) in [(Some(user), Some(refresh)), (Some(key_file()), None), (None, Some(machine.to_owned()))] {
        let provider = provider().await;
        let home = tempfile::tempdir().unwrap();
        if let Some(file) = file {
            let directory = home.path().join(".config/gcloud");
            std::fs::create_dir_all(&directory).unwrap();
            std::fs::write(directory.join("application_default_credentials.json"), file.to_string()).unwrap();
        }
        let environment = provider.environment(&[HOST, ("DATABRICKS_GOOGLE_SERVICE_ACCOUNT", "sa@x.test")]);
        let config = Provider::config_in(environment.with_home(Some(home.path().to_owned())));
        let (method, headers) = authenticate(&config).await.unwrap();
        assert_eq!(method, "google-id");
        let expected =
            [format!("authorization: Bearer {}", jwt()), "x-databricks-gcp-sa-access-token: token-sa".to_owned()];
        assert_eq!(headers, expected);
        let asked = provider.asked();
        let json = "authorization: Bearer token-1\n";
        let id = format!(
            "{IAM}:generateIdToken\ncontent-type: application/json\n{json}\
             {{\"audience\":\"https://1.2.gcp.databricks.com\",\"includeEmail\":true}}"
        );
        assert_eq!(asked[2], id);
        assert!(asked[4].starts_with(&format!("{IAM}:generateAccessToken\n")), "{asked:?}");
        assert!(asked[4].ends_with(
            r#"{"scope":["https://www.googleapis.com/auth/cloud-platform","https://www.googleapis.com/auth/compute"],"lifetime":"3600s"}"#
        ));
        match own {
            Some(own) => assert_eq!(asked[1], own),
            None => assert!(claims(&asked[1]).get("scope").is_some()),
        }
    }
}

#[tokio::test]
async fn a_call_is_made_without_the_second_token() {
    let provider = Provider::start(|line, number| match line {
        line if line.ends_with(":generateIdToken") => (200, json!({ "token": jwt() }).to_string()),
        line if line.ends_with(":generateAccessToken") => {
            (403, r#"{"error":{"code":403,"message":"not yours"}}"#.to_owned())
        }
        line => usual(line, number),
    })
    .await;
    let config = provider.config(&[HOST, ("DATABRICKS_GOOGLE_SERVICE_ACCOUNT", "sa@x.test")]);
    let context = Context::new(&config, http_client(&config).unwrap());
    let authenticator = Authenticator::new(context);
    // It is not asked for again with each call.
    for (pause, expected) in [(0, 1), (59, 1), (1, 2)] {
        provider.wait(pause);
        let chosen = authenticator.chosen().await.unwrap();
        assert_eq!(chosen.proof(authenticator.context()).await.unwrap().headers.len(), 1);
        assert_eq!(provider.count(":generateAccessToken"), expected);
    }
}

#[tokio::test]
async fn other_kinds_of_google_credentials_are_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), r#"{"type":"external_account"}"#).unwrap();
    let path = file.path().to_str().unwrap();
    let variables =
        [HOST, ("DATABRICKS_GOOGLE_SERVICE_ACCOUNT", "sa@x.test"), ("GOOGLE_APPLICATION_CREDENTIALS", path)];
    let error = authenticate(&provider().await.config(&variables)).await.unwrap_err();
    assert!(error.to_string().contains("Google credentials of the kind `external_account` are not supported yet"));
}
