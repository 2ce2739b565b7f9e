//! Why etcd, or the distribution, ended of itself, in its own words. The agent says it too; but it may not be there, or may only just have started.

use crate::adapters::service_manager;
use crate::config::Settings;
use crate::systemd::Bus;

use super::finding::Finding;
use super::node::Node;

/// Says why the last process ended, if none runs and it did not end because it was stopped.
pub(super) async fn check(node: &Node, settings: &Settings, bus: Option<&Bus>) -> Option<Finding> {
    let program = node.program();
    let (words, log) = match (node.unit(&settings.service), bus) {
        (Some(unit), Some(bus)) => (service_manager::end_of_unit(bus, unit).await?, format!("`journalctl -u {unit}`")),
        (Some(_), None) => return None,
        (None, _) => {
            let log = service_manager::log_file(&settings.paths.state_dir, program);
            let is_down = node.distribution.is_none() && is_etcd_down(settings);
            (is_down.then(|| service_manager::end_in(&log)).flatten()?, log.display().to_string())
        }
    };
    Some(Finding::problem(format!("why {program} ended"), words, format!("{log} tells more")))
}

fn is_etcd_down(settings: &Settings) -> bool {
    matches!(service_manager::started(&settings.paths.data_dir, &settings.etcd.binary), Ok(None))
}
