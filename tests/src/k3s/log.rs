//! Lines as k3s writes them, without the time.

use std::io::Write as _;

pub(super) fn info(text: &str) {
    line("info", text);
}

pub(super) fn warn(text: &str) {
    line("warning", text);
}

pub(super) fn error(text: &str) {
    line("error", text);
}

pub(super) fn fatal(text: &str) {
    line("fatal", text);
}

fn line(level: &str, text: &str) {
    // The reader of the other end may be gone, which does not end k3s.
    let _ = writeln!(std::io::stdout(), "level={level} msg={text:?}");
}
