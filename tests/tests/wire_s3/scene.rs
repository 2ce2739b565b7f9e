//! A store and its clients.

use std::error::Error as _;
use std::time::Duration;

use object_store::aws::{AmazonS3, AmazonS3Builder};
use object_store::path::Path;
use object_store::{BackoffConfig, ClientOptions, ObjectStore as _, ObjectStoreExt as _, PutMode, PutOptions, PutPayload, RetryConfig};
use quorate_lab::s3::{S3Config, S3Server};
use reqwest::{Method, Response};

/// Longer than any answer of these tests takes.
pub(crate) const LIMIT: Duration = Duration::from_millis(700);

pub(crate) async fn served() -> S3Server {
    serve(S3Config::default()).await
}

pub(crate) async fn serve(config: S3Config) -> S3Server {
    S3Server::start(config, ([127, 0, 0, 1], 0).into()).await.unwrap()
}

/// A client that asks once.
pub(crate) fn client(server: &S3Server) -> AmazonS3 {
    builder(server, "caller", 0).build().unwrap()
}

/// A client of this access key id.
pub(crate) fn client_of(server: &S3Server, caller: &str) -> AmazonS3 {
    builder(server, caller, 0).build().unwrap()
}

/// A client that retries this number of times.
pub(crate) fn patient(server: &S3Server, retries: usize) -> AmazonS3 {
    builder(server, "caller", retries).build().unwrap()
}

pub(crate) fn builder(server: &S3Server, caller: &str, retries: usize) -> AmazonS3Builder {
    let moment = Duration::from_millis(1);
    let backoff = BackoffConfig { init_backoff: moment, max_backoff: moment, base: 2.0 };
    AmazonS3Builder::new()
        .with_endpoint(server.url())
        .with_client_options(ClientOptions::new().with_allow_http(true).with_timeout(LIMIT))
        .with_bucket_name(server.bucket())
        .with_region("eu-central-1")
        .with_access_key_id(caller)
        .with_secret_access_key("secret")
        .with_retry(RetryConfig { backoff, max_retries: retries, retry_timeout: Duration::from_secs(20) })
}

pub(crate) async fn create(client: &AmazonS3, key: &str, text: &str) -> object_store::Result<object_store::PutResult> {
    let options = PutOptions { mode: PutMode::Create, ..PutOptions::default() };
    client.put_opts(&Path::from(key), PutPayload::from(text.to_owned()), options).await
}

pub(crate) async fn put(client: &AmazonS3, key: &str, text: &str) -> object_store::Result<object_store::PutResult> {
    client.put(&Path::from(key), PutPayload::from(text.to_owned())).await
}

pub(crate) async fn get(client: &AmazonS3, key: &str) -> object_store::Result<String> {
    let bytes = client.get(&Path::from(key)).await?.bytes().await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Everything that an error says, with its causes.
pub(crate) fn message(error: &object_store::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

/// A request as it stands, by `raw`: signatures are not verified.
pub(crate) async fn raw(server: &S3Server, method: Method, path: &str, headers: &[(&str, &str)], body: &str) -> reqwest::Result<Response> {
    let signed = "AWS4-HMAC-SHA256 Credential=raw/20260101/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=0";
    let client = reqwest::Client::builder().no_proxy().build()?;
    let request = client.request(method, format!("{}{path}", server.url())).header("authorization", signed);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.timeout(LIMIT).body(body.to_owned()).send().await
}

/// The status and S3's code of a refusal.
pub(crate) async fn refusal(response: Response) -> (u16, String) {
    let status = response.status().as_u16();
    let text = response.text().await.unwrap();
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    (status, code.map(|(code, _)| code.to_owned()).unwrap_or_default())
}
