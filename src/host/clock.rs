//! The wall clock, one of the two seams that tests replace. Durations never come from here: they
//! are measured by `std::time::Instant`, which no clock jump moves.

use time::OffsetDateTime;

/// Tells the time of day.
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> OffsetDateTime;
}

/// The clock of this server.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }
}
