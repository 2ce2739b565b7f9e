//! A dead connection, as when the other machine lost power: neither side ever closes it.

use std::net::{IpAddr, SocketAddr};

use quorate::adapters::etcd::EtcdError;
use tokio::io::{AsyncReadExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::wire_etcd::node::{Node, etcd_binary};

/// Swallows its first connection, and passes all later ones on to `to`.
async fn first_goes_dead(at: SocketAddr, to: SocketAddr) {
    let listener = TcpListener::bind(at).await.unwrap();
    tokio::spawn(async move {
        let (mut dead, _) = listener.accept().await.unwrap();
        tokio::spawn(async move { while dead.read(&mut [0; 4096]).await.is_ok_and(|n| n > 0) {} });
        while let Ok((mut client, _)) = listener.accept().await {
            let mut server = TcpStream::connect(to).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut client, &mut server).await });
        }
    });
}

#[tokio::test]
async fn a_dead_connection_is_not_used_again() {
    let Some(etcd) = etcd_binary("a_dead_connection_is_not_used_again") else { return };
    let node = Node::new(&etcd, 34, 1, &[]);
    let status = node.found_and_open().await;
    for (last, gives_up_early) in [(2, false), (3, true)] {
        let at = SocketAddr::new(IpAddr::from([127, 7, 34, last]), 2379);
        first_goes_dead(at, SocketAddr::new(node.address, 2379)).await;
        let url = format!("http://{at}");
        if gives_up_early {
            let asked = node.etcd.membership(&url, &node.me);
            assert!(tokio::time::timeout(std::time::Duration::from_millis(300), asked).await.is_err());
        } else {
            assert!(matches!(node.etcd.status(&url).await, Err(EtcdError::Timeout { .. })));
        }
        assert_eq!(node.etcd.status(&url).await.unwrap().member, status.member, "given up early: {gives_up_early}");
    }
}
