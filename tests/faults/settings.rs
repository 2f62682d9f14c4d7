//! The sites that are disturbed.

use crate::sandbox::load;

/// The template for nginx, from the project's root on.
const TEMPLATE: &str = "/tests/faults/nginx.conf.template";

/// The hooks at every point, a shared directory, and one of assets.
const GROUND: &str = r#"
keep = 2
[shared]
dirs = ["log"]
bridge = ["static"]
[hooks]
build = "cp version built; mkdir static; cp version static/$(cat version).txt"
check = "true"
migrate = "true"
warm = "true"
verify = "true"
finish = "true"
revert = "true"
failed = "true"
"#;

/// A service that is told by a command.
pub fn told() -> String {
    format!("{GROUND}\n[[service]]\nreload = \"true\"\n[[health]]\ncommand = \"true\"\n")
}

/// A service with a process of its own for each release.
pub fn started() -> String {
    let program = std::env::current_exe().unwrap();
    let service = format!("[[service]]\nstart = \"{} serve\"", program.display());
    format!("{GROUND}\n{service}\nhealth = \"/health\"\nstop_timeout = \"2s\"\n")
}

/// The same as [`started`], behind an nginx that is led from release to release.
pub fn led() -> String {
    let (port, template) = (
        load::free_port(),
        env!("CARGO_MANIFEST_DIR").to_owned() + TEMPLATE,
    );
    let proxy = "[proxy]\ntemplate = \"front\"\noutput = \"nginx.conf\"\npid_file = \"nginx.pid\"";
    let settings = format!("{}name = \"web\"\n\n{proxy}\n", started());
    let build = format!("build = \"sed s/PORT/{port}/ {template} > front; ");
    settings.replace("build = \"", &build)
}

/// The port of the nginx of such a site.
pub fn port_of(settings: &str) -> Option<u16> {
    let (_, rest) = settings.split_once("sed s/PORT/")?;
    rest.split_once('/')?.0.parse().ok()
}

/// Many releases are kept, so that `prune --keep 1` has work.
pub fn hoarding() -> String {
    told().replace("keep = 2", "keep = 9")
}

/// The same as [`started`], with another line for one hook.
pub fn started_with_hook(point: &str, line: &str) -> String {
    with_hook(&started(), point, line)
}

/// The same as [`told`], with another line for one hook.
pub fn told_with_hook(point: &str, line: &str) -> String {
    with_hook(&told(), point, line)
}

/// Settings with another line for one hook.
pub fn with_hook(settings: &str, point: &str, line: &str) -> String {
    let own = |text: &str| match text.starts_with(&format!("{point} = ")) {
        true => format!("{point} = '{line}'"),
        false => text.to_owned(),
    };
    settings.lines().map(own).collect::<Vec<_>>().join("\n")
}
