//! What befalls the region's machines, done to the lab's.

use std::sync::Arc;

use tokio::sync::mpsc::UnboundedReceiver;

use super::machines::Machines;
use crate::region::Event;

/// Follows the events for as long as they come. A machine takes its own in their order; the machines do not wait for each other.
pub(super) async fn follow(machines: Arc<Machines>, mut events: UnboundedReceiver<Event>) {
    // With this task its children end too, so that nothing is started while the lab clears up.
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
    match event {
        Event::Launch(instance) => machines.launch(instance).await,
        Event::Shutdown(instance) => machines.shut_down(instance).await,
        Event::PowerOff(instance) => machines.power_off(instance).await,
        Event::Reboot(instance) => machines.reboot(instance).await,
    }
}
