//! x
use super::Pools;
use camino::{Utf8Path, Utf8PathBuf};
/// x
pub fn settings_of(_pid: u32, default: &Utf8Path) -> Utf8PathBuf {
    default.to_owned()
}
/// x
pub fn pools(_settings: &Utf8Path, _names: &[String]) -> Pools {
    Pools::Unknown
}
