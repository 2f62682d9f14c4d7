//! HTTP over a unix socket: ureq's own connector and transport, on a unix stream. The connection
//! is made with a time limit, because `connect` on a unix socket with a full accept queue (a
//! stopped server) blocks for ever.

use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use camino::Utf8PathBuf;
use nix::errno::Errno;
use nix::sys::socket::sockopt::SendTimeout;
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket};
use nix::sys::time::{TimeVal, TimeValLike};
use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectionDetails, Connector, LazyBuffers, NextTimeout, Transport,
};

/// Connects every request to one unix socket, whatever its uri says.
#[derive(Debug)]
pub struct UnixConnector {
    /// The socket's path, at most 107 bytes long.
    pub path: Utf8PathBuf,
}

impl<In: Transport> Connector<In> for UnixConnector {
    type Out = UnixTransport;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        _chained: Option<In>,
    ) -> Result<Option<UnixTransport>, ureq::Error> {
        let limit = limit_of(details.timeout)?;
        let stream =
            connect_within(&self.path, limit).map_err(|error| timed(error, details.timeout))?;
        let (input, output) = (
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(UnixTransport {
            stream,
            buffers: LazyBuffers::new(input, output),
        }))
    }
}

/// Resolves every name to nothing: a unix socket has no internet address.
#[derive(Debug)]
pub struct NoResolver;

impl Resolver for NoResolver {
    fn resolve(
        &self,
        _uri: &Uri,
        _config: &Config,
        _timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        Ok(self.empty())
    }
}

/// An HTTP/1.1 connection over a unix stream.
#[derive(Debug)]
pub struct UnixTransport {
    stream: UnixStream,
    buffers: LazyBuffers,
}

impl Transport for UnixTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.set_write_timeout(Some(limit_of(timeout)?))?;
        let output = &self.buffers.output()[..amount];
        self.stream
            .write_all(output)
            .map_err(|error| timed(error, timeout))
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        let until = Instant::now() + limit_of(timeout)?;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(ureq::Error::Timeout(timeout.reason));
            }
            self.stream.set_read_timeout(Some(left))?;
            match self.stream.read(self.buffers.input_append_buf()) {
                Ok(amount) => {
                    self.buffers.input_appended(amount);
                    return Ok(amount > 0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(timed(error, timeout)),
            }
        }
    }

    /// Connections are not pooled, so it is asked only of one just made.
    fn is_open(&mut self) -> bool {
        true
    }
}

/// The time that is left, or the error when there is none. An unlimited wait is not asked for:
/// every request has a limit; an hour stands in for it.
fn limit_of(timeout: NextTimeout) -> Result<Duration, ureq::Error> {
    let limit = (*timeout.after).min(Duration::from_secs(3600));
    if limit.is_zero() {
        return Err(ureq::Error::Timeout(timeout.reason));
    }
    Ok(limit)
}

/// The kernel says "would block" when the time of a blocking socket is over.
fn timed(error: io::Error, timeout: NextTimeout) -> ureq::Error {
    match error.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => ureq::Error::Timeout(timeout.reason),
        _ => ureq::Error::Io(error),
    }
}

/// A connection to the socket. The kernel applies the send timeout to `connect` as well.
fn connect_within(path: &Utf8PathBuf, limit: Duration) -> io::Result<UnixStream> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let fd = socket(AddressFamily::Unix, SockType::Stream, flags, None)?;
    let micros = i64::try_from(limit.as_micros()).unwrap_or(i64::MAX).max(1);
    setsockopt(&fd, SendTimeout, &TimeVal::microseconds(micros))?;
    let address = UnixAddr::new(path.as_std_path())?;
    while let Err(error) = connect(fd.as_raw_fd(), &address) {
        if error != Errno::EINTR {
            return Err(error.into());
        }
    }
    Ok(UnixStream::from(fd))
}
