//! The embedded engine: two `SQLite` files in the data folder.
