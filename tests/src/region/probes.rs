//! Application status checks of EC2: HTTP probes tied to instances by tag. The model only describes them; it probes nothing.

use quorate_core::ids::InstanceId;

use super::{Instance, Region, Tag};

/// An application status check.
#[derive(Clone, Debug)]
pub struct ApplicationCheck {
    /// Its id.
    pub id: &'static str,
    /// What it asks for.
    pub path: &'static str,
    /// Where.
    pub port: u16,
    /// It counts for the instance's status (`Aggregation`).
    pub included: bool,
    /// Which instances it is for.
    pub tag: Tag,
}

impl Region {
    /// Makes a check.
    pub fn add_application_check(&mut self, check: ApplicationCheck) {
        self.application_checks.push(check);
    }

    /// Every check.
    #[must_use]
    pub fn application_checks(&self) -> &[ApplicationCheck] {
        &self.application_checks
    }

    /// The checks of an instance, by its tags.
    pub fn application_checks_of(&self, id: &InstanceId) -> impl Iterator<Item = &ApplicationCheck> {
        let tags = self.instance(id).map(|instance| instance.tags.clone());
        self.application_checks.iter().filter(move |check| tags.as_ref().is_some_and(|tags| tags.contains(&check.tag)))
    }

    /// The instance, to be set up by a test as no call of the model can.
    pub fn instance_mut(&mut self, id: &InstanceId) -> Option<&mut Instance> {
        self.by_id.get(id).map(|slot| &mut self.instances[*slot])
    }
}
