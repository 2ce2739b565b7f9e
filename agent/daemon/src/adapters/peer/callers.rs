//! Who asks: a new server names itself when it asks the others, who may not know it yet.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use quorate_core::ids::InstanceId;

/// The header in which a server's agent gives its instance id. It proves nothing: it only lets AWS be asked earlier.
pub(super) const HEADER: &str = "quorate-instance";

/// So many names are kept between two looks; anybody can send more.
const LIMIT: usize = 64;

/// EC2's ids are `i-` and 17 hexadecimal digits, of old 8: <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/resource-ids.html>.
const LONGEST: usize = 2 + 17;

/// The names given since they were last taken. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Callers(Arc<Mutex<BTreeSet<InstanceId>>>);

impl Callers {
    /// The names given since the last call, which are forgotten.
    #[must_use]
    pub fn take(&self) -> BTreeSet<InstanceId> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes a name that may be an instance's.
    pub(super) fn note(&self, name: &str) {
        let digits = name.strip_prefix("i-").filter(|digits| !digits.is_empty() && name.len() <= LONGEST);
        if !digits.is_some_and(|digits| digits.bytes().all(|digit| digit.is_ascii_alphanumeric())) {
            return;
        }
        let mut names = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if names.len() < LIMIT {
            names.insert(InstanceId::new(name));
        }
    }
}
