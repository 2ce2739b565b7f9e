//! What the demo prints while it runs: a line for each thing that happened, and on a terminal a live line below them.

use std::future::Future;
use std::io::{IsTerminal, Write, stderr, stdout};
use std::time::Duration;

use tokio::time::{Instant, interval};

const REDRAW: Duration = Duration::from_millis(150);
const WHEEL: [char; 4] = ['|', '/', '-', '\\'];
/// To the beginning of the line, and clear it.
const CLEAR: &str = "\r\x1b[2K";

/// The demo's output.
#[derive(Debug)]
pub struct Timeline {
    begin: Instant,
    /// Standard output belongs to the JSON.
    aside: bool,
    terminal: bool,
}

impl Timeline {
    /// Begins now; `aside` leaves standard output alone.
    #[must_use]
    pub fn begin(aside: bool) -> Self {
        let terminal = if aside { stderr().is_terminal() } else { stdout().is_terminal() };
        Self { begin: Instant::now(), aside, terminal }
    }

    /// Reports that something happened, with the time.
    pub fn tell(&self, what: impl std::fmt::Display) {
        self.line(format_args!("{:6.1} s  {what}", self.begin.elapsed().as_secs_f64()));
    }

    /// Prints a line.
    pub fn line(&self, text: impl std::fmt::Display) {
        self.print(format_args!("{text}\n"));
    }

    /// Shows, on a terminal, how things stand while the work is done.
    pub async fn during<T>(&self, what: &str, standing: impl Fn() -> String, work: impl Future<Output = T>) -> T {
        if !self.terminal {
            return work.await;
        }
        let mut redraw = interval(REDRAW);
        let mut turns = WHEEL.iter().cycle();
        tokio::pin!(work);
        loop {
            tokio::select! {
                done = &mut work => {
                    self.print(CLEAR);
                    return done;
                }
                _ = redraw.tick() => {
                    let wheel = turns.next().unwrap_or(&' ');
                    self.print(format_args!("{CLEAR}{:6.1} {wheel}  {what}  {}", self.begin.elapsed().as_secs_f64(), standing()));
                }
            }
        }
    }

    /// A reader that went away is no reason to stop.
    fn print(&self, text: impl std::fmt::Display) {
        if self.aside {
            let _ = write!(stderr(), "{text}").and_then(|()| stderr().flush());
        } else {
            let _ = write!(stdout(), "{text}").and_then(|()| stdout().flush());
        }
    }
}

/// A duration in seconds, for people.
#[must_use]
pub fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
