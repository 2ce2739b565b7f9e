//! `quorate leave | true`: a reader that went away is no reason to panic, nor for another exit status.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// The writing end of a pipe that nobody reads.
fn unread() -> Stdio {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    writer.into()
}

/// An agent that answers one order so.
fn agent(run_dir: &Path, answer: &'static str) {
    let listener = UnixListener::bind(run_dir.join("quorate.sock")).unwrap();
    std::thread::spawn(move || {
        let (mut asked, _) = listener.accept().unwrap();
        let (mut question, mut some) = (Vec::new(), [0; 1024]);
        while !question.ends_with(b"}") {
            let read = asked.read(&mut some).unwrap();
            question.extend_from_slice(&some[..read]);
        }
        let length = answer.len();
        write!(asked, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{answer}").unwrap();
    });
}

fn leave(answer: &'static str, stdout: Stdio) -> Output {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("quorate.toml");
    std::fs::write(&config, format!("[paths]\nrun_dir = {:?}\n", dir.path())).unwrap();
    agent(dir.path(), answer);
    let mut quorate = Command::new(env!("CARGO_BIN_EXE_quorate"));
    quorate.arg("--config").arg(&config).arg("leave").stdin(Stdio::null()).stdout(stdout).stderr(Stdio::piped());
    quorate.spawn().unwrap().wait_with_output().unwrap()
}

#[test]
fn a_closed_standard_output_changes_nothing_but_what_is_read() {
    let (taken, refused) = (r#"{"taken":true,"message":"leaves"}"#, r#"{"taken":false,"message":"not now"}"#);
    assert_eq!(leave(taken, Stdio::piped()).stdout, b"leaves\n");
    for (answer, status) in [(taken, 0), (refused, 1)] {
        let output = leave(answer, unread());
        assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(status), ""));
    }
}

#[test]
fn a_full_disk_is_told() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = leave(r#"{"taken":true,"message":"leaves"}"#, full.into());
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.code() == Some(1) && text.contains("cannot write to standard output: No space left"), "{text}");
}

#[test]
fn a_closed_standard_error_leaves_the_status_as_it_is() {
    let mut quorate = Command::new(env!("CARGO_BIN_EXE_quorate"));
    quorate.args(["--config", "/nonexistent/quorate.toml", "status"]).stdin(Stdio::null()).stdout(unread()).stderr(unread());
    assert_eq!(quorate.status().unwrap().code(), Some(64));
}
