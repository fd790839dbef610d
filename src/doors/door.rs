//! By which door something comes.

/// A way into the service.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    /// Events with a write key: the tag, SDKs, servers, images.
    Events,
    /// A posted form.
    Form,
    /// A webhook by its name; `None`: no hook has the name that was asked for.
    Hook(Option<String>),
}

impl Door {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Events => "events",
            Self::Form => "form",
            Self::Hook(_) => "hook",
        }
    }

    /// The name of the hook, where it is one that is known.
    #[must_use]
    pub fn hook(&self) -> Option<&str> {
        match self {
            Self::Hook(name) => name.as_deref(),
            Self::Events | Self::Form => None,
        }
    }
}
