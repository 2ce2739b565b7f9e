//! `quorate kubeconfig`: the administrator's kubeconfig of this server, for use elsewhere, with the stable endpoint and the cluster's name.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use http::Uri;
use kube::config::{Kubeconfig, KubeconfigError as Unusable, NamedAuthInfo, NamedCluster, NamedContext};

/// The port of every API server.
const PORT: u16 = 6443;

/// Why there is no kubeconfig.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KubeconfigError {
    /// It exists only on servers.
    #[error("{} does not exist: run this on a server of the control plane, once it has started; kubernetes.config_dir says where to look", path.display())]
    Absent {
        /// The administrator's kubeconfig.
        path: PathBuf,
    },
    /// Only root can read it.
    #[error("{} cannot be read: run this as root", path.display())]
    Unreadable {
        /// The administrator's kubeconfig.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// It is not a kubeconfig.
    #[error("{} is not a kubeconfig", path.display())]
    Unusable {
        /// The administrator's kubeconfig.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<Unusable>,
    },
    /// It names something that is not in it.
    #[error("{} has no {what}: is it the one that the distribution wrote?", path.display())]
    Incomplete {
        /// The administrator's kubeconfig.
        path: PathBuf,
        /// What is missing.
        what: &'static str,
    },
    /// The server's URL is not valid.
    #[error("{url:?} is not the URL of an API server: give one such as https://api.prod.example:6443")]
    Server {
        /// What was given.
        url: String,
    },
    /// The text cannot be made.
    #[error("the kubeconfig cannot be written as YAML")]
    Yaml(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The most stable known URL of the API server: the given one, the configured endpoint, or the alias. `None`: only this node's own.
///
/// # Errors
/// The given or configured URL is not valid.
pub fn stable_server(told: Option<&str>, endpoint: Option<&str>, alias: Option<&str>) -> Result<Option<String>, KubeconfigError> {
    let by_alias = || alias.map(|alias| format!("https://{alias}:{PORT}"));
    told.or(endpoint).map(str::to_owned).or_else(by_alias).map(|url| checked(&url)).transpose()
}

/// The URL of the API server on this node.
#[must_use]
pub fn own_server(address: IpAddr) -> String {
    format!("https://{}", SocketAddr::new(address, PORT))
}

/// The URL, if it has only scheme, host and port: anything more would be a load balancer's own path.
fn checked(url: &str) -> Result<String, KubeconfigError> {
    let parsed: Option<Uri> = url.parse().ok();
    let good = |uri: &Uri| uri.scheme_str() == Some("https") && uri.path() == "/" && uri.query().is_none() && uri.host().is_some();
    match parsed.filter(good) {
        Some(_) => Ok(url.trim_end_matches('/').to_owned()),
        None => Err(KubeconfigError::Server { url: url.to_owned() }),
    }
}

/// Reads the administrator's kubeconfig at `path` and returns the text of one with this `server`, and with `name` for cluster, user and context. Certificates
/// and key are unchanged: the text is a secret.
///
/// # Errors
/// It does not exist, or is not readable or not complete.
pub fn of_admin(path: &Path, name: &str, server: &str) -> Result<String, KubeconfigError> {
    let text = std::fs::read_to_string(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => KubeconfigError::Absent { path: path.to_owned() },
        _ => KubeconfigError::Unreadable { path: path.to_owned(), source },
    })?;
    let unusable = |source| KubeconfigError::Unusable { path: path.to_owned(), source: Box::new(source) };
    let admin = Kubeconfig::from_yaml(&text).map_err(unusable)?;
    let named = renamed(admin, name, server).map_err(|what| KubeconfigError::Incomplete { path: path.to_owned(), what })?;
    // One line per certificate, as kubectl writes it, and no block scalars.
    let options = serde_saphyr::ser_options! { prefer_block_scalars: false };
    serde_saphyr::to_string_with_options(&named, options).map_err(|error| KubeconfigError::Yaml(Box::new(error)))
}

/// Only the current context's cluster and user; a missing part is an error.
fn renamed(admin: Kubeconfig, name: &str, server: &str) -> Result<Kubeconfig, &'static str> {
    let current = admin.current_context.as_deref();
    let context = admin.contexts.iter().find(|context| Some(&*context.name) == current).and_then(|context| context.context.clone());
    let mut context = context.ok_or("current context")?;
    let cluster = admin.clusters.into_iter().find(|cluster| cluster.name == context.cluster).and_then(|cluster| cluster.cluster);
    let mut cluster = cluster.ok_or("cluster in its current context")?;
    let user = admin.auth_infos.into_iter().find(|user| Some(&user.name) == context.user.as_ref()).and_then(|user| user.auth_info);
    let user = user.ok_or("user in its current context")?;
    cluster.server = Some(server.to_owned());
    context.cluster = name.to_owned();
    context.user = Some(name.to_owned());
    Ok(Kubeconfig {
        api_version: Some("v1".to_owned()),
        kind: Some("Config".to_owned()),
        clusters: vec![NamedCluster { name: name.to_owned(), cluster: Some(cluster), ..NamedCluster::default() }],
        auth_infos: vec![NamedAuthInfo { name: name.to_owned(), auth_info: Some(user), ..NamedAuthInfo::default() }],
        contexts: vec![NamedContext { name: name.to_owned(), context: Some(context), ..NamedContext::default() }],
        current_context: Some(name.to_owned()),
        ..Kubeconfig::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As k3s writes it, with one more user and context, and certificates as long as real ones.
    fn admin() -> String {
        let certificate = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1JSUJk".repeat(60);
        format!(
            "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: {certificate}\n    server: https://127.0.0.1:6443\n  name: default\n\
             contexts:\n- context:\n    cluster: default\n    user: other\n  name: other\n- context:\n    cluster: default\n    user: default\n  name: default\n\
             current-context: default\nkind: Config\npreferences: {{}}\nusers:\n- name: other\n  user:\n    token: not-this\n\
             - name: default\n  user:\n    client-certificate-data: {certificate}Mg==\n    client-key-data: {certificate}Mw==\n"
        )
    }

    fn made(text: &str) -> Result<String, KubeconfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("k3s.yaml");
        std::fs::write(&path, text).unwrap();
        of_admin(&path, "prod", "https://api.prod:6443")
    }

    #[test]
    fn the_server_and_the_names_are_new_and_the_secrets_the_same() {
        let (before, text) = (Kubeconfig::from_yaml(&admin()).unwrap(), made(&admin()).unwrap());
        let after = Kubeconfig::from_yaml(&text).unwrap();
        assert_eq!(after.current_context.as_deref(), Some("prod"));
        let context = after.contexts[0].context.as_ref().unwrap();
        assert_eq!((&*after.contexts[0].name, &*context.cluster, context.user.as_deref()), ("prod", "prod", Some("prod")));
        let (old, new) = (before.clusters[0].cluster.as_ref().unwrap(), after.clusters[0].cluster.as_ref().unwrap());
        assert_eq!((&*after.clusters[0].name, new.server.as_deref()), ("prod", Some("https://api.prod:6443")));
        assert_eq!(new.certificate_authority_data, old.certificate_authority_data);
        let (old, new) = (before.auth_infos[1].auth_info.as_ref().unwrap(), after.auth_infos[0].auth_info.as_ref().unwrap());
        assert_eq!((after.auth_infos.len(), after.contexts.len()), (1, 1), "no other user's credentials are printed");
        assert_eq!(new.client_certificate_data, old.client_certificate_data);
        let key = admin().lines().last().unwrap().trim().to_owned();
        assert!(text.contains(&key), "the key is on one line, as kubectl itself writes it: {text}");
    }

    #[test]
    fn the_most_stable_server_is_taken_and_a_wrong_one_refused() {
        let told = Some("https://lb.example:443");
        let endpoint = Some("https://api.example:6443/");
        assert_eq!(stable_server(told, endpoint, Some("api.prod")).unwrap().as_deref(), told);
        assert_eq!(stable_server(None, endpoint, Some("api.prod")).unwrap().as_deref(), Some("https://api.example:6443"));
        assert_eq!(stable_server(None, None, Some("api.prod")).unwrap().as_deref(), Some("https://api.prod:6443"));
        assert_eq!(stable_server(None, None, None).unwrap(), None);
        assert_eq!(own_server("fd00::5".parse().unwrap()), "https://[fd00::5]:6443");
        for bad in
            ["", "api.example", "http://api.example:6443", "https://", "https://api.example/path", "https://api.example/?q", "https://a b"]
        {
            assert!(stable_server(Some(bad), None, None).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_not_there_or_not_whole_is_said_with_its_remedy() {
        let absent = of_admin(Path::new("/nowhere/k3s.yaml"), "prod", "https://x").unwrap_err();
        assert!(absent.to_string().contains("run this on a server"), "{absent}");
        assert!(matches!(made("clusters: 7\n"), Err(KubeconfigError::Unusable { .. })));
        for (without, what) in [("current-context: default\n", "current context"), ("- name: default\n  user:\n", "user")] {
            let told = made(&admin().replace(without, "")).unwrap_err().to_string();
            assert!(told.contains(what), "{told}");
        }
    }
}
