//! What may end the processes that zdd itself starts, and does not start them again.

use super::Trap;
use crate::config::schema::Service;
use crate::running::trap::Level;
use crate::step::name_of;

/// All of it, for one service.
pub(super) fn traps(service: &Service, is_recovered: bool) -> Vec<Trap> {
    let group = fs_err::read_to_string("/proc/self/cgroup").unwrap_or_default();
    let reboot = (!is_recovered).then(|| no_return(service));
    reboot.into_iter().chain(login(service, &group)).collect()
}

fn no_return(service: &Service) -> Trap {
    Trap {
        level: Level::Warning,
        what: "started by zdd itself, it does not come back after a reboot".to_owned(),
        place: name_of(service),
        change: Some("let systemd start it: `unit = \"…\"` in place of `start`".to_owned()),
    }
}

/// What is started from a login may end with it; `group` is the control group that it is started
/// from.
fn login(service: &Service, group: &str) -> Option<Trap> {
    group.contains("/session-").then(|| Trap {
        level: Level::Warning,
        what: "a process started from this login may end with it".to_owned(),
        place: name_of(service),
        change: Some(
            "loginctl enable-linger, then: systemd-run --user --scope zdd release".to_owned(),
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(traps: impl IntoIterator<Item = Trap>) -> Vec<String> {
        let said = traps.into_iter().map(|trap| {
            assert_eq!((trap.level, trap.place.as_str()), (Level::Warning, "web"));
            format!("{}: {}", trap.what, trap.change.unwrap_or_default())
        });
        said.collect()
    }

    fn service() -> Service {
        Service {
            name: Some("web".to_owned()),
            start: Some("./server".to_owned()),
            ..Service::default()
        }
    }

    #[test]
    fn a_process_is_lost_in_a_reboot_unless_a_unit_at_boot_starts_it() {
        let lost = "started by zdd itself, it does not come back after a reboot: let systemd start \
                    it: `unit = \"…\"` in place of `start`";
        let is_said =
            |is_recovered| said(traps(&service(), is_recovered)).contains(&lost.to_owned());
        assert!(is_said(false));
        assert!(!is_said(true));
    }

    #[test]
    fn a_login_may_take_with_it_what_is_started_from_it() {
        let from = |group| said(login(&service(), group));
        let group = "0::/user.slice/user-1000.slice/session-3.scope\n";
        let told = "a process started from this login may end with it: loginctl enable-linger, \
                    then: systemd-run --user --scope zdd release";
        assert_eq!(from(group), [told]);
        for group in [
            "0::/user.slice/user-1000.slice/user@1000.service/run-r1.scope\n",
            "0::/system.slice/cron.service\n",
            "",
        ] {
            assert_eq!(from(group), [""; 0], "{group}");
        }
    }
}
