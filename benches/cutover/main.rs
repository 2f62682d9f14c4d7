//! What a cutover costs users: `cargo bench --bench cutover` (as root). Throw-away systemd hosts
//! run real servers behind real proxies under the load of several clients, while zdd releases good
//! code, broken code and goes back; then the same load meets other ways to deploy. Figures go to
//! stdout as Markdown, the rest to stderr; ends in 1 when zdd lost a request.
#![allow(
    missing_docs,
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::unwrap_used
)]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser;

mod clients;
mod figures;
#[allow(dead_code)]
#[path = "../../tests/host/host.rs"]
mod host;
#[allow(dead_code)]
#[path = "../../tests/host/load.rs"]
mod load;
#[path = "../../tests/host/machine.rs"]
mod machine;
mod matrix;
mod options;
#[allow(dead_code)]
#[path = "../../tests/host/outcome.rs"]
mod outcome;
#[allow(dead_code)]
#[path = "../../tests/host/program.rs"]
mod program;
mod proxy;
mod server;
mod site;
mod table;
mod trial;
mod ways;
mod wrk;

use options::Options;
use proxy::Proxy;
use server::Server;
use table::Row;

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(obstacle) = machine::obstacle() {
        eprintln!("\n!!! SKIPPED: the bench `cutover` cannot run here: {obstacle}\n");
        return ExitCode::SUCCESS;
    }
    let servers = Server::ALL.iter().map(|server| server.name);
    let proxies = Proxy::ALL.iter().map(|proxy| proxy.name);
    let names: Vec<&str> = servers.chain(proxies).chain(ways::NAMES).collect();
    if let Some(word) = options.unknown(&names).next() {
        eprintln!("`{word}` is none of {}", names.join(", "));
        return ExitCode::from(2);
    }
    introduce(&options);
    let mut all = Vec::new();
    if !options.ways {
        let rows = run_matrix(&options);
        println!(
            "\n## Servers behind proxies\n\n{}\n",
            matrix::introduction(&options)
        );
        println!("{}", table::render(&matrix::COLUMNS, &rows));
        all.extend(rows);
    }
    if !options.matrix {
        let rows = ways::run(&options, |line| eprintln!("{line}"));
        println!("\n## Ways to deploy\n\n{}\n", ways::introduction(&options));
        println!("{}", table::render(&ways::COLUMNS, &rows));
        all.extend(rows);
    }
    explain(&all);
    match all.iter().all(|row| row.is_clean) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Tells a reader of the tables where they come from.
fn introduce(options: &Options) {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "# What a cutover costs users\n\n\
         Written by `cargo bench --bench cutover` ({} releases, {} broken ones, {} rollbacks) on\n\
         {cores} cores that also made the load. The counts are what matters; times mean nothing on\n\
         another machine.",
        options.releases, options.broken, options.rollbacks
    );
}

/// Runs pair after pair; one that cannot be run does not take the others along.
fn run_matrix(options: &Options) -> Vec<Row> {
    let pairs = options.pairs();
    let count = pairs.len();
    let run = |(number, (server, proxy)): (usize, (&'static Server, &'static Proxy))| {
        eprintln!(
            "{} of {count}: {} behind {}",
            number + 1,
            server.name,
            proxy.name
        );
        let run = AssertUnwindSafe(|| matrix::run(server, proxy, options));
        let row = catch_unwind(run).unwrap_or_else(|_| Row {
            cells: vec![server.name.to_owned(), proxy.name.to_owned()],
            is_clean: false,
            complaints: vec!["could not be run: see above".to_owned()],
        });
        eprintln!("  {}", row.cells.join(", "));
        row
    };
    pairs.into_iter().enumerate().map(run).collect()
}

/// What there is to say about rows, for who reads along.
fn explain(rows: &[Row]) {
    for row in rows.iter().filter(|row| !row.complaints.is_empty()) {
        eprintln!("\n{}:", row.cells[..2].join(", "));
        for complaint in &row.complaints {
            eprintln!("  {}", complaint.replace('\n', "\n  "));
        }
    }
}
