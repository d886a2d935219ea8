//! Which cloud a host is in, and the addresses of Azure's clouds.

use crate::auth::attribute::Attribute;
use crate::auth::context::Context;

/// The cloud of a workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cloud {
    Aws,
    Azure,
    Gcp,
}

/// One of Azure's clouds.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct AzureCloud {
    name: &'static str,
    /// Entra ID, with a slash at its end.
    pub(crate) login: &'static str,
    /// The resource that stands for Azure's management, as a token's audience.
    pub(crate) management: &'static str,
    /// Azure Resource Manager.
    pub(crate) resource_manager: &'static str,
}

static PUBLIC: AzureCloud = AzureCloud {
    name: "PUBLIC",
    login: "https://login.microsoftonline.com/",
    management: "https://management.core.windows.net/",
    resource_manager: "https://management.azure.com/",
};
static US_GOVERNMENT: AzureCloud = AzureCloud {
    name: "USGOVERNMENT",
    login: "https://login.microsoftonline.us/",
    management: "https://management.core.usgovcloudapi.net/",
    resource_manager: "https://management.usgovcloudapi.net/",
};
static CHINA: AzureCloud = AzureCloud {
    name: "CHINA",
    login: "https://login.chinacloudapi.cn/",
    management: "https://management.core.chinacloudapi.cn/",
    resource_manager: "https://management.chinacloudapi.cn/",
};

/// The application that stands for Azure Databricks, as a token's audience.
const APPLICATION: &str = "2ff814a6-3304-4ab8-85cb-cd0e6f879c1d";

/// Where Azure workspaces live: the suffix of their names, their cloud and their application. More special ones first.
static AZURE_ZONES: [(&str, &AzureCloud, &str); 5] = [
    (".dev.azuredatabricks.net", &PUBLIC, "62a912ac-b58e-4c1d-89ea-b2dbfc7358fc"),
    (".staging.azuredatabricks.net", &PUBLIC, "4a67d088-db5c-48f1-9ff2-0aace800ae68"),
    (".azuredatabricks.net", &PUBLIC, APPLICATION),
    (".databricks.azure.us", &US_GOVERNMENT, APPLICATION),
    (".databricks.azure.cn", &CHINA, APPLICATION),
];

impl Cloud {
    /// The cloud as settings and host metadata name it.
    pub(crate) fn parse(name: &str) -> Option<Cloud> {
        match name.trim().to_ascii_uppercase().as_str() {
            "AWS" => Some(Cloud::Aws),
            "AZURE" => Some(Cloud::Azure),
            "GCP" => Some(Cloud::Gcp),
            _ => None,
        }
    }

    /// The cloud by the name of the host.
    fn of_host(name: &str) -> Cloud {
        if AZURE_ZONES.iter().any(|(suffix, ..)| name.ends_with(suffix)) {
            Cloud::Azure
        } else if name.ends_with(".gcp.databricks.com") {
            Cloud::Gcp
        } else {
            Cloud::Aws
        }
    }

    /// The cloud of the context's host: as set, else as the host says of itself, else by its name.
    pub(crate) async fn of(context: &Context) -> Cloud {
        if let Some(cloud) = context.settings.get(Attribute::Cloud).and_then(Cloud::parse) {
            return cloud;
        }
        let told = context.metadata().await.and_then(|metadata| metadata.cloud.as_deref().and_then(Cloud::parse));
        told.unwrap_or_else(|| Cloud::of_host(context.host_name()))
    }
}

/// The cloud of an Azure workspace and its application. Without a host, the settings name the cloud.
pub(crate) fn azure(context: &Context) -> (&'static AzureCloud, &'static str) {
    let zone = AZURE_ZONES.iter().find(|(suffix, ..)| context.host_name().ends_with(suffix));
    if let Some((_, cloud, application)) = zone {
        return (cloud, application);
    }
    let set = context.settings.get(Attribute::AzureEnvironment).unwrap_or_default().to_ascii_uppercase();
    // The Python SDK takes the names of the Azure CLI as well: `AzureUSGovernment`, `AzureChinaCloud`.
    let set = set.trim_start_matches("AZURE").trim_end_matches("CLOUD");
    let cloud = [&US_GOVERNMENT, &CHINA].into_iter().find(|cloud| cloud.name == set).unwrap_or(&PUBLIC);
    (cloud, APPLICATION)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_tell_their_cloud() {
        for (host, expected) in [
            ("adb-1.2.azuredatabricks.net", Cloud::Azure),
            ("adb-1.2.databricks.azure.us", Cloud::Azure),
            ("adb-1.2.databricks.azure.cn", Cloud::Azure),
            ("1.2.gcp.databricks.com", Cloud::Gcp),
            ("1.2.dev.gcp.databricks.com", Cloud::Gcp),
            ("dbc-1.cloud.databricks.com", Cloud::Aws),
            ("dbc-1.cloud.databricks.us", Cloud::Aws),
            ("azuredatabricks.net.acme.test", Cloud::Aws),
        ] {
            assert_eq!(Cloud::of_host(host), expected, "{host}");
        }
    }
}
