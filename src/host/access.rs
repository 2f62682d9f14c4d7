//! Whether a user may go along a path: owner, group and mode of everything on it. Links are
//! followed one by one, because each directory that they lead through must let the user pass.

use std::collections::VecDeque;
use std::ffi::CString;
use std::io;
use std::os::unix::fs::MetadataExt;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};
use fs_err as fs;
use nix::libc;
use nix::unistd::{Gid, Group, User, getgrouplist};

use super::{process, user};

/// How many links the kernel follows in one path.
const LINK_LIMIT: usize = 40;

/// Right to pass through a directory.
pub const PASS: u32 = 0o1;

/// Right to write: to connect to a socket, or, with [`PASS`], to make a file in a directory.
pub const WRITE: u32 = 0o2;

/// Who acts: a user with the groups that count for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity {
    /// The id of the user.
    pub uid: u32,
    /// The ids of all its groups.
    pub groups: Vec<u32>,
}

impl Identity {
    /// Whom a process acts as. Groups that its user was given after its start are not among them.
    pub fn of_process(pid: u32) -> Option<Identity> {
        let status = process::status(pid).seen()?;
        let ids = |name: &str| -> Option<Vec<u32>> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            let ids = line.split_ascii_whitespace();
            Some(ids.filter_map(|id| id.parse().ok()).collect())
        };
        let mut groups = ids("Groups:").unwrap_or_default();
        groups.extend(ids("Gid:")?.get(1));
        Some(Identity {
            uid: *ids("Uid:")?.get(1)?,
            groups,
        })
    }

    /// A user as systemd lets it act: with its own groups, and with `group` if one is named.
    pub fn of_user(name: &str, group: Option<&str>) -> Option<Identity> {
        let user = User::from_name(name).ok().flatten()?;
        let named = group.and_then(|name| Group::from_name(name).ok().flatten());
        let main = named.map_or(user.gid, |group| group.gid);
        let all = getgrouplist(&CString::new(name).ok()?, main).ok()?;
        Some(Identity {
            uid: user.uid.as_raw(),
            groups: all.into_iter().map(Gid::as_raw).collect(),
        })
    }

    /// Whether the place grants these rights. Of one with an access list it is not told here, so
    /// that it counts as granted.
    pub fn may(&self, place: &Place, rights: u32) -> bool {
        let granted = if self.uid == place.uid {
            place.mode >> 6
        } else if self.groups.contains(&place.gid) {
            place.mode >> 3
        } else {
            place.mode
        };
        self.uid == 0 || place.has_access_list || granted & rights == rights
    }
}

/// A directory or file on a path, links resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// Where it is.
    pub path: Utf8PathBuf,
    /// The id of its owner.
    pub uid: u32,
    /// The name of its owner.
    pub owner: String,
    /// The id of its group.
    pub gid: u32,
    /// The name of its group.
    pub group: String,
    /// Its nine bits of rights.
    pub mode: u32,
    /// Whether it is a directory.
    pub is_directory: bool,
    /// Whether it has an access list besides its bits.
    pub has_access_list: bool,
}

impl Place {
    /// A directory that does not exist yet, as this user will have it, in the named group or its
    /// own.
    pub fn planned(path: &Utf8Path, owner: &str, group: Option<&str>, mode: u32) -> Option<Place> {
        let owner = User::from_name(owner).ok().flatten()?;
        let named = group.and_then(|name| Group::from_name(name).ok().flatten());
        let gid = named.map_or(owner.gid, |group| group.gid).as_raw();
        Some(Place {
            path: path.to_owned(),
            uid: owner.uid.as_raw(),
            owner: owner.name,
            gid,
            group: user::group_name_of(gid),
            mode,
            is_directory: true,
            has_access_list: false,
        })
    }
}

/// Everything that lies on a path, the root first, as far as this process can see it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Way {
    /// The places in the order in which the kernel comes by.
    pub places: Vec<Place>,
    /// Whether its end was seen.
    pub is_whole: bool,
}

/// Goes along an absolute path.
pub fn way_to(path: &Utf8Path) -> Way {
    let mut way = Way::default();
    way.is_whole = walk(path, &mut way.places).is_ok();
    way
}

fn walk(path: &Utf8Path, places: &mut Vec<Place>) -> io::Result<()> {
    let mut left: VecDeque<String> = parts(path).collect();
    let mut at = Utf8PathBuf::from("/");
    let mut links = 0;
    pass(places, look(&at)?);
    while let Some(part) = left.pop_front() {
        if part == ".." {
            at.pop();
            continue;
        }
        let next = at.join(&part);
        let metadata = fs::symlink_metadata(&next)?;
        if !metadata.is_symlink() {
            at = next;
            pass(places, look(&at)?);
            continue;
        }
        links += 1;
        if links > LINK_LIMIT {
            return Err(io::Error::other("too many links"));
        }
        let target = fs::read_link(&next)?;
        let target = Utf8PathBuf::from_path_buf(target)
            .map_err(|_| io::Error::other("a link that is no text"))?;
        if target.is_absolute() {
            at = "/".into();
        }
        for part in parts(&target).collect::<Vec<_>>().into_iter().rev() {
            left.push_front(part);
        }
    }
    Ok(())
}

