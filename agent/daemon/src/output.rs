//! What the command line prints. If the reader is gone (`quorate status | head`), the rest is not printed and the exit status is the usual one. Anything else
//! that prevents a line from being written is an error.
//!
//! `println!` and the like would panic there, so clippy refuses them in this crate.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use anyhow::Context;

/// Prints a line to standard output.
///
/// # Errors
/// It cannot be written, for a reason other than that the reader is gone.
pub fn line(text: impl Display) -> anyhow::Result<()> {
    print(format_args!("{text}\n"))
}

/// The same without a line end.
///
/// # Errors
/// As [`line()`].
pub fn print(text: impl Display) -> anyhow::Result<()> {
    written(write(&mut io::stdout().lock(), &text)).context("cannot write to standard output")
}

/// Prints a line to standard error. A failure is ignored: there is nowhere left to report it.
pub fn complain(text: impl Display) {
    let _ = write(&mut io::stderr().lock(), &format_args!("{text}\n"));
}

fn write(to: &mut impl Write, text: &impl Display) -> io::Result<()> {
    write!(to, "{text}").and_then(|()| to.flush())
}

fn written(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A writer that fails with this error.
    struct Refuses(ErrorKind);

    impl Write for Refuses {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nobody_reads_any_more_and_that_is_no_error_but_a_full_disk_is() {
        let of = |kind| written(write(&mut Refuses(kind), &"a line"));
        assert!(of(ErrorKind::BrokenPipe).is_ok());
        assert_eq!(of(ErrorKind::StorageFull).unwrap_err().kind(), ErrorKind::StorageFull);
    }
}
