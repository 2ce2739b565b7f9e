//! The peer API over real HTTP: the daemon's client against its own server, and against what else may listen on that port.

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use quorate::adapters::peer::client::PeerClient;
use quorate::adapters::peer::{Callers, PeerError, SigningKey, server};
use quorate::adapters::pki::{AgentPort, Authority, AuthorityDocument, OwnFiles, Subject};
use quorate::clock::Clock;
use quorate::listener::{Counts, Inherited, Kind, Listeners};
use quorate_core::ids::InstanceId;
use quorate_core::observation::PeerAnswer;
use quorate_core::report::Phase;
use quorate_lab::lab::url;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::fixtures;

const PORT: u16 = 2378;

fn address(last: u8) -> IpAddr {
    IpAddr::from([127, 7, 1, last])
}

fn id() -> InstanceId {
    "i-0aaa".into()
}

fn answer(phase: Phase) -> PeerAnswer {
    fixtures::answer(id(), phase)
}

/// Listens at `address` and answers each connection's first request with these bytes, then closes it.
async fn answers_with(address: IpAddr, bytes: Vec<u8>) {
    fixtures::answer_with(TcpListener::bind(SocketAddr::new(address, PORT)).await.unwrap(), bytes);
}

fn http(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A key of its own for each test that has one.
fn key() -> Arc<SigningKey> {
    let dir = tempfile::tempdir().unwrap();
    Arc::new(SigningKey::in_dir(dir.path(), &id()).unwrap())
}

/// The answer, except for the key that signed it.
fn said(answer: PeerAnswer) -> PeerAnswer {
    PeerAnswer { signed_by: None, ..answer }
}

fn http_with(headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("HTTP/1.1 200 OK\r\n{headers}content-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn listeners() -> Listeners {
    Listeners::new(Inherited::default(), Counts::default(), Clock::start())
}

fn serve(last: u8, answers: watch::Receiver<PeerAnswer>, callers: Callers) -> std::io::Result<()> {
    serve_signed(last, answers, callers, key())
}

fn serve_signed(last: u8, answers: watch::Receiver<PeerAnswer>, callers: Callers, key: Arc<SigningKey>) -> std::io::Result<()> {
    let port = AgentPort::new(OwnFiles::in_dir(Path::new("/nowhere")));
    server::serve(listeners().tcp(Kind::Peers, SocketAddr::new(address(last), PORT))?, answers, callers, key, port, Router::new());
    Ok(())
}

async fn ask(address: IpAddr) -> Result<PeerAnswer, PeerError> {
    PeerClient::new().unwrap().ask(address, PORT, &id()).await
}

#[tokio::test]
async fn the_newest_answer_is_given_and_the_end_of_the_agent_is_the_end_of_the_answers() {
    let (sender, answers) = watch::channel(answer(Phase::Starting));
    serve(1, answers, Callers::default()).unwrap();
    let client = PeerClient::new().unwrap();
    assert_eq!(said(client.ask(address(1), PORT, &id()).await.unwrap()), answer(Phase::Starting));
    sender.send_replace(answer(Phase::Voter));
    assert_eq!(said(client.ask(address(1), PORT, &id()).await.unwrap()), answer(Phase::Voter));
    drop(sender);
    let silence = async { while client.ask(address(1), PORT, &id()).await.is_ok() {} };
    tokio::time::timeout(Duration::from_secs(5), silence).await.expect("the server answers without an agent");
}

/// Its key belongs to the node and outlives the agent. A stranger at its port has another, and a copied answer is signed for an earlier question only.
#[tokio::test]
async fn an_answer_is_signed_for_its_question_and_a_copy_of_it_by_nobody() {
    let dir = tempfile::tempdir().unwrap();
    let key = || Arc::new(SigningKey::in_dir(dir.path(), &id()).unwrap());
    let serve = async |last, key| {
        let (sender, answers) = watch::channel(answer(Phase::Voter));
        serve_signed(last, answers, Callers::default(), key).unwrap();
        sender
    };
    let _first = serve(20, key()).await;
    let _restarted = serve(21, key()).await;
    let by = ask(address(20)).await.unwrap().signed_by;
    assert!(by.is_some() && ask(address(20)).await.unwrap().signed_by == by);
    assert_eq!(ask(address(21)).await.unwrap().signed_by, by, "the next agent on this disk has the same key");

    let nonce = "00".repeat(16);
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let copied = http.get(url::http(address(20), PORT) + "/v1/peer").header("quorate-nonce", nonce).send().await.unwrap();
    let header = |name: &str| copied.headers()[name].to_str().unwrap().to_owned();
    let (by, signature) = (header("quorate-key"), header("quorate-signature"));
    let body = copied.text().await.unwrap();
    answers_with(address(22), http_with(&[("quorate-key", &by), ("quorate-signature", &signature)], &body)).await;
    assert_eq!(ask(address(22)).await.unwrap().signed_by, None, "the copy of an answer to another question");
    let forged = body.replacen('{', "{\"signed_by\":\"00\",", 1);
    answers_with(address(23), http_with(&[], &forged)).await;
    assert!(ask(address(23)).await.is_ok_and(|answer| answer.signed_by.is_none()), "no text of the answer says who signed it");
}

#[tokio::test]
async fn who_gives_its_name_is_noted_once_and_who_gives_none_is_not() {
    let (_sender, answers) = watch::channel(answer(Phase::Voter));
    let callers = Callers::default();
    serve(18, answers, callers.clone()).unwrap();
    let ask = async |client: PeerClient| client.ask(address(18), PORT, &id()).await.unwrap();
    ask(PeerClient::new().unwrap()).await;
    assert!(callers.take().is_empty());
    let named = PeerClient::new().unwrap().naming("i-0bbb".into());
    ask(named.clone()).await;
    ask(named).await;
    assert_eq!(callers.take(), ["i-0bbb".into()].into());
    assert!(callers.take().is_empty(), "it was taken");
}

#[tokio::test]
async fn what_is_no_instance_id_is_no_name_and_many_names_fill_no_memory() {
    let (_sender, answers) = watch::channel(answer(Phase::Voter));
    let callers = Callers::default();
    serve(19, answers, callers.clone()).unwrap();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let give = async |name: &str| {
        let sent = http.get(url::http(address(19), PORT) + "/v1/peer").header("quorate-instance", name.as_bytes()).send().await.unwrap();
        assert_eq!(sent.status(), 200, "{name:?} is answered anyway");
    };
    for name in ["", "i-", "web-1", "i-0123456789abcdef0123", "i-0a/../b", "i-0b\u{e9}"] {
        give(name).await;
    }
    assert!(callers.take().is_empty());
    for n in 0..100 {
        give(&format!("i-{n:017x}")).await;
    }
    assert_eq!(callers.take().len(), 4, "one address has one agent, or a few in a lab");
}

#[tokio::test]
async fn a_taken_port_is_an_error() {
    let (_sender, answers) = watch::channel(answer(Phase::Starting));
    serve(2, answers.clone(), Callers::default()).unwrap();
    let error = serve(2, answers, Callers::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse, "{error}");
}

#[tokio::test]
async fn another_instance_at_the_address_does_not_count() {
    let (_sender, answers) = watch::channel(answer(Phase::Starting));
    serve(3, answers, Callers::default()).unwrap();
    let error = PeerClient::new().unwrap().ask(address(3), PORT, &"i-0bbb".into()).await.unwrap_err();
    assert!(matches!(&error, PeerError::WrongInstance { found, .. } if *found == id()), "{error}");
}

#[tokio::test]
async fn other_statuses_are_no_answers() {
    for (last, status, code) in
        [(4, "404 Not Found", 404), (5, "503 Service Unavailable", 503), (6, "302 Found\r\nlocation: http://127.7.1.1:2378/v1/peer", 302)]
    {
        let body = serde_json::to_string(&answer(Phase::Voter)).unwrap();
        answers_with(address(last), http(status, &body)).await;
        let error = ask(address(last)).await.unwrap_err();
        assert!(matches!(error, PeerError::Status { status, .. } if status == code), "{status}: {error}");
    }
}

#[tokio::test]
async fn what_is_no_answer_is_malformed() {
    let whole = serde_json::to_string(&answer(Phase::Voter)).unwrap();
    let half = &whole[..whole.len() / 2];
    for (last, body) in [(7, ""), (8, half), (9, "{}"), (10, "<html>")] {
        answers_with(address(last), http("200 OK", body)).await;
        let error = ask(address(last)).await.unwrap_err();
        assert!(matches!(error, PeerError::Malformed { bytes, .. } if bytes == body.len()), "{body:?}: {error}");
    }
}

#[tokio::test]
async fn an_answer_cut_off_is_none() {
    let body = serde_json::to_string(&answer(Phase::Voter)).unwrap();
    let mut cut = http("200 OK", &body);
    cut.truncate(cut.len() - 5);
    answers_with(address(11), cut).await;
    answers_with(address(12), Vec::new()).await;
    answers_with(address(13), b"HTTP/1.1 200 OK\r\ncontent-le".to_vec()).await;
    for last in [11, 12, 13] {
        let error = ask(address(last)).await.unwrap_err();
        assert!(matches!(error, PeerError::Unreachable { .. }), "{last}: {error}");
        assert!(error.to_string().contains("i-0aaa at 127.7.1."), "{error}");
    }
}

#[tokio::test]
async fn a_flood_is_not_read_to_its_end() {
    answers_with(address(14), http("200 OK", &" ".repeat(1 << 20))).await;
    let error = ask(address(14)).await.unwrap_err();
    assert!(matches!(error, PeerError::TooLong { .. }), "{error}");
}

#[tokio::test]
async fn nobody_there_and_a_silent_peer_are_no_answers_within_the_limit() {
    let error = ask(address(15)).await.unwrap_err();
    assert!(matches!(error, PeerError::Unreachable { .. }), "{error}");

    // Accepts, and says nothing: as a frozen agent does, whose kernel still takes connections.
    let _silent = TcpListener::bind(SocketAddr::new(address(16), PORT)).await.unwrap();
    let client = PeerClient::with_limit(Duration::from_millis(300)).unwrap();
    let id = id();
    let asked = tokio::time::timeout(Duration::from_secs(3), client.ask(address(16), PORT, &id)).await;
    let error = asked.expect("it hung").unwrap_err();
    assert!(matches!(error, PeerError::Timeout { .. }), "{error}");
}

#[tokio::test]
async fn a_body_that_trickles_is_cut_off_too() {
    let listener = TcpListener::bind(SocketAddr::new(address(17), PORT)).await.unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _ = stream.read(&mut [0; 1024]).await;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n").await;
        while stream.write_all(b" ").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    let error = PeerClient::with_limit(Duration::from_millis(300)).unwrap().ask(address(17), PORT, &id()).await.unwrap_err();
    assert!(matches!(error, PeerError::Timeout { .. }), "{error}");
}

/// A cluster's authority, and the agents' port of an instance that has certificates of it for this address.
fn authority() -> Authority {
    AuthorityDocument::make(&fixtures::me(), Clock::start().wall()).unwrap().open(&fixtures::me()).unwrap()
}

fn port(authority: &Authority, dir: &Path, instance: &InstanceId, at: IpAddr) -> AgentPort {
    let files = OwnFiles::in_dir(dir);
    let subject = Subject { instance: instance.clone(), cluster: fixtures::me().cluster, addresses: vec![at], names: Vec::new() };
    files.write(&authority.issue(None, &subject, Clock::start().wall(), Duration::from_secs(600)).unwrap(), &subject).unwrap();
    AgentPort::new(files)
}

/// A certificate counts only if it is of the cluster's authority, for the address that was asked, and names the instance that EC2 has there.
#[tokio::test]
async fn an_answer_is_certified_by_the_instances_own_certificate_alone() {
    let (ours, theirs, dirs) = (authority(), authority(), [(); 5].map(|()| tempfile::tempdir().unwrap()));
    let (_sender, answers) = watch::channel(answer(Phase::Voter));
    let listen = |last: u8, port: AgentPort| {
        let listener = listeners().tcp(Kind::Peers, SocketAddr::new(address(last), PORT)).unwrap();
        server::serve(listener, answers.clone(), Callers::default(), key(), port, Router::new());
    };
    listen(40, port(&ours, dirs[0].path(), &id(), address(40)));
    listen(41, port(&ours, dirs[1].path(), &"i-0bbb".into(), address(41)));
    listen(42, port(&theirs, dirs[2].path(), &id(), address(42)));
    listen(43, port(&ours, dirs[3].path(), &id(), address(99)));
    listen(44, AgentPort::new(OwnFiles::in_dir(Path::new("/nowhere"))));
    let asker = PeerClient::new().unwrap().over(port(&ours, dirs[4].path(), &"i-0ccc".into(), address(49)));
    for (last, certified, whose) in [
        (40, true, "its own"),
        (41, false, "another instance's"),
        (42, false, "another cluster's"),
        (43, false, "for another address"),
        (44, false, "none"),
    ] {
        let found = asker.ask(address(last), PORT, &id()).await.unwrap();
        assert_eq!((found.certified, said(found.clone()).phase), (certified, Phase::Voter), "{whose}");
    }
    assert!(!ask(address(40)).await.unwrap().certified, "an asker without certificates is answered too");
    let forged = serde_json::to_string(&answer(Phase::Voter)).unwrap().replacen('{', "{\"certified\":true,", 1);
    answers_with(address(45), http("200 OK", &forged)).await;
    assert!(asker.ask(address(45), PORT, &id()).await.is_ok_and(|answer| !answer.certified), "no text of the answer certifies it");
}
