use super::*;

#[test]
fn nobody_there_is_empty_after_the_settle_time() {
    let (_directory, path) = place();
    let _listener = UnixListener::bind(&path).unwrap();
    let drained = drained(&Address::Unix(path), &Pools::No);
    assert_eq!(drained.ended, Ended::Empty);
    assert!(drained.took >= SETTLE);
    assert_eq!((drained.waiting, drained.left.len()), (0, 0));
}

#[test]
fn a_connection_in_the_accept_queue_is_waited_for() {
    let (_directory, path) = place();
    let listener = UnixListener::bind(&path).unwrap();
    let _client = UnixStream::connect(&path).unwrap();
    let address = Address::Unix(path);
    for pools in [Pools::No, pooling()] {
        let drained = drained(&address, &pools);
        assert_eq!((drained.ended, drained.waiting), (Ended::Late, 1));
    }
    drop(listener.accept().unwrap());
    assert_eq!(drained(&address, &Pools::No).ended, Ended::Empty);
}

#[test]
fn an_accepted_connection_is_waited_for_and_named() {
    let (_directory, path) = place();
    let listener = UnixListener::bind(&path).unwrap();
    let clients = [(); 3].map(|()| UnixStream::connect(&path).unwrap());
    let accepted = [(); 3].map(|()| listener.accept().unwrap());
    let address = Address::Unix(path);
    for pools in [Pools::No, Pools::Unknown] {
        let drained = drained(&address, &pools);
        assert_eq!((drained.ended, drained.waiting), (Ended::Late, 0));
        let text: Vec<_> = drained.left.iter().map(Left::to_string).collect();
        assert_eq!(text, ["3 connections from nginx (www-data)"]);
    }
    drop((clients, accepted));
    assert_eq!(drained(&address, &Pools::No).ended, Ended::Empty);
}

#[test]
fn a_gap_shorter_than_the_settle_time_does_not_count() {
    let (_directory, path) = place();
    let listener = UnixListener::bind(&path).unwrap();
    let mut client = None;
    let (mut looks, mut last_seen) = (0, std::time::Instant::now());
    let on_progress = &mut |_: &Traffic| {
        looks += 1;
        match looks {
            3 => client = UnixStream::connect(&path).ok().zip(listener.accept().ok()),
            6 => {
                client = None;
                last_seen = std::time::Instant::now();
            }
            _ => {}
        }
    };
    let address = Address::Unix(path.clone());
    let drained = drained_within(5000, &address, &Pools::No, on_progress);
    assert_eq!(drained.ended, Ended::Empty);
    assert!(last_seen.elapsed() >= SETTLE);
}

#[test]
fn idle_connections_of_a_pool_end_the_wait_early() {
    let (_directory, path) = place();
    let listener = UnixListener::bind(&path).unwrap();
    let _client = UnixStream::connect(&path).unwrap();
    let _accepted = listener.accept().unwrap();
    let drained = drained_within(5000, &Address::Unix(path), &pooling(), &mut |_| ());
    assert_eq!(drained.ended, Ended::IdleOnly);
    assert!(drained.took >= SETTLE);
    assert_eq!(drained.left[0].front.pools, pooling());
    assert_eq!(
        drained.left[0].to_string(),
        "1 connection from nginx (www-data)"
    );
}

#[test]
fn what_may_be_a_websocket_or_is_about_to_be_closed_is_waited_for() {
    let (_directory, path) = place();
    let listener = UnixListener::bind(&path).unwrap();
    let _client = UnixStream::connect(&path).unwrap();
    let _accepted = listener.accept().unwrap();
    let address = Address::Unix(path);
    let briefly = Pools::Briefly(Duration::from_millis(50));
    for pools in [Pools::WithWebSockets("change it".to_owned()), briefly] {
        assert_eq!(drained(&address, &pools).ended, Ended::Late, "{pools:?}");
    }
}

#[test]
fn what_may_be_a_websocket_is_not_waited_for_where_it_must_not_be() {
    let (_directory, path) = place();
    let listener = UnixListener::bind(&path).unwrap();
    let _client = UnixStream::connect(&path).unwrap();
    let _accepted = listener.accept().unwrap();
    let limits = DrainLimits {
        spares_websockets: false,
        ..limits(5000)
    };
    let pools = Pools::WithWebSockets("change it".to_owned());
    let drained = drained_by(&limits, &Address::Unix(path), &pools, &mut |_| ());
    assert_eq!(drained.ended, Ended::IdleOnly);
}

#[test]
fn idle_connections_do_not_hide_one_that_waits() {
    let (_directory, path) = place();
    let listener = UnixListener::bind(&path).unwrap();
    let _idle = UnixStream::connect(&path).unwrap();
    let _accepted = listener.accept().unwrap();
    let _waiting = UnixStream::connect(&path).unwrap();
    let drained = drained(&Address::Unix(path), &pooling());
    assert_eq!((drained.ended, drained.waiting), (Ended::Late, 1));
}

#[test]
fn a_pool_is_left_between_two_messages_if_there_is_such_a_moment() {
    let (_directory, path) = place();
    let listener = UnixListener::bind(&path).unwrap();
    let mut client = UnixStream::connect(&path).unwrap();
    let (mut accepted, _) = listener.accept().unwrap();
    let address = Address::Unix(path);
    client.write_all(b"request").unwrap();
    let busy = drained_within(5000, &address, &pooling(), &mut |_| ());
    assert_eq!(busy.ended, Ended::IdleOnly);
    assert!(busy.took >= SETTLE * 4);
    accepted.read_exact(&mut [0; 7]).unwrap();
    accepted.write_all(b"answer").unwrap();
    let unread = drained_within(5000, &address, &pooling(), &mut |_| ());
    assert!(unread.took >= SETTLE * 4, "the answer is not read yet");
}

#[test]
fn work_for_a_client_that_hung_up_is_no_idle_connection() {
    let (_directory, path) = place();
    let listener = UnixListener::bind(&path).unwrap();
    drop(UnixStream::connect(&path).unwrap());
    let _accepted = listener.accept().unwrap();
    let drained = drained(&Address::Unix(path), &pooling());
    assert_eq!(drained.ended, Ended::Late);
    assert_eq!(drained.left[0].front.program, "nobody");
}

#[test]
fn an_interrupt_ends_the_wait() {
    let (_directory, path) = place();
    let listener = UnixListener::bind(&path).unwrap();
    let _client = UnixStream::connect(&path).unwrap();
    let fronts = crate::running::front::Fronts::new(&[], &[]);
    let limits = DrainLimits::within(Duration::from_secs(9));
    let address = [Address::Unix(path)];
    let drained = drain(&address, &limits, &fronts, &Patience::over(), &mut |_| ()).unwrap();
    assert_eq!((drained.ended, drained.waiting), (Ended::Interrupted, 1));
    drop(listener);
}
