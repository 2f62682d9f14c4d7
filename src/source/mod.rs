//! Where the files of a release come from. How they are copied is known to `host::tree`; where a
//! release lies, to `site`.

pub mod directory;
pub mod revision;
