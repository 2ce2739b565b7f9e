use super::*;

const NOW: Timestamp = Timestamp(1_000);

fn blob(size: usize) -> Blob {
    Blob::Memory(vec![b'x'; size].into())
}

fn object(etag: &str) -> Object {
    Object { content: vec![blob(1)], etag: etag.to_owned(), modified: NOW, headers: BTreeMap::new() }
}

fn model(keys: &[&str]) -> Model {
    let mut model = Model::default();
    for key in keys {
        model.put(key, object(key), &Condition::default()).unwrap();
    }
    model
}

fn condition(if_match: Option<&str>, if_none_match: Option<&str>) -> Condition {
    Condition { if_match: if_match.map(str::to_owned), if_none_match: if_none_match.map(str::to_owned) }
}

fn code<T>(result: Result<T, S3Error>) -> &'static str {
    result.err().map_or("done", |error| error.code)
}

#[test]
fn writes_keep_their_conditions() {
    let mut model = model(&["a"]);
    let mut put = |key, condition| code(model.put(key, object("new"), &condition));
    assert_eq!(put("a", condition(None, Some("*"))), "PreconditionFailed");
    assert_eq!(put("b", condition(None, Some("*"))), "done");
    assert_eq!(put("c", condition(None, Some("\"tag\""))), "NotImplemented");
    assert_eq!(put("c", condition(Some("\"a\""), None)), "NoSuchKey");
    assert_eq!(put("a", condition(Some("\"b\""), None)), "PreconditionFailed");
    assert_eq!(put("a", condition(Some("\"a\""), None)), "done");
    assert_eq!(model.keys().collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn reads_keep_theirs() {
    let model = model(&["a"]);
    let get = |condition| code(model.get("a", &condition));
    assert_eq!(get(condition(Some("\"x\", \"a\""), None)), "done");
    assert_eq!(get(condition(Some("\"x\""), None)), "PreconditionFailed");
    assert_eq!(get(condition(None, Some("\"a\""))), "NotModified");
    assert_eq!(get(condition(None, Some("*"))), "NotModified");
    assert_eq!(code(model.get("b", &Condition::default())), "NoSuchKey");
}

/// All pages, as keys and common prefixes.
fn listed(model: &Model, prefix: &str, delimiter: Option<&str>, page: usize) -> Vec<Vec<String>> {
    let mut listing = Listing { prefix: prefix.to_owned(), delimiter: delimiter.map(str::to_owned), after: String::new(), page };
    let mut pages = Vec::new();
    loop {
        let found = model.list(&listing);
        pages.push(found.objects.iter().map(|(key, _)| *key).chain(found.prefixes.iter().copied()).map(str::to_owned).collect());
        let Some(next) = found.next else { return pages };
        listing.after = next.to_owned();
    }
}

#[test]
fn lists_come_in_pages() {
    let model = model(&["a", "b/1", "b/2", "b/3/x", "c/1", "d"]);
    assert_eq!(listed(&model, "", None, 4), [vec!["a", "b/1", "b/2", "b/3/x"], vec!["c/1", "d"]]);
    assert_eq!(listed(&model, "", None, 6).len(), 1, "nothing comes after a page that is just full");
    assert_eq!(listed(&model, "b/", None, 2), [vec!["b/1", "b/2"], vec!["b/3/x"]]);
    assert_eq!(listed(&model, "e", None, 2), [Vec::<&str>::new()]);
    assert_eq!(listed(&model, "", None, 0), [Vec::<&str>::new()]);
}

#[test]
fn common_prefixes_are_told_once_over_all_pages() {
    let model = model(&["a", "b/1", "b/2", "b/3/x", "c/1", "d"]);
    assert_eq!(listed(&model, "", Some("/"), 2), [vec!["a", "b/"], vec!["d", "c/"]]);
    assert_eq!(listed(&model, "", Some("/"), 1), [vec!["a"], vec!["b/"], vec!["c/"], vec!["d"]]);
    assert_eq!(listed(&model, "b/", Some("/"), 9), [vec!["b/1", "b/2", "b/3/"]]);
}

const ENOUGH: usize = 5 << 20;

/// An upload of parts of these sizes, numbered from 1, each with its number as its tag.
fn upload(model: &mut Model, sizes: &[usize]) -> (String, Vec<(u32, String)>) {
    let id = model.create_upload("key", BTreeMap::new(), NOW);
    let numbered = sizes.iter().zip(1..);
    let parts = numbered.map(|(size, number)| {
        let etag = format!("{number:032}");
        model.upload_part("key", &id, number, Part { blob: blob(*size), etag: etag.clone() }).unwrap();
        (number, etag)
    });
    let parts = parts.collect();
    (id, parts)
}

fn complete(model: &mut Model, id: &str, parts: &[(u32, String)]) -> Result<String, S3Error> {
    model.complete("key", id, parts, &Condition::default(), NOW)
}

#[test]
fn only_the_last_part_may_be_small() {
    let mut model = Model::default();
    let (id, parts) = upload(&mut model, &[ENOUGH, ENOUGH - 1, 1]);
    assert_eq!(code(complete(&mut model, &id, &parts)), "EntityTooSmall");
    assert_eq!(code(complete(&mut model, &id, &parts[..2])), "done");
    assert_eq!(model.get("key", &Condition::default()).unwrap().size(), 2 * ENOUGH as u64 - 1);
    assert_eq!(model.take_garbage(), [blob(1)], "the part that was not named");
}

#[test]
fn parts_are_named_in_order_and_as_they_came() {
    let mut model = Model::default();
    let (id, parts) = upload(&mut model, &[ENOUGH, 1]);
    let reversed: Vec<_> = parts.iter().rev().cloned().collect();
    assert_eq!(code(complete(&mut model, &id, &reversed)), "InvalidPartOrder");
    assert_eq!(code(complete(&mut model, &id, &[(1, "other".to_owned())])), "InvalidPart");
    assert_eq!(code(complete(&mut model, &id, &[(3, "x".to_owned())])), "InvalidPart");
    assert_eq!(code(complete(&mut model, &id, &[])), "MalformedXML");
    assert_eq!(code(complete(&mut model, "upload-9", &parts)), "NoSuchUpload");
    assert_eq!(code(model.complete("other", &id, &parts, &Condition::default(), NOW)), "NoSuchUpload");
    for number in [0, 10_001] {
        let part = Part { blob: blob(1), etag: String::new() };
        assert_eq!(code(model.upload_part("key", &id, number, part)), "InvalidArgument");
    }
    assert!(complete(&mut model, &id, &parts).unwrap().ends_with("-2"));
}

#[test]
fn a_completion_again_answers_the_same_until_another_writes() {
    let mut model = Model::default();
    let (id, parts) = upload(&mut model, &[1]);
    let etag = complete(&mut model, &id, &parts).unwrap();
    let create = condition(None, Some("*"));
    assert_eq!(model.complete("key", &id, &parts, &create, NOW), Ok(etag));
    model.put("key", object("another"), &Condition::default()).unwrap();
    assert_eq!(code(complete(&mut model, &id, &parts)), "NoSuchUpload");
}

#[test]
fn a_completion_that_is_refused_leaves_the_upload() {
    let mut model = model(&["key"]);
    let (id, parts) = upload(&mut model, &[1]);
    assert_eq!(code(model.complete("key", &id, &parts, &condition(None, Some("*")), NOW)), "PreconditionFailed");
    assert_eq!(model.unfinished().len(), 1);
    model.abort("key", &id).unwrap();
    assert_eq!((model.unfinished().len(), code(model.abort("key", &id))), (0, "NoSuchUpload"));
}

#[test]
fn what_expires_leaves_nothing_behind() {
    let mut model = model(&["key/1", "other"]);
    upload(&mut model, &[1, 2]);
    assert_eq!(model.expire("key"), ["key/1"]);
    assert_eq!((model.keys().collect::<Vec<_>>(), model.unfinished().len()), (vec!["other"], 0));
    assert_eq!(model.take_garbage().len(), 3);
    assert_eq!(model.blobs().count(), 1);
}
