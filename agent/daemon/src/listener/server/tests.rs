use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr};

use axum::Json;
use axum::routing::{get, post};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use super::super::Inherited;
use super::super::socket::Socket;
use super::*;

/// Nothing takes as long.
const LIMIT: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(300);
const PATIENT: Patience = Patience { head: LONG, answer: LONG, idle: LONG };
const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";
/// More than the kernel buffers for a client that reads nothing.
const LARGE: usize = 64 << 20;

fn router() -> Router {
    Router::new()
        .route("/", get(async || "hello"))
        .route("/never", get(std::future::pending::<()>))
        .route("/large", get(async || vec![b'x'; LARGE]))
        .route("/order", post(async |Json(_): Json<serde_json::Value>| "taken"))
}

/// A listener on a port of its own at 127.0.0.1, with these limits in total and per address.
struct Scene {
    at: SocketAddr,
    table: Arc<Mutex<Table>>,
    end: Option<tokio::sync::oneshot::Sender<()>>,
}

impl Scene {
    fn new(most: usize, most_of_one: usize, patience: Patience) -> Self {
        Self::on(Socket::bind(([127, 0, 0, 1], 0).into()).unwrap(), Limits { most, most_of_one, patience })
    }

    fn on(socket: Socket, limits: Limits) -> Self {
        Self::counting(socket, limits, Counts::default())
    }

    fn counting(socket: Socket, limits: Limits, counts: Counts) -> Self {
        let Socket::Tcp { listener, .. } = &socket else { unreachable!() };
        let at = listener.local_addr().unwrap();
        let server = Server::new(Listener { kind: Kind::Peers, socket, limits, counts, clock: Clock::start(), tls: None }, router());
        let (end, ended) = tokio::sync::oneshot::channel();
        let table = Arc::clone(&server.table);
        server.start(async move { ended.await.unwrap_or_default() });
        Self { at, table, end: Some(end) }
    }

    async fn open(&self) -> TcpStream {
        TcpStream::connect(self.at).await.unwrap()
    }

    async fn open_from(&self, last: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, last], 0).into()).unwrap();
        socket.connect(self.at).await.unwrap()
    }

    async fn strangers(&self, count: usize) -> Vec<TcpStream> {
        let mut strangers = Vec::new();
        for _ in 0..count {
            strangers.push(self.open().await);
        }
        strangers
    }

    fn there(&self) -> usize {
        lock(&self.table).len()
    }
}

/// Sends a request and returns the status, and the body if it is short.
async fn ask(stream: &mut TcpStream, request: &[u8]) -> Option<(u16, String)> {
    let exchange = async {
        stream.write_all(request).await.ok()?;
        let mut answer = vec![0; 4096];
        let read = stream.read(&mut answer).await.ok().filter(|read| *read > 0)?;
        let text = String::from_utf8_lossy(&answer[..read]).into_owned();
        let status = text.split(' ').nth(1)?.parse().ok()?;
        Some((status, text.split("\r\n\r\n").nth(1)?.to_owned()))
    };
    timeout(LIMIT, exchange).await.expect("it is not answered, and not closed either")
}

fn hello() -> Option<(u16, String)> {
    Some((200, "hello".to_owned()))
}

/// Waits until the other side closes.
async fn closed(stream: &mut TcpStream) {
    let closing = async {
        let mut rest = vec![0; 1 << 16];
        while stream.read(&mut rest).await.is_ok_and(|read| read > 0) {}
    };
    timeout(LIMIT, closing).await.expect("it is not closed");
}

#[tokio::test]
async fn a_genuine_caller_is_answered_while_idle_strangers_fill_the_listener() {
    let scene = Scene::new(8, 100, PATIENT);
    let mut strangers = scene.strangers(50).await;
    assert_eq!(ask(&mut scene.open().await, ASK).await, hello());
    assert!(scene.there() <= 8, "{} connections", scene.there());
    let before = scene.there();
    closed(&mut strangers[0]).await;
    assert!(before > 1 && ask(strangers.last_mut().unwrap(), ASK).await == hello(), "the newest one is still there");
}

#[tokio::test]
async fn one_address_makes_room_for_its_own_and_leaves_the_others_alone() {
    let scene = Scene::new(100, 4, PATIENT);
    let mut peer = scene.open_from(7).await;
    assert_eq!(ask(&mut peer, ASK).await, hello());
    let _strangers = scene.strangers(50).await;
    assert_eq!(ask(&mut scene.open().await, ASK).await, hello());
    assert_eq!(scene.there(), 5, "four of one address, one of another");
    assert_eq!(ask(&mut peer, ASK).await, hello(), "the longest idle of all, at another address");
}

