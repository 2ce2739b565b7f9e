//! What an answer of AWS must be before anything in it is believed: complete, and no longer than such an answer can be.
//!
//! The SDK's XML reader accepts a document that ends early as one that says less: a truncated list is a shorter list. HTTP notices only where the length is
//! announced; behind a proxy that passes an answer on in chunks, nothing does.

use aws_sdk_ec2::error::BoxError;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::config_bag::ConfigBag;
use http_body_util::Limited;

/// A thousand instances take about five megabytes.
const ANSWER: usize = 16 << 20;

/// The identity document takes half a kilobyte, and a list of scheduled events not much more.
const METADATA: usize = 64 << 10;

/// Limits the size of every answer, and rejects one that is not a complete document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Whole;

impl Intercept for Whole {
    fn name(&self) -> &'static str {
        "whole"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().body_mut();
        *body = limited(std::mem::replace(body, SdkBody::taken()), ANSWER);
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // What failed already keeps its own error: a broken connection is retried, and an error of ours would not be.
        if context.output_or_error().is_err() {
            return Ok(());
        }
        let response = context.response();
        let is_broken = response.status().is_success() && !response.body().bytes().is_some_and(is_whole);
        if is_broken { Err("the answer breaks off before its end".into()) } else { Ok(()) }
    }
}

fn limited(body: SdkBody, limit: usize) -> SdkBody {
    SdkBody::from_body_1_x(Limited::new(body, limit))
}

/// Whether the element that is opened first is closed last.
fn is_whole(document: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(document) else { return false };
    let mut opened = text.split('<').skip(1).filter(|tag| !tag.starts_with(['?', '!']));
    let root = opened.next().map(|tag| tag.split(|c: char| c.is_whitespace() || matches!(c, '>' | '/')).next().unwrap_or_default());
    let Some(root) = root.filter(|root| !root.is_empty()) else { return false };
    let end = text.trim_end().strip_suffix('>').and_then(|text| text.trim_end().strip_suffix(root));
    end.is_some_and(|text| text.ends_with("</"))
}

/// A client that limits the size of the metadata service's answers.
pub(super) fn bounded(client: SharedHttpClient) -> SharedHttpClient {
    SharedHttpClient::new(Bounded(client))
}

#[derive(Debug)]
struct Bounded<T>(T);

impl HttpClient for Bounded<SharedHttpClient> {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Bounded(self.0.http_connector(settings, components)))
    }
}

impl HttpConnector for Bounded<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let call = self.0.call(request);
        HttpConnectorFuture::new(async move { call.await.map(|response| response.map(|body| limited(body, METADATA))) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str =
        "<?xml version=\"1.0\"?>\n<ListResponse xmlns=\"x\"><i><id>1</id></i><i><id>2</id></i><requestId>r</requestId></ListResponse>";

    #[test]
    fn a_document_is_whole_at_its_last_byte_and_at_no_other() {
        assert!(is_whole(LIST.as_bytes()) && is_whole(format!("{LIST}\n").as_bytes()));
        for end in 0..LIST.len() {
            assert!(!is_whole(&LIST.as_bytes()[..end]), "cut at {end}");
        }
        for other in ["", "OK", "<>", "</x>", "{}", "<!DOCTYPE html>", "\u{0}"] {
            assert!(!is_whole(other.as_bytes()), "{other:?}");
        }
    }
}
