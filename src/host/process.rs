//! Processes as `/proc` shows them. A process that vanishes while it is looked at is no error; one
//! that may not be looked at is [`Look::Denied`], never guessed. What the paths mean is the
//! business of `running`.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;

use camino::{Utf8Path, Utf8PathBuf};
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
    /// Its session: the id of the process that began it. While a member lives, the kernel gives
    /// that number to nobody else.
    pub session: u32,
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

/// Whether it works in this directory, whatever path leads there.
pub fn is_inside(pid: u32, directory: &Utf8Path) -> bool {
    let inode_of = |path: &str| fs::metadata(path).map(|it| (it.dev(), it.ino()));
    let own = inode_of(&format!("/proc/{pid}/cwd")).ok();
    own.is_some() && own == inode_of(directory.as_str()).ok()
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

/// The short name of the program, as everybody may read it. A program may write another over it.
pub fn name(pid: u32) -> Option<String> {
    let bytes = read(pid, "comm").seen()?;
    Some(String::from_utf8_lossy(&bytes).trim_end().to_owned())
}

/// The id of the user it acts as. Unlike the owner of its directory in `/proc`, this is true of a
/// process that changed its user.
pub fn acting_uid(pid: u32) -> Option<u32> {
    let status = status(pid).seen()?;
    let ids = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    ids.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// The table of its state, a line a thing, as everybody may read it.
pub fn status(pid: u32) -> Look<String> {
    read(pid, "status").map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// Whether it does something of its own about a signal: catches it, or waits for it. None where
/// that cannot be seen.
pub fn takes_signal(pid: u32, signal: i32) -> Option<bool> {
    let status = status(pid).seen()?;
    let has = |name| names_signal(&status, name, signal);
    Some(has("SigCgt:")? || has("SigBlk:")?)
}

/// Whether it sleeps, would be woken by this signal, and has none of it left to take. None where
/// that cannot be seen.
pub fn awaits_signal(pid: u32, signal: i32) -> Option<bool> {
    let status = status(pid).seen()?;
    let state = status
        .lines()
        .find_map(|line| line.strip_prefix("State:"))?;
    let has = |name| names_signal(&status, name, signal);
    let is_held = has("SigPnd:")? || has("ShdPnd:")? || has("SigBlk:")?;
    Some(state.trim().starts_with('S') && !is_held)
}

/// Whether a signal is in one of the sets of a table of state.
fn names_signal(status: &str, set: &str, signal: i32) -> Option<bool> {
    let bit = 1_u64.checked_shl(u32::try_from(signal).ok()?.checked_sub(1)?)?;
    let line = status.lines().find_map(|line| line.strip_prefix(set))?;
    Some(u64::from_str_radix(line.trim(), 16).ok()? & bit != 0)
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
        session: field(6)?.parse().ok()?,
        started: Ticks(number(22)?),
        image: number(28).unwrap_or(0),
        is_zombie: matches!(field(3)?, "Z" | "X"),
        is_exiting: number(9)? & EXITING != 0,
        is_kernel_thread: number(9)? & KERNEL_THREAD != 0,
    })
}

#[cfg(test)]
mod tests;
