//! Progress, told on standard error.

use crate::args::{Global, Progress};
use crate::output::tell_aside;
use ductape::core::{Direction, Tag};
use ductape::engine::{Event, Observer};
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// Tells of a run while it goes.
pub struct Watch {
    how: How,
    finished: AtomicUsize,
    under_lock: Arc<AtomicBool>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Bar,
    Plain,
    Json,
    None,
}

impl Watch {
    pub fn new(global: &Global, under_lock: Arc<AtomicBool>) -> Self {
        let how = match global.progress {
            Progress::Json => How::Json,
            Progress::None => How::None,
            Progress::Plain => How::Plain,
            Progress::Auto if global.json => How::None,
            Progress::Auto if std::io::stderr().is_terminal() => How::Bar,
            Progress::Auto => How::Plain,
        };
        Self {
            how,
            finished: AtomicUsize::new(0),
            under_lock,
        }
    }

    fn bar(&self, tag: &Tag, part: &str) {
        let finished = self.finished.load(Ordering::Relaxed);
        let mut to = std::io::stderr().lock();
        let _ = write!(to, "\r\u{1b}[2K{finished} done  {tag}  {part}");
        let _ = to.flush();
    }

    fn clear(&self) {
        if self.how == How::Bar {
            let mut to = std::io::stderr().lock();
            let _ = write!(to, "\r\u{1b}[2K");
            let _ = to.flush();
        }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.clear();
    }
}

impl Observer for Watch {
    fn event(&self, event: &Event) {
        self.under_lock.store(true, Ordering::Relaxed);
        if matches!(event, Event::Finished { .. }) {
            self.finished.fetch_add(1, Ordering::Relaxed);
        }
        match self.how {
            How::None => {}
            How::Json => {
                if let Some(line) = json_line(event) {
                    let _ = tell_aside(&line.to_string());
                }
            }
            How::Plain => {
                if let Event::Started {
                    tag,
                    direction,
                    resumed,
                } = event
                {
                    let what = match (direction, resumed) {
                        (Direction::Up, false) => "applying",
                        (Direction::Up, true) => "going on with",
                        (Direction::Down, false) => "rolling back",
                        (Direction::Down, true) => "going on rolling back",
                    };
                    let _ = tell_aside(&format!("{what} {tag}"));
                }
            }
            How::Bar => match event {
                Event::Started { tag, .. } | Event::Finished { tag, .. } => self.bar(tag, ""),
                Event::Step { tag, done, total } => {
                    let filled = (done * 20).checked_div(*total).unwrap_or(0).min(20);
                    let bar = format!("[{}{}]", "=".repeat(filled), " ".repeat(20 - filled));
                    self.bar(tag, &format!("{bar} {done}/{total}"));
                }
                Event::Batch { tag, rows } => self.bar(tag, &format!("{rows} rows")),
                _ => {}
            },
        }
    }
}

fn direction_word(direction: Direction) -> &'static str {
    match direction {
        Direction::Up => "up",
        Direction::Down => "down",
    }
}

fn json_line(event: &Event) -> Option<Value> {
    Some(match event {
        Event::Started {
            tag,
            direction,
            resumed,
        } => json!({
            "event": "started", "tag": tag, "direction": direction_word(*direction),
            "resumed": resumed,
        }),
        Event::Step { tag, done, total } => json!({
            "event": "step", "tag": tag, "done": done, "total": total,
        }),
        Event::Batch { tag, rows } => json!({ "event": "batch", "tag": tag, "rows": rows }),
        Event::Finished {
            tag,
            direction,
            duration_ms,
        } => json!({
            "event": "finished", "tag": tag, "direction": direction_word(*direction),
            "durationMs": duration_ms,
        }),
        _ => return None,
    })
}
