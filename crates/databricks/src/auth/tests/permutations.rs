//! Which settings lead where, in the spirit of the Go SDK's tests of the same name.

use tempfile::TempDir;

use super::authenticate;
use super::provider::Provider;
use crate::auth::{Attribute, Context, Environment, Settings};
use crate::config::Config;
use crate::transport::http_client;

/// The configuration file of the Go SDK's tests, more or less.
const FILE: &str = r#"
[DEFAULT]
host = https://default.test/
token = token-default
rate_limit=34
debug_truncate=829374

[nohost]
token = token-nohost

[notoken]
host = https://notoken.test/

[basic]
host = https://basic.test/?o=7
username = abc
password = "%Y#X$Z" # comment

[both]
host = https://both.test
token = token-both
username = abc
password = x
auth_type = basic

[pat.with.dot]
host = https://dot.test/
token = token-dot

[typo]
host = https://typo.test/
auth_type = patt

[spaces]
  host  :  spaces.test
  token='token-spaces' ; mine

[clear]
host = http://clear.test
token = token-clear

[none]
host = https://none.test
workspace_id = none
token = token-none
"#;

/// The same with a default as the Databricks CLI stores it.
const SWITCHED: &str = r#"
[__settings__]
default_profile = work
auth_storage = secure

[DEFAULT]
host = https://default.test/
token = token-default

[work]
host = https://work.test
"#;

/// One case: explicit settings, variables, file; then the method and the host, or the start of the error.
type Case = (
    &'static [(Attribute, &'static str)],
    &'static [(&'static str, &'static str)],
    &'static str,
    Result<(&'static str, &'static str), &'static str>,
);

fn resolve(case: &Case, provider: &Provider) -> (TempDir, Result<Config, crate::Error>) {
    let (explicit, variables, file, _) = case;
    let home = tempfile::tempdir().unwrap();
    if !file.is_empty() {
        std::fs::write(home.path().join(".databrickscfg"), file).unwrap();
    }
    let environment = provider.environment(variables).with_home(Some(home.path().to_owned()));
    let settings =
        explicit.iter().fold(Settings::default(), |settings, (attribute, value)| settings.with(*attribute, *value));
    (home, Config::resolve(settings, environment))
}