#[tokio::test]
async fn where_all_are_being_answered_a_newcomer_is_closed_at_once() {
    let scene = Scene::new(2, 2, PATIENT);
    let mut asking = scene.strangers(2).await;
    for stream in &mut asking {
        stream.write_all(b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    }
    let busy = async {
        while (0..2).any(|number| lock(&scene.table).room_for(None) == Room::InPlaceOf(number)) {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, busy).await.unwrap();
    closed(&mut scene.open().await).await;
    assert_eq!(scene.there(), 2);
    // They leave, and there is room again.
    drop(asking);
    timeout(LIMIT, async { while ask(&mut scene.open().await, ASK).await != hello() {} }).await.unwrap();
}

#[tokio::test]
async fn a_head_that_trickles_in_is_cut_off_and_so_is_silence() {
    let scene = Scene::new(8, 8, Patience { head: SHORT, ..PATIENT });
    closed(&mut scene.open().await).await;
    let mut kept = scene.open().await;
    assert_eq!(ask(&mut kept, ASK).await, hello());
    for mut stream in [scene.open().await, kept] {
        let trickle = async {
            for byte in ASK.iter().cycle().filter(|byte| !byte.is_ascii_control()) {
                if stream.write_all(&[*byte]).await.is_err() || matches!(stream.try_read(&mut [0; 64]), Ok(0)) {
                    return;
                }
                tokio::time::sleep(SHORT / 10).await;
            }
        };
        timeout(LIMIT, trickle).await.expect("it is not cut off");
    }
}

#[tokio::test]
async fn a_kept_connection_is_used_again_and_closed_when_it_is_not() {
    let scene = Scene::new(8, 8, Patience { idle: SHORT, ..PATIENT });
    let mut stream = scene.open().await;
    for _ in 0..3 {
        assert_eq!(ask(&mut stream, ASK).await, hello());
    }
    closed(&mut stream).await;
    assert_eq!(scene.there(), 0);
}

#[tokio::test]
async fn an_answer_that_is_not_taken_off_holds_nothing_for_long() {
    let scene = Scene::new(8, 8, Patience { idle: SHORT, ..PATIENT });
    let mut stream = scene.open().await;
    stream.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let comes = async { while stream.readable().await.is_ok() && scene.there() == 0 {} };
    timeout(LIMIT, comes).await.unwrap();
    let gone = async {
        while scene.there() > 0 {
            tokio::time::sleep(SHORT / 10).await;
        }
    };
    timeout(LIMIT, gone).await.expect("it waits for its reader");
    let mut read = 0;
    let mut part = vec![0; 1 << 16];
    while let Ok(more) = stream.read(&mut part).await
        && more > 0
    {
        read += more;
    }
    assert!(read < LARGE, "all of it arrived");
}

#[tokio::test]
async fn an_answer_that_is_never_ready_ends_the_connection() {
    let scene = Scene::new(8, 8, Patience { answer: SHORT, ..PATIENT });
    let mut stream = scene.open().await;
    assert_eq!(ask(&mut stream, b"GET /never HTTP/1.1\r\nhost: x\r\n\r\n").await, None);
    // Neither does a body that never arrives.
    let mut stream = scene.open().await;
    let head = b"POST /order HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{";
    assert_eq!(ask(&mut stream, head).await, None);
}

#[tokio::test]
async fn heads_and_bodies_have_limits() {
    let scene = Scene::new(8, 8, PATIENT);
    let long = format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "x".repeat(HEAD_BYTES));
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "x: y\r\n".repeat(FIELDS + 1));
    for head in [long, many] {
        assert_eq!(ask(&mut scene.open().await, head.as_bytes()).await.unwrap().0, 431);
    }
    let order = |size: usize| {
        let body = format!("\"{}\"", "x".repeat(size));
        format!("POST /order HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    assert_eq!(ask(&mut scene.open().await, order(1000).as_bytes()).await, Some((200, "taken".to_owned())));
    assert_eq!(ask(&mut scene.open().await, order(BODY_BYTES).as_bytes()).await.unwrap().0, 413);
}

#[tokio::test]
async fn the_end_of_the_server_is_the_end_of_every_connection_but_answers_are_finished() {
    let mut scene = Scene::new(8, 8, PATIENT);
    let (mut idle, mut asking) = (scene.open().await, scene.open().await);
    assert_eq!(ask(&mut idle, ASK).await, hello());
    let head = b"POST /order HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n";
    asking.write_all(head).await.unwrap();
    let busy = async {
        while lock(&scene.table).room_for(None) != Room::Free || scene.there() < 2 {
            tokio::task::yield_now().await;
        }
    };
    timeout(LIMIT, busy).await.unwrap();
    tokio::time::sleep(SHORT).await;
    scene.end.take().unwrap().send(()).unwrap();
    closed(&mut idle).await;
    assert_eq!(ask(&mut asking, b"{}").await, Some((200, "taken".to_owned())));
    let refused = TcpStream::connect(scene.at).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::ConnectionRefused);
}

#[tokio::test]
async fn systemds_listener_is_taken_over_and_answers_at_the_agents_address_alone() {
    let held = std::net::TcpListener::bind("[::]:0").unwrap();
    let port = held.local_addr().unwrap().port();
    // What systemd holds. A caller that comes before the agent waits in its queue.
    let systemds = held.try_clone().unwrap();
    let early = TcpStream::connect((IpAddr::from([127, 0, 0, 1]), port)).await.unwrap();
    let mut listeners = super::super::Listeners::new(Inherited::of(vec![held]), Counts::default(), Clock::start());
    let listener = listeners.tcp(Kind::Peers, ([127, 0, 0, 1], port).into()).unwrap();
    assert!(listeners.left().is_empty());
    listener.serve(router(), std::future::pending());
    for mut stream in [early, TcpStream::connect((IpAddr::from([127, 0, 0, 1]), port)).await.unwrap()] {
        assert_eq!(ask(&mut stream, ASK).await, hello());
    }
    let mut elsewhere = TcpStream::connect((IpAddr::from([127, 0, 0, 9]), port)).await.unwrap();
    assert_eq!(ask(&mut elsewhere, ASK).await, None, "it came to another address");
    // No other process can take the port, with the agent or without.
    assert_eq!(std::net::TcpListener::bind(("127.0.0.1", port)).unwrap_err().kind(), ErrorKind::AddrInUse);
    drop(systemds);
}

#[tokio::test]
async fn the_share_of_an_address_is_the_same_by_way_of_a_listener_for_both_families() {
    let held = std::net::TcpListener::bind("[::]:0").unwrap();
    let at: SocketAddr = ([127, 0, 0, 1], held.local_addr().unwrap().port()).into();
    let socket = Socket::taken_over(held, at).unwrap();
    let scene = Scene { at, ..Scene::on(socket, Limits { most: 100, most_of_one: 4, patience: PATIENT }) };
    let _strangers = scene.strangers(20).await;
    assert_eq!(ask(&mut scene.open().await, ASK).await, hello());
    assert_eq!(scene.there(), 4);
}

#[tokio::test]
async fn counters_tell_what_became_of_connections() {
    let mut registry = prometheus_client::registry::Registry::default();
    let counts = Counts::registered(&mut registry);
    let socket = Socket::bind(([127, 0, 0, 1], 0).into()).unwrap();
    let scene = Scene::counting(socket, Limits { most: 4, most_of_one: 4, patience: PATIENT }, counts);
    let _strangers = scene.strangers(9).await;
    assert_eq!(ask(&mut scene.open().await, ASK).await, hello());
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    for line in [
        "connections_accepted_total{listener=\"peers\"} 10",
        "connections_closed_total{listener=\"peers\",reason=\"crowded\"} 6",
        "connections_open{listener=\"peers\"} 4",
    ] {
        assert!(text.lines().any(|have| have == line), "no {line} in\n{text}");
    }
}

#[test]
fn a_process_that_cannot_accept_tries_ever_more_rarely() {
    let mut backoff = Backoff::default();
    let pauses: Vec<u128> = (0..7).map(|_| backoff.pause().as_millis()).collect();
    assert_eq!(pauses, [50, 100, 200, 400, 800, 1000, 1000]);
    let of_process = io::Error::from_raw_os_error(rustix::io::Errno::MFILE.raw_os_error());
    assert!(is_of_one(&ErrorKind::ConnectionAborted.into()) && !is_of_one(&of_process));
}
