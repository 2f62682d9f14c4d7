use super::*;

/// A connection, its two ends and the address of the server.
fn connection() -> (TcpStream, TcpStream, Address, TcpListener) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = TcpStream::connect(address).unwrap();
    let (server, _) = listener.accept().unwrap();
    (client, server, Address::Tcp(address), listener)
}

fn ask(client: &mut TcpStream, server: &mut TcpStream) {
    client.write_all(b"request").unwrap();
    server.read_exact(&mut [0; 7]).unwrap();
}

fn answer(client: &mut TcpStream, server: &mut TcpStream) {
    server.write_all(b"answer").unwrap();
    client.read_exact(&mut [0; 6]).unwrap();
}

fn drained_in_time(address: &Address, pools: &Pools) -> Drained {
    drained_within(1800, address, pools, &mut |_| ())
}

#[test]
fn an_answered_connection_of_a_pool_is_idle_after_a_second() {
    let (mut client, mut server, address, _listener) = connection();
    ask(&mut client, &mut server);
    answer(&mut client, &mut server);
    let drained = drained_in_time(&address, &pooling());
    assert_eq!(drained.ended, Ended::IdleOnly);
    assert!(drained.took >= Duration::from_millis(900));
}

#[test]
fn a_connection_opened_in_advance_is_idle_too() {
    let (_client, _server, address, _listener) = connection();
    assert_eq!(drained_in_time(&address, &pooling()).ended, Ended::IdleOnly);
}

#[test]
fn a_stuck_request_is_waited_for_behind_a_pool_too() {
    let (mut client, mut server, address, _listener) = connection();
    ask(&mut client, &mut server);
    answer(&mut client, &mut server);
    std::thread::sleep(Duration::from_millis(30));
    ask(&mut client, &mut server);
    assert_eq!(drained_in_time(&address, &pooling()).ended, Ended::Late);
}

#[test]
fn a_request_that_the_server_has_not_read_is_waited_for() {
    let (mut client, mut server, address, _listener) = connection();
    ask(&mut client, &mut server);
    answer(&mut client, &mut server);
    client.write_all(b"request").unwrap();
    assert_eq!(drained_in_time(&address, &pooling()).ended, Ended::Late);
}

#[test]
fn an_answer_that_the_client_does_not_take_is_waited_for() {
    let (mut client, mut server, address, _listener) = connection();
    ask(&mut client, &mut server);
    server.set_nonblocking(true).unwrap();
    while server.write(&[0; 65536]).is_ok() {}
    assert_eq!(drained_in_time(&address, &pooling()).ended, Ended::Late);
}

/// A WebSocket after the server's last message.
#[test]
fn a_silent_connection_behind_no_pool_is_waited_for() {
    let (mut client, mut server, address, _listener) = connection();
    ask(&mut client, &mut server);
    answer(&mut client, &mut server);
    for pools in [Pools::No, Pools::Unknown] {
        let drained = drained_in_time(&address, &pools);
        assert_eq!((drained.ended, drained.left[0].count), (Ended::Late, 1));
    }
}

#[test]
fn a_connection_in_the_accept_queue_is_waited_for() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let client = TcpStream::connect(address).unwrap();
    let drained = drained(&Address::Tcp(address), &pooling());
    assert_eq!((drained.ended, drained.waiting), (Ended::Late, 1));
    assert_eq!(drained.left.len(), 0);
    drop(client);
}

#[test]
fn work_for_a_client_that_hung_up_is_waited_for() {
    let (mut client, mut server, address, _listener) = connection();
    ask(&mut client, &mut server);
    drop(client);
    let drained = drained(&address, &pooling());
    assert_eq!(drained.ended, Ended::Late);
    assert_eq!(drained.left[0].front.program, "nobody");
}
