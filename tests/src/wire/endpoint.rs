//! The one address of the AWS API: tells the services and the callers apart, and applies the fault rules.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use quorate_core::ids::InstanceId;

use super::faults::{Fault, Subject};
use super::query::Query;
use super::session::Session;
use super::xml::Xml;
use super::{Asked, Faults, RegionHandle, autoscaling, broken, ec2, load_balancing, sts};
use crate::faults::Strike;
use crate::region::{ApiError, Caller, Service, SignedRequest};

/// What every request needs.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) region: RegionHandle,
    pub(super) faults: Faults,
    pub(super) asked: Asked,
    pub(super) page_limit: Arc<AtomicUsize>,
    pub(super) empty_first: Arc<AtomicBool>,
}

pub(super) fn router(endpoint: Endpoint) -> Router {
    Router::new().fallback(answer).with_state(endpoint)
}

async fn answer(State(endpoint): State<Endpoint>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let query = Query::parse(&[uri.query().unwrap_or_default().as_bytes(), &body]);
    let credential = Credential::of(&headers, &query);
    let Some(service) = service(&query, credential.as_ref()) else {
        return refuse(Service::Ec2, &ApiError::new("InvalidAction", "Neither the version nor the signature names a service of this lab."));
    };
    let Some(Credential { caller, .. }) = credential else {
        return refuse(service, &ApiError::new("MissingAuthenticationToken", "Request is missing Authentication Token"));
    };
    let fields = headers.iter().map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    let fields: Vec<_> = fields.collect();
    let (method, path, text) = (method.as_str(), uri.path(), uri.query().unwrap_or_default());
    let signed = SignedRequest { method, path, query: text, headers: &fields, body: &body };
    endpoint.answer(service, caller, &query, &signed).await
}

impl Endpoint {
    async fn answer(&self, service: Service, caller: Caller, query: &Query, signed: &SignedRequest<'_>) -> Response {
        let action = query.text("Action").unwrap_or_default();
        self.asked.note(&caller, service, action);
        let subject = Subject::Api { service, action, caller: &caller };
        let Strike { delay, fault } = self.faults.strike(self.region.now(), |scope| scope.matches(subject));
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let done = || self.call(service, action, &caller, query, signed);
        match fault {
            None => done(),
            Some(Fault::Throttle) => refuse(service, &throttled(service)),
            Some(Fault::ServerError) => refuse(service, &broken_inside(service)),
            Some(Fault::Refuse(error)) => refuse(service, &error),
            Some(Fault::Status(code)) => broken::status(code),
            Some(Fault::EmptyBody) => StatusCode::OK.into_response(),
            Some(Fault::TruncatedBody) => broken::truncate(done()),
            Some(Fault::ShortBody) => broken::shorten(done()).await,
            Some(Fault::LoseAnswer) => {
                drop(done());
                broken::hang_up()
            }
            Some(Fault::HangUp | Fault::Delay(_)) => broken::hang_up(),
        }
    }

    fn call(&self, service: Service, action: &str, caller: &Caller, query: &Query, signed: &SignedRequest<'_>) -> Response {
        let (page_limit, empty_first) = (self.page_limit.load(Ordering::Relaxed), self.empty_first.load(Ordering::Relaxed));
        let answer = self.region.with(|region, now| {
            let mut session = Session { region, now, caller, query, page_limit, empty_first };
            match service {
                Service::Ec2 => ec2::call(&mut session, action),
                Service::AutoScaling => autoscaling::call(&mut session, action),
                Service::LoadBalancing => load_balancing::call(&mut session, action),
                Service::Sts => sts::call(&mut session, action, signed),
            }
        });
        match answer {
            Ok(document) => xml(StatusCode::OK, document),
            Err(error) => refuse(service, &error),
        }
    }
}

/// The caller that signed the request, and for which service.
struct Credential {
    caller: Caller,
    service: String,
}

