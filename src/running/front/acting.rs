//! Fronts that run, connected or not.

use super::users::{Holder, is_front};
use crate::host::process;

/// One process of every front for each user that it acts as. What runs as root beside others only
/// starts them.
pub fn all() -> Vec<(u32, Holder)> {
    let mut found = Vec::new();
    for pid in process::all() {
        let Some(program) = process::name(pid) else {
            continue;
        };
        let holder = Holder { pid, program };
        if let Some(uid) = process::acting_uid(pid).filter(|_| is_front(&holder)) {
            found.push((uid, holder));
        }
    }
    without_masters(found)
}

fn without_masters(mut found: Vec<(u32, Holder)>) -> Vec<(u32, Holder)> {
    found.sort_by(|(a, one), (b, other)| {
        let key = |uid: &u32, holder: &Holder| (holder.program.clone(), *uid, holder.pid);
        key(a, one).cmp(&key(b, other))
    });
    found.dedup_by(|(a, one), (b, other)| a == b && one.program == other.program);
    let all = found.clone();
    let has_others = |program: &str| {
        all.iter()
            .any(|(uid, it)| *uid != 0 && it.program == program)
    };
    found.retain(|(uid, holder)| *uid != 0 || !has_others(&holder.program));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_front_counts_once_for_a_user_and_its_master_only_when_alone() {
        let holder = |uid: u32, pid: u32, program: &str| {
            let program = program.to_owned();
            (uid, Holder { pid, program })
        };
        let found = vec![
            holder(33, 12, "nginx"),
            holder(0, 10, "nginx"),
            holder(33, 11, "nginx"),
            holder(0, 20, "haproxy"),
        ];
        assert_eq!(
            without_masters(found),
            [holder(0, 20, "haproxy"), holder(33, 11, "nginx")]
        );
    }
}
