//! The third way: natively, by the script in `tests/servers`.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Keeper, Kind, Server};

/// How long a server may take to end in good order.
const PATIENCE: Duration = Duration::from_secs(15);

/// How much of what the script said an error repeats, in lines.
const LAST_LINES: usize = 30;

/// Starts the script and waits for the line it prints once the server answers, or says why it did not.
pub(super) fn start(kind: &Kind) -> Result<Server, String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("servers")
        .join(kind.script);
    let mut child = Command::new(&path)
        .args(["run", "--temporary", "--while", "stdin"])
        .args(kind.options)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{}: {error}", path.display()))?;
    let (Some(stdin), Some(stdout), Some(stderr)) =
        (child.stdin.take(), child.stdout.take(), child.stderr.take())
    else {
        return Err("the script has no pipes".to_owned());
    };
    let messages = std::thread::spawn(|| relay(stderr));
    let script = Script(Mutex::new((Some(stdin), child)));

    let mut url = String::new();
    let read = BufReader::new(stdout).read_line(&mut url);
    match (read, url.trim_end()) {
        (Ok(_), "") => Err(script.failure(messages)),
        (Ok(_), url) => Ok(Server::kept(url.to_owned(), script)),
        (Err(error), _) => Err(format!("its output cannot be read: {error}")),
    }
}

/// The script's process, and the pipe that it takes for a sign of life. The kernel closes the pipe when
/// this process ends, however it ends, and the script then ends the server. (`PR_SET_PDEATHSIG` is not
/// for this place: it tells of the end of the thread that started the child, and a test is a thread.)
#[derive(Debug)]
struct Script(Mutex<(Option<ChildStdin>, Child)>);

impl Keeper for Script {}

impl Script {
    /// What the script said before it ended without a server.
    fn failure(self, messages: JoinHandle<Vec<String>>) -> String {
        drop(self);
        match messages.join() {
            Ok(lines) if !lines.is_empty() => lines.join("\n   "),
            _ => "the script ended without a word".to_owned(),
        }
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let (stdin, child) = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        drop(stdin.take());
        let since = Instant::now();
        while let Ok(None) = child.try_wait() {
            if since.elapsed() > PATIENCE {
                // The server dies with its script. Nothing is to be done about a failure here.
                let _ = child.kill();
                let _ = child.wait();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Passes on what the script says (an installation takes a while, and tells of it), and keeps the end.
fn relay(stderr: impl Read) -> Vec<String> {
    let mut last = VecDeque::new();
    for line in BufReader::new(stderr).lines().map_while(Result::ok) {
        eprintln!("{line}");
        if last.len() == LAST_LINES {
            last.pop_front();
        }
        last.push_back(line);
    }
    last.into()
}
