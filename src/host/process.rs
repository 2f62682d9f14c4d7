//! Processes as `/proc` shows them. A process that vanishes while it is looked at is no error; one
//! that may not be looked at is [`Look::Denied`], never guessed. What the paths mean is the
//! business of `running`.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;

use camino::Utf8PathBuf;
use nix::errno::Errno;
use nix::unistd::{Pid, Uid, User};

use super::ticks::Ticks;

/// The bit of the kernel's own threads in the flags of `stat` (PF_KTHREAD).
const KERNEL_THREAD: u64 = 0x0020_0000;

/// The bit of a process that is ending (PF_EXITING): its files are gone, and the kernel answers
/// with "permission denied" where there is nothing left to see.
const EXITING: u64 = 0x4;

/// What came of looking at one thing of a process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look<T> {
    /// It was read.
    Seen(T),
    /// The kernel forbids it to this user.
    Denied,
    /// The process ended, or has no such thing.
    Gone,
}

impl<T> Look<T> {
    /// What was read, if it was.
    pub fn seen(self) -> Option<T> {
        match self {
            Look::Seen(value) => Some(value),
            Look::Denied | Look::Gone => None,
        }
    }

    /// Whether the kernel forbids to look.
    pub fn is_denied(&self) -> bool {
        matches!(self, Look::Denied)
    }

    /// The same look at something derived from what was read.
    pub fn map<U>(self, derive: impl FnOnce(T) -> U) -> Look<U> {
        match self {
            Look::Seen(value) => Look::Seen(derive(value)),
            Look::Denied => Look::Denied,
            Look::Gone => Look::Gone,
        }
    }
}

/// The few numbers that everybody may read of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    /// Process id.
    pub pid: u32,
    /// The id of its parent.
    pub parent: u32,
    /// Its process group: the id of the leader.
    pub group: u32,
    /// When it was forked; an exec changes nothing here.
    pub started: Ticks,
    /// A number that every exec draws anew and a fork inherits: the address of the stack. It is 0
    /// where the kernel forbids to look, and in the middle of an exec.
    pub image: u64,
    /// Whether it ended and only waits for its parent to notice.
    pub is_zombie: bool,
    /// Whether it is about to end and has given up its files.
    pub is_exiting: bool,
    /// Whether it is a thread of the kernel, which has no files.
    pub is_kernel_thread: bool,
}

/// Reads the numbers of one process.
pub fn stat(pid: u32) -> Look<Stat> {
    match fs::read(format!("/proc/{pid}/stat")) {
        Ok(bytes) => parse_stat(&String::from_utf8_lossy(&bytes)).map_or(Look::Gone, Look::Seen),
        Err(_) if is_hidden(pid) => Look::Denied,
        Err(error) => look_of(pid, &error),
    }
}

/// Whether this very process, not a later one with the same number, still runs.
pub fn is_alive(pid: u32, started: Ticks) -> bool {
    let same = |stat: Stat| stat.started == started && !stat.is_zombie;
    stat(pid).seen().is_some_and(same)
}

/// All processes that `/proc` lists.
pub fn all() -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// Whether a process of this group still runs. One that ended and only waits for its parent to
/// notice does not: in a container nobody may ever notice.
pub fn is_group_alive(leader: u32) -> bool {
    let is_member = |stat: Stat| stat.group == leader && !stat.is_zombie;
    let mut pids = std::iter::once(leader).chain(all());
    pids.any(|pid| stat(pid).seen().is_some_and(is_member))
}

/// A process and all its descendants, the process first.
pub fn tree(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for stat in all().into_iter().filter_map(|pid| stat(pid).seen()) {
        children.entry(stat.parent).or_default().push(stat.pid);
    }
    let mut tree = vec![root];
    let mut next = 0;
    while let Some(pid) = tree.get(next) {
        tree.extend(children.remove(pid).unwrap_or_default());
        next += 1;
    }
    tree
}

/// The words of the command line. Some servers write a title over it.
pub fn argv(pid: u32) -> Look<Vec<String>> {
    let words = |bytes: Vec<u8>| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let text = text.trim_end_matches('\0');
        match text {
            "" => Vec::new(),
            text => text.split('\0').map(str::to_owned).collect(),
        }
    };
    read(pid, "cmdline").map(words)
}

/// The command line as one line for people, of at most 80 characters.
pub fn command(pid: u32) -> Option<String> {
    let argv = argv(pid).seen().filter(|argv| !argv.is_empty());
    let line = match argv {
        Some(argv) => argv.join(" "),
        None => {
            let name = read(pid, "comm").seen()?;
            format!("[{}]", String::from_utf8_lossy(&name).trim_end())
        }
    };
    let is_long = line.chars().count() > 80;
    let short = line.chars().take(if is_long { 79 } else { 80 });
    Some(short.chain(is_long.then_some('…')).collect())
}

