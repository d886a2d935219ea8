//! The settings of Databricks' unified authentication: their keys in a profile, their variables, and the authentication
//! method that each belongs to.

use Attribute::*;

/// A setting, named as in Databricks' documentation.
///
/// ```
/// use databricks::Attribute;
///
/// assert_eq!(Attribute::ClientSecret.key(), "client_secret");
/// assert_eq!(Attribute::ClientSecret.variable(), Some("DATABRICKS_CLIENT_SECRET"));
/// assert!(Attribute::ClientSecret.is_secret());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Attribute {
    /// `host`: the URL of the workspace or account.
    Host,
    /// `account_id`
    AccountId,
    /// `workspace_id`: the workspace that calls are routed to.
    WorkspaceId,
    /// `group_id`: the group whose role the caller assumes.
    GroupId,
    /// `cluster_id`
    ClusterId,
    /// `warehouse_id`
    WarehouseId,
    /// `serverless_compute_id`
    ServerlessComputeId,
    /// `metadata_service_url`: a service on this machine that hands out tokens.
    MetadataServiceUrl,
    /// `token`: a personal access token, or any other bearer token.
    Token,
    /// `username`
    Username,
    /// `password`
    Password,
    /// `profile`: a section of the configuration file.
    Profile,
    /// `config_file`; `~/.databrickscfg` when not set.
    ConfigFile,
    /// `oauth_callback_port`: the loopback port of a browser login.
    OauthCallbackPort,
    /// `google_service_account`
    GoogleServiceAccount,
    /// `google_credentials`: the key file of a service account, as a path or as JSON.
    GoogleCredentials,
    /// `azure_workspace_resource_id`
    AzureResourceId,
    /// `azure_use_msi`
    AzureUseMsi,
    /// `azure_client_secret`
    AzureClientSecret,
    /// `azure_client_id`
    AzureClientId,
    /// `azure_tenant_id`
    AzureTenantId,
    /// `azure_environment`: `PUBLIC`, `USGOVERNMENT` or `CHINA`.
    AzureEnvironment,
    /// `client_id` of a service principal.
    ClientId,
    /// `client_secret` of a service principal.
    ClientSecret,
    /// `scopes`, separated by commas or spaces; `all-apis` when not set.
    Scopes,
    /// `disable_oauth_refresh_token`: a browser login asks for no refresh token.
    DisableOauthRefreshToken,
    /// `databricks_cli_path`
    DatabricksCliPath,
    /// `auth_type`: the only way to authenticate that is tried.
    AuthType,
    /// `databricks_id_token_filepath`: a file that holds an OIDC token.
    OidcTokenFilepath,
    /// `oidc_token_env`: the variable that holds an OIDC token; `DATABRICKS_OIDC_TOKEN` when not set.
    OidcTokenEnv,
    /// `cloud`: `AWS`, `AZURE` or `GCP`.
    Cloud,
    /// `discovery_url` of the OAuth endpoints.
    DiscoveryUrl,
    /// `audience` asked for in OIDC tokens.
    TokenAudience,
    /// `rate_limit`: requests per second; 0 for no limit.
    RateLimit,
    /// `http_timeout_seconds`: how long the service may be silent.
    HttpTimeoutSeconds,
    /// `retry_timeout_seconds`: how long failed attempts are repeated; a negative number means for ever.
    RetryTimeoutSeconds,
}

/// What is known of an attribute.
#[derive(Debug)]
struct Description {
    attribute: Attribute,
    keys: &'static [&'static str],
    variables: &'static [&'static str],
    group: Option<&'static str>,
    secret: bool,
}

const fn plain(attribute: Attribute, keys: &'static [&'static str], variables: &'static [&'static str]) -> Description {
    Description { attribute, keys, variables, group: None, secret: false }
}

const fn open(
    group: &'static str,
    attribute: Attribute,
    keys: &'static [&'static str],
    variables: &'static [&'static str],
) -> Description {
    Description { attribute, keys, variables, group: Some(group), secret: false }
}

const fn secret(
    group: &'static str,
    attribute: Attribute,
    keys: &'static [&'static str],
    variables: &'static [&'static str],
) -> Description {
    Description { attribute, keys, variables, group: Some(group), secret: true }
}

