//! The README of an example, followed by copy and paste: its blocks of `sh`, one after the other, on
//! a fresh host. A block that ends in anything but 0 fails the test, and is shown.
//!
//! A block is run by the user whom its heading names ("Every release, as `deploy`"), else by root.
//! Each user has one shell for the whole README: its directory and what it exported last from block
//! to block. root begins in the directory of the example, everybody else at home. What is not to be
//! run (another way, what a program prints) stands in a block of another language, `console`.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use crate::host::Host;
use crate::program::Output;

/// Runs the block at `$1` as the next thing typed into the shell whose state is below `$2`.
const SHELL: &str = r#"
cd "$(cat "$2.dir" 2>/dev/null || echo "${3:-$HOME}")"
[ ! -e "$2.env" ] || . "$2.env"
trap 'status=$?; pwd > "$2.dir"; export -p > "$2.env"; exit $status' EXIT
trap 'echo "this ended with $?: $BASH_COMMAND" >&2' ERR
set -eu
. "$1"
"#;

/// Where the blocks and the states of the shells are in a host.
const PLACE: &str = "/run/readme";

/// What a block may take: a virtualenv and a first release.
const LIMIT: Duration = Duration::from_secs(180);

/// A README with something to paste.
pub struct Readme {
    file: String,
    /// Where root begins, in a host.
    dir: String,
    /// The blocks, in their order.
    pub blocks: Vec<Block>,
}

/// A block of a README that is to be pasted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    /// The line of its fence.
    pub line: usize,
    /// The heading above it, without `#`.
    pub heading: String,
    /// Who pastes it.
    pub user: String,
    /// What is pasted.
    pub text: String,
}

impl Readme {
    /// That of a directory of `examples`.
    pub fn of_example(name: &str) -> Self {
        let file = format!("examples/{name}/README.md");
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(&file);
        let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        Readme::parse(file, format!("/opt/examples/{name}"), &text)
    }

    /// A text; `dir` is where root begins.
    pub fn parse(file: impl Into<String>, dir: impl Into<String>, text: &str) -> Self {
        let (file, dir) = (file.into(), dir.into());
        let mut blocks = Vec::new();
        let mut heading = String::new();
        let mut lines = text.lines().zip(1..);
        while let Some((line, number)) = lines.next() {
            if let Some(title) = line.strip_prefix('#') {
                heading = title.trim_start_matches('#').trim().to_owned();
            }
            let start = line.trim_start();
            let Some(language) = start.strip_prefix("```") else {
                continue;
            };
            let indent = line.len() - start.len();
            let inside = lines.by_ref().map(|(line, _)| line);
            let inside = inside.take_while(|line| line.trim_start() != "```");
            let inside = inside.map(|line| line.get(indent..).unwrap_or_default());
            let text: String = inside.map(|line| format!("{line}\n")).collect();
            if language.trim() == "sh" {
                let user = user_of(&heading).to_owned();
                let heading = heading.clone();
                blocks.push(Block {
                    line: number,
                    heading,
                    user,
                    text,
                });
            }
        }
        assert!(!blocks.is_empty(), "`{file}` has no block of `sh`");
        Readme { file, dir, blocks }
    }

    /// Pastes all blocks, one after the other. Returns what each printed.
    pub fn follow(&self, host: &Host) -> Vec<Output> {
        self.blocks
            .iter()
            .map(|block| self.paste(host, block))
            .collect()
    }

    /// Pastes one block, which must end in 0.
    pub fn paste(&self, host: &Host, block: &Block) -> Output {
        host.sh(&format!("mkdir --parents --mode=1777 {PLACE}"));
        let (text, user) = (format!("{PLACE}/block"), &block.user);
        host.write(&text, &block.text);
        let state = format!("{PLACE}/{user}");
        let home = match user.as_str() {
            "root" => self.dir.as_str(),
            _ => "",
        };
        let shell = host.program(["bash", "-c", SHELL, "bash", &text, &state, home]);
        let output = shell.user(user).limit(LIMIT).run();
        assert!(
            output.status.success(),
            "{}",
            Broken {
                file: &self.file,
                block,
                output: &output,
            }
        );
        output
    }
}

/// Whom a heading names: "Every release, as `deploy`".
fn user_of(heading: &str) -> &str {
    let named = heading.rsplit_once("as `").and_then(|(_, rest)| {
        let (name, end) = rest.split_once('`')?;
        end.is_empty().then_some(name)
    });
    named.unwrap_or("root")
}

/// A block that does not do what the README says.
struct Broken<'a> {
    file: &'a str,
    block: &'a Block,
    output: &'a Output,
}

impl fmt::Display for Broken<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Block {
            line,
            heading,
            user,
            text,
        } = self.block;
        let Output {
            status,
            stdout,
            stderr,
            ..
        } = self.output;
        writeln!(f, "{}:{line}: does not work as it stands", self.file)?;
        writeln!(f, "-- \"{heading}\", pasted by {user}:\n{text}")?;
        write!(f, "-- {status}\n-- stdout:\n{stdout}\n-- stderr:\n{stderr}")
    }
}
