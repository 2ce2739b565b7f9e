//! Lines as k3s writes them, without the time.

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
    println!("level={level} msg={text:?}");
}
