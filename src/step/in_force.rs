//! Which services a release runs by. The settings may have changed its kind of service since it
//! went live: what runs is what its record says, what a release is to run is in today's file.

use std::collections::BTreeSet;

use crate::config::Config;
use crate::config::schema::Service;
use crate::site::{History, Record};

/// The services that a release was switched with; today's where its record does not say.
pub fn services_of(record: Option<&Record>, config: &Config) -> Vec<Service> {
    let recorded = record.and_then(|record| record.config.as_ref());
    recorded.unwrap_or(config).service.clone()
}

/// The services that are about to be left: as they were started, for as long as is said today.
pub fn leaving(record: Option<&Record>, config: &Config) -> Vec<Service> {
    let then = services_of(record, config);
    let mut leaving = then.clone();
    for (place, service) in leaving.iter_mut().enumerate() {
        let today = Service::counterpart(&then, place, &config.service);
        if let Some(today) = today.map(|place| &config.service[place]) {
            service.drain = today.drain;
            service.standby = today.standby;
            service.stop_timeout = today.stop_timeout;
            service.sudo = today.sudo;
            service.supervisorctl.clone_from(&today.supervisorctl);
        }
    }
    leaving
}

/// The settings by which the live release runs: today's, with the services of its record where
/// those are others.
pub fn of_live(history: &History, config: &Config) -> Config {
    with_services_of(history.live(), config)
}

/// Today's settings, with the services of a release where its record names others. They keep the
/// places of the record: what is written down of its processes goes by them.
pub fn with_services_of(record: Option<&Record>, config: &Config) -> Config {
    let then = services_of(record, config);
    let service = in_order_of(&then, &config.service).unwrap_or(then);
    Config {
        service,
        ..config.clone()
    }
}

/// Today's services in the order of others; none unless they are the same.
fn in_order_of(then: &[Service], today: &[Service]) -> Option<Vec<Service>> {
    let places = (0..then.len()).map(|place| Service::counterpart(then, place, today));
    let places: Vec<usize> = places.collect::<Option<_>>()?;
    let distinct: BTreeSet<_> = places.iter().collect();
    let is_whole = distinct.len() == places.len() && places.len() == today.len();
    is_whole.then(|| places.iter().map(|place| today[*place].clone()).collect())
}