/// Every attribute, in the order of [`Attribute`].
static DESCRIPTIONS: [Description; 36] = [
    plain(Host, &["host"], &["DATABRICKS_HOST"]),
    plain(AccountId, &["account_id"], &["DATABRICKS_ACCOUNT_ID"]),
    plain(WorkspaceId, &["workspace_id"], &["DATABRICKS_WORKSPACE_ID"]),
    plain(GroupId, &["group_id"], &["DATABRICKS_GROUP_ID"]),
    plain(ClusterId, &["cluster_id"], &["DATABRICKS_CLUSTER_ID"]),
    plain(WarehouseId, &["warehouse_id"], &["DATABRICKS_WAREHOUSE_ID"]),
    plain(ServerlessComputeId, &["serverless_compute_id"], &["DATABRICKS_SERVERLESS_COMPUTE_ID"]),
    secret("metadata-service", MetadataServiceUrl, &["metadata_service_url"], &["DATABRICKS_METADATA_SERVICE_URL"]),
    secret("pat", Token, &["token"], &["DATABRICKS_TOKEN"]),
    open("basic", Username, &["username"], &["DATABRICKS_USERNAME"]),
    secret("basic", Password, &["password"], &["DATABRICKS_PASSWORD"]),
    plain(Profile, &["profile"], &["DATABRICKS_CONFIG_PROFILE"]),
    plain(ConfigFile, &["config_file"], &["DATABRICKS_CONFIG_FILE"]),
    plain(OauthCallbackPort, &["oauth_callback_port"], &["DATABRICKS_OAUTH_CALLBACK_PORT"]),
    open("google", GoogleServiceAccount, &["google_service_account"], &["DATABRICKS_GOOGLE_SERVICE_ACCOUNT"]),
    secret("google", GoogleCredentials, &["google_credentials"], &["GOOGLE_CREDENTIALS"]),
    open("azure", AzureResourceId, &["azure_workspace_resource_id"], &["DATABRICKS_AZURE_RESOURCE_ID"]),
    open("azure", AzureUseMsi, &["azure_use_msi"], &["ARM_USE_MSI"]),
    secret("azure", AzureClientSecret, &["azure_client_secret"], &["ARM_CLIENT_SECRET"]),
    open("azure", AzureClientId, &["azure_client_id"], &["ARM_CLIENT_ID"]),
    open("azure", AzureTenantId, &["azure_tenant_id"], &["ARM_TENANT_ID"]),
    plain(AzureEnvironment, &["azure_environment"], &["ARM_ENVIRONMENT"]),
    open("oauth", ClientId, &["client_id"], &["DATABRICKS_CLIENT_ID"]),
    secret("oauth", ClientSecret, &["client_secret"], &["DATABRICKS_CLIENT_SECRET"]),
    plain(Scopes, &["scopes"], &[]),
    plain(DisableOauthRefreshToken, &["disable_oauth_refresh_token"], &["DATABRICKS_DISABLE_OAUTH_REFRESH_TOKEN"]),
    plain(DatabricksCliPath, &["databricks_cli_path"], &["DATABRICKS_CLI_PATH"]),
    plain(AuthType, &["auth_type"], &["DATABRICKS_AUTH_TYPE"]),
    // The second names are those of the Python SDK.
    open(
        "file-oidc",
        OidcTokenFilepath,
        &["databricks_id_token_filepath", "oidc_token_filepath"],
        &["DATABRICKS_OIDC_TOKEN_FILEPATH", "DATABRICKS_OIDC_TOKEN_FILE"],
    ),
    open("env-oidc", OidcTokenEnv, &["oidc_token_env"], &["DATABRICKS_OIDC_TOKEN_ENV"]),
    plain(Cloud, &["cloud"], &["DATABRICKS_CLOUD"]),
    plain(DiscoveryUrl, &["discovery_url"], &["DATABRICKS_DISCOVERY_URL"]),
    plain(TokenAudience, &["audience", "token_audience"], &["DATABRICKS_TOKEN_AUDIENCE"]),
    plain(RateLimit, &["rate_limit"], &["DATABRICKS_RATE_LIMIT"]),
    plain(HttpTimeoutSeconds, &["http_timeout_seconds"], &[]),
    plain(RetryTimeoutSeconds, &["retry_timeout_seconds"], &[]),
];

impl Attribute {
    /// Every attribute.
    pub fn all() -> impl Iterator<Item = Attribute> {
        DESCRIPTIONS.iter().map(|description| description.attribute)
    }

    fn description(self) -> &'static Description {
        // The first is never taken: a test sees to it that the table is complete.
        let [first, ..] = &DESCRIPTIONS;
        DESCRIPTIONS.iter().find(|description| description.attribute == self).unwrap_or(first)
    }

    /// The key in a profile.
    pub fn key(self) -> &'static str {
        self.keys().first().copied().unwrap_or_default()
    }

    /// All keys by which profiles know it.
    pub(crate) fn keys(self) -> &'static [&'static str] {
        self.description().keys
    }

    /// The environment variable, where there is one.
    pub fn variable(self) -> Option<&'static str> {
        self.variables().first().copied()
    }

    /// All variables that are read for it; the first that is set counts.
    pub(crate) fn variables(self) -> &'static [&'static str] {
        self.description().variables
    }

    /// The way of authenticating it belongs to. Settings of two groups contradict each other.
    pub(crate) fn group(self) -> Option<&'static str> {
        self.description().group
    }

    /// Whether its value must not be shown.
    pub fn is_secret(self) -> bool {
        self.description().secret
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_attribute_is_described_once_and_in_order() {
        let attributes: Vec<_> = Attribute::all().collect();
        assert!(attributes.is_sorted_by(|one, other| one < other), "{attributes:?}");
        assert_eq!(attributes.last(), Some(&RetryTimeoutSeconds));
        assert_eq!(RetryTimeoutSeconds as usize + 1, attributes.len());
        for attribute in attributes {
            assert_eq!(attribute.description().attribute, attribute);
            assert!(!attribute.key().is_empty());
        }
    }
}
