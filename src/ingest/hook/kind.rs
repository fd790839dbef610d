//! The kinds of senders, as data: what each signs and how, what it names an event and a message, and the rules that are
//! shipped for it.
//!
//! Must not compute anything.

use serde::Deserialize;

/// Who sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// stripe.com.
    Stripe,
    /// calendly.com.
    Calendly,
    /// A shop of Shopify.
    Shopify,
    /// A shop of `WooCommerce`.
    Woocommerce,
    /// typeform.com.
    Typeform,
    /// Whoever follows the specification Standard Webhooks: Svix, Clerk, Resend, Polar and others.
    Standard,
    /// Workflows of Freshsales, which sign nothing and can send a header.
    Freshsales,
    /// Whoever can send a token in a header, or signs in a way that the configuration says.
    Generic,
}

/// How bytes are written as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// Two digits a byte, in either case.
    Hex,
    /// Base64, with padding or without.
    Base64,
}

/// How a header holds signatures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// The signature is the value, after a prefix.
    Plain,
    /// `t=TIMESTAMP,v1=SIGNATURE`, the latter any number of times.
    Fields,
    /// `v1,SIGNATURE` any number of times, with spaces between.
    Versions,
}

/// What a secret is as a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyForm {
    /// The bytes of its text.
    Text,
    /// Base64, after `whsec_`.
    Whsec,
}

/// How a kind signs.
#[derive(Clone, Copy, Debug)]
pub struct Signing {
    /// Headers with the signature; the first that is there counts.
    pub headers: &'static [&'static str],
    /// How the header holds it.
    pub layout: Layout,
    /// What stands before it.
    pub prefix: &'static str,
    /// How it is written.
    pub encoding: Encoding,
    /// What is signed.
    pub signed: &'static str,
    /// Headers with the moment of sending, where no field of the signature's header says it.
    pub timestamp_headers: &'static [&'static str],
    /// Headers with the id that is signed too.
    pub id_headers: &'static [&'static str],
    /// How far from now that moment may be.
    pub window_seconds: u64,
    /// What the secret is.
    pub key: KeyForm,
}

/// Where a kind says what.
#[derive(Clone, Copy, Debug)]
pub struct Names {
    /// The name of the event; empty: it has none.
    pub event: &'static str,
    /// Where the id of the message is looked for; nowhere: a hash of the body is taken.
    pub message_id: &'static [&'static str],
    /// What is said in the same words a minute later is said anew: the words are the state of a record.
    pub anew_each_minute: bool,
    /// A message of this beginning, without a signature, is a question whether anybody is there.
    pub ping: Option<&'static str>,
    /// The rules that are shipped.
    pub rules: &'static str,
}

/// What whoever connects a sender does there.
#[derive(Clone, Copy, Debug)]
pub struct AtSender {
    /// Where the address of the hook is entered.
    pub enter_in: &'static str,
    /// What the sender calls the secret.
    pub secret_is: &'static str,
}

/// The body alone.
pub const BODY: &str = "{body}";
/// Minutes that clocks may differ and a message may take, as most vendors advise.
pub const WINDOW_SECONDS: u64 = 300;

const PLAIN: Signing = Signing {
    headers: &[],
    layout: Layout::Plain,
    prefix: "",
    encoding: Encoding::Base64,
    signed: BODY,
    timestamp_headers: &[],
    id_headers: &[],
    window_seconds: 0,
    key: KeyForm::Text,
};

/// `_webhook.py` of stripe-python: hex of HMAC-SHA256 over `t.body`, any `v1` counts, `DEFAULT_TOLERANCE` 300 s; the whole text
/// of the secret, `whsec_` included, is the key.
const STRIPE: Signing = Signing {
    headers: &["stripe-signature"],
    layout: Layout::Fields,
    encoding: Encoding::Hex,
    signed: "{timestamp}.{body}",
    window_seconds: WINDOW_SECONDS,
    ..PLAIN
};

/// Calendly's page "Webhook signatures": as Stripe's, and it advises a tolerance of three minutes.
const CALENDLY: Signing = Signing { headers: &["calendly-webhook-signature"], window_seconds: 180, ..STRIPE };

/// Shopify's page "Deliver webhooks through HTTPS": base64 of HMAC-SHA256 over the body; the key is the client secret.
const SHOPIFY: Signing = Signing { headers: &["x-shopify-hmac-sha256"], ..PLAIN };

/// `class-wc-webhook.php` of `WooCommerce`, `generate_signature`: base64 of HMAC-SHA256 over the body.
const WOOCOMMERCE: Signing = Signing { headers: &["x-wc-webhook-signature"], ..PLAIN };

/// Typeform's page "Secure your webhooks": `sha256=` and base64 of HMAC-SHA256 over the body.
const TYPEFORM: Signing = Signing { headers: &["typeform-signature"], prefix: "sha256=", ..PLAIN };

