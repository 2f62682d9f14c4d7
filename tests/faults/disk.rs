//! A small disk of its own for a site: full to the last byte, or without power.

use std::fs::{self, File};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use crate::invariants;
use crate::sandbox::{Program, Site};
use crate::settings;
use crate::trace::{self, Fault};

/// An ext4 in a file, mounted.
pub struct Disk {
    scratch: tempfile::TempDir,
}

impl Disk {
    pub fn new(mebibytes: u64) -> Disk {
        // Its mounts are of this thread alone: a container that another test starts meanwhile would
        // take them along, and a disk that somebody holds cannot lose its power.
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).unwrap();
        Program::new("mount")
            .words("--make-rprivate /")
            .run()
            .exits(0);
        let disk = Disk {
            scratch: tempfile::TempDir::with_prefix("zdd-disk-").unwrap(),
        };
        let image = File::create(disk.image()).unwrap();
        image.set_len(mebibytes << 20).unwrap();
        fs::create_dir(disk.place()).unwrap();
        let format = Program::new("mkfs.ext4").words("-q -m 0");
        format.arg(disk.image()).run().exits(0);
        disk.mount();
        disk
    }

    fn image(&self) -> PathBuf {
        self.scratch.path().join("image")
    }

    /// Where it is mounted.
    pub fn place(&self) -> PathBuf {
        self.scratch.path().join("disk")
    }

    fn mount(&self) {
        Program::new("mount")
            .words("-o loop")
            .arg(self.image())
            .arg(self.place())
            .run()
            .exits(0);
    }

    fn unmount(&self) {
        let begun = std::time::Instant::now();
        while Program::new("umount").arg(self.place()).run().code != 0 {
            assert!(
                begun.elapsed().as_secs() < 10,
                "{} is busy",
                self.place().display()
            );
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
    }

    /// Everything that was not written to the disk is lost.
    fn cut_power(&self) {
        // `_IOR('X', 125, u32)` with "flush neither the log nor data", of linux/fs.h.
        const SHUTDOWN: nix::libc::c_ulong = 0x8004_587D;
        const NO_LOG_FLUSH: u32 = 2;
        let directory = File::open(self.place()).unwrap();
        // SAFETY: the descriptor is open, and the kernel reads one number from the pointer.
        let ended = unsafe { nix::libc::ioctl(directory.as_raw_fd(), SHUTDOWN, &NO_LOG_FLUSH) };
        assert_eq!(ended, 0, "{}", std::io::Error::last_os_error());
        drop(directory);
        self.unmount();
        self.mount();
    }

    /// Fills it until not one more byte has room.
    pub fn fill(&self) {
        fill(&self.place().join("fill"));
    }

    pub fn make_room(&self) {
        fs::remove_file(self.place().join("fill")).unwrap();
    }
}

fn fill(path: &Path) {
    for size in ["64k", "1k", "1"] {
        let line = format!(
            "dd if=/dev/zero bs={size} 2>/dev/null >> '{}'",
            path.display()
        );
        let _ = Program::new("/bin/sh").arg("-c").arg(line).run();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Program::new("umount").arg("-l").arg(self.place()).run();
    }
}

pub fn a_full_disk_does_not_stop_the_way_back() {
    let disk = Disk::new(8);
    let site = Site::below(&disk.place(), &settings::told());
    site.release("v1");
    let place = disk.place().join("fill").display().to_string();
    let fill = format!("for s in 64k 1k 1; do dd if=/dev/zero bs=$s 2>/dev/null >> {place}; done");
    for end in ["false", "true"] {
        site.settings(&settings::told_with_hook(
            "verify",
            &format!("{fill}; {end}"),
        ));
        let output = site.releasing("v2").run();
        // The commit may still find room in the last block of the journal; a veto goes back in any
        // case.
        let is_live = output.code == 0 && end == "true";
        assert!(is_live || output.code == 3, "{output}");
        let wanted = if is_live { "v2" } else { "v1" };
        assert_eq!(site.version().as_deref(), Some(wanted), "{output}");
        // Whatever could not be written is made good when there is room again.
        site.does("list").says("live");
        disk.make_room();
        site.settings(&settings::told());
        site.does("recover");
        invariants::after_recovery(&site).unwrap();
    }
    site.release("v3");
}

pub fn a_full_disk_before_the_switch_changes_nothing_and_can_be_pruned() {
    let disk = Disk::new(8);
    let site = Site::below(&disk.place(), &settings::hoarding());
    (1..=4).for_each(|turn| drop(site.release(&format!("v{turn}"))));
    disk.fill();
    let output = site.releasing("v5").run().exits(1);
    assert_eq!(output.json()["serving"], output.json()["from"]);
    assert_eq!(site.version().as_deref(), Some("v4"));
    site.does("list").says("live");
    let count = site.directories().len();
    site.does("prune --keep 1");
    assert!(
        site.directories().len() < count,
        "prune works on a full disk"
    );
    disk.make_room();
    site.release("v6");
    invariants::after_recovery(&site).unwrap();
}

pub fn a_power_cut_leaves_a_complete_release() {
    let disk = Disk::new(24);
    let site = Site::below(&disk.place(), &settings::told());
    site.release("v1");
    site.release("v2");
    let points = trace::points(site.releasing("v3"), disk.scratch.path());
    let every = if crate::is_all() { 3 } else { 25 };
    for (turn, point) in points.iter().enumerate().step_by(every) {
        let version = format!("cut{turn}");
        let program = site.releasing(&version);
        let kill = Fault::Signal("SIGKILL");
        let (output, _) = trace::disturb(program, point, kill, disk.scratch.path());
        disk.cut_power();
        let place = format!("power cut at {point}");
        let id = site.current();
        let is_whole = id.ok_or("nothing is live".to_owned());
        let is_whole = is_whole.and_then(|id| invariants::is_complete(&site, &id));
        is_whole.unwrap_or_else(|what| {
            let paths: Vec<_> = site.tree().into_keys().collect();
            panic!("{place}: {what}; {paths:#?}\n{output}")
        });
        site.does("list");
        let recovered = site.zdd("recover").run();
        assert_eq!(recovered.code, 0, "{place}: {recovered}");
        invariants::after_recovery(&site).unwrap_or_else(|what| panic!("{place}: {what}"));
        site.release(&format!("after{turn}"));
    }
}
