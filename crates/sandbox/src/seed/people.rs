//! Users, groups, a service principal and a token.

use serde_json::{Value, json};

use crate::areas::scim::{self, GROUPS, SERVICE_PRINCIPALS, USERS};
use crate::areas::tokens;
use crate::workspace::{USER, USER_ID, Workspace};

const ADA: &str = "4815162343001";
const GRACE: &str = "4815162343002";
const ETL: &str = "4815162343003";
/// The groups that every workspace has.
const ADMINS: (&str, &str) = ("100000000000000", "admins");
const ALL: (&str, &str) = ("100000000000001", "users");

/// Who is in every workspace: its user, who is an administrator.
pub(super) fn bare(workspace: &Workspace) {
    own(workspace);
    group(workspace, ADMINS, &[me()]);
    group(workspace, ALL, &[me()]);
}

pub(super) fn fill(workspace: &Workspace) {
    own(workspace);
    person(workspace, ADA, "ada.analyst@example.test", ["Ada", "Analyst"]);
    person(workspace, GRACE, "grace.auditor@example.test", ["Grace", "Auditor"]);
    let principal = json!({"displayName": "nightly-etl", "applicationId": "0c1d2e3f-0000-4000-8000-00000000e71a", "active": true,
        "entitlements": [{"value": "workspace-access"}]});
    scim::seed(workspace, SERVICE_PRINCIPALS, ETL, principal);
    let ada = member(ADA, "Ada Analyst", "Users");
    let grace = member(GRACE, "Grace Auditor", "Users");
    let etl = member(ETL, "nightly-etl", "ServicePrincipals");
    group(workspace, ADMINS, &[me()]);
    group(workspace, ALL, &[me(), ada.clone(), grace.clone(), etl]);
    group(workspace, ("100000000000002", "analysts"), &[ada]);
    group(workspace, ("100000000000003", "auditors"), &[grace]);
    tokens::seed(workspace, "for the notebooks");
}

fn person(workspace: &Workspace, id: &str, email: &str, [given, family]: [&str; 2]) {
    let user = json!({"userName": email, "displayName": format!("{given} {family}"), "active": true,
        "name": {"givenName": given, "familyName": family}, "emails": [{"type": "work", "value": email, "primary": true}],
        "entitlements": [{"value": "workspace-access"}, {"value": "databricks-sql-access"}]});
    scim::seed(workspace, USERS, id, user);
}

fn own(workspace: &Workspace) {
    person(workspace, &USER_ID.to_string(), USER, ["Sandbox", "User"]);
}

fn group(workspace: &Workspace, (id, name): (&str, &str), members: &[Value]) {
    scim::seed(workspace, GROUPS, id, json!({"displayName": name, "members": members}));
}

fn member(id: &str, display: &str, place: &str) -> Value {
    json!({"value": id, "display": display, "$ref": format!("{place}/{id}")})
}

fn me() -> Value {
    member(&USER_ID.to_string(), "Sandbox User", "Users")
}
