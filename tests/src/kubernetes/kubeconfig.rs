//! A kubeconfig for the lab's API server.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::identity::User;

/// The same for a server with TLS, with the certificate authority (PEM) that vouches for it.
#[must_use]
pub fn kubeconfig_trusting(server: &str, user: &User, authority: &str) -> String {
    let line = format!("    server: {server}\n");
    let trusting = format!("{line}    certificate-authority-data: {}\n", STANDARD.encode(authority));
    kubeconfig(server, user).replacen(&line, &trusting, 1)
}

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
