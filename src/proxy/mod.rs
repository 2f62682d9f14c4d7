//! Proxies whose settings zdd writes. What stands in them is decided by the steps; here is how
//! they become what a proxy really uses, proved, and how they are put back.

pub mod nginx;
