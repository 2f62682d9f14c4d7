//! What runs the code: finding it, telling it of a new release, stopping it. Which release a
//! service really runs is asked in `running`.

pub mod process;
mod span;
pub mod sudo;
pub mod supervisor;
pub mod systemctl;
pub mod timer;
pub mod trial;
pub mod unit;
pub mod unit_journal;
pub mod unit_state;
pub mod unit_watch;

pub use supervisor::Program;
pub use unit::Unit;
pub use unit_journal::Entry;
pub use unit_state::UnitState;
pub use unit_watch::UnitWatch;
