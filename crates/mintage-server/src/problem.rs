//! What a caller is told when something cannot be done: `application/problem+json` (RFC 9457) with a hint, under `/v1`
//! the shape that OpenAI's clients read.

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Request, rejection::JsonRejection},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};
use utoipa::ToSchema;

/// Why a request was not met.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Problem {
    /// Always `about:blank`: the status says what kind of problem it is.
    #[serde(rename = "type")]
    pub about: &'static str,
    /// The status in words.
    pub title: &'static str,
    /// The status of the answer.
    pub status: u16,
    /// What cannot be done, and why.
    pub detail: String,
    /// What to do about it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The field of the request that is to blame, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Problem {
    /// A problem of any status.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            about: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            hint: None,
            field: None,
        }
    }

    /// There is no such thing.
    pub fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// The request itself cannot be met.
    pub fn request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, detail)
    }

    /// What is there forbids it for now.
    pub fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, detail)
    }

    /// Adds what to do.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Replaces whatever would tell where things lie on this machine.
    pub(crate) fn without(&mut self, hide: &dyn Fn(&str) -> String) {
        self.detail = hide(&self.detail);
        self.hint = self.hint.as_deref().map(hide);
    }

    /// The body under `/v1`.
    pub(crate) fn to_openai(&self) -> serde_json::Value {
        let message = match &self.hint {
            Some(hint) => format!("{} ({hint})", self.detail),
            None => self.detail.clone(),
        };
        let kind = if self.status < 500 { "invalid_request_error" } else { "server_error" };
        serde_json::json!({ "error": { "message": message, "type": kind, "param": self.field, "code": null } })
    }
}

impl IntoResponse for Problem {
    /// The body is put in by `guard::finish`, which knows the path of the request.
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<mintage::Error> for Problem {
    fn from(error: mintage::Error) -> Self {
        use mintage::Error as E;
        let status = match &error {
            E::Cancelled => StatusCode::CONFLICT,
            // Files, devices and weights are the server's.
            E::Io { source, .. } if source.kind() == std::io::ErrorKind::StorageFull => {
                StatusCode::INSUFFICIENT_STORAGE
            }
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        };
        let field = match &error {
            E::Field { field, .. } => Some((*field).to_owned()),
            _ => None,
        };
        Self { hint: error.hint(), field, ..Self::new(status, error.to_string()) }
    }
}

impl From<mintage_data::Error> for Problem {
    fn from(error: mintage_data::Error) -> Self {
        mintage::Error::from(error).into()
    }
}

/// What came as JSON, or why it is none.
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Json(value) = Json::<T>::from_request(request, state).await.map_err(of_json)?;
        Ok(Self(value))
    }
}

fn of_json(rejection: JsonRejection) -> Problem {
    let status = match rejection.status() {
        // To a caller a value of another type and a missing field are the same mistake.
        StatusCode::BAD_REQUEST => StatusCode::BAD_REQUEST,
        status => status,
    };
    let text = rejection.body_text();
    let why = text.rsplit_once("target type: ").map_or(text.as_str(), |(_, why)| why);
    Problem::new(status, format!("the body cannot be read: {why}"))
        .with_hint("send a JSON object; GET /openapi.json says which fields it has")
}

/// What stands behind `?` in an address, or why it cannot be read.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(error) => Err(Problem::new(StatusCode::BAD_REQUEST, error.body_text())),
        }
    }
}

/// A part of the path.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(error) => Err(Problem::not_found(error.body_text())),
        }
    }
}

/// The media type of a problem.
pub(crate) const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");

/// A response with the given body and media type.
pub(crate) fn bytes(media_type: &str, body: impl Into<axum::body::Body>) -> Response {
    let value =
        HeaderValue::from_str(media_type).unwrap_or(HeaderValue::from_static("application/octet-stream"));
    ([(header::CONTENT_TYPE, value)], body.into()).into_response()
}
