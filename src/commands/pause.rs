//! What a restart cost the users: requests that waited, or that failed.

use std::time::Duration;

use crate::config::schema::Role;
use crate::health::Sample;
use crate::report::time::duration;
use crate::step::tell::{self, How, Told};
use crate::step::{Stage, name_of};

/// One line about it, when a web service was restarted and the probe saw it.
pub fn note(stage: &Stage<'_>) -> Option<String> {
    let mut web = stage.mission.services_of(Role::Web);
    let was_restarted = |place: usize| {
        let told: Option<Told> = stage.known(&tell::key(place));
        told.is_some_and(|told| told.how == How::Restart)
    };
    let (_, service) = web.find(|(place, _)| was_restarted(*place))?;
    let (name, measured) = (name_of(service), stage.measured.as_ref()?);
    let after = |sample: &&Sample| sample.at_ms + time(sample) > 0;
    let after: Vec<&Sample> = measured.samples.iter().filter(after).collect();
    let failed = after.iter().filter(|sample| !sample.ok).count();
    if failed == 0 {
        let longest = after.iter().map(|sample| sample.took_ms).max()?;
        let longest = duration(Duration::from_millis(longest));
        return Some(format!(
            "the restart of {name} lost no request of the probe; the longest waited {longest}"
        ));
    }
    let away = stage.away.map(duration).unwrap_or_default();
    let all = after.len();
    Some(format!(
        "the restart of {name} lost {failed} of {all} requests of the probe: the site was away for \
         {away}; with a `.socket` unit they would wait, with a template unit there is no restart"
    ))
}

fn time(sample: &Sample) -> i64 {
    i64::try_from(sample.took_ms).unwrap_or(i64::MAX)
}
