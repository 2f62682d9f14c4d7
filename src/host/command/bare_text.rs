//! A text without `#!`: the kernel runs none, but after a fork the C library gives it to a shell of
//! its own choice.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// As much of a program as tells a text from other formats, which all have a zero byte there.
const HEAD_BYTES: u64 = 128;

/// Answers as the kernel does. What cannot be read is left to it, and so is what has no absolute
/// path: that is looked up on the PATH, or in the directory that the program is started in.
///
/// # Errors
/// `ENOEXEC` for a text without `#!`.
pub(super) fn refuse(program: &Path) -> io::Result<()> {
    let mut head = Vec::new();
    let is_read = program.is_absolute()
        && File::open(program)
            .and_then(|file| file.take(HEAD_BYTES).read_to_end(&mut head))
            .is_ok();
    match !is_read || head.starts_with(b"#!") || head.contains(&0) {
        true => Ok(()),
        false => Err(io::Error::from_raw_os_error(nix::libc::ENOEXEC)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer_to(content: &[u8]) -> Option<i32> {
        let scratch = tempfile::tempdir().unwrap();
        let path = scratch.path().join("program");
        fs_err::write(&path, content).unwrap();
        refuse(&path).err().and_then(|error| error.raw_os_error())
    }

    #[test]
    fn only_a_text_without_a_first_line_is_refused() {
        assert_eq!(answer_to(b"echo hi\n"), Some(nix::libc::ENOEXEC));
        assert_eq!(answer_to(b""), Some(nix::libc::ENOEXEC));
        assert_eq!(answer_to(b"#!/bin/sh\n"), None);
        assert_eq!(answer_to(b"\x7fELF\x02\x01\x01\0"), None);
    }

    #[test]
    fn what_is_looked_up_elsewhere_or_cannot_be_read_is_left_to_the_kernel() {
        for program in ["Cargo.toml", "src/lib.rs", "/", "/nowhere"] {
            assert!(refuse(Path::new(program)).is_ok(), "{program}");
        }
    }
}
