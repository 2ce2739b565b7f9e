//! What a client's traffic shows besides the answers: where it goes, and the service's time.

use std::sync::Arc;

use aws_sdk_ec2::config::interceptors::{BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef};
use aws_sdk_ec2::config::{ConfigBag, Intercept, RuntimeComponents};
use aws_sdk_ec2::error::BoxError;
use quorate_core::time::Timestamp;
use tokio::sync::watch;

use crate::clock::Clock;

/// Observes every call of a client, and changes none.
#[derive(Clone, Debug)]
pub struct Witness {
    seen: Arc<watch::Sender<Seen>>,
    clock: Clock,
}

/// What was seen so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The URL of the last request, as the SDK resolved it from region, environment and profile.
    pub url: Option<String>,
    /// The time in the last answer's `Date` header, and the local time when it arrived.
    pub times: Option<(Timestamp, Timestamp)>,
}

impl Witness {
    /// A witness that has seen nothing yet.
    #[must_use]
    pub fn new(clock: Clock) -> Self {
        Self { seen: Arc::new(watch::Sender::new(Seen::default())), clock }
    }

    /// What was seen so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        self.seen.borrow().clone()
    }

    /// The URL of the next request, or of one already sent. Wait for it within a limit: without credentials none is sent.
    pub async fn url(&self) -> Option<String> {
        let mut seen = self.seen.subscribe();
        let found = seen.wait_for(|seen| seen.url.is_some()).await.ok()?;
        found.url.clone()
    }
}

impl Intercept for Witness {
    fn name(&self) -> &'static str {
        "witness"
    }

    fn read_before_transmit(
        &self,
        context: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let url = context.request().uri().to_owned();
        self.seen.send_modify(|seen| seen.url = Some(url));
        Ok(())
    }

    fn read_after_transmit(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        if let Some(there) = context.response().headers().get("date").and_then(moment) {
            let here = self.clock.now();
            self.seen.send_modify(|seen| seen.times = Some((there, here)));
        }
        Ok(())
    }
}

/// An HTTP date, `Sat, 21 Nov 2026 11:53:00 GMT`, which is one of RFC 2822 too.
fn moment(text: &str) -> Option<Timestamp> {
    let time = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    u64::try_from(time.as_millisecond()).ok().map(Timestamp)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_date_is_read_and_anything_else_is_none() {
        assert_eq!(moment("Sat, 21 Nov 2026 11:53:00 GMT"), Some(Timestamp(1_795_261_980_000)));
        for other in ["", "0", "yesterday", "2026-11-21T11:53:00Z"] {
            assert_eq!(moment(other), None, "{other:?}");
        }
    }
}
