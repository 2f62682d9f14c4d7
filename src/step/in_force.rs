//! Which services a release runs by. The settings may have changed its kind of service since it
//! went live: what runs is what its record says, what a release is to run is in today's file.

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
    let mut leaving = services_of(record, config);
    for service in &mut leaving {
        let today = config.service.iter().find(|today| today.is_same(service));
        if let Some(today) = today {
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

/// Today's settings, with the services of a release where its record names others.
pub fn with_services_of(record: Option<&Record>, config: &Config) -> Config {
    let services = services_of(record, config);
    if are_same(&services, &config.service) {
        return config.clone();
    }
    Config {
        service: services,
        ..config.clone()
    }
}

fn are_same(some: &[Service], others: &[Service]) -> bool {
    let covers = |all: &[Service], part: &[Service]| {
        part.iter()
            .all(|service| all.iter().any(|other| other.is_same(service)))
    };
    covers(some, others) && covers(others, some)
}
