//! A text without `#!`: the kernel runs none, but after a fork the C library gives it to a shell of
//! its own choice.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// As much of a program as tells a text from other formats, which all have a zero byte there.
const HEAD_BYTES: u64 = 128;

/// Answers as the kernel does. What is looked up on the PATH or cannot be read is left to it.
///
/// # Errors
/// `ENOEXEC` for a text without `#!`.
pub(super) fn refuse(program: &Path) -> io::Result<()> {
    let is_named_by_path = program.components().nth(1).is_some();
    let mut head = Vec::new();
    let is_read = is_named_by_path
        && File::open(program)
            .and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head))
            .is_ok();
    match !is_read || head.starts_with(b"#!") || head.contains(&0) {
        true => Ok(()),
        false => Err(io::Error::from_raw_os_error(nix::libc::ENOEXEC)),
    }
}