impl Credential {
    /// From `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, ...`, or from the query of a request that was signed in advance.
    fn of(headers: &HeaderMap, query: &Query) -> Option<Self> {
        let authorization = headers.get(header::AUTHORIZATION).and_then(|text| text.to_str().ok());
        let header = authorization.and_then(|text| text.split_once("Credential=")?.1.split([',', ' ']).next());
        let mut parts = header.or_else(|| query.text("X-Amz-Credential"))?.split('/');
        let key = parts.next()?;
        let caller = if key.starts_with("i-") { Caller::Instance(InstanceId::new(key)) } else { Caller::Operator };
        Some(Self { caller, service: parts.nth(2).unwrap_or_default().to_owned() })
    }
}

fn service(query: &Query, credential: Option<&Credential>) -> Option<Service> {
    match (query.text("Version"), credential.map(|credential| credential.service.as_str())) {
        (Some(ec2::VERSION), _) => Some(Service::Ec2),
        (Some(autoscaling::VERSION), _) => Some(Service::AutoScaling),
        (Some(load_balancing::VERSION), _) => Some(Service::LoadBalancing),
        (Some(sts::VERSION), _) => Some(Service::Sts),
        (None, Some("ec2")) => Some(Service::Ec2),
        (None, Some("autoscaling")) => Some(Service::AutoScaling),
        (None, Some("elasticloadbalancing")) => Some(Service::LoadBalancing),
        (None, Some("sts")) => Some(Service::Sts),
        _ => None,
    }
}

fn throttled(service: Service) -> ApiError {
    match service {
        Service::Ec2 => ApiError::new("RequestLimitExceeded", "Request limit exceeded."),
        Service::AutoScaling | Service::LoadBalancing | Service::Sts => ApiError::new("Throttling", "Rate exceeded"),
    }
}

fn broken_inside(service: Service) -> ApiError {
    match service {
        Service::Ec2 => ApiError::new("InternalError", "An internal error has occurred"),
        Service::AutoScaling | Service::LoadBalancing | Service::Sts => {
            ApiError::new("InternalFailure", "The request processing has failed because of an unknown error.")
        }
    }
}

fn refuse(service: Service, error: &ApiError) -> Response {
    let document = match service {
        Service::Ec2 => ec2::error(error),
        Service::AutoScaling => query_error(autoscaling::NAMESPACE, error),
        Service::LoadBalancing => query_error(load_balancing::NAMESPACE, error),
        Service::Sts => query_error(sts::NAMESPACE, error),
    };
    xml(status(error.code), document)
}

fn status(code: &str) -> StatusCode {
    match code {
        "RequestLimitExceeded" | "ServiceUnavailable" | "Unavailable" => StatusCode::SERVICE_UNAVAILABLE,
        "InternalError" | "InternalFailure" => StatusCode::INTERNAL_SERVER_ERROR,
        "UnauthorizedOperation"
        | "AccessDenied"
        | "MissingAuthenticationToken"
        | "ExpiredToken"
        | "SignatureDoesNotMatch"
        | "InvalidClientTokenId" => StatusCode::FORBIDDEN,
        "AuthFailure" => StatusCode::UNAUTHORIZED,
        "DryRunOperation" => StatusCode::PRECONDITION_FAILED,
        _ => StatusCode::BAD_REQUEST,
    }
}

fn xml(status: StatusCode, document: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/xml;charset=UTF-8")], document).into_response()
}

/// A refusal of the Query protocol; only EC2 has another form.
fn query_error(namespace: &str, error: &ApiError) -> String {
    let side = if error.code.starts_with("Internal") { "Receiver" } else { "Sender" };
    Xml::document("ErrorResponse", namespace, |xml| {
        xml.node("Error", |xml| {
            xml.leaf("Type", side).leaf("Code", error.code).leaf("Message", &error.message);
        });
        request_id(xml, "RequestId");
    })
}

/// An id for an answer; only ever looked at by people.
pub(super) fn request_id(xml: &mut Xml, element: &str) {
    static COUNT: AtomicU64 = AtomicU64::new(1);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    xml.leaf(element, format_args!("00000000-0000-4000-8000-{count:012x}"));
}
