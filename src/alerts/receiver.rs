//! Whom alerts are told to, and what is asked while all is well.

use reqwest::header::CONTENT_TYPE;

use super::config::{Config, Format};
use super::message::Message;
use crate::clock::UnixMicros;
use crate::webhook::{Caller, CallerError, Failed, Taken, signature};

/// Whom messages are sent to.
pub struct Receiver {
    caller: Caller,
    format: Format,
    key: Option<Vec<u8>>,
}

impl Receiver {
    /// The one that is configured; none where none is.
    ///
    /// # Errors
    /// It can't be called.
    pub fn new(config: &Config) -> Result<Option<Self>, CallerError> {
        let Some(address) = config.receiver()? else { return Ok(None) };
        let caller = Caller::new(address)?;
        Ok(Some(Self { caller, format: config.format, key: config.signing_key() }))
    }

    /// The form that it takes.
    #[must_use]
    pub fn format(&self) -> Format {
        self.format
    }

    /// Sends it a message.
    ///
    /// # Errors
    /// It did not take it.
    pub async fn tell(&self, message: &Message, now: UnixMicros) -> Result<Taken, Failed> {
        let body = message.body(self.format).to_string();
        let mut request = self.caller.post().header(CONTENT_TYPE, "application/json");
        if let Some(key) = self.key.as_ref().filter(|_| self.format == Format::Json) {
            let seconds = now.0.div_euclid(1_000_000).to_string();
            request = request
                .header("webhook-id", &message.id)
                .header("webhook-signature", signature(key, &message.id, &seconds, &body))
                .header("webhook-timestamp", seconds);
        }
        self.caller.call(request.body(body), now).await
    }
}

/// What is asked while all is well.
pub struct Heartbeat(Caller);

impl Heartbeat {
    /// The one that is configured; none where none is.
    ///
    /// # Errors
    /// It can't be asked.
    pub fn new(config: &Config) -> Result<Option<Self>, CallerError> {
        config.heartbeat()?.map(|address| Caller::new(address).map(Self)).transpose()
    }

    /// Asks once.
    ///
    /// # Errors
    /// It was not answered with a success.
    pub async fn beat(&self, now: UnixMicros) -> Result<Taken, Failed> {
        self.0.call(self.0.get(), now).await
    }
}
