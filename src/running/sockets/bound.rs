//! Which of the kernel's sockets belong to an address.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use camino::Utf8Path;

use crate::host::sock_diag::{FileId, TcpSocket, UnixSocket};

/// A unix listener as the kernel knows it. It is found once, as long as it is there: a server that
/// ends may remove its file and still work on what it accepted.
#[derive(Debug)]
pub struct BoundUnix {
    names: BTreeSet<Vec<u8>>,
    files: BTreeSet<FileId>,
}

impl BoundUnix {
    /// Finds what listens at `path`: by the file, because the bind may have been by a relative
    /// name or behind another mount. Only where no listener has that file, by the name.
    pub fn find(path: &Utf8Path, sockets: &[UnixSocket]) -> Self {
        let real = path.canonicalize_utf8().ok();
        let names = [Some(path.to_owned()), real].into_iter().flatten();
        let mut bound = BoundUnix {
            names: names.map(|name| name.into_string().into_bytes()).collect(),
            files: FileId::of_path(path.as_std_path()).into_iter().collect(),
        };
        let listens = |socket: &&UnixSocket| socket.is_listening;
        if !sockets.iter().filter(listens).any(|it| bound.holds(it)) {
            let named = sockets
                .iter()
                .filter(listens)
                .filter(|socket| bound.names.contains(&socket.name));
            let files: Vec<_> = named.filter_map(|socket| socket.file).collect();
            bound.files.extend(files);
        }
        bound
    }

    /// Whether this is the listener, or an accepted end of a connection to it.
    pub fn holds(&self, socket: &UnixSocket) -> bool {
        match socket.file {
            Some(file) if !self.files.is_empty() => self.files.contains(&file),
            _ => self.names.contains(&socket.name),
        }
    }
}

/// Whether this is a listener at the address, or the server's end of a connection to it.
pub fn is_at(socket: &TcpSocket, address: SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    let local = socket.local.ip();
    let is_same = ip == local || ip.is_unspecified() || local.is_unspecified();
    socket.local.port() == address.port() && is_same
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As in a mount namespace where another file system is at the path.
    #[test]
    fn a_listener_with_another_file_is_found_by_its_name() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let path = Utf8Path::from_path(file.path()).unwrap();
        let stat = FileId::of_path(file.path()).unwrap();
        let told = FileId {
            device: stat.device ^ 1,
            ..stat
        };
        let socket = |is_listening, name: &str, file| UnixSocket {
            inode: 1,
            is_listening,
            name: name.as_bytes().to_vec(),
            file: Some(file),
            peer: None,
            receive_queue: None,
            backlog: None,
            uid: None,
        };
        let listener = socket(true, path.as_str(), told);
        let bound = BoundUnix::find(path, std::slice::from_ref(&listener));
        assert!(bound.holds(&listener));
        assert!(bound.holds(&socket(false, path.as_str(), told)));
        let other = FileId { inode: 0, ..told };
        assert!(!bound.holds(&socket(false, path.as_str(), other)));
    }
}
