//! The binary: arguments in, a call into the library, an exit code out.

fn main() {}