/// The specification and `libraries/javascript/src/index.ts` of standard-webhooks: `id.timestamp.body`, five minutes in both
/// directions, the key is base64 after `whsec_`. Svix sends the same under names of its own.
const STANDARD: Signing = Signing {
    headers: &["webhook-signature", "svix-signature"],
    layout: Layout::Versions,
    signed: "{id}.{timestamp}.{body}",
    timestamp_headers: &["webhook-timestamp", "svix-timestamp"],
    id_headers: &["webhook-id", "svix-id"],
    window_seconds: WINDOW_SECONDS,
    key: KeyForm::Whsec,
    ..PLAIN
};

impl Kind {
    /// All of them, in the order of the documents.
    pub const ALL: [Self; 8] = [
        Self::Stripe,
        Self::Calendly,
        Self::Shopify,
        Self::Woocommerce,
        Self::Typeform,
        Self::Standard,
        Self::Freshsales,
        Self::Generic,
    ];

    /// The word of the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stripe => "stripe",
            Self::Calendly => "calendly",
            Self::Shopify => "shopify",
            Self::Woocommerce => "woocommerce",
            Self::Typeform => "typeform",
            Self::Standard => "standard",
            Self::Freshsales => "freshsales",
            Self::Generic => "generic",
        }
    }

    /// What is done at the sender, by its documents.
    #[must_use]
    pub fn at_sender(self) -> AtSender {
        let (enter_in, secret_is) = match self {
            Self::Stripe => (
                "Developers, Webhooks; choose `checkout.session.completed` and `checkout.session.async_payment_succeeded`",
                "the signing secret `whsec_…`",
            ),
            Self::Calendly => {
                ("a webhook subscription made over its API", "the signing key of the subscription")
            }
            Self::Shopify => (
                "Settings, Notifications, Webhooks; or an app",
                "the secret shown on that page; of an app its client secret",
            ),
            Self::Woocommerce => ("Settings, Advanced, Webhooks", "the secret of the webhook"),
            Self::Typeform => ("Connect, Webhooks of a form", "the secret of the webhook"),
            Self::Standard => {
                ("a sender that follows Standard Webhooks (Svix, Clerk, Resend, Polar)", "`whsec_…`")
            }
            Self::Freshsales => (
                "Admin Settings, Workflows, of contacts that are created or updated: Trigger webhook; `freshsignal hook freshsales` prints what to paste",
                "a token of your own, which it sends as X-Freshsignal-Token",
            ),
            Self::Generic => {
                ("anything that can send a header", "a token of your own, or what it signs with")
            }
        };
        AtSender { enter_in, secret_is }
    }

    /// The header with the token of a kind that signs nothing; `generic` says so itself.
    ///
    /// A workflow's webhook of Freshsales takes headers of its user's making (its page "Trigger webhooks").
    #[must_use]
    pub fn token_header(self) -> Option<&'static str> {
        match self {
            Self::Freshsales => Some("x-freshsignal-token"),
            Self::Stripe
            | Self::Calendly
            | Self::Shopify
            | Self::Woocommerce
            | Self::Typeform
            | Self::Standard
            | Self::Generic => None,
        }
    }

    /// How it signs; `generic` says so itself.
    #[must_use]
    pub fn signing(self) -> Option<Signing> {
        match self {
            Self::Stripe => Some(STRIPE),
            Self::Calendly => Some(CALENDLY),
            Self::Shopify => Some(SHOPIFY),
            Self::Woocommerce => Some(WOOCOMMERCE),
            Self::Typeform => Some(TYPEFORM),
            Self::Standard => Some(STANDARD),
            Self::Freshsales | Self::Generic => None,
        }
    }

    /// Where it says what.
    ///
    /// The delivery id of `WooCommerce` is made of the webhook and the second (`get_new_delivery_id`), so two orders of one
    /// second share it: the body is taken. Its ping, when a webhook is saved, has no signature and must be answered 200
    /// (`deliver_ping`).
    #[must_use]
    pub fn names(self) -> Names {
        let named = |event, message_id, rules| Names {
            event,
            message_id,
            anew_each_minute: false,
            ping: None,
            rules,
        };
        match self {
            Self::Stripe => named("type", &["id"], include_str!("../../../config/hooks/stripe.toml")),
            Self::Calendly => named("event", &[], include_str!("../../../config/hooks/calendly.toml")),
            Self::Shopify => named(
                "header:x-shopify-topic",
                &["header:x-shopify-webhook-id"],
                include_str!("../../../config/hooks/shopify.toml"),
            ),
            Self::Woocommerce => Names {
                ping: Some("webhook_id="),
                ..named(
                    "header:x-wc-webhook-topic",
                    &[],
                    include_str!("../../../config/hooks/woocommerce.toml"),
                )
            },
            Self::Typeform => {
                named("event_type", &["event_id"], include_str!("../../../config/hooks/typeform.toml"))
            }
            Self::Standard => named(
                "type",
                &["header:webhook-id", "header:svix-id"],
                include_str!("../../../config/hooks/standard.toml"),
            ),
            Self::Freshsales => Names {
                anew_each_minute: true,
                ..named("kind", &[], include_str!("../../../config/hooks/freshsales.toml"))
            },
            Self::Generic => named("", &[], include_str!("../../../config/hooks/generic.toml")),
        }
    }
}
