use serde_json::json;

use super::*;
use crate::operation::{Body, Location, Method, Response};

const TOKEN: Pagination = Pagination {
    style: PageStyle::Token,
    location: Location::Query,
    items: Some("jobs"),
    request: Some("page_token"),
    response: Some("next_page_token"),
    start: 0,
    count: None,
};

fn operation(pagination: Pagination) -> Operation {
    Operation {
        id: "test.test.list",
        method: Method::Get,
        path: "/x",
        parameters: &[],
        body: Body::None,
        response: Response::Json,
        pagination: Some(pagination),
        workspace_routing: true,
        deprecated: false,
    }
}

/// Reads a page and returns how many items it has and where the next one begins.
fn read(pagination: Pagination, at: Option<Cursor>, answer: Value) -> (usize, Option<Cursor>) {
    let page = Page::read(&operation(pagination), at.as_ref(), answer);
    (page.items.len(), page.next)
}

#[test]
fn a_token_is_followed_until_it_is_gone() {
    let next = || Some(Cursor::Token("t2".to_owned()));
    for (answer, expected) in [
        (json!({"jobs": [1, 2], "next_page_token": "t2"}), (2, next())),
        (json!({"jobs": [], "next_page_token": "t2"}), (0, next())),
        (json!({"next_page_token": "t2"}), (0, next())),
        (json!({"jobs": null, "next_page_token": ""}), (0, None)),
        (json!({"jobs": [1], "next_page_token": null}), (1, None)),
        (json!({}), (0, None)),
        (json!("odd"), (0, None)),
    ] {
        assert_eq!(read(TOKEN, None, answer.clone()), expected, "{answer}");
    }
    assert_eq!(read(TOKEN, next(), json!({"jobs": [1], "next_page_token": "t2"})), (1, None), "the same token again");
    assert_eq!(read(TOKEN, next(), json!({"next_page_token": "t2"})), (0, next()), "nothing yet");
}

#[test]
fn counting_cursors_move_by_what_came() {
    let scim =
        Pagination { style: PageStyle::Scim, items: Some("Resources"), request: Some("startIndex"), start: 1, ..TOKEN };
    let offset = Pagination { style: PageStyle::Offset, request: Some("offset"), ..TOKEN };
    let page = Pagination { style: PageStyle::Page, items: Some("results"), request: Some("page"), start: 1, ..TOKEN };
    let at = |position| Some(Cursor::Position(position));
    for (pagination, current, answer, expected) in [
        (scim, None, json!({"Resources": [1, 2]}), (2, at(3))),
        (scim, at(3), json!({"Resources": [1, 2], "totalResults": 5}), (2, at(5))),
        (scim, at(3), json!({"Resources": [1, 2], "totalResults": 4}), (2, None)),
        (scim, at(3), json!({"totalResults": 9}), (0, None)),
        (offset, None, json!({"jobs": [1, 2]}), (2, at(2))),
        (offset, at(2), json!({"jobs": []}), (0, None)),
        (page, None, json!({"results": [1]}), (1, at(2))),
        (page, at(2), json!({"results": [1], "count": 3, "page_size": 1}), (1, at(3))),
        (page, at(3), json!({"results": [1], "count": 3, "page_size": 1}), (1, None)),
        (page, at(4), json!({"results": []}), (0, None)),
    ] {
        assert_eq!(read(pagination, current, answer.clone()), expected, "{answer}");
    }
}

#[test]
fn unpaged_lists_have_one_page() {
    let array = Pagination { style: PageStyle::None, items: None, request: None, response: None, ..TOKEN };
    assert_eq!(read(array, None, json!([1, 2, 3])), (3, None));
}

#[test]
fn a_cursor_goes_where_the_operation_wants_it() {
    for (location, cursor, expected) in [
        (Location::Query, Cursor::Token("t".to_owned()), json!("t")),
        (Location::Body, Cursor::Position(26), json!(26)),
    ] {
        let operation = operation(Pagination { location, ..TOKEN });
        let arguments = cursor.apply(&operation, Arguments::new());
        assert_eq!(arguments.get(location, "page_token"), Some(&expected));
    }
}

#[test]
fn a_cursor_survives_as_json() {
    for (cursor, text) in
        [(Cursor::Token("t".to_owned()), r#"{"token":"t"}"#), (Cursor::Position(26), r#"{"position":26}"#)]
    {
        assert_eq!(serde_json::to_string(&cursor).unwrap(), text);
        assert_eq!(serde_json::from_str::<Cursor>(text).unwrap(), cursor);
    }
    assert!(serde_json::from_str::<Cursor>(r#"{"elsewhere":1}"#).is_err());
}
