//! Acceptance of zdd on a real host: systemd as PID 1, nginx, gunicorn and users in a container
//! on an overlay of this machine's own root. Black-box: only the `zdd` binary is used.
//!
//! A machine that cannot boot such a host skips these tests, loudly; with `CI=true` it fails them.

use std::io::Write;
use std::process::ExitCode;

use libtest_mimic::{Arguments, Failed, Trial};

mod case_a_good;
mod case_b2_before;
mod case_b_stale;
mod case_c_dies;
mod case_d_unhealthy;
mod case_e_hooks;
mod case_f_preconditions;
mod case_g_red_before;
mod case_h_lock;
mod case_i_killed;
mod case_j_capistrano;
mod case_l_prune;
mod case_m_rollback;
mod case_n_plain_user;
mod case_o_complaints;
mod django;
mod harness;
mod host;
mod instance_check;
mod instance_kinds;
mod instance_recovery;
mod instance_releases;
mod instance_standby;
mod load;
mod machine;
mod outcome;
mod playbook;
mod program;
mod proxy;
mod readme;
mod readmes;
mod samples;
mod site;
mod stack_apps;
mod stacks;
mod supervisor_jobs;
mod supervisor_releases;
mod user_scope;

/// One case: a name and what is done on a host of its own.
type Case = (&'static str, fn());

fn main() -> ExitCode {
    let mut arguments = Arguments::from_args();
    arguments.test_threads.get_or_insert(2);
    let cases = [
        case_a_good::CASES,
        case_b2_before::CASES,
        case_b_stale::CASES,
        case_c_dies::CASES,
        case_d_unhealthy::CASES,
        case_e_hooks::CASES,
        case_f_preconditions::CASES,
        case_g_red_before::CASES,
        case_h_lock::CASES,
        case_i_killed::CASES,
        case_j_capistrano::CASES,
        case_l_prune::CASES,
        case_m_rollback::CASES,
        case_n_plain_user::CASES,
        case_o_complaints::CASES,
        instance_check::CASES,
        instance_kinds::CASES,
        instance_recovery::CASES,
        instance_releases::CASES,
        instance_standby::CASES,
        proxy::CASES,
        playbook::CASES,
        readmes::CASES,
        samples::CASES,
        stacks::CASES,
        supervisor_jobs::CASES,
        supervisor_releases::CASES,
        user_scope::CASES,
        harness::CASES,
    ]
    .concat();
    let trials = match machine::obstacle() {
        None => cases.into_iter().map(trial).collect(),
        Some(obstacle) => {
            let must_run = std::env::var("CI").is_ok_and(|value| value == "true");
            let word = if must_run { "FAILED" } else { "SKIPPED" };
            let count = cases.len();
            let _ = writeln!(
                std::io::stderr(),
                "\n!!! {word}: {count} tests on a real host cannot run here: {obstacle}\n"
            );
            let blocked = |(name, _): Case| {
                let reason = obstacle.clone();
                Trial::test(name, move || Err(Failed::from(reason))).with_ignored_flag(!must_run)
            };
            cases.into_iter().map(blocked).collect()
        }
    };
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn trial((name, run): Case) -> Trial {
    Trial::test(name, move || {
        run();
        Ok(())
    })
}
