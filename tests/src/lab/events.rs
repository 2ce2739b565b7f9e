//! Carries out what happens to the region's machines on those of a host: processes on a loopback address, or booted systems.

use std::future::Future;
use std::sync::Arc;

use quorate_core::ids::InstanceId;
use tokio::sync::mpsc::UnboundedReceiver;

use crate::region::Event;

/// What a host does to its machines when the region says so. Each may take any time; the machines do not wait for each other.
pub(crate) trait Machinery: Send + Sync + 'static {
    /// Powers a machine on, for the first time or again.
    fn launch(&self, instance: &InstanceId) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Presses its power button: it shuts down, and the region learns when it is off.
    fn shut_down(&self, instance: &InstanceId) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Cuts its power.
    fn power_off(&self, instance: &InstanceId) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Restarts its operating system.
    fn reboot(&self, instance: &InstanceId) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Suspends a machine with everything in its memory, and reports to the region when that is done.
    fn hibernate(&self, instance: &InstanceId) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Resumes it.
    fn wake(&self, instance: &InstanceId) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Starts the machine again on an empty disk.
    fn replace_root_volume(&self, instance: &InstanceId) -> impl Future<Output = anyhow::Result<()>> + Send;

    /// Notes what the host itself failed to do, which fails the running test.
    fn trouble(&self, what: String);
}

/// Follows the events for as long as they come.
pub(crate) async fn follow(host: Arc<impl Machinery>, mut events: UnboundedReceiver<Event>) {
    // Its children end with this task, so nothing is started while the host clears up.
    let mut children = tokio::task::JoinSet::new();
    while let Some(event) = events.recv().await {
        let host = host.clone();
        children.spawn(async move {
            if let Err(error) = apply(&*host, &event).await {
                host.trouble(format!("{event:?}: {error:#}"));
            }
        });
        while children.try_join_next().is_some() {}
    }
}

async fn apply(host: &impl Machinery, event: &Event) -> anyhow::Result<()> {
    match event {
        Event::Launch(instance) => host.launch(instance).await,
        Event::Shutdown(instance) => host.shut_down(instance).await,
        Event::PowerOff(instance) => host.power_off(instance).await,
        Event::Reboot(instance) => host.reboot(instance).await,
        Event::Hibernate(instance) => host.hibernate(instance).await,
        Event::Wake(instance) => host.wake(instance).await,
        Event::ReplaceRootVolume(instance) => host.replace_root_volume(instance).await,
    }
}
