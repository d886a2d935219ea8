//! Users, groups, a service principal and a token.

use serde_json::{Value, json};

use crate::areas::scim::{self, GROUPS, SERVICE_PRINCIPALS, USERS};
use crate::areas::tokens;
use crate::workspace::{USER, USER_ID, Workspace};

const ADA: &str = "4815162343001";
const GRACE: &str = "4815162343002";
const ETL: &str = "4815162343003";

pub(super) fn fill(workspace: &Workspace) {
    let own = USER_ID.to_string();
    let people = [
        (own.as_str(), USER, "Sandbox", "User"),
        (ADA, "ada.analyst@example.test", "Ada", "Analyst"),
        (GRACE, "grace.auditor@example.test", "Grace", "Auditor"),
    ];
    for (id, email, given, family) in people {
        let user = json!({"userName": email, "displayName": format!("{given} {family}"), "active": true,
            "name": {"givenName": given, "familyName": family}, "emails": [{"type": "work", "value": email, "primary": true}],
            "entitlements": [{"value": "workspace-access"}, {"value": "databricks-sql-access"}]});
        scim::seed(workspace, USERS, id, user);
    }
    let principal = json!({"displayName": "nightly-etl", "applicationId": "0c1d2e3f-0000-4000-8000-00000000e71a", "active": true,
        "entitlements": [{"value": "workspace-access"}]});
    scim::seed(workspace, SERVICE_PRINCIPALS, ETL, principal);
    let member = |id: &str, display: &str, place: &str| json!({"value": id, "display": display, "$ref": format!("{place}/{id}")});
    let user = || member(&own, "Sandbox User", "Users");
    let ada = || member(ADA, "Ada Analyst", "Users");
    let grace = || member(GRACE, "Grace Auditor", "Users");
    let etl = || member(ETL, "nightly-etl", "ServicePrincipals");
    let groups: [(&str, &str, Vec<Value>); 4] = [
        ("100000000000000", "admins", vec![user()]),
        ("100000000000001", "users", vec![user(), ada(), grace(), etl()]),
        ("100000000000002", "analysts", vec![ada()]),
        ("100000000000003", "auditors", vec![grace()]),
    ];
    for (id, name, members) in groups {
        scim::seed(workspace, GROUPS, id, json!({"displayName": name, "members": members}));
    }
    tokens::seed(workspace, "for the notebooks");
}
