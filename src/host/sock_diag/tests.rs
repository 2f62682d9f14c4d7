use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use super::*;

fn inode(socket: impl AsFd) -> u64 {
    nix::sys::stat::fstat(socket).unwrap().st_ino
}

fn unix_row(inode: u64) -> UnixSocket {
    let found = unix().unwrap().into_iter().find(|it| it.inode == inode);
    found.unwrap()
}

fn tcp_row(inode: u64) -> TcpSocket {
    let all = tcp(Ports::Any).unwrap();
    all.into_iter().find(|it| it.inode == inode).unwrap()
}

#[test]
fn a_unix_listener_tells_its_queue_and_its_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let row = unix_row(inode(&listener));
    assert!(row.is_listening);
    assert_eq!((row.receive_queue, row.peer), (Some(0), None));
    assert!(row.backlog.unwrap() >= 100);
    assert_eq!(row.file, Some(FileId::of_path(&path).unwrap()));
    assert_eq!(row.name, path.as_os_str().as_encoded_bytes());
    assert_eq!(row.uid, Some(nix::unistd::geteuid().as_raw()));
    let _waiting = [
        UnixStream::connect(&path).unwrap(),
        UnixStream::connect(&path).unwrap(),
    ];
    assert_eq!(unix_row(inode(&listener)).receive_queue, Some(2));
}

#[test]
fn the_file_of_a_socket_survives_a_change_of_its_name_and_is_inherited() {
    let directory = tempfile::tempdir().unwrap();
    let (first, second) = (directory.path().join("a"), directory.path().join("b"));
    let listener = UnixListener::bind(&first).unwrap();
    std::fs::rename(&first, &second).unwrap();
    let client = UnixStream::connect(&second).unwrap();
    let (mut accepted, _) = listener.accept().unwrap();
    let file = FileId::of_path(&second).unwrap();
    let row = unix_row(inode(&accepted));
    assert_eq!(row.file, Some(file));
    assert_eq!(row.name, first.as_os_str().as_encoded_bytes());
    assert_eq!(
        (row.peer, row.receive_queue),
        (Some(inode(&client)), Some(0))
    );
    assert_eq!(unix_row(inode(&client)).peer, Some(inode(&accepted)));
    assert_eq!(unix_row(inode(&client)).file, None);
    (&client).write_all(b"12345").unwrap();
    assert_ne!(unix_row(inode(&accepted)).receive_queue, Some(0));
    accepted.read_exact(&mut [0; 5]).unwrap();
    assert_eq!(unix_row(inode(&accepted)).receive_queue, Some(0));
    drop(client);
    assert_eq!(unix_row(inode(&accepted)).peer, None);
}

#[test]
fn tcp_tells_queues_and_who_spoke_when() {
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(address).unwrap();
        let own = listener.local_addr().unwrap();
        let mut client = TcpStream::connect(own).unwrap();
        let row = tcp_row(inode(&listener));
        assert_eq!((row.state, row.local), (TcpState::Listening, own));
        assert_eq!((row.receive_queue, row.exchange.is_some()), (1, true));
        let (mut server, remote) = listener.accept().unwrap();
        client.write_all(b"12345").unwrap();
        let row = tcp_row(inode(&server));
        assert_eq!((row.local, row.remote), (own, remote));
        assert_eq!(row.receive_queue, 5);
        server.read_exact(&mut [0; 5]).unwrap();
        std::thread::sleep(Duration::from_millis(60));
        server.write_all(b"123").unwrap();
        client.read_exact(&mut [0; 3]).unwrap();
        let exchange = tcp_row(inode(&server)).exchange.unwrap();
        assert_eq!((exchange.bytes_received, exchange.bytes_acked), (5, 3));
        let between = exchange.last_data_recv - exchange.last_data_sent;
        assert!(between >= Duration::from_millis(40), "{exchange:?}");
        assert_eq!(tcp_row(inode(&client)).uid, nix::unistd::geteuid().as_raw());
        drop(client);
        assert_eq!(tcp_row(inode(&server)).state, TcpState::HungUp);
    }
}

#[test]
fn only_the_ports_that_are_asked_for_are_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (server, _) = listener.accept().unwrap();
    let inodes = |ports| -> Vec<u64> {
        let mut inodes: Vec<_> = tcp(ports).unwrap().iter().map(|it| it.inode).collect();
        inodes.sort_unstable();
        inodes
    };
    let mut at_server = [inode(&listener), inode(&server)];
    at_server.sort_unstable();
    assert_eq!(inodes(Ports::Local(port)), at_server);
    assert_eq!(inodes(Ports::Remote(port)), [inode(&client)]);
}

#[test]
fn the_tables_as_text_tell_the_same_sockets() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a b.sock");
    let unix_listener = UnixListener::bind(&path).unwrap();
    let _waiting = UnixStream::connect(&path).unwrap();
    let mut named: Vec<_> = proc_net::unix()
        .unwrap()
        .into_iter()
        .filter(|row| row.name == path.as_os_str().as_encoded_bytes())
        .map(|row| (row.inode, row.is_listening))
        .collect();
    named.sort_unstable();
    assert_eq!(named, [(0, false), (inode(&unix_listener), true)]);
    for address in ["127.0.0.1:0", "[::1]:0"] {
        let listener = TcpListener::bind(address).unwrap();
        let own = listener.local_addr().unwrap();
        let _client = TcpStream::connect(own).unwrap();
        let ports = Ports::Local(own.port());
        let rows = proc_net::tcp(ports).unwrap();
        let asked = tcp(ports).unwrap();
        let without_times = |mut row: TcpSocket| {
            row.exchange = None;
            // The text has no limit of the backlog.
            row.send_queue = 0;
            row
        };
        let mut asked: Vec<_> = asked.into_iter().map(without_times).collect();
        let mut rows: Vec<_> = rows.into_iter().map(without_times).collect();
        asked.sort_by_key(|row| row.inode);
        rows.sort_by_key(|row| row.inode);
        assert_eq!(rows, asked);
    }
}

#[test]
fn what_the_kernel_refuses_is_said() {
    use netlink_packet_sock_diag::SockDiagMessage;
    use netlink_packet_sock_diag::inet::{ExtensionFlags, InetRequest, SocketId, StateFlags};
    let request = SockDiagMessage::InetRequest(InetRequest {
        family: 2,
        protocol: 0xfe,
        extensions: ExtensionFlags::empty(),
        states: StateFlags::all(),
        socket_id: SocketId::new_v4(),
    });
    let error = dump::dump(request, |_| ()).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("`sock_diag`) is refused") || text.contains("cannot ask"),
        "{text}"
    );
}
