#!/usr/bin/env bash
# object_store 0.14.2 says PermissionDenied when S3 denies a get, a head or a put, and Generic when it denies a list: the same 403, from the same bucket.
#
# The enum `object_store::Error` has a variant for each status that a caller may act on: 403 is `PermissionDenied`, 401 `Unauthenticated`, 404 `NotFound`. The
# S3 client turns the status of most calls into them, and that of ListObjectsV2 into `Generic`, with the status in its text alone. What was expected: the same
# variant. A caller that matches on `PermissionDenied` takes a missing s3:ListBucket for a store that is broken or away, and retries.
#
# Needs cargo and its registry. It takes some minutes, and nothing stays. It listens on loopback.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export CARGO_TARGET_DIR=$dir/target
mkdir -p "$dir/src"
cat >"$dir/Cargo.toml" <<'EOF'
[package]
name = "denied-list"
version = "0.0.0"
edition = "2024"

[dependencies]
futures = "0.3"
object_store = { version = "=0.14.2", features = ["aws"] }
tokio = { version = "1", features = ["rt", "macros", "net", "io-util"] }

[workspace]
EOF
cat >"$dir/src/main.rs" <<'EOF'
use futures::TryStreamExt as _;
use object_store::aws::AmazonS3Builder;
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Answers each request with S3's refusal.
async fn deny(listener: TcpListener) {
    let body = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    let answer = format!("HTTP/1.1 403 Forbidden\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut head = [0; 16384];
        let _ = stream.read(&mut head).await;
        let _ = stream.write_all(answer.as_bytes()).await;
    }
}

fn variant(error: &Error) -> &'static str {
    match error {
        Error::PermissionDenied { .. } => "PermissionDenied",
        Error::Generic { .. } => "Generic",
        _ => "another",
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(deny(listener));
    let store = AmazonS3Builder::new()
        .with_bucket_name("bucket")
        .with_region("us-east-1")
        .with_endpoint(url)
        .with_allow_http(true)
        .with_access_key_id("a")
        .with_secret_access_key("b")
        .build()
        .unwrap();
    let key = Path::from("key");
    println!("get: {}", variant(&store.get(&key).await.unwrap_err()));
    println!("head: {}", variant(&store.head(&key).await.unwrap_err()));
    println!("put: {}", variant(&store.put(&key, "x".into()).await.unwrap_err()));
    println!("list: {}", variant(&store.list(None).try_collect::<Vec<_>>().await.unwrap_err()));
}
EOF
cd "$dir"
cargo run --quiet >seen

cat >before <<'EOF'
get: PermissionDenied
head: PermissionDenied
put: PermissionDenied
list: Generic
EOF
cat seen
diff before seen || { echo 'CHANGED' >&2; exit 1; }
echo 'as before'
