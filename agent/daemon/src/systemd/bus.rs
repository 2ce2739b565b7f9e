//! One connection to the system bus, opened when it is first needed and again after it broke.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use zbus::Connection;

/// systemd answers in milliseconds; under a load that starves it, in seconds.
const LIMIT: Duration = Duration::from_secs(10);

/// The system bus. Clones share the connection.
#[derive(Clone, Debug, Default)]
pub struct Bus {
    connection: Arc<Mutex<Option<Connection>>>,
}

/// A call over the bus that failed.
#[derive(Debug, thiserror::Error)]
pub enum BusError {
    /// The bus, or the service that was called, refused.
    #[error("cannot {operation} over D-Bus")]
    Refused {
        /// What was tried, as an infinitive.
        operation: &'static str,
        /// The answer.
        source: Box<zbus::Error>,
    },
    /// Nobody answered.
    #[error("cannot {operation} over D-Bus: no answer within {LIMIT:?}")]
    TimedOut {
        /// What was tried, as an infinitive.
        operation: &'static str,
    },
}

impl Bus {
    /// Makes one call, within a limit. After a failure of the connection itself the next call opens a new one.
    ///
    /// # Errors
    /// The bus cannot be reached, or the call was refused or not answered.
    pub async fn call<T>(&self, operation: &'static str, act: impl AsyncFnOnce(&Connection) -> zbus::Result<T>) -> Result<T, BusError> {
        let called = tokio::time::timeout(LIMIT, async {
            let connection = self.open().await?;
            act(&connection).await
        });
        let answer = called
            .await
            .map_err(|_| BusError::TimedOut { operation })
            .and_then(|answer| answer.map_err(|source| BusError::Refused { operation, source: Box::new(source) }));
        if matches!(&answer, Err(error) if error.is_of_the_connection()) {
            self.connection.lock().await.take();
        }
        answer
    }

    /// The open connection, for signals.
    ///
    /// # Errors
    /// The bus cannot be reached.
    pub async fn open(&self) -> zbus::Result<Connection> {
        let mut open = self.connection.lock().await;
        match &*open {
            Some(connection) => Ok(connection.clone()),
            None => Ok(open.insert(Connection::system().await?).clone()),
        }
    }
}

impl BusError {
    fn is_of_the_connection(&self) -> bool {
        match self {
            Self::Refused { source, .. } => !matches!(**source, zbus::Error::MethodError(..)),
            Self::TimedOut { .. } => true,
        }
    }
}
