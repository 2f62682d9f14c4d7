//! Whether nginx lets WebSockets through to an instance: where it passes requests on, it must pass
//! the header `Upgrade` on, too.

use super::is_one_of;
use crate::running::front::settings::Directive;

/// Whether what is passed on to one of these targets may be a WebSocket.
pub fn may_pass(directives: &[Directive], targets: &[String]) -> bool {
    passes(directives, false, targets)
}

/// Headers are inherited by a block that sets none of its own.
fn passes(block: &[Directive], inherited: bool, targets: &[String]) -> bool {
    let mut headers = block
        .iter()
        .filter(|it| it.name() == "proxy_set_header")
        .peekable();
    let upgrades = match headers.peek() {
        Some(_) => headers.any(|it| {
            let header = it.arguments().first();
            header.is_some_and(|header| header.eq_ignore_ascii_case("upgrade"))
        }),
        None => inherited,
    };
    block.iter().any(|it| {
        let target = it.arguments().first();
        let is_passed =
            it.name() == "proxy_pass" && target.is_some_and(|target| is_one_of(target, targets));
        (is_passed && upgrades) || passes(&it.block, upgrades, targets)
    })
}
