//! Readiness of an instance at its own address, before any user sees it. An answer, not a
//! connection, is readiness: a listening master accepts before any worker lives, and a leftover
//! socket file proves nothing.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::config::schema::{HealthCheck, Service, Statuses};
use crate::config::units::Span;
use crate::error::Result;
use crate::host::socket;

use super::address::Address;
use super::check::{Check, below_500};

/// Pause between two attempts: shorter than for a site, because the start is waited for.
const INTERVAL: Span = Span::millis(100);

/// The check of an instance that listens at `server`, to be waited for with
/// [`until_healthy`](super::wait::until_healthy). Its `health` must answer 200, with the text that
/// it `contains`; without one, `/` must answer anything below 500.
///
/// # Errors
/// When the socket's path is too long or `health` of the service is no path.
pub fn readiness(server: &socket::Address, service: &Service, within: Span) -> Result<Arc<Check>> {
    let health = service.health.as_deref();
    let path = health.unwrap_or("/");
    let address = match server {
        socket::Address::Unix(file) => Address::on_socket(file, path)?,
        socket::Address::Tcp(address) => Address::parse(&format!("http://{address}{path}"))?,
    };
    let settings = HealthCheck {
        url: Some(address.to_string()),
        status: match health {
            Some(_) => Statuses::default(),
            None => below_500(),
        },
        contains: service.contains.clone(),
        interval: INTERVAL,
        within,
        ..HealthCheck::default()
    };
    Check::new(&settings).map(Arc::new)
}

/// The check of an instance that speaks no HTTP: that it takes connections.
///
/// # Errors
/// Never for an address that was listened on.
pub fn acceptance(server: SocketAddr, within: Span) -> Result<Arc<Check>> {
    let settings = HealthCheck {
        tcp: Some(server.to_string()),
        interval: INTERVAL,
        within,
        ..HealthCheck::default()
    };
    Check::new(&settings).map(Arc::new)
}
