//! The environment as the configuration reads it, and what its variables are called. Must not read it.

/// The environment, as pairs.
pub type Environment = Vec<(String, String)>;

/// What the variables of keys begin with.
pub(super) const PREFIX: &str = "FRESHSIGNAL_";
/// The variable that names the file when no argument does.
pub const FILE_VARIABLE: &str = "FRESHSIGNAL_CONFIG";
