//! Priority: threads whose work can wait give way to those somebody waits for.

/// How much less a thread's work weighs: under full load about a tenth, on an idle machine nothing changes.
const NICER_BY: i32 = 10;

/// Makes the calling thread, and those it starts, give way to others.
pub fn give_way() {
    // A machine that refuses runs everything alike, as before.
    let _ = rustix::process::nice(NICER_BY);
}
