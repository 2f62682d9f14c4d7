//! TLS with settings of zdd's own, which ureq's TLS cannot be given: a link of ureq's chain of
//! connectors.

use std::fmt;
use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};
use ureq::unversioned::transport::time::Instant;
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport, TransportAdapter,
};

/// Speaks TLS over whatever the chain has connected to.
#[derive(Debug)]
pub struct TlsConnector {
    /// Whom it trusts.
    pub config: Arc<ClientConfig>,
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = TlsTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<TlsTransport>, ureq::Error> {
        let Some(transport) = chained else {
            return Ok(None);
        };
        let host = details.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| ureq::Error::Tls("no name that a certificate could be for"))?;
        let mut connection = ClientConnection::new(Arc::clone(&self.config), name)?;
        let clock = Arc::clone(&details.current_time);
        let mut inner = TransportAdapter::new(transport.boxed(), clock);
        inner.set_timeout(left_of(details));
        connection.complete_io(&mut inner)?;
        Ok(Some(TlsTransport {
            stream: StreamOwned::new(connection, inner),
            buffers: LazyBuffers::new(
                details.config.input_buffer_size(),
                details.config.output_buffer_size(),
            ),
        }))
    }
}

/// The time for the handshake: what connecting left of it.
fn left_of(details: &ConnectionDetails<'_>) -> NextTimeout {
    let spent = match details.now {
        Instant::Exact(since) => since.elapsed(),
        Instant::AlreadyHappened | Instant::NotHappening => Duration::ZERO,
    };
    NextTimeout {
        after: details.timeout.after.saturating_sub(spent).into(),
        ..details.timeout
    }
}

/// A TLS connection.
pub struct TlsTransport {
    stream: StreamOwned<ClientConnection, TransportAdapter>,
    buffers: LazyBuffers,
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let output = &self.buffers.output()[..amount];
        Ok(self.stream.write_all(output)?)
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.stream.sock.inner();
        f.debug_struct("TlsTransport").field("over", inner).finish()
    }
}