/// One variable of the environment the process was started with.
pub fn variable(pid: u32, name: &str) -> Look<Option<String>> {
    let find = |bytes: Vec<u8>| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let mut variables = text.split('\0').filter_map(|entry| entry.split_once('='));
        variables
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value.to_owned())
    };
    read(pid, "environ").map(find)
}

/// The directory it works in.
pub fn cwd(pid: u32) -> Look<Utf8PathBuf> {
    link(pid, "cwd")
}

/// The program file it executes.
pub fn exe(pid: u32) -> Look<Utf8PathBuf> {
    link(pid, "exe")
}

/// The mount namespace it lives in, as an opaque text.
pub fn mount_namespace(pid: u32) -> Look<Utf8PathBuf> {
    link(pid, "ns/mnt")
}

/// The list of mappings as the kernel writes it.
pub fn raw_maps(pid: u32) -> Look<Vec<u8>> {
    match read(pid, "maps") {
        // A process that is ending has none any more.
        Look::Seen(maps) if maps.is_empty() && is_ending(pid) => Look::Gone,
        look => look,
    }
}

/// The files mapped into its memory, each once, in no order that matters.
pub fn mapped_files(pid: u32) -> Look<Vec<Utf8PathBuf>> {
    raw_maps(pid).map(|bytes| files_of_maps(&bytes))
}

/// The inodes of the sockets it holds.
pub fn socket_inodes(pid: u32) -> Look<Vec<u64>> {
    let entries = match fs::read_dir(format!("/proc/{pid}/fd")) {
        Ok(entries) => entries,
        Err(error) => return look_of(pid, &error),
    };
    let inode = |entry: fs::DirEntry| {
        let target = fs::read_link(entry.path()).ok()?;
        let inode = target.to_str()?.strip_prefix("socket:[")?;
        inode.strip_suffix(']')?.parse().ok()
    };
    Look::Seen(entries.flatten().filter_map(inode).collect())
}

/// The name of the user it belongs to, or the number where there is no name.
pub fn owner(pid: u32) -> Option<String> {
    let uid = Uid::from_raw(fs::metadata(format!("/proc/{pid}")).ok()?.uid());
    let name = User::from_uid(uid).ok().flatten().map(|user| user.name);
    Some(name.unwrap_or_else(|| uid.to_string()))
}

/// The paths in a list of mappings, without the kernel's mark of deleted files.
pub(crate) fn files_of_maps(maps: &[u8]) -> Vec<Utf8PathBuf> {
    let mut files = BTreeSet::new();
    for line in maps.split(|byte| *byte == b'\n') {
        let Some(start) = line.iter().position(|byte| *byte == b'/') else {
            continue;
        };
        let path = &line[start..];
        if !files.contains(path) {
            files.insert(path);
        }
    }
    let text = |path: &[u8]| path_of(String::from_utf8_lossy(path).into_owned());
    files.into_iter().map(text).collect()
}

/// Whether a process is there that `/proc` does not show to this user (`hidepid`).
fn is_hidden(pid: u32) -> bool {
    let pid = Pid::from_raw(pid.cast_signed());
    nix::sys::signal::kill(pid, None) == Err(Errno::EPERM)
}

fn read(pid: u32, name: &str) -> Look<Vec<u8>> {
    match fs::read(format!("/proc/{pid}/{name}")) {
        Ok(bytes) => Look::Seen(bytes),
        Err(error) => look_of(pid, &error),
    }
}

fn link(pid: u32, name: &str) -> Look<Utf8PathBuf> {
    match fs::read_link(format!("/proc/{pid}/{name}")) {
        Ok(target) => {
            let bytes = target.into_os_string().into_vec();
            Look::Seen(path_of(String::from_utf8_lossy(&bytes).into_owned()))
        }
        Err(error) => look_of(pid, &error),
    }
}

fn path_of(text: String) -> Utf8PathBuf {
    match text.strip_suffix(" (deleted)") {
        Some(path) => path.into(),
        None => text.into(),
    }
}

fn look_of<T>(pid: u32, error: &io::Error) -> Look<T> {
    match error.kind() {
        ErrorKind::NotFound => Look::Gone,
        _ if is_ending(pid) => Look::Gone,
        _ if error.raw_os_error() == Some(Errno::ESRCH as i32) => Look::Gone,
        _ => Look::Denied,
    }
}

fn is_ending(pid: u32) -> bool {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"));
    let stat = text.ok().and_then(|text| parse_stat(&text));
    stat.is_none_or(|stat| stat.is_zombie || stat.is_exiting)
}

