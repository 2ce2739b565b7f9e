//! Lists: pages, prefixes, offsets, delimiters.

use futures::TryStreamExt as _;
use object_store::ObjectStore as _;
use object_store::path::Path;
use quorate_lab::s3::{Operation, S3Config, S3Server};
use reqwest::Method;

use crate::scene::{client, raw, refusal, serve, served};

async fn of(keys: &[&str], page: usize) -> S3Server {
    let server = serve(S3Config { page, ..S3Config::default() }).await;
    keys.iter().for_each(|key| server.write(key, key.as_bytes()).unwrap());
    server
}

async fn listed(server: &S3Server, prefix: Option<&str>) -> Vec<String> {
    let prefix = prefix.map(Path::from);
    let found: Vec<_> = client(server).list(prefix.as_ref()).try_collect().await.unwrap();
    found.into_iter().map(|meta| meta.location.to_string()).collect()
}

#[tokio::test]
async fn every_page_is_followed() {
    let keys: Vec<_> = (0..23).map(|number| format!("many/{number:02}")).collect();
    let server = of(&keys.iter().map(String::as_str).collect::<Vec<_>>(), 7).await;
    assert_eq!(listed(&server, Some("many")).await, keys);
    assert_eq!(server.log().of(Operation::List).len(), 4);
    server.log().forget();
    server.limit_pages(23);
    assert_eq!(listed(&server, None).await, keys);
    assert_eq!(server.log().of(Operation::List).len(), 1, "a page that is just full is the last");
}

#[tokio::test]
async fn prefixes_and_offsets_narrow_a_list() {
    let server = of(&["a/1", "a/2", "a/3", "ab", "b &/1"], 2).await;
    assert_eq!(listed(&server, Some("a")).await, ["a/1", "a/2", "a/3"]);
    assert_eq!(listed(&server, Some("b &")).await, ["b &/1"]);
    assert_eq!(listed(&server, Some("c")).await, Vec::<String>::new());
    let after: Vec<_> = client(&server).list_with_offset(Some(&Path::from("a")), &Path::from("a/1")).try_collect().await.unwrap();
    assert_eq!(after.iter().map(|meta| (meta.location.as_ref(), meta.size)).collect::<Vec<_>>(), [("a/2", 3), ("a/3", 3)]);
}

#[tokio::test]
async fn a_delimiter_makes_folders() {
    let server = of(&["top/a", "top/b/1", "top/b/2", "top/c/1", "top/d"], 2).await;
    let found = client(&server).list_with_delimiter(Some(&Path::from("top"))).await.unwrap();
    let folders: Vec<_> = found.common_prefixes.iter().map(Path::as_ref).collect();
    let objects: Vec<_> = found.objects.iter().map(|meta| meta.location.as_ref()).collect();
    assert_eq!((folders, objects), (vec!["top/b", "top/c"], vec!["top/a", "top/d"]));
}

#[tokio::test]
async fn a_listed_object_is_the_one_that_is_read() {
    let server = of(&["key"], 9).await;
    let listed: Vec<_> = client(&server).list(None).try_collect().await.unwrap();
    let read = object_store::ObjectStoreExt::head(&client(&server), &Path::from("key")).await.unwrap();
    assert_eq!((listed[0].e_tag.as_ref(), listed[0].size), (read.e_tag.as_ref(), read.size));
}

#[tokio::test]
async fn a_caller_may_ask_for_less_and_for_encoded_keys() {
    let server = of(&["a b", "b"], 9).await;
    let page = raw(&server, Method::GET, "/bucket?list-type=2&max-keys=1&encoding-type=url", &[], "").await.unwrap().text().await.unwrap();
    assert!(page.contains("<Key>a%20b</Key>") && page.contains("<IsTruncated>true</IsTruncated>"), "{page}");
    assert!(page.contains("<KeyCount>1</KeyCount>") && !page.contains("<Key>b</Key>"), "{page}");
}

#[tokio::test]
async fn a_token_that_is_none_is_refused() {
    let server = served().await;
    let refused = raw(&server, Method::GET, "/bucket?list-type=2&continuation-token=x", &[], "").await.unwrap();
    assert_eq!(refusal(refused).await, (400, "InvalidArgument".to_owned()));
}
