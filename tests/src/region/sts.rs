//! STS: who a caller is, by the signature of its request alone.

use quorate_core::ids::InstanceId;
use quorate_core::time::Timestamp;
use sha2::{Digest, Sha256};

use super::sigv4::{Signature, SignedRequest, hex};
use super::{Api, ApiError, Call, Region};

/// The keys of the operator, who is a user.
const OPERATOR: &str = "lab";

/// The keys that an instance has by its role. EC2 changes them every few hours; here they stay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceKeys {
    /// The instance's id, by which the wire knows the caller.
    pub access_key: String,
    /// The secret.
    pub secret: String,
    /// The session token.
    pub token: String,
}

impl InstanceKeys {
    /// Those of this instance.
    #[must_use]
    pub fn of(id: &InstanceId) -> Self {
        let derived = |what: &str| hex(&Sha256::digest(format!("{what} of {id}")));
        Self { access_key: id.to_string(), secret: derived("secret"), token: derived("token") }
    }
}

/// A caller, as STS knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIdentity {
    /// The account.
    pub account: String,
    /// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/INSTANCE`, or a user's.
    pub arn: String,
    /// The id of the role and the name of the session.
    pub user_id: String,
}

impl Region {
    fn identity(&self, signature: &Signature, request: &SignedRequest<'_>, now: Timestamp) -> Result<CallerIdentity, ApiError> {
        let unknown = || ApiError::new("InvalidClientTokenId", "The security token included in the request is invalid.");
        let account = self.config.account.to_string();
        let key = signature.access_key();
        let instance = self.instances.iter().find(|instance| instance.id.as_str() == key);
        let (secret, identity) = match instance {
            Some(instance) => {
                let keys = InstanceKeys::of(&instance.id);
                if signature.token() != Some(&keys.token) {
                    return Err(unknown());
                }
                let arn = format!("arn:aws:sts::{account}:assumed-role/{}/{}", self.group_of(instance).iam_role, instance.id);
                (keys.secret, CallerIdentity { arn, user_id: format!("AROALAB:{}", instance.id), account })
            }
            None if key == OPERATOR => {
                let arn = format!("arn:aws:iam::{account}:user/operator");
                (OPERATOR.to_owned(), CallerIdentity { arn, user_id: "AIDALAB".to_owned(), account })
            }
            None => return Err(unknown()),
        };
        signature.check(request, &secret, (self.config.region.as_str(), "sts"), now)?;
        Ok(identity)
    }
}

impl Api<'_> {
    /// Who signed this request.
    ///
    /// # Errors
    ///
    /// The signature does not hold, in the words of AWS.
    pub fn get_caller_identity(&mut self, request: &SignedRequest<'_>) -> Result<CallerIdentity, ApiError> {
        self.count(Call::GetCallerIdentity);
        let signature = Signature::of(request)?;
        self.region.identity(&signature, request, self.region.now)
    }
}
