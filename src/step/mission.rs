//! What a command is to do, as data fixed before any effect. It is the main part of the plan, the
//! journal's first line: recovery reads it from there and never from today's `zdd.toml`.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::config::Config;
use crate::config::schema::{Kind, Role, Service};
use crate::health::Outcome;
use crate::hook::{Point, Verb};
use crate::running::Observation;
use crate::service::UnitState;
use crate::site::{Migration, ReleaseId};
use crate::source::Source;
use crate::source::revision::Revision;

/// One switch from one release to another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mission {
    /// Which command it is.
    pub verb: Verb,
    /// The release that is to become live.
    pub release: ReleaseId,
    /// Its place in the order of releases.
    pub seq: i64,
    /// The release that is live before; none when this is the first.
    pub from: Option<ReleaseId>,
    /// The effective settings, with absolute paths and without passwords.
    pub config: Config,
    /// Who runs the command.
    pub performer: String,
    /// When it began.
    #[serde(with = "time::serde::rfc3339")]
    pub started_at: OffsetDateTime,
    /// Where the files come from; none when they are there.
    pub source: Option<Source>,
    /// The commit they were made from.
    pub revision: Option<Revision>,
    /// Hooks to leave out.
    pub skipped_hooks: Vec<Point>,
    /// What the releases that are left by a rollback did to the data, oldest first.
    #[serde(default)]
    pub migrations: Vec<Migration>,
    /// The services of the release that was live before, as it was started with them: what is no
    /// longer named, and every copy of its own, is ended once it is left.
    #[serde(default)]
    pub leaving: Vec<Service>,
    /// What every service ran before anything began, in the order of `[[service]]`.
    pub services_before: Vec<ServiceBefore>,
    /// How every health check ended before anything began, in the order of `[[health]]`.
    pub health_before: Vec<Outcome>,
}

/// A service as it was before anything began. Undo aims at this.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ServiceBefore {
    /// How messages name it.
    pub name: String,
    /// The unit, when it is one.
    pub unit: Option<UnitState>,
    /// Which release its processes used.
    pub observation: Option<Observation>,
}

impl Mission {
    /// The places of the services with this role, in file order.
    pub fn services_of(&self, role: Role) -> impl Iterator<Item = (usize, &Service)> {
        self.config
            .service
            .iter()
            .enumerate()
            .filter(move |(_, service)| service.role == role)
    }

    /// Whether a unit is to be running before the flip, though all releases share it: another kind
    /// of service answers until then.
    pub fn takes_over(&self, place: usize, service: &Service) -> bool {
        let before = self.services_before.get(place);
        let was_active = before
            .and_then(|before| before.unit.as_ref())
            .is_some_and(UnitState::is_active);
        service.kind() == Kind::Unit
            && !was_active
            && !self.is_first()
            && !self.leaving.iter().any(|left| left.is_same(service))
    }

    /// Whether a hook is to be left out.
    pub fn skips(&self, point: Point) -> bool {
        self.skipped_hooks.contains(&point)
    }

    /// What is to be said of the data before a rollback.
    pub fn migrated_since(&self) -> Option<String> {
        let list = self.migrations.iter().map(|it| format!("\n    | {it}"));
        let head = format!(
            "the database keeps what was migrated since release {}, unless a hook `revert` takes it back:",
            self.release
        );
        (!self.migrations.is_empty()).then(|| head + &list.collect::<String>())
    }

    /// Whether no release was live before.
    pub fn is_first(&self) -> bool {
        self.from.is_none()
    }

    /// Whether what was live before was well: every health check good, every service running.
    pub fn was_healthy(&self) -> bool {
        let services = self.services_before.iter().zip(&self.config.service);
        let was_there = |service: &Service| self.leaving.iter().any(|left| left.is_same(service));
        let mut runs = services.map(|(before, service)| match &before.unit {
            _ if !was_there(service) => true,
            Some(unit) => unit.is_active(),
            None => service.kind() == Kind::Command || before.observation.is_some(),
        });
        self.health_before.iter().all(|check| check.ok) && runs.all(|is_running| is_running)
    }
}
