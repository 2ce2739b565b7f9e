//! Starting and stopping, and what a test does to the store without going over the wire.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use super::digest::{self, Digester};
use super::endpoint::{self, Endpoint};
use super::model::content::Blob;
use super::model::{Condition, Object};
use super::shelf::{Shelf, failed};
use super::{Access, Faults, Log, S3Error};
use crate::wire::{Running, listen};

/// What a store is made with.
#[derive(Clone, Debug)]
pub struct S3Config {
    /// The name of its one bucket.
    pub bucket: String,
    /// Lists come in pages no larger than this.
    pub page: usize,
    /// Where the objects' bytes are if they are not to be in memory.
    pub directory: Option<PathBuf>,
    /// Object Lock: every write has to carry a checksum of its bytes
    /// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock-managing.html>).
    pub object_lock: bool,
}

impl Default for S3Config {
    fn default() -> Self {
        Self { bucket: "bucket".to_owned(), page: 1000, directory: None, object_lock: false }
    }
}

/// A store that answers on a network address. It stops answering when this is dropped.
#[derive(Debug)]
pub struct S3Server {
    address: SocketAddr,
    endpoint: Endpoint,
    _running: Running,
}

impl S3Server {
    /// Serves a store at this address (port 0 picks a free one).
    ///
    /// # Errors
    /// The address cannot be bound, or the directory cannot be made.
    pub async fn start(config: S3Config, bind: SocketAddr) -> io::Result<Self> {
        let shelf = Arc::new(Shelf::new(config.directory.as_deref())?);
        let endpoint = Endpoint {
            bucket: config.bucket.into(),
            shelf,
            page: config.page,
            faults: Faults::default(),
            access: Access::default(),
            log: Log::default(),
            object_lock: config.object_lock,
        };
        let (address, running) = listen(bind, endpoint::router(endpoint.clone())).await?;
        Ok(Self { address, endpoint, _running: running })
    }

    /// What `AWS_ENDPOINT_URL_S3` is to be set to.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The name of the bucket.
    #[must_use]
    pub fn bucket(&self) -> &str {
        &self.endpoint.bucket
    }

    /// The fault rules.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.endpoint.faults
    }

    /// What is denied to every caller.
    #[must_use]
    pub fn access(&self) -> &Access {
        &self.endpoint.access
    }

    /// What was asked.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.endpoint.log
    }

    /// All keys, in order.
    #[must_use]
    pub fn keys(&self) -> Vec<String> {
        self.endpoint.shelf.lock().keys().map(str::to_owned).collect()
    }

    /// An object, without its bytes.
    #[must_use]
    pub fn object(&self, key: &str) -> Option<Object> {
        self.endpoint.shelf.lock().get(key).ok().cloned()
    }

    /// The bytes of an object.
    ///
    /// # Errors
    /// There is none, or the directory cannot be read.
    pub fn read(&self, key: &str) -> Result<Vec<u8>, S3Error> {
        let shelf = &self.endpoint.shelf;
        let pieces = {
            let model = shelf.lock();
            let object = model.get(key)?;
            shelf.pieces(object, &(0..object.size()))?
        };
        let read = pieces.into_iter().map(|piece| piece.read()).collect::<io::Result<Vec<_>>>();
        read.map(|read| read.concat()).map_err(|error| failed(&error))
    }

    /// Writes an object without the wire: no rule applies to it, and no log shows it.
    ///
    /// # Errors
    /// The directory cannot be written.
    pub fn write(&self, key: &str, bytes: &[u8]) -> Result<(), S3Error> {
        let mut digester = Digester::default();
        digester.take(bytes);
        let etag = digest::etag(&digester.finish().md5);
        let content = vec![self.blob(bytes).map_err(|error| failed(&error))?];
        let object = |modified| Object { content, etag, modified, headers: [].into() };
        self.endpoint.shelf.change(|model, now| model.put(key, object(now), &Condition::default()))
    }

    fn blob(&self, bytes: &[u8]) -> io::Result<Blob> {
        let Some(disk) = &self.endpoint.shelf.disk else { return Ok(Blob::Memory(bytes.to_vec().into())) };
        let (number, path) = disk.fresh();
        std::fs::write(path, bytes)?;
        Ok(Blob::File { number, size: bytes.len() as u64 })
    }

    /// Deletes every object and unfinished upload below a prefix, as lifecycle rules would.
    pub fn expire(&self, prefix: &str) {
        self.endpoint.shelf.change(|model, _| model.expire(prefix));
    }
}
