//! New instances that are never ready: users never meet them.

use super::{fails, released};

#[test]
fn an_instance_that_never_names_itself_is_ended_after_the_time_of_the_original() {
    let Some(place) = released() else { return };
    place.code("v2", "mute");
    fails(&place, 1)
        .says("`web` is not ready within 30 s")
        .says("no pid of a new process");
}

#[test]
fn an_instance_that_dies_or_cannot_be_started_never_meets_users() {
    let Some(place) = released() else { return };
    place.code("v2", "dies");
    fails(&place, 1).says("ended").says("out of luck");
    // It listens, and ends before it answers.
    place.code("v2", "faints");
    fails(&place, 1).says("ended").says("out of luck");
    place.file("deploy.conf", &{
        let text = place.read("deploy.conf").unwrap();
        text.replace("python3 server.py", "./missing.sh")
    });
    fails(&place, 1).says("./missing.sh");
}

#[test]
fn an_instance_that_answers_with_errors_never_meets_users() {
    let Some(place) = released() else { return };
    place.code("v2", "ill");
    fails(&place, 1).says("503 Service Unavailable");
}

#[test]
fn an_instance_that_takes_connections_and_never_answers_does_not_become_live() {
    let Some(place) = released() else { return };
    place.code("v2", "deaf");
    fails(&place, 1)
        .says("not healthy within")
        .says("no answer within 5s");
}

#[test]
fn a_master_whose_workers_die_of_each_request_does_not_become_live() {
    let Some(place) = released() else { return };
    place.code("v2", "fragile");
    fails(&place, 1).says("connection closed without a whole answer");
}
