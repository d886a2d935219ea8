//! What holds for the answers to all operations.

use axum::body::Bytes;
use axum::http::HeaderMap;

use super::*;
use crate::reply::Content;

fn answers() -> impl Iterator<Item = (&'static Operation, &'static Schema, Value)> {
    let contract = Contract::get();
    contract.operations().filter_map(move |operation| {
        let Response::Json(schema) = &operation.response else { return None };
        let found = Found { operation, path: Vec::new() };
        let reply =
            answer(contract, &found, &Request::new("", HeaderMap::new(), Bytes::new()), crate::DEFAULT_EPOCH_MILLIS);
        let Content::Json(value) = reply.content else { return None };
        Some((operation, schema, value))
    })
}

#[test]
fn every_answer_keeps_to_its_schema() {
    for (operation, schema, value) in answers() {
        let misfit = misfit(Contract::get(), schema, &value, "", false);
        assert!(misfit.is_none(), "{}: {misfit:?}", operation.id);
    }
}

#[test]
fn answers_are_stable_and_bounded() {
    for ((operation, _, first), (_, _, second)) in answers().zip(answers()) {
        assert_eq!(first, second, "{}", operation.id);
        let size = first.to_string().len();
        assert!(size < 300_000, "{}: {size} bytes", operation.id);
    }
}

#[test]
fn waiters_and_iterators_come_to_an_end() {
    for (operation, _, value) in answers() {
        if let Some(target) = &operation.target {
            let state = target.path.iter().fold(&value, |value, name| value.at(name));
            assert_eq!(state, &json!(target.value), "{}", operation.id);
        }
        let cursor = operation.pagination.as_ref().and_then(|pagination| pagination.response.as_deref());
        assert!(cursor.is_none_or(|cursor| value.at(cursor).is_null()), "{}", operation.id);
        assert!(operation.long_running.is_none() || value.at("done") == &json!(true), "{}", operation.id);
    }
}