#[tokio::test]
async fn settings_lead_to_a_method_and_a_host() {
    use Attribute::*;
    let none = "cannot authenticate to `https://x`: no credentials found\n  tried `pat`: DATABRICKS_TOKEN is not set\n";
    let conflict = "more than one authorization method configured: basic and pat\n";
    const TOKEN: (&str, &str) = ("DATABRICKS_TOKEN", "token-x");
    const USER: (&str, &str) = ("DATABRICKS_USERNAME", "me");
    const PASSWORD: (&str, &str) = ("DATABRICKS_PASSWORD", "pw");
    const X: (&str, &str) = ("DATABRICKS_HOST", "x");
    let cases: [Case; 44] = [
        (&[], &[], "", Err("no host")),
        (&[], &[X], "", Err(none)),
        (&[], &[TOKEN], "", Err("no host")),
        (&[], &[X, TOKEN], "", Ok(("pat", "https://x"))),
        (&[(Host, "https://y")], &[TOKEN], "", Ok(("pat", "https://y"))),
        (&[(Host, "y"), (Token, "token-y")], &[X, TOKEN], "", Ok(("pat", "https://y"))),
        (&[], &[X, USER, PASSWORD], "", Ok(("basic", "https://x"))),
        (&[(Username, "u")], &[X, PASSWORD], "", Ok(("basic", "https://x"))),
        (&[], &[X, USER], "", Err("cannot authenticate to `https://x`: no credentials found\n")),
        (&[], &[X, TOKEN, USER, PASSWORD], "", Err(conflict)),
        (&[(AuthType, "basic")], &[X, TOKEN, USER, PASSWORD], "", Ok(("basic", "https://x"))),
        (&[], &[X, TOKEN, USER, PASSWORD, ("DATABRICKS_AUTH_TYPE", "pat")], "", Ok(("pat", "https://x"))),
        (
            &[(AuthType, "basic")],
            &[X, TOKEN],
            "",
            Err("cannot authenticate to `https://x` with `basic`: DATABRICKS_USERNAME is not set"),
        ),
        (&[(AuthType, "patt")], &[X, TOKEN], "", Err("there is no authentication method `patt`")),
        (
            &[(AzureResourceId, "/sub/rg/ws"), (Token, "t")],
            &[X],
            "",
            Err("more than one authorization method configured: azure and pat\n"),
        ),
        (
            &[(AzureResourceId, "/sub/rg/ws")],
            &[X, USER],
            "",
            Err("more than one authorization method configured: azure and basic\n"),
        ),
        // The configuration file.
        (&[], &[], FILE, Ok(("pat", "https://default.test"))),
        (&[], &[("DATABRICKS_TOKEN", ""), ("DATABRICKS_HOST", " ")], FILE, Ok(("pat", "https://default.test"))),
        (&[(Host, "x")], &[], FILE, Err(none)),
        (&[], &[X], FILE, Err(none)),
        (&[], &[TOKEN], FILE, Err("no host")),
        (&[], &[("DATABRICKS_CONFIG_PROFILE", "pat.with.dot")], FILE, Ok(("pat", "https://dot.test"))),
        (&[], &[("DATABRICKS_CONFIG_PROFILE", "basic")], FILE, Ok(("basic", "https://basic.test"))),
        (&[], &[("DATABRICKS_CONFIG_PROFILE", "both")], FILE, Ok(("basic", "https://both.test"))),
        (&[], &[("DATABRICKS_CONFIG_PROFILE", "nohost")], FILE, Err("no host")),
        (&[], &[("DATABRICKS_CONFIG_PROFILE", "nohost"), X], FILE, Ok(("pat", "https://x"))),
        (&[], &[("DATABRICKS_CONFIG_PROFILE", "nohost"), USER, X], FILE, Err(conflict)),
        (&[], &[("DATABRICKS_CONFIG_PROFILE", "notoken"), TOKEN], FILE, Ok(("pat", "https://notoken.test"))),
        (&[], &[("DATABRICKS_CONFIG_PROFILE", "typo")], FILE, Err("there is no authentication method `patt`")),
        (&[], &[("DATABRICKS_CONFIG_PROFILE", "gone"), X, TOKEN], "", Ok(("pat", "https://x"))),
        // A variable wins over the profile that a variable names, an explicitly named profile over variables.
        (&[], &[("DATABRICKS_CONFIG_PROFILE", "pat.with.dot"), X, TOKEN], FILE, Ok(("pat", "https://x"))),
        (&[(Profile, "pat.with.dot")], &[X, TOKEN], FILE, Ok(("pat", "https://dot.test"))),
        (
            &[(Profile, "pat.with.dot")],
            &[USER, PASSWORD, ("DATABRICKS_AUTH_TYPE", "basic")],
            FILE,
            Ok(("pat", "https://dot.test")),
        ),
        (&[(Profile, "notoken")], &[X, TOKEN], FILE, Ok(("pat", "https://notoken.test"))),
        (&[(Profile, "nohost"), (Host, "y")], &[X, TOKEN], FILE, Ok(("pat", "https://y"))),
        (&[], &[("DATABRICKS_CONFIG_PROFILE", "spaces")], FILE, Ok(("pat", "https://spaces.test"))),
        (&[(Profile, "none")], &[], FILE, Ok(("pat", "https://none.test"))),
        // The default of the CLI; nothing of `DEFAULT` is mixed in.
        (&[], &[TOKEN, X], SWITCHED, Ok(("pat", "https://x"))),
        (&[], &[], SWITCHED, Err("cannot authenticate to `https://work.test`: no credentials found\n")),
        (&[(Profile, "DEFAULT")], &[], SWITCHED, Ok(("pat", "https://default.test"))),
        (&[(Profile, "work")], &[TOKEN], SWITCHED, Ok(("pat", "https://work.test"))),
        // What the browser shows is pasted; a method that is named is the only one.
        (&[(Host, "https://y/sql/editor?o=7#x")], &[TOKEN], "", Ok(("pat", "https://y"))),
        (
            &[(Host, "https://y:443/"), (Token, "token-y")],
            &[USER, ("DATABRICKS_AUTH_TYPE", "pat")],
            "",
            Ok(("pat", "https://y")),
        ),
        (
            &[(AuthType, "external-browser")],
            &[X, TOKEN],
            "",
            Err("cannot authenticate to `https://x` with `external-browser`: no browser login is stored"),
        ),
    ];
    let provider = Provider::usual().await;
    for case in &cases {
        let (_home, config) = resolve(case, &provider);
        let config = config.unwrap_or_else(|error| panic!("{case:?}: {error}"));
        let host = config.host.as_ref().map(ToString::to_string);
        let result = match &host {
            None => Err("no host".to_owned()),
            Some(host) => match authenticate(&config).await {
                Ok((method, _)) => Ok((method, host.as_str())),
                Err(error) => {
                    let shown = format!("{error} {error:?}");
                    assert!(!shown.contains("token-x") && !shown.contains("pw"), "{shown}");
                    assert!(error.hint().is_some(), "{error}");
                    Err(error.to_string())
                }
            },
        };
        match (&result, &case.3) {
            (Err(error), Err(expected)) => assert!(error.starts_with(expected), "{case:?}: {error}"),
            (Ok(result), Ok(expected)) => assert_eq!(result, expected, "{case:?}"),
            _ => panic!("{case:?}: {result:?}"),
        }
    }
    assert!(provider.asked().is_empty());
}

