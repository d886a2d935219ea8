//! Typed responses take what the API may send beyond its description.

use serde_json::json;

use super::{ResultData, Run, RunLifeCycleState, StatementResponse, StatementState};

#[test]
fn unknown_enum_values_are_kept() {
    let run: Run = serde_json::from_value(json!({
        "run_id": 1, "state": { "life_cycle_state": "HIBERNATING", "result_state": "" }, "brand_new_field": [1],
    }))
    .expect("a run");
    let state = run.state.expect("a state");
    assert_eq!(state.life_cycle_state, Some(RunLifeCycleState::Unlisted("HIBERNATING".into())));
    assert_eq!(serde_json::to_value(&state).expect("JSON")["life_cycle_state"], "HIBERNATING");
    assert_eq!("SUCCEEDED".parse::<StatementState>().expect("a state"), StatementState::Succeeded);
    assert_eq!("NEW".parse::<StatementState>().expect("a state").to_string(), "NEW");
}

#[test]
fn integers_come_as_numbers_text_and_floats() {
    for run_id in [json!(9_007_199_254_740_993_i64), json!("9007199254740993")] {
        let run: Run = serde_json::from_value(json!({ "run_id": run_id })).expect("a run");
        assert_eq!(run.run_id, Some(9_007_199_254_740_993));
    }
    let run: Run = serde_json::from_value(json!({ "run_id": 12.0, "job_id": null })).expect("a run");
    assert_eq!((run.run_id, run.job_id), (Some(12), None));
    for run_id in [json!(1.5), json!("x"), json!([1])] {
        serde_json::from_value::<Run>(json!({ "run_id": run_id })).expect_err("no integer");
    }
}

#[test]
fn nothing_is_required_and_null_lists_are_empty() {
    let run: Run = serde_json::from_value(json!({ "tasks": null, "job_parameters": null })).expect("a run");
    assert!(run.tasks.is_empty() && run.job_parameters.is_empty());
    serde_json::from_value::<StatementResponse>(json!({})).expect("a statement");
}

#[test]
fn null_cells_stay_null() {
    let data: ResultData = serde_json::from_value(json!({ "data_array": [["1", null], [null, ""]] })).expect("data");
    assert_eq!(json!(data.data_array), json!([["1", null], [null, ""]]));
}
