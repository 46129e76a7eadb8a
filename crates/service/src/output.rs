//! What a command prints for whoever called it.

use std::fmt::Display;
use std::io::{self, Write};

/// Writes a line to standard output. Whoever read it may have seen enough and be gone (`check | head`), which is no failure
/// of the command: `println!` would panic.
pub fn print_line(text: impl Display) {
    let _ = writeln!(io::stdout().lock(), "{text}");
}
