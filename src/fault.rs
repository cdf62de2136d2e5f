//! The points at which a test kills headcount or has it wait, to see that nothing is lost and nothing done twice. A build without
//! debug assertions has none of it. Never changes what headcount does.

/// Does what outlasts this process, with a point before it and a point after it. A test of the architecture asks for one around
/// each effect and each file of an operation.
pub(crate) fn around<T>(what: &str, act: impl FnOnce() -> T) -> T {
    point("before", what);
    let done = act();
    point("after", what);
    done
}

#[cfg(not(debug_assertions))]
fn point(_: &str, _: &str) {}

/// Writes down that this point was passed, and ends or holds this process at the point that a test asks for.
#[cfg(debug_assertions)]
fn point(side: &str, what: &str) {
    use std::collections::BTreeMap;
    use std::io::Write as _;
    use std::sync::{Mutex, PoisonError};

    /// Names the directory in which a test says where to die (`kill`), or to wait until `held` is taken away (`hold`). A multiplexer
    /// hands it on to what it starts.
    const VARIABLE: &str = "FAULTS_OF_HEADCOUNT";
    static PASSED: Mutex<BTreeMap<String, u32>> = Mutex::new(BTreeMap::new());

    let Some(directory) = std::env::var_os(VARIABLE).map(std::path::PathBuf::from) else { return };
    let role = if std::env::args_os().nth(1).is_some_and(|verb| verb == "exec") { "launcher" } else { "engine" };
    let point = format!("{role} {side} {what}");
    // Held until the end, so that points are written in the order in which they are passed.
    let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
    let count = passed.entry(point.clone()).or_default();
    *count += 1;
    let point = format!("{point} {count}");
    if let Ok(mut file) = std::fs::OpenOptions::new().append(true).create(true).open(directory.join("passed")) {
        let _ = file.write_all(format!("{point}\n").as_bytes());
    }
    // Only one process takes it up.
    let is_meant = |file: &str, taken: &str| {
        let file = directory.join(file);
        std::fs::read_to_string(&file).is_ok_and(|wanted| wanted == point)
            && std::fs::rename(&file, directory.join(taken)).is_ok()
    };
    if is_meant("kill", "killed") {
        let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
    }
    if is_meant("hold", "held") {
        while directory.join("held").exists() {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}
