//! What IMDS and the operating system say of this instance's future in a torn world.

use std::time::Duration;

use quorate_core::observation::{EventCode, EventState, Notices, ScheduledEvent, Shutdown, ShutdownKind, SpotAction, SpotNotice};
use quorate_core::policy::OnRebalance;
use quorate_core::reading::Reading;
use quorate_core::time::Timestamp;

use super::{Plot, aged};
use crate::property::dice::Dice;
use crate::property::world::{NOW, World};

const CODES: &[&str] = &["instance-retirement", "instance-stop", "instance-reboot", "system-maintenance", "of-the-future"];

pub(super) fn notices(w: &mut World, plot: &Plot, dice: &mut Dice<'_>) {
    w.policy.on_rebalance = if dice.one_in(4) { OnRebalance::Leave } else { OnRebalance::Report };
    if !dice.one_in(3) {
        let (spot, rebalance, scheduled) = (Reading::Fresh(None, NOW), Reading::Fresh(None, NOW), Reading::Fresh(Vec::new(), NOW));
        w.seen.notices = Notices { spot, rebalance, scheduled };
        return;
    }
    let spot = dice.one_in(4).then(|| SpotNotice { action: SpotAction::Terminate, at: soon(dice) });
    w.seen.notices.spot = aged(dice, plot, Reading::Fresh(spot, NOW));
    let rebalance = dice.one_in(4).then_some(NOW - Duration::from_secs(30));
    w.seen.notices.rebalance = aged(dice, plot, Reading::Fresh(rebalance, NOW));
    let events = (0..dice.below(3)).map(|_| event(dice)).collect();
    w.seen.notices.scheduled = aged(dice, plot, Reading::Fresh(events, NOW));
    let kind = if dice.flip() { ShutdownKind::Reboot } else { ShutdownKind::PowerOff };
    w.seen.local.shutdown = dice.one_in(4).then(|| Shutdown { kind, deadline: soon(dice) });
}

fn event(dice: &mut Dice<'_>) -> ScheduledEvent {
    let state = *dice.pick(&[EventState::Active, EventState::Active, EventState::Canceled, EventState::Completed]);
    let not_before = if dice.flip() { soon(dice) } else { NOW + Duration::from_secs(86_400) };
    let code = EventCode::parse(dice.pick::<&str>(CODES));
    ScheduledEvent { id: "instance-event-1".into(), code, state, not_before, not_after: None, not_before_deadline: None }
}

/// Long past, just past, in a moment, or in two minutes.
fn soon(dice: &mut Dice<'_>) -> Timestamp {
    let from = NOW - Duration::from_secs(600);
    from + Duration::from_secs(*dice.pick(&[0, 599, 605, 611, 720]))
}
