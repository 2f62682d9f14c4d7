//! zdd as a whole in a sandbox: anywhere, as any user, without systemd. Black-box, through the
//! program, unless a test says otherwise.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

#[path = "../sandbox/mod.rs"]
mod sandbox;

mod adoption;
mod bridge;
mod clock;
mod complaints;
mod config;
mod cutover;
mod daemons;
mod dry_run;
mod first_release;
mod git;
mod health;
mod hooks;
mod init;
mod instances;
mod json;
mod left_behind;
mod long_requests;
mod output;
mod preconditions;
mod process;
mod proxy;
mod prune;
mod records;
mod rights;
mod rollback;
mod several_processes;
mod signals;
mod tidy;
mod two_at_once;
mod usage;
mod zddeploy;

/// The server that releases of other tests start: this very program, with only this test.
#[test]
fn serves_a_release() {
    if std::env::var_os("ZDD_RELEASE").is_some() {
        sandbox::server::serve();
    }
}
