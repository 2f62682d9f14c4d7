//! `[[service]] program = …`: a name that supervisor takes, and a template to make its file from.

use super::Judge;
use crate::config::mistake::quoted;
use crate::config::schema::Service;

impl Judge<'_, '_> {
    /// The keys of a program of supervisor.
    pub(super) fn program(&mut self, place: &str, name: &str, service: &Service) {
        let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        let begins_well = name.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !begins_well || !name.chars().all(allowed) {
            self.value(
                &format!("{place}.program"),
                format!("{} is no name of a program", quoted(name)),
            )
            .hint("letters, digits, `-`, `_` and `.`; each release adds its own name");
        }
        match &service.template {
            Some(template) => self.inside(&format!("{place}.template"), template, "the release"),
            None => {
                let what = "`program` needs a `template` beside it";
                self.key(&format!("{place}.program"), what).hint(
                    "the file in the release that its file is made from, for instance \
                     `template = \"deploy/supervisor.conf\"`",
                );
            }
        }
        if !service.conf_dir.is_absolute() {
            let what = format!("{} is not absolute", quoted(service.conf_dir.as_str()));
            self.value(&format!("{place}.conf_dir"), what)
                .hint("supervisor includes it by its own file, from elsewhere");
        }
        let words = shlex::split(&service.supervisorctl);
        if words.is_none_or(|words| words.is_empty()) {
            let what = format!("{} is no command line", quoted(&service.supervisorctl));
            self.value(&format!("{place}.supervisorctl"), what);
        }
    }
}
