//! The routes under `/sandbox`: look at what it received, order faults, start again.
//! No authentication: the sandbox holds nothing worth it and listens on loopback.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde_json::{Value, json};

use super::Sandbox;
use super::answer::Answer;
use super::faults::{Fault, FaultError};

/// The control routes.
pub(super) fn routes() -> Router<Sandbox> {
    Router::new()
        .route("/sandbox", delete(clear))
        .route("/sandbox/contacts", get(contacts))
        .route(
            "/sandbox/companies",
            get(async |State(sandbox): State<Sandbox>| shown("companies", &sandbox.companies())),
        )
        .route("/sandbox/deals", get(async |State(sandbox): State<Sandbox>| shown("deals", &sandbox.deals())))
        .route("/sandbox/notes", get(async |State(sandbox): State<Sandbox>| shown("notes", &sandbox.notes())))
        .route(
            "/sandbox/activities",
            get(async |State(sandbox): State<Sandbox>| shown("activities", &sandbox.activities())),
        )
        .route("/sandbox/tasks", get(async |State(sandbox): State<Sandbox>| shown("tasks", &sandbox.tasks())))
        .route("/sandbox/leads", get(async |State(sandbox): State<Sandbox>| shown("leads", &sandbox.leads())))
        .route("/sandbox/leads/{id}/convert", post(convert))
        .route("/sandbox/lists", get(async |State(sandbox): State<Sandbox>| shown("lists", &sandbox.lists())))
        .route("/sandbox/calls", get(calls))
        .route("/sandbox/selectors/{name}", get(selector).put(set_selector))
        .route("/sandbox/requests", get(requests))
        .route("/sandbox/faults", post(order_fault).delete(clear_faults))
}

async fn contacts(State(sandbox): State<Sandbox>) -> Json<Value> {
    Json(json!({"contacts": sandbox.contacts()}))
}

fn shown(name: &str, records: &[Value]) -> Json<Value> {
    Json(json!({name: records}))
}

async fn calls(State(sandbox): State<Sandbox>) -> Json<Value> {
    Json(json!({"calls": sandbox.calls()}))
}

async fn convert(State(sandbox): State<Sandbox>, Path(lead): Path<u64>) -> Response {
    match sandbox.convert(lead) {
        Some(contact) => Json(json!({"contact": contact})).into_response(),
        None => refused(StatusCode::NOT_FOUND, "There is no such lead, or no contact can be made of it."),
    }
}

async fn selector(State(sandbox): State<Sandbox>, Path(name): Path<String>) -> Response {
    match sandbox.selector(&name) {
        Some(items) => Json(Value::Array(items)).into_response(),
        None => refused(StatusCode::NOT_FOUND, "There is no such list."),
    }
}

async fn set_selector(State(sandbox): State<Sandbox>, Path(name): Path<String>, body: Bytes) -> Response {
    match serde_json::from_slice::<Vec<Value>>(&body) {
        Ok(_) if sandbox.selector(&name).is_none() => {
            refused(StatusCode::NOT_FOUND, "There is no such list.")
        }
        Ok(items) => {
            sandbox.set_selector(&name, items);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(error) => refused(StatusCode::BAD_REQUEST, &format!("expected the list itself: {error}")),
    }
}

async fn requests(State(sandbox): State<Sandbox>) -> Response {
    // Written out directly: some bodies would take a hundred times their room as values.
    match serde_json::to_string(&sandbox.requests()) {
        Ok(list) => {
            ([(CONTENT_TYPE, "application/json")], format!("{{\"requests\":{list}}}")).into_response()
        }
        Err(error) => refused(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
    }
}

async fn order_fault(State(sandbox): State<Sandbox>, body: Bytes) -> Response {
    let ordered: Result<usize, FaultError> = Fault::from_slice(&body).and_then(|fault| sandbox.order(fault));
    match ordered {
        Ok(waiting) => (StatusCode::CREATED, Json(json!({"waiting": waiting}))).into_response(),
        Err(error) => refused(StatusCode::BAD_REQUEST, &error.to_string()),
    }
}

async fn clear_faults(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.mend();
    StatusCode::NO_CONTENT
}

async fn clear(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.clear();
    StatusCode::NO_CONTENT
}

fn refused(status: StatusCode, message: &str) -> Response {
    let Answer { status, headers, body } = Answer::error(status, &[message]);
    (status, headers, body).into_response()
}
