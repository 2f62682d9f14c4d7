//! Case g: the site was already unhealthy before the release that cures it.

use crate::Case;
use crate::site::Site;

pub const CASES: &[Case] = &[(
    "case_g::a_site_that_was_red_before_is_said_to_be_so",
    red_before,
)];

fn red_before() {
    let site = Site::install();
    site.append_code(
        "v1",
        "def sick():\n    return ('ok', 500 if Path('/srv/sick').exists() else 200)\n\n\n\
         app.view_functions['health'] = sick",
    );
    site.release("v1").assert_exit(0);
    site.write("/srv/sick", "");
    let (said, outcome) = site.release_heard_before_build("v2");
    outcome.assert_exit(0).assert_field("/outcome", "live");
    assert!(said.contains("500"), "it says before the build:\n{said}");
    assert_eq!(site.version(), "v2");
}
