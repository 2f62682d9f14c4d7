//! Makes every byte of the release durable and calls it complete. A flip to a release that is not
//! on the disk yet can survive a power cut that its files do not: 20 of 20 files were empty
//! (`field/reliability.md` §0).

use std::time::Instant;

use super::Stage;
use crate::error::Result;
use crate::host::disk;
use crate::host::tree::{listing::Listing, measure::measure};
use crate::site::State;

/// Measures, syncs, and writes the record that says `ready`.
///
/// # Errors
/// When the disk reports an error: the release is then not to be trusted, and nothing is retried.
pub fn run(stage: &mut Stage<'_>) -> Result<()> {
    let began = Instant::now();
    let directory = stage.site.release_dir(&stage.record.id);
    stage.report.started("Sealing", stage.record.id.as_str());
    let size = measure(&Listing::of(&directory, &|_, _| true)?)?;
    disk::sync_file_system(&directory)?;
    stage.record.bytes = Some(size.bytes);
    stage.record.inodes = Some(size.inodes);
    stage.record.state = State::Ready;
    stage.record.save(stage.site)?;
    stage
        .report
        .finished("Sealed", stage.record.id.as_str(), Some(began.elapsed()));
    Ok(())
}