#[tokio::test]
async fn a_profile_that_does_not_exist_is_told() {
    let provider = Provider::usual().await;
    for (profile, file, expected) in [
        ("gone", FILE, "has no `gone` profile configured"),
        ("gone", "", "has no `gone` profile configured"),
        ("__settings__", FILE, "`__settings__` is a reserved section name and cannot be used as a profile"),
        ("broken", "[broken]\nsecret", "neither a section nor `key = value` in line 2"),
    ] {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("elsewhere");
        if !file.is_empty() {
            std::fs::write(&path, file).unwrap();
        }
        let environment =
            provider.environment(&[("DATABRICKS_CONFIG_FILE", "~/elsewhere")]).with_home(Some(home.path().to_owned()));
        let error = Config::resolve(Settings::default().with(Attribute::Profile, profile), environment).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.is_configuration() && error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}

/// What in the file may be meant otherwise is told with the error that it may have caused, whatever fails.
#[tokio::test]
async fn an_error_tells_what_in_the_file_may_be_meant_otherwise() {
    let provider = Provider::usual().await;
    for (variables, file, remark) in [
        (&[][..], "[default]\nhost = https://x.test\ntoken = token-x\n", "line 1 of"),
        (&[], "[DEFAULT]\nhost = https://a.test\n[a]\n[DEFAULT]\nhost = https://b.test\n", "line 4 of"),
        (&[], "[DEFAULT]\nhost = https://a.test\nauth_type = pat\ntoken = token-x\ntoken =\n", "line 5 of"),
        (&[], "host = https://a.test\nauth_type = oauth-m2m\nclient_id = x\n", "line 1 of"),
        (&[("MINE", "")], "[DEFAULT]\nhost = x.test\nhost = y.test\nauth_type = env-oidc\n", "line 3 of"),
    ] {
        let case: Case = (&[], variables, file, Err(""));
        let (home, config) = resolve(&case, &provider);
        let config = config.unwrap();
        let error = match config.host {
            Some(_) => authenticate(&config).await.unwrap_err(),
            None => crate::transport::no_host(&Context::new(&config, http_client(&config).unwrap())),
        };
        let told = format!("{error} {}", error.hint().unwrap_or_default());
        let remark = format!("\n  {remark} `{}", home.path().display());
        assert!(told.contains(&remark) && !told.contains("token-x"), "{file}: {told}");
    }
}

#[tokio::test]
async fn a_profile_without_tls_is_refused() {
    let provider = Provider::usual().await;
    let case: Case = (&[(Attribute::Profile, "clear")], &[], FILE, Err(""));
    let (_home, config) = resolve(&case, &provider);
    let error = config.unwrap_err();
    assert!(error.is_configuration() && error.to_string().contains("in clear text"), "{error}");
    assert!(!format!("{error:?}").contains("token-clear"));
}

#[tokio::test]
async fn a_profile_tells_more_than_credentials() {
    let provider = Provider::usual().await;
    let case: Case = (&[(Attribute::Profile, "basic")], &[("DATABRICKS_WORKSPACE_ID", "9")], FILE, Err(""));
    let (_home, config) = resolve(&case, &provider);
    let config = config.unwrap();
    assert_eq!(
        (config.routed_workspace().as_deref(), config.settings.get(Attribute::Password)),
        (Some("7"), Some("%Y#X$Z"))
    );
    let case: Case = (&[], &[], FILE, Err(""));
    let (_home, config) = resolve(&case, &provider);
    let config = config.unwrap();
    assert_eq!(config.limits.requests_per_second, Some(34));
    assert_eq!(config.settings.get(Attribute::Profile), Some("DEFAULT"));
}

#[tokio::test]
async fn everything_tried_is_told() {
    let config = Config { host: Some("acme.test".parse().unwrap()), ..Config::default() };
    let error = authenticate(&config).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot authenticate to `https://acme.test`: no credentials found\n  tried `pat`: DATABRICKS_TOKEN is not \
         set\n  tried `basic`: DATABRICKS_USERNAME is not set\n  tried `oauth-m2m`: DATABRICKS_CLIENT_ID is not \
         set\n  tried `databricks-cli`: `databricks` is not on PATH\n  tried `metadata-service`: \
         DATABRICKS_METADATA_SERVICE_URL is not set\n  tried `github-oidc`: ACTIONS_ID_TOKEN_REQUEST_URL is not \
         set\n  tried `azure-devops-oidc`: SYSTEM_ACCESSTOKEN is not set\n  tried `env-oidc`: DATABRICKS_OIDC_TOKEN \
         is not set\n  tried `file-oidc`: DATABRICKS_OIDC_TOKEN_FILEPATH is not set\n  tried `github-oidc-azure`: \
         ARM_CLIENT_ID is not set\n  tried `azure-msi`: ARM_USE_MSI is not `true`\n  tried `azure-client-secret`: \
         ARM_CLIENT_ID is not set\n  tried `azure-cli`: `az` is not on PATH\n  tried `google-credentials`: \
         GOOGLE_CREDENTIALS is not set\n  tried `google-id`: DATABRICKS_GOOGLE_SERVICE_ACCOUNT is not set\n  tried \
         `external-browser`: no browser login is stored for this host"
    );
    let hint =
        "set DATABRICKS_TOKEN, or run `databricks-mcp-server auth login`, or name a profile that has credentials";
    assert_eq!(error.hint(), Some(hint));
    assert!(error.is_configuration());
}

#[tokio::test]
async fn a_role_is_taken_only_where_it_can_be() {
    let provider = Provider::usual().await;
    let variables = [("DATABRICKS_HOST", "x"), ("DATABRICKS_TOKEN", "token-x"), ("DATABRICKS_GROUP_ID", "7")];
    let error = authenticate(&provider.config(&variables)).await.unwrap_err();
    assert!(error.to_string().contains("tried `pat`: it cannot take the role of a group (DATABRICKS_GROUP_ID)"));
}

#[tokio::test]
async fn variables_alone_are_enough_for_what_needs_no_program() {
    let provider = Provider::usual().await;
    let variables = [("DATABRICKS_HOST", "acme.test"), ("DATABRICKS_OIDC_TOKEN_ENV", "MINE"), ("MINE", "j.w.t")];
    let lookup = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    let config = Config::from_env(lookup).unwrap();
    assert_eq!(config.environment.variable("MINE").as_deref(), Some("j.w.t"));
    let world: Environment = provider.environment(&[("MINE", "j.w.t")]);
    let config = Config { environment: world, ..config };
    assert_eq!(authenticate(&config).await.unwrap().0, "env-oidc");
}
