//! What befalls the region's machines, done to the booted ones.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;

use super::machines::Machines;
use crate::region::Event;

/// Follows the events for as long as they come.
pub(super) async fn follow(machines: Arc<Machines>, mut events: UnboundedReceiver<Event>) {
    // With this task its children end too, so that nothing is booted while the world ends.
    let mut children = tokio::task::JoinSet::new();
    while let Some(event) = events.recv().await {
        let machines = machines.clone();
        children.spawn(async move {
            if let Err(error) = apply(&machines, &event).await {
                machines.trouble(format!("{event:?}: {error:#}"));
            }
        });
        while children.try_join_next().is_some() {}
    }
}

async fn apply(machines: &Machines, event: &Event) -> anyhow::Result<()> {
    if let Event::Launch(instance) = event {
        return machines.launch(instance).await;
    }
    // One that never came up, or is off already.
    let Some(machine) = machines.machine(event.instance()).filter(|machine| machine.leader().is_some()) else { return Ok(()) };
    match event {
        Event::Launch(_) => {}
        // EC2 presses the power button, which logind answers so.
        Event::Shutdown(_) => machine.logind("PowerOff").await?,
        Event::Reboot(_) => machine.logind("Reboot").await?,
        Event::PowerOff(_) => machine.cut_power(),
    }
    Ok(())
}
