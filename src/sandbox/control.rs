//! The routes under `/sandbox`: look at what it received, order faults, start again.
//! No authentication: the sandbox holds nothing worth it and listens on loopback.

use axum::extract::State;
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
        .route("/sandbox/requests", get(requests))
        .route("/sandbox/faults", post(order_fault))
}

async fn contacts(State(sandbox): State<Sandbox>) -> Json<Value> {
    Json(json!({"contacts": sandbox.contacts()}))
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

async fn clear(State(sandbox): State<Sandbox>) -> StatusCode {
    sandbox.clear();
    StatusCode::NO_CONTENT
}

fn refused(status: StatusCode, message: &str) -> Response {
    let Answer { status, headers, body } = Answer::error(status, &[message]);
    (status, headers, body).into_response()
}
