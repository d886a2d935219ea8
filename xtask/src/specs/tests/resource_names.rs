//! Patterns in docstrings, and parameters that hold slashes.

use super::super::docstring::{is_deprecated, resource_name};
use super::super::resource_names::erase_names;
use super::{JSON, import, service};

#[track_caller]
fn check(text: &str, expected: Option<&str>) {
    let docstring =
        format!("Gets it.\n\n:param name: str\n  {text}\n:param other: str\n  others/{{other}}\n\n:returns: X");
    assert_eq!(resource_name(&docstring, "name").as_deref(), expected);
}

#[test]
fn patterns() {
    check("Resource name in the form ``stores/{store_id}``.", Some("stores/{store_id}"));
    check("Format: projects/{p}/branches/{b}/snapshot-schedule", Some("projects/{p}/branches/{b}/snapshot-schedule"));
    check("Format: \"skills/{catalog}.{schema}.{skill}\", where", Some("skills/{catalog}.{schema}.{skill}"));
    check("Account-scoped: accounts/{a}/groups/{g}\n  Workspace-scoped: groups/{g}", Some("accounts/{a}/groups/{g}"));
}

#[test]
fn what_is_no_pattern() {
    check("Sandbox resource name, for example ``sandboxes/my-sandbox``.", None);
    check("Use /api/2.0/things/{id} instead.", None);
    check("Replace `<cloud>/{id}` by it.", None);
    check("The {full_name} arg in the URL.", None);
    check("Either and/or.", None);
}

#[test]
fn deprecation_marks() {
    assert!(is_deprecated("Gets it.\n\nDeprecated: use another."));
    assert!(is_deprecated("DEPRECATED: use another."));
    assert!(!is_deprecated("Unpaginated calls will be deprecated soon."));
    assert!(!is_deprecated("Gets it.\n\n:param x: str\n  Deprecated: use y."));
}

#[test]
fn same_place_in_the_url_has_the_same_form() {
    let documented = "\"\"\"Gets it.\n\n:param name: str\n  Format: stores/{store_id}\n\"\"\"";
    let text = service(&[
        ("get(self, name: str)", &[documented, JSON, "self._api.do(\"GET\", f\"/x/{name}\", headers=headers)"]),
        ("items(self, parent: str)", &[JSON, "self._api.do(\"GET\", f\"/x/{parent}/items\", headers=headers)"]),
        ("other(self, name: str)", &[JSON, "self._api.do(\"GET\", f\"/y/{name}\", headers=headers)"]),
    ]);
    let documents = import(&[("demo", &text)]).unwrap();
    let paths = &documents["demo"]["paths"];
    let keeps = |path: &str| paths[path]["get"]["parameters"][0]["x-databricks-multi-segment"].as_bool();
    assert_eq!(keeps("/x/{name}"), Some(true));
    assert_eq!(keeps("/x/{parent}/items"), Some(true));
    assert_eq!(keeps("/y/{name}"), None);
}

#[test]
fn names_are_erased() {
    assert_eq!(erase_names("/a/{b}/c{d}:e"), "/a/{}/c{}:e");
}
