//! Answers on standard output.

use std::io::{self, ErrorKind, Write};

use crate::exit::Failure;

/// Prints the answer and a line break. Whoever reads it may have stopped reading, which is no error.
pub(crate) fn print_answer(text: &str) -> Result<(), Failure> {
    let mut stdout = io::stdout().lock();
    match writeln!(stdout, "{text}").and_then(|()| stdout.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.map_err(Failure::io("can't write to standard output")),
    }
}
