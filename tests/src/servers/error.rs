use std::fmt;

use super::Kind;

/// There is no server: what became of each way to have one, and what to do.
#[derive(Clone)]
pub struct ServerError {
    pub(super) kind: &'static Kind,
    /// Why the environment named none.
    pub(super) environment: String,
    /// Why Docker ran none.
    pub(super) docker: String,
    /// Why the script started none.
    pub(super) script: String,
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Kind {
            title,
            variable,
            example,
            script,
            ..
        } = self.kind;
        write!(
            f,
            "this test needs {title}, and there is none. Three ways to have it:\n\
             1. name one that runs: export {variable}={example:?}\n   ({})\n\
             2. Docker\n   ({})\n\
             3. natively, on Debian as root: tests/servers/{script} install\n   ({})",
            self.environment, self.docker, self.script
        )
    }
}

/// A test that returns an error shows it by `Debug`: there too it is to be read by people.
impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for ServerError {}
