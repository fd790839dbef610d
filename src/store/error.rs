//! What can go wrong with a store.

/// Why the store did not do what it was asked.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// More is waiting to be written than may wait. Nothing was kept.
    #[error("too many events are waiting to be written")]
    Overloaded,
    /// The disk or the journal is full. Nothing was kept; goes on by itself when there is room again.
    #[error("there is no room to store events: {0}")]
    Full(String),
    /// A file of the store was renamed, removed or replaced while it is open. Nothing is acknowledged; goes on by itself when
    /// it is put back.
    #[error("{0} of the data folder was renamed, removed or replaced; put it back")]
    Away(String),
    /// The engine is away: a connection to it was lost, or it can't do anything now. Whether anything was kept is not known;
    /// goes on by itself when it is back.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Something the plan rests on has changed meanwhile.
    #[error("the stored data changed in the meantime")]
    Conflict,
    /// The disk failed or a file is damaged: the process must stop and recover by starting again.
    #[error("the disk failed or the store is damaged: {0}")]
    Fatal(String),
    /// A document that can't be read; names its key's kind, not its content.
    #[error("a stored {0} can't be read: {1}")]
    Unreadable(&'static str, String),
    /// A look-up took longer than it may.
    #[error("the query took too long")]
    TooSlow,
    /// Another node does the work, so this one changes nothing. What was under way here may hold or not.
    #[error("another node does the work; this one stands by")]
    Elsewhere,
    /// The store is shut.
    #[error("the store is closed")]
    Shut,
}

/// What follows from an error for whoever meets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// Nothing can be done here any more: whoever works ends. The process ends too, and starting again recovers; where another
    /// node does the work, it stands by.
    Ends,
    /// The store can't do anything now, whatever it is asked. Nothing was kept; wait, and ask for the same again.
    Passes,
    /// What was loaded has changed meanwhile: load and decide again.
    Again,
    /// One document can't be read, now or later. Everything else goes on.
    Document,
}

impl StoreError {
    /// The disk has less free space than is kept for delivery and pruning.
    pub(in crate::store) fn no_disk(free_bytes: u64) -> Self {
        Self::Full(format!("the disk has {free_bytes} bytes left"))
    }

    /// What follows from it. No error of the class [`Passes`](ErrorClass::Passes) is the fault of what was asked.
    #[must_use]
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Fatal(_) | Self::Elsewhere | Self::Shut => ErrorClass::Ends,
            Self::Overloaded | Self::Full(_) | Self::Away(_) | Self::Unavailable(_) | Self::TooSlow => {
                ErrorClass::Passes
            }
            Self::Conflict => ErrorClass::Again,
            Self::Unreadable(..) => ErrorClass::Document,
        }
    }
}
