//! One message to one receiver: its body, its signatures, the request.

use reqwest::header::CONTENT_TYPE;

use super::config::{Format, OutputConfig};
use crate::clock::UnixMicros;
use crate::output::{Message, told};
use crate::webhook::{Caller, CallerError, Chat, Failed, Taken, signature};

/// Calls one receiver.
pub(super) struct Sender {
    caller: Caller,
    format: Format,
    keys: Vec<Vec<u8>>,
}

impl Sender {
    /// The one of a section; none where it has no address.
    pub(super) fn new(config: &OutputConfig) -> Result<Option<Self>, CallerError> {
        let Some(address) = config.address()? else { return Ok(None) };
        let caller = Caller::new(address)?;
        Ok(Some(Self { caller, format: config.format, keys: config.signing_keys() }))
    }

    /// Tells it something.
    pub(super) async fn tell(
        &self,
        message: &Message,
        account: &str,
        page: Option<&str>,
        now: UnixMicros,
    ) -> Result<Taken, Failed> {
        let request = self.caller.post().header(CONTENT_TYPE, "application/json");
        let request = match self.format {
            Format::Standard => {
                let body = message.body();
                let seconds = now.0.div_euclid(1_000_000).to_string();
                let signed = self.keys.iter().map(|key| signature(key, &message.id, &seconds, &body));
                request
                    .header("webhook-id", &message.id)
                    .header("webhook-signature", signed.collect::<Vec<_>>().join(" "))
                    .header("webhook-timestamp", &seconds)
                    .body(body)
            }
            Format::Slack | Format::Teams => {
                let (sign, headline, text) = told(message);
                let foot = format!("freshsignal for {account}");
                let chat = Chat { sign, headline: &headline, text: &text, foot: &foot, page };
                let body = if self.format == Format::Slack { chat.slack() } else { chat.teams() };
                request.body(body.to_string())
            }
        };
        self.caller.call(request, now).await
    }
}