fn pass(places: &mut Vec<Place>, place: Place) {
    if !places.iter().any(|known| known.path == place.path) {
        places.push(place);
    }
}

fn parts(path: &Utf8Path) -> impl Iterator<Item = String> + '_ {
    path.components().filter_map(|part| match part {
        Utf8Component::Normal(name) => Some(name.to_owned()),
        Utf8Component::ParentDir => Some("..".to_owned()),
        _ => None,
    })
}

fn look(path: &Utf8Path) -> io::Result<Place> {
    let metadata = fs::symlink_metadata(path)?;
    Ok(Place {
        path: path.to_owned(),
        uid: metadata.uid(),
        owner: user::name_of(metadata.uid()),
        gid: metadata.gid(),
        group: user::group_name_of(metadata.gid()),
        mode: metadata.mode() & 0o777,
        is_directory: metadata.is_dir(),
        has_access_list: has_access_list(path),
    })
}

fn has_access_list(path: &Utf8Path) -> bool {
    let Ok(path) = CString::new(path.as_str()) else {
        return false;
    };
    let name = c"system.posix_acl_access";
    // SAFETY: both texts end in a null byte, and a length of 0 lets nothing be written.
    let length = unsafe { libc::lgetxattr(path.as_ptr(), name.as_ptr(), std::ptr::null_mut(), 0) };
    length > 0
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn place(mode: u32) -> Place {
        Place {
            uid: 10,
            gid: 20,
            mode,
            ..Place::default()
        }
    }

    fn identity(uid: u32, groups: &[u32]) -> Identity {
        Identity {
            uid,
            groups: groups.to_vec(),
        }
    }

    #[test]
    fn the_first_class_that_fits_decides_alone() {
        for (mode, who, granted) in [
            (0o100, identity(10, &[]), true),
            (0o011, identity(10, &[20]), false),
            (0o010, identity(11, &[20]), true),
            (0o101, identity(11, &[1, 20]), false),
            (0o001, identity(11, &[1]), true),
            (0o110, identity(11, &[1]), false),
            (0o000, identity(0, &[]), true),
        ] {
            assert_eq!(who.may(&place(mode), PASS), granted, "{mode:o} {who:?}");
        }
        let listed = Place {
            has_access_list: true,
            ..place(0)
        };
        assert!(identity(11, &[]).may(&listed, WRITE));
        assert!(!identity(11, &[20]).may(&place(0o720), PASS | WRITE));
    }

    #[test]
    fn a_way_leads_through_what_links_resolve_to() {
        let directory = tempfile::tempdir().unwrap();
        let root = Utf8Path::from_path(directory.path()).unwrap();
        let root = root.canonicalize_utf8().unwrap();
        fs::create_dir_all(root.join("releases/1/sub")).unwrap();
        fs::create_dir_all(root.join("run/1")).unwrap();
        fs::write(root.join("run/1/file"), "").unwrap();
        fs::set_permissions(root.join("run/1"), PermissionsExt::from_mode(0o710)).unwrap();
        symlink("releases/1", root.join("current")).unwrap();
        symlink(root.join("run/1"), root.join("releases/1/run")).unwrap();
        let way = way_to(&root.join("current/sub/../run/file"));
        let seen: Vec<_> = way.places.iter().map(|place| place.path.as_str()).collect();
        let end = &seen[seen.len() - 7..];
        let wanted = [
            "",
            "releases",
            "releases/1",
            "releases/1/sub",
            "run",
            "run/1",
            "run/1/file",
        ];
        let wanted: Vec<_> = wanted.map(|part| root.join(part)).to_vec();
        assert!(way.is_whole);
        for (seen, wanted) in end.iter().zip(wanted) {
            assert_eq!(
                seen.trim_end_matches('/'),
                wanted.as_str().trim_end_matches('/')
            );
        }
        assert_eq!(way.places.iter().rev().nth(1).unwrap().mode, 0o710);
        let cut = way_to(&root.join("current/run/none"));
        assert!(!cut.is_whole);
        assert_eq!(cut.places.last().unwrap().path, root.join("run/1"));
        symlink("loop", root.join("loop")).unwrap();
        assert!(!way_to(&root.join("loop/x")).is_whole);
    }

    #[test]
    fn this_process_acts_as_itself_and_root_as_root() {
        let own = Identity::of_process(std::process::id()).unwrap();
        assert_eq!(own.uid, nix::unistd::Uid::effective().as_raw());
        assert!(own.groups.contains(&nix::unistd::Gid::effective().as_raw()));
        let root = Identity::of_user("root", None).unwrap();
        assert!(root.uid == 0 && root.groups.contains(&0));
        assert_eq!(Identity::of_user("no-such-user", None), None);
    }
}