/// The name in parentheses may hold anything, parentheses included, so the numbers are counted
/// from the last one.
fn parse_stat(text: &str) -> Option<Stat> {
    let (front, back) = text.rsplit_once(')')?;
    let pid = front.split_once(' ')?.0.parse().ok()?;
    let fields: Vec<&str> = back.split_ascii_whitespace().collect();
    // `proc_pid_stat(5)` counts from 1, and the state is its field 3.
    let field = |number: usize| fields.get(number - 3).copied();
    let number = |at: usize| field(at)?.parse::<u64>().ok();
    Some(Stat {
        pid,
        parent: field(4)?.parse().ok()?,
        group: field(5)?.parse().ok()?,
        started: Ticks(number(22)?),
        image: number(28).unwrap_or(0),
        is_zombie: matches!(field(3)?, "Z" | "X"),
        is_exiting: number(9)? & EXITING != 0,
        is_kernel_thread: number(9)? & KERNEL_THREAD != 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_blanks_does_not_shift_the_numbers() {
        let text = "42 (a) b (c)) S 7 41 42 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 1 0 98765 1000 200 \
                    18446744073709551615 94000 95000 140737 0 0 0 0 0";
        let stat = parse_stat(text).unwrap();
        assert_eq!((stat.pid, stat.parent, stat.group), (42, 7, 41));
        assert_eq!((stat.started, stat.image), (Ticks(98765), 140_737));
        assert!(!stat.is_zombie && !stat.is_kernel_thread);
        assert_eq!(parse_stat("garbage"), None);
    }

    #[test]
    fn mapped_files_are_unique_and_lose_the_mark_of_deleted_ones() {
        let maps = b"7f00-7f10 r--p 00000000 08:01 12      /srv/a/releases/1/x y.so (deleted)\n\
            7f10-7f20 r-xp 00001000 08:01 12      /srv/a/releases/1/x y.so (deleted)\n\
            7f20-7f30 rw-p 00000000 00:00 0 \n\
            7f30-7f40 rw-p 00000000 00:00 0       [heap]\n\
            7f40-7f50 r-xp 00000000 08:01 13      /usr/lib/libc.so.6\n";
        assert_eq!(
            files_of_maps(maps),
            ["/srv/a/releases/1/x y.so", "/usr/lib/libc.so.6"]
        );
    }

    #[test]
    fn a_process_is_seen_while_it_lives_and_gone_afterwards() {
        let directory = tempfile::tempdir().unwrap();
        let mut child = std::process::Command::new("sleep")
            .arg("5")
            .current_dir(directory.path())
            .env("ZDD_TEST_COLOUR", "green")
            .spawn()
            .unwrap();
        let pid = child.id();
        // In the middle of its exec a process has no stack yet.
        let seen = (0..1000).find_map(|_| stat(pid).seen().filter(|seen| seen.image != 0));
        let seen = seen.unwrap();
        assert_eq!(seen.parent, std::process::id());
        assert_eq!(command(pid).as_deref(), Some("sleep 5"));
        let own = directory.path().canonicalize().unwrap();
        assert_eq!(cwd(pid).seen().unwrap().as_std_path(), own);
        assert_eq!(
            variable(pid, "ZDD_TEST_COLOUR").seen(),
            Some(Some("green".to_owned()))
        );
        assert!(tree(std::process::id()).contains(&pid));
        fs::remove_dir(&own).unwrap();
        assert_eq!(cwd(pid).seen().unwrap().as_std_path(), own, "mark stripped");
        assert!(is_alive(pid, seen.started) && !is_alive(pid, Ticks(seen.started.0 + 1)));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_alive(pid, seen.started));
        assert_eq!(cwd(pid), Look::Gone);
        assert_eq!(stat(pid), Look::Gone);
    }

    #[test]
    fn an_exec_draws_a_new_image_and_a_fork_keeps_it() {
        let mut shell = std::process::Command::new("bash")
            .args(["-c", "(read x; true) <&0 & wait; exec sleep 9"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = shell.id();
        let wait_for = |condition: &dyn Fn() -> bool| {
            let met = (0..500).any(|_| {
                std::thread::sleep(std::time::Duration::from_millis(5));
                condition()
            });
            assert!(met, "not within 2.5 s");
        };
        wait_for(&|| exe(pid).seen().unwrap().as_str().contains("bash") && tree(pid).len() == 2);
        let outer = stat(pid).seen().unwrap();
        let fork = stat(tree(pid)[1]).seen().unwrap();
        assert_eq!(fork.image, outer.image);
        drop(shell.stdin.take());
        wait_for(&|| exe(pid).seen().unwrap().as_str().contains("sleep"));
        let after = stat(pid).seen().unwrap();
        assert_eq!(after.started, outer.started);
        assert_ne!(after.image, outer.image);
        shell.kill().unwrap();
        shell.wait().unwrap();
    }
}
