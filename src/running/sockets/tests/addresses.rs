use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::process::{Child, Command};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sched::{CloneFlags, unshare};

use super::*;

/// Binds a relative name in a directory, without changing where other threads work.
fn bind_in(directory: &Utf8Path) -> UnixListener {
    let directory = directory.to_owned();
    let bind = move || {
        unshare(CloneFlags::CLONE_FS).unwrap();
        std::env::set_current_dir(directory).unwrap();
        UnixListener::bind("app.sock").unwrap()
    };
    std::thread::spawn(bind).join().unwrap()
}

/// A process that works in a directory and holds a socket.
fn holder(directory: &Utf8Path, socket: &impl std::os::fd::AsFd) -> Child {
    let inherited = socket.as_fd().try_clone_to_owned().unwrap();
    fcntl(&inherited, FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    let child = Command::new("sleep")
        .arg("30")
        .current_dir(directory)
        .spawn();
    assert!(inherited.as_raw_fd() > 2);
    child.unwrap()
}

fn listening_of(mut child: Child) -> Vec<Address> {
    let found = listening(&[child.id()]);
    child.kill().unwrap();
    child.wait().unwrap();
    found
}

#[test]
fn a_relative_bind_is_found_where_the_process_works_and_drained() {
    let (_directory, path) = place();
    let parent = path.parent().unwrap();
    let listener = bind_in(parent);
    let address = Address::Unix(path.clone());
    assert!(listening_of(holder(parent, &listener)).contains(&address));
    let _client = UnixStream::connect(&path).unwrap();
    let traffic = look(std::slice::from_ref(&address)).unwrap();
    assert_eq!((traffic.listeners, traffic.waiting), (1, 1));
    let _accepted = listener.accept().unwrap();
    assert_eq!(drained(&address, &Pools::No).ended, Ended::Late);
}

#[test]
fn a_process_listens_where_it_holds_a_listener_and_nowhere_else() {
    let (_directory, path) = place();
    let unix = UnixListener::bind(&path).unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let tcp_address = tcp.local_addr().unwrap();
    let own = listening(&[std::process::id()]);
    assert!(own.contains(&Address::Unix(path.clone())));
    assert!(own.contains(&Address::Tcp(tcp_address)));
    let found = listening_of(holder("/".into(), &tcp));
    assert!(found.contains(&Address::Tcp(tcp_address)));
    let client = TcpStream::connect(tcp_address).unwrap();
    let of_client = Address::Tcp(client.local_addr().unwrap());
    assert!(!listening(&[std::process::id()]).contains(&of_client));
    drop(unix);
}

#[test]
fn the_path_may_lead_through_a_link_and_the_file_be_renamed() {
    let (directory, path) = place();
    let listener = UnixListener::bind(&path).unwrap();
    let renamed = path.with_file_name("other.sock");
    std::fs::rename(&path, &renamed).unwrap();
    let link = directory.path().join("current");
    std::os::unix::fs::symlink(directory.path(), &link).unwrap();
    let through = Utf8PathBuf::from_path_buf(link.join("other.sock")).unwrap();
    let _client = UnixStream::connect(&through).unwrap();
    let _accepted = listener.accept().unwrap();
    let traffic = look(&[Address::Unix(through)]).unwrap();
    assert_eq!((traffic.listeners, traffic.connections.len()), (1, 1));
}

#[test]
fn a_second_server_at_the_same_path_is_another() {
    let (_directory, path) = place();
    let first = UnixListener::bind(&path).unwrap();
    let _client = UnixStream::connect(&path).unwrap();
    let _accepted = first.accept().unwrap();
    std::fs::remove_file(&path).unwrap();
    let _second = UnixListener::bind(&path).unwrap();
    let traffic = look(&[Address::Unix(path)]).unwrap();
    assert_eq!((traffic.listeners, traffic.connections.len()), (1, 0));
}

#[test]
fn where_the_file_is_gone_the_name_tells() {
    let (_directory, path) = place();
    let listener = UnixListener::bind(&path).unwrap();
    let _client = UnixStream::connect(&path).unwrap();
    let _accepted = listener.accept().unwrap();
    std::fs::remove_file(&path).unwrap();
    let traffic = look(&[Address::Unix(path.clone())]).unwrap();
    assert_eq!((traffic.listeners, traffic.connections.len()), (1, 1));
    drop(listener);
    let traffic = look(&[Address::Unix(path)]).unwrap();
    assert_eq!((traffic.listeners, traffic.connections.len()), (0, 1));
}

#[test]
fn a_port_of_all_addresses_is_one_listener() {
    let listener = TcpListener::bind("[::]:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let _client = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let (_accepted, _) = listener.accept().unwrap();
    for ip in ["127.0.0.1", "0.0.0.0"] {
        let address = Address::Tcp(SocketAddr::new(ip.parse().unwrap(), port));
        let traffic = look(&[address]).unwrap();
        assert_eq!(
            (traffic.listeners, traffic.connections.len()),
            (1, 1),
            "{ip}"
        );
    }
    let elsewhere = Address::Tcp(SocketAddr::new("127.0.0.2".parse().unwrap(), port));
    assert_eq!(look(&[elsewhere]).unwrap().connections.len(), 0);
}
