//! The one address of the store: takes a request in, applies the fault rules, and has the model decide.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};

use super::ask::Ask;
use super::digest;
use super::disk;
use super::faults::Fault;
use super::model::{Condition, Object, Part};
use super::range::Wanted;
use super::receive::{Received, receive};
use super::shelf::Shelf;
use super::{Access, Faults, Log, Operation, S3Error, answers, spoil, xml};
use crate::faults::Strike;
use crate::wire::broken;

/// What every request needs.
#[derive(Clone, Debug)]
pub(super) struct Endpoint {
    pub(super) bucket: Arc<str>,
    pub(super) shelf: Arc<Shelf>,
    pub(super) page: usize,
    pub(super) faults: Faults,
    pub(super) access: Access,
    pub(super) log: Log,
    pub(super) object_lock: bool,
}

/// The result of an operation.
type Answer = Result<Response, S3Error>;

pub(super) fn router(endpoint: Endpoint) -> Router {
    Router::new().fallback(answer).with_state(endpoint)
}

async fn answer(State(endpoint): State<Endpoint>, request: Request) -> Response {
    // A task of its own, because a received request is carried out even if the client closes the connection.
    let answered = tokio::spawn(async move { endpoint.answer(request).await }).await;
    answered.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

impl Endpoint {
    async fn answer(&self, request: Request) -> Response {
        let (parts, body) = request.into_parts();
        let mut ask = match Ask::read(&parts) {
            Ok(ask) => ask,
            Err(error) => return answers::refuse(&error, None),
        };
        let received = receive(&self.shelf, &ask, body).await;
        if let (Operation::DeleteMany, Ok(received)) = (ask.operation, &received) {
            ask.further = xml::delete(&received.bytes()).map(xml::Delete::keys).unwrap_or_default();
        }
        let line = self.log.begin(&ask);
        let Strike { delay, fault } = self.faults.strike(self.shelf.clock.now(), |scope| scope.matches(&ask));
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let answer = self.befall(fault, &ask, received).await;
        if let Some(answer) = &answer {
            self.log.end(line, answer.status().as_u16());
        }
        answer.unwrap_or_else(broken::hang_up)
    }

    /// `None` hangs up.
    async fn befall(&self, fault: Option<Fault>, ask: &Ask, received: Result<Received, S3Error>) -> Option<Response> {
        let refuse = |status| answers::refuse(&S3Error::of_status(status), Some(ask.operation));
        let spoilt: fn(Response) -> Response = match fault {
            None | Some(Fault::Delay(_)) => |whole| whole,
            Some(Fault::Truncate) => broken::truncate,
            Some(Fault::Corrupt) => spoil::corrupt,
            Some(Fault::Impostor) => |_| spoil::impostor(),
            Some(Fault::LoseAnswer | Fault::HangAfterwards | Fault::StatusAfterwards(_)) => {
                drop(self.act(ask, received));
                return self.unsaid(fault, refuse).await;
            }
            Some(_) => {
                self.discard(received);
                return self.unsaid(fault, refuse).await;
            }
        };
        Some(spoilt(self.act(ask, received)))
    }

    /// What is sent instead of the answer.
    async fn unsaid(&self, fault: Option<Fault>, refuse: impl Fn(u16) -> Response) -> Option<Response> {
        match fault? {
            Fault::Status(status) | Fault::StatusAfterwards(status) => Some(refuse(status)),
            Fault::RefusalInside(status) => Some(answers::refuse_inside(&S3Error::of_status(status))),
            Fault::Hang | Fault::HangAfterwards => std::future::pending().await,
            _ => None,
        }
    }

    fn discard(&self, received: Result<Received, S3Error>) {
        if let Ok(received) = received {
            self.shelf.discard(&received.blob);
        }
    }

    fn act(&self, ask: &Ask, received: Result<Received, S3Error>) -> Response {
        let answer = self.permitted(ask).and(received).and_then(|received| {
            let answer = self.call(ask, &received);
            if answer.is_err() {
                self.shelf.discard(&received.blob);
            }
            answer
        });
        answer.unwrap_or_else(|error| answers::refuse(&error, Some(ask.operation)))
    }

    fn permitted(&self, ask: &Ask) -> Result<(), S3Error> {
        if ask.bucket != *self.bucket {
            return Err(S3Error::new("NoSuchBucket").because(&ask.bucket));
        }
        let denied = self.access.denies(ask.operation.permission(), &ask.key, |header| ask.header(header).is_some());
        if denied { Err(refusal(ask)) } else { Ok(()) }
    }

    fn call(&self, ask: &Ask, received: &Received) -> Answer {
        self.is_checked(ask)?;
        match ask.operation {
            Operation::Put => self.put(ask, received),
            Operation::Get | Operation::Head => self.get(ask),
            Operation::Delete => {
                self.shelf.change(|model, _| model.delete(&ask.key));
                Ok(StatusCode::NO_CONTENT.into_response())
            }
            Operation::DeleteMany => self.delete_many(ask, received),
            Operation::List => self.list(ask),
            Operation::CreateUpload => Ok(self.shelf.change(|model, _| answers::begun(ask, &model.create_upload(&ask.key, ask.kept())))),
            Operation::UploadPart => self.upload_part(ask, received),
            Operation::Complete => self.complete(ask, received),
            Operation::Abort => {
                self.shelf.change(|model, _| model.abort(&ask.key, ask.upload_id())).map(|()| StatusCode::NO_CONTENT.into_response())
            }
        }
    }

    /// What is stored must have arrived whole.
    fn is_checked(&self, ask: &Ask) -> Result<(), S3Error> {
        let writes = matches!(ask.operation, Operation::Put | Operation::UploadPart);
        let bears = ["content-md5", "x-amz-checksum-sha256"].iter().any(|name| ask.header(name).is_some());
        if self.object_lock && writes && !bears { Err(S3Error::new("InvalidRequest")) } else { Ok(()) }
    }

    fn put(&self, ask: &Ask, received: &Received) -> Answer {
        let (etag, kept) = (digest::etag(&received.digests.md5), ask.kept());
        let answer = answers::stored(&etag, &kept, checksum(ask, received));
        let content = vec![received.blob.clone()];
        let put =
            self.shelf.change(|model, modified| model.put(&ask.key, Object { content, etag, modified, headers: kept }, &ask.condition()));
        put.map(|()| answer)
    }

    fn get(&self, ask: &Ask) -> Answer {
        if ask.condition() != Condition::default() {
            return Err(S3Error::new("NotImplemented").because("conditional reads"));
        }
        let model = self.shelf.lock();
        let object = model.get(&ask.key)?;
        let part = match Wanted::of(ask.header("range"), object.size()) {
            Wanted::Whole => None,
            Wanted::Part(range) => Some(range),
            Wanted::Unsatisfiable => return Ok(answers::out_of_range(object.size(), ask.operation)),
        };
        let body = match ask.operation {
            Operation::Head => axum::body::Body::empty(),
            _ => Body::from_stream(disk::stream(self.shelf.pieces(object, &part.clone().unwrap_or(0..object.size()))?)),
        };
        Ok(answers::object(object, part.as_ref(), body))
    }

    fn delete_many(&self, ask: &Ask, received: &Received) -> Answer {
        let quiet = xml::delete(&received.bytes())?.quiet;
        for key in &ask.further {
            self.shelf.change(|model, _| model.delete(key));
        }
        Ok(answers::deleted(if quiet { &[] } else { &ask.further }))
    }

    fn list(&self, ask: &Ask) -> Answer {
        let listing = ask.listing(self.page)?;
        Ok(answers::list(ask, &listing, &self.shelf.lock().list(&listing)))
    }

    fn upload_part(&self, ask: &Ask, received: &Received) -> Answer {
        let etag = digest::etag(&received.digests.md5);
        let answer = answers::stored(&etag, &ask.kept(), checksum(ask, received));
        let part = Part { blob: received.blob.clone(), etag };
        let taken = self.shelf.change(|model, _| model.upload_part(&ask.key, ask.upload_id(), ask.part.unwrap_or_default(), part));
        taken.map(|()| answer)
    }

    fn complete(&self, ask: &Ask, received: &Received) -> Answer {
        let parts = xml::completed_parts(&received.bytes())?;
        let done = self.shelf.change(|model, now| model.complete(&ask.key, ask.upload_id(), &parts, &ask.condition(), now));
        done.map(|etag| answers::completed(ask, &etag))
    }
}

/// Returned to a client that sent one.
fn checksum(ask: &Ask, received: &Received) -> Option<String> {
    ask.header("x-amz-checksum-sha256").map(|_| received.sha256())
}

fn refusal(ask: &Ask) -> S3Error {
    let (caller, permission) = (&ask.caller, ask.operation.permission());
    S3Error::new("AccessDenied").because(format_args!("{caller} is not authorized to perform: {permission}"))
}
