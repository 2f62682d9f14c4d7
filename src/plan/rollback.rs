//! The plan of `zdd rollback`: the second half of a release, with a release that is there.

use super::Plan;
use crate::step::Mission;

/// Switches and proves, as carefully as a release.
pub fn plan(mission: Mission) -> Plan {
    let steps = super::steps_of_switch(&mission);
    Plan::new(mission, steps)
}
