//! Users: names of ids, the owner of a path, who is behind this process.

use std::os::unix::fs::MetadataExt;

use camino::Utf8Path;
use nix::unistd::{Gid, Group, Uid, User};

use crate::error::Result;

/// A user that owns something or does something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// User id.
    pub uid: Uid,
    /// Login name, or the number where the id has no name.
    pub name: String,
}

impl Owner {
    /// The user with this id.
    pub fn of_uid(uid: Uid) -> Self {
        Owner {
            uid,
            name: name_of(uid.as_raw()),
        }
    }

    /// Who owns `path`; a link counts as what it points to.
    ///
    /// # Errors
    /// When the path does not exist or cannot be reached.
    pub fn of_path(path: &Utf8Path) -> Result<Self> {
        let uid = fs_err::metadata(path)?.uid();
        Ok(Owner::of_uid(Uid::from_raw(uid)))
    }

    /// The user this process acts as.
    pub fn of_process() -> Self {
        Owner::of_uid(Uid::effective())
    }
}

/// The login name of a user id, or the number where it has none.
pub fn name_of(uid: u32) -> String {
    match User::from_uid(Uid::from_raw(uid)) {
        Ok(Some(user)) => user.name,
        _ => uid.to_string(),
    }
}

/// The name of a group id, or the number where it has none.
pub fn group_name_of(gid: u32) -> String {
    match Group::from_gid(Gid::from_raw(gid)) {
        Ok(Some(group)) => group.name,
        _ => gid.to_string(),
    }
}

/// The person to name in a record: behind `sudo`, the one who called it (`SUDO_USER`), else the
/// user of this process. It is a note for people; it gives no right.
pub fn performer() -> String {
    let caller = std::env::var("SUDO_USER").ok();
    caller
        .filter(|caller| is_login_name(caller))
        .unwrap_or_else(|| name_of(Uid::current().as_raw()))
}

/// Whether a text of the environment can be shown as a name: short, without blanks or control
/// characters.
fn is_login_name(text: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_graphic();
    (1..=64).contains(&text.len()) && text.chars().all(is_plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_has_a_name_and_an_unknown_id_is_its_number() {
        assert_eq!(name_of(0), "root");
        assert_eq!(name_of(3_999_999_999), "3999999999");
    }

    #[test]
    fn the_owner_of_a_new_file_is_the_process() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = Utf8Path::from_path(file.path()).unwrap();
        assert_eq!(Owner::of_path(path).unwrap(), Owner::of_process());
    }

    #[test]
    fn a_caller_with_blanks_or_control_characters_is_not_believed() {
        assert!(is_login_name("jane.doe"));
        for text in ["", "a b", "\u{1b}[31m", "a\nb", &"x".repeat(65)] {
            assert!(!is_login_name(text), "{text:?}");
        }
    }
}
