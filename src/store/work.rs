//! Which of several processes works, as far as this one knows.

/// Whether this process works, and who does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Work {
    /// This process does: it alone applies plans.
    pub here: bool,
    /// How often the work changed hands; 0 where there is one process alone.
    pub epoch: u64,
    /// The name of the process that works, which may be this one; empty where none does, or there is one process alone.
    pub holder: String,
}

impl Default for Work {
    /// That of an engine of one process, which always works.
    fn default() -> Self {
        Self { here: true, epoch: 0, holder: String::new() }
    }
}
