//! Case n: a plain user who may not look into the processes of the service's user.

use crate::Case;
use crate::site::{Site, UNIT};

pub const CASES: &[Case] = &[("case_n::what_may_not_be_read_is_not_guessed", not_guessed)];

fn not_guessed() {
    let site = Site::install();
    site.edit(
        UNIT,
        "User=deploy\nGroup=deploy",
        "User=www-data\nGroup=www-data",
    );
    site.sh("systemctl daemon-reload");
    let header = "release = \"header:X-Release\"\n";
    site.configure(header, "");
    site.release("v1").assert_exit(0);
    let unread = site.release("v2");
    unread
        .assert_exit(0)
        .assert_field("/outcome", "live")
        .assert_field("/running/0/verdict", "unreadable")
        .assert_says("not proved")
        .assert_says("release = ");
    assert_eq!(site.version(), "v2");

    site.configure(
        "contains = \"ok\"\n",
        &format!("contains = \"ok\"\n{header}"),
    );
    let asked = site.release("v3");
    asked
        .assert_exit(0)
        .assert_field("/running/0/verdict", "proved");
    assert!(!asked.says("not proved"), "{asked}");
    assert_eq!(site.version(), "v3");

    // And it is not only believed: a site that does not change is found out.
    site.use_the_guides_unit();
    site.sh("systemctl restart gunicorn");
    site.configure("sudo = true", "sudo = true\nswitch_timeout = \"5s\"");
    let stale = site.release("v4");
    stale.assert_exit(3).assert_field("/outcome", "rolled_back");
    assert_eq!(site.version(), "v3");
}
