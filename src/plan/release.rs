//! The plan of `zdd release`.

use super::Plan;
use crate::hook::Point;
use crate::step::{Mission, Step};

/// Builds, switches, proves.
pub fn plan(mission: Mission) -> Plan {
    let mut steps = vec![
        Step::Create,
        Step::Fill,
        Step::LinkShared,
        Step::Hook {
            point: Point::Build,
        },
        Step::Hook {
            point: Point::Check,
        },
        Step::Hook {
            point: Point::Migrate,
        },
        Step::Seal,
    ];
    steps.extend(super::steps_of_switch(&mission));
    Plan::new(mission, steps)
}
