use super::*;

#[test]
fn a_name_with_parentheses_and_blanks_does_not_shift_the_numbers() {
    let text = "42 (a) b (c)) S 7 41 42 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 1 0 98765 1000 200 \
                18446744073709551615 94000 95000 140737 0 0 0 0 0";
    let stat = parse_stat(text).unwrap();
    assert_eq!((stat.pid, stat.parent, stat.group), (42, 7, 41));
    assert_eq!(stat.session, 42);
    assert_eq!((stat.started, stat.image), (Ticks(98765), 140_737));
    assert!(!stat.is_zombie && !stat.is_kernel_thread);
    assert_eq!(parse_stat("garbage"), None);
}

#[test]
fn mapped_files_are_unique_and_lose_the_mark_of_deleted_ones() {
    let maps = b"7f00-7f10 r--p 00000000 08:01 12      /srv/a/releases/1/x y.so (deleted)\n\
        7f10-7f20 r-xp 00001000 08:01 12      /srv/a/releases/1/x y.so (deleted)\n\
        7f20-7f30 rw-p 00000000 00:00 0 \n\
        7f30-7f40 rw-p 00000000 00:00 0       [heap]\n\
        7f40-7f50 r-xp 00000000 08:01 13      /usr/lib/libc.so.6\n";
    assert_eq!(
        files_of_maps(maps),
        ["/srv/a/releases/1/x y.so", "/usr/lib/libc.so.6"]
    );
}

#[test]
fn a_process_is_seen_while_it_lives_and_gone_afterwards() {
    let directory = tempfile::tempdir().unwrap();
    let mut child = std::process::Command::new("sleep")
        .arg("5")
        .current_dir(directory.path())
        .env("ZDD_TEST_COLOUR", "green")
        .spawn()
        .unwrap();
    let pid = child.id();
    // In the middle of its exec a process has no stack yet, then no words.
    let is_there =
        |seen: &Stat| seen.image != 0 && argv(pid).seen().is_some_and(|it| !it.is_empty());
    let seen = (0..10_000).find_map(|_| stat(pid).seen().filter(is_there));
    let seen = seen.unwrap();
    assert_eq!(seen.parent, std::process::id());
    assert_eq!(command(pid).as_deref(), Some("sleep 5"));
    let own = directory.path().canonicalize().unwrap();
    assert_eq!(cwd(pid).seen().unwrap().as_std_path(), own);
    assert_eq!(
        variable(pid, "ZDD_TEST_COLOUR").seen(),
        Some(Some("green".to_owned()))
    );
    assert!(tree(std::process::id()).contains(&pid));
    fs::remove_dir(&own).unwrap();
    assert_eq!(cwd(pid).seen().unwrap().as_std_path(), own, "mark stripped");
    assert!(is_alive(pid, seen.started) && !is_alive(pid, Ticks(seen.started.0 + 1)));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!is_alive(pid, seen.started));
    assert_eq!(cwd(pid), Look::Gone);
    assert_eq!(stat(pid), Look::Gone);
}

#[test]
fn an_exec_draws_a_new_image_and_a_fork_keeps_it() {
    let mut shell = std::process::Command::new("bash")
        .args(["-c", "(read x; true) <&0 & wait; exec sleep 9"])
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let pid = shell.id();
    let wait_for = |condition: &dyn Fn() -> bool| {
        let met = (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            condition()
        });
        assert!(met, "not within 2.5 s");
    };
    wait_for(&|| exe(pid).seen().unwrap().as_str().contains("bash") && tree(pid).len() == 2);
    let outer = stat(pid).seen().unwrap();
    let fork = stat(tree(pid)[1]).seen().unwrap();
    assert_eq!(fork.image, outer.image);
    drop(shell.stdin.take());
    wait_for(&|| exe(pid).seen().unwrap().as_str().contains("sleep"));
    let after = stat(pid).seen().unwrap();
    assert_eq!(after.started, outer.started);
    assert_ne!(after.image, outer.image);
    shell.kill().unwrap();
    shell.wait().unwrap();
}

#[test]
fn a_signal_that_is_caught_is_told_from_one_that_is_not() {
    let mut shell = std::process::Command::new("sh")
        .args(["-c", "trap : TERM; echo ready; read line"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut ready = [0; 6];
    std::io::Read::read_exact(shell.stdout.as_mut().unwrap(), &mut ready).unwrap();
    let seen = (takes_signal(shell.id(), 15), takes_signal(shell.id(), 10));
    shell.kill().unwrap();
    shell.wait().unwrap();
    assert_eq!(seen, (Some(true), Some(false)));
    assert_eq!(takes_signal(shell.id(), 15), None);
}

#[test]
fn a_signal_is_awaited_by_who_sleeps_and_neither_blocks_it_nor_has_it_to_take() {
    let script = "import signal, sys\n\
                  print('ready', flush=True); sys.stdin.readline()\n\
                  signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])\n\
                  print('ready', flush=True); sys.stdin.readline()";
    let mut python = std::process::Command::new("python3")
        .args(["-c", script])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let (mut input, mut output) = (python.stdin.take().unwrap(), python.stdout.take().unwrap());
    let mut is_ready = || std::io::Read::read_exact(&mut output, &mut [0; 6]).unwrap();
    let awaits = |signal, expected| {
        let is_so = (0..500).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(5));
            awaits_signal(python.id(), signal) == Some(expected)
        });
        assert!(is_so, "{signal} {expected}");
    };
    is_ready();
    awaits(1, true);
    std::io::Write::write_all(&mut input, b"\n").unwrap();
    is_ready();
    awaits(1, false);
    awaits(15, true);
    let pid = Pid::from_raw(python.id().cast_signed());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).unwrap();
    awaits(15, false);
    python.kill().unwrap();
    python.wait().unwrap();
    assert_eq!(awaits_signal(python.id(), 1), None);
}
