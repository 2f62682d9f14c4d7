//! The ground that the benches stand on: a file system like those of servers, a source tree, and
//! A and B run in turns. Figures are ratios of medians of one run; the seconds mean nothing on
//! another machine.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A scratch directory on a default ext4 of its own when root, because a machine's own root file
/// system may have no journal or discard as it deletes; else a temporary directory. Gone when
/// dropped.
pub struct Ground {
    pub path: PathBuf,
    pub name: &'static str,
    is_mounted: bool,
    scratch: Option<TempDir>,
}

impl Ground {
    pub fn new() -> io::Result<Ground> {
        let scratch = tempfile::tempdir()?;
        let (image, mount) = (scratch.path().join("image"), scratch.path().join("mount"));
        fs::create_dir(&mount)?;
        fs::File::create(&image)?.set_len(8 << 30)?;
        let is_mounted = nix::unistd::geteuid().is_root()
            && runs(Command::new("mkfs.ext4").arg("-q").arg(&image))
            && mounts(&image, &mount);
        Ok(Ground {
            path: mount,
            name: if is_mounted {
                "default ext4 on a loop device"
            } else {
                "the temporary directory (not root: no file system of its own)"
            },
            is_mounted,
            scratch: Some(scratch),
        })
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if self.is_mounted && !runs(Command::new("umount").arg(&self.path)) {
            // Rather left behind than deleted through the mount.
            std::mem::forget(self.scratch.take());
        }
    }
}

/// Past the cache of the file system that holds the image, which would be measured too. The loop
/// device goes with the mount.
fn mounts(image: &Path, mount: &Path) -> bool {
    let mut attach = Command::new("losetup");
    attach
        .args(["--direct-io=on", "--find", "--show"])
        .arg(image);
    let Ok(output) = attach.output() else {
        return false;
    };
    let device = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let is_mounted = runs(Command::new("mount").arg(&device).arg(mount));
    // From here on it is only held by the mount.
    runs(Command::new("losetup").args(["--detach", &device])) && is_mounted
}

/// Runs a program silently and says whether it succeeded.
pub fn runs(command: &mut Command) -> bool {
    let output = command.output();
    output.is_ok_and(|output| output.status.success())
}

/// Makes a tree like that of an application: 50 files of 0 to 16 KiB in each folder.
pub fn make_tree(root: &Path, files: usize) -> io::Result<()> {
    let bytes: Vec<u8> = (0..16 * 1024u32).map(|n| (n * 31 % 251) as u8).collect();
    for number in 0..files {
        let folder = root.join(format!(
            "package-{}/module-{}",
            number / 500,
            number / 50 % 10
        ));
        if number % 50 == 0 {
            fs::create_dir_all(&folder)?;
        }
        let length = number * 2_654_435_761 % bytes.len();
        fs::write(folder.join(format!("file-{number}.py")), &bytes[..length])?;
    }
    Ok(())
}

/// Something to time: untimed preparation, then the work.
pub struct Contender<'a> {
    pub prepare: Box<dyn FnMut() + 'a>,
    pub work: Box<dyn FnMut() + 'a>,
}

/// Runs all contenders in turns, in alternating order, after a round that is not counted, and
/// returns the median of each.
pub fn compare(rounds: usize, contenders: &mut [Contender<'_>]) -> Vec<Duration> {
    let mut times = vec![Vec::new(); contenders.len()];
    for round in 0..=rounds {
        let mut order: Vec<usize> = (0..contenders.len()).collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for index in order {
            let contender = &mut contenders[index];
            (contender.prepare)();
            nix::unistd::sync();
            let start = Instant::now();
            (contender.work)();
            if round > 0 {
                times[index].push(start.elapsed());
            }
        }
    }
    times.into_iter().map(median).collect()
}

/// The middle one.
pub fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}
