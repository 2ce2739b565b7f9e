//! The caller of the API.

use super::status::Status;

/// The caller of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum User {
    /// May do everything.
    Admin,
    /// The kubelet of this node: the Node authorizer and NodeRestriction say what it may do.
    Node(String),
}

impl User {
    /// From a bearer token of the lab: `admin`, or `node:` and the node's name.
    #[must_use]
    pub fn of_token(token: &str) -> Option<Self> {
        match token.strip_prefix("node:") {
            Some(node) if !node.is_empty() => Some(Self::Node(node.to_owned())),
            _ => (token == "admin").then_some(Self::Admin),
        }
    }

    /// Itself, or the kubelet whose name it assumes, which the administrator may.
    pub(super) fn assuming(self, assumed: &str) -> Result<Self, Status> {
        match (&self, assumed.strip_prefix("system:node:")) {
            _ if assumed.is_empty() => Ok(self),
            (Self::Admin, Some(node)) => Ok(Self::Node(node.to_owned())),
            _ => Err(Status::new(
                403,
                "Forbidden",
                format!("users {assumed:?} is forbidden: User {self:?} cannot impersonate resource \"users\""),
            )),
        }
    }

    /// The token that stands for it.
    #[must_use]
    pub fn token(&self) -> String {
        match self {
            Self::Admin => "admin".to_owned(),
            Self::Node(node) => format!("node:{node}"),
        }
    }
}
