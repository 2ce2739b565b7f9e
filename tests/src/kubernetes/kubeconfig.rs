//! A kubeconfig for the lab's API server.

use super::identity::User;

/// The text of a kubeconfig with this server and this user's bearer token.
#[must_use]
pub fn kubeconfig(server: &str, user: &User) -> String {
    format!(
        "apiVersion: v1
kind: Config
clusters:
- name: lab
  cluster:
    server: {server}
users:
- name: lab
  user:
    token: {token}
contexts:
- name: lab
  context:
    cluster: lab
    user: lab
current-context: lab
",
        token = user.token()
    )
}
