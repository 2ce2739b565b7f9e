//! A store and its clients.

use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{ClientOptions, ObjectStoreExt as _, PutPayload, RetryConfig};
use quorate_lab::s3::{S3Config, S3Server};

/// Longer than any answer of these tests takes.
const LIMIT: Duration = Duration::from_millis(700);

pub(crate) async fn served() -> S3Server {
    serve(S3Config::default()).await
}

pub(crate) async fn serve(config: S3Config) -> S3Server {
    S3Server::start(config, ([127, 0, 0, 1], 0).into()).await.unwrap()
}

/// A client that asks once.
pub(crate) fn builder(server: &S3Server) -> AmazonS3Builder {
    AmazonS3Builder::new()
        .with_endpoint(server.url())
        .with_client_options(ClientOptions::new().with_allow_http(true).with_timeout(LIMIT))
        .with_bucket_name(server.bucket())
        .with_region("eu-central-1")
        .with_access_key_id("caller")
        .with_secret_access_key("secret")
        .with_retry(RetryConfig { max_retries: 0, ..RetryConfig::default() })
}

pub(crate) async fn put(client: &AmazonS3, key: &str, text: &str) -> object_store::Result<object_store::PutResult> {
    client.put(&Path::from(key), PutPayload::from(text.to_owned())).await
}
