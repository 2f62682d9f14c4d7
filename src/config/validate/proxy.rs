//! `[proxy]`: what is written, from what, and which nginx reads it.

use super::Judge;
use crate::config::mistake::quoted;
use crate::config::schema::{Config, Proxy};

impl Judge<'_, '_> {
    /// The `[proxy]` table.
    pub(super) fn proxy(&mut self, config: &Config) {
        let Some(proxy) = &config.proxy else { return };
        self.exactly_one_of("proxy", "proxy", &["pid_file", "unit"]);
        self.needed(
            "template",
            proxy.template.is_none(),
            "the file in the release that the settings of nginx are made from, for instance \
             `template = \"deploy/nginx.conf\"`",
        );
        self.needed(
            "output",
            proxy.output.is_none(),
            "the file that nginx reads, for instance `output = \"nginx.conf\"`",
        );
        self.files(proxy);
        if let Some(unit) = &proxy.unit {
            self.unit("proxy.unit", unit);
            if unit.contains('@') {
                self.value("proxy.unit", format!("{} is a template", quoted(unit)))
                    .hint("one nginx serves all releases");
            }
        }
    }

    fn needed(&mut self, key: &str, is_missing: bool, hint: &str) {
        if is_missing && self.tree.is_whole("proxy") {
            let what = format!("`[proxy]` needs `{key}`");
            self.value("proxy", what).hint(hint);
        }
    }

    fn files(&mut self, proxy: &Proxy) {
        if let Some(template) = proxy.template.as_deref().filter(|it| !it.is_absolute()) {
            self.inside("proxy.template", template, "the release");
        }
        self.plain("proxy.output", proxy.output.as_deref());
        self.plain("proxy.pid_file", proxy.pid_file.as_deref());
        if proxy.output.is_some() && proxy.output == proxy.template {
            self.value("proxy.output", "`output` would overwrite `template`");
        }
    }
}
