//! Progress on standard error: one line that changes on a terminal, a line for each change elsewhere.

use std::{
    collections::BTreeMap,
    io::{self, IsTerminal, Write},
    path::Path,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use lab::image::{Name, Progress as ImageProgress};
use runner::{Progress as RunProgress, record::CellRecord};

use crate::paint;

/// Elsewhere than on a terminal, an image's progress is told so often.
const PERIOD: Duration = Duration::from_secs(15);
/// What is left of a terminal's line is cut off.
const WIDTH: usize = 110;

/// A line of a terminal that is written again and again.
struct Line {
    terminal: bool,
    drawn: bool,
}

impl Line {
    fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), drawn: false }
    }

    fn draw(&mut self, text: &str) {
        if self.terminal {
            let text: String = text.chars().take(WIDTH).collect();
            // A terminal that is gone needs no progress.
            let _ = write!(io::stderr(), "\r\x1b[K{text}");
            self.drawn = true;
        }
    }

    fn print(&mut self, text: &str) {
        self.clear();
        let _ = writeln!(io::stderr(), "{text}");
    }

    fn clear(&mut self) {
        if self.drawn {
            let _ = write!(io::stderr(), "\r\x1b[K");
            self.drawn = false;
        }
    }
}

/// The making of images.
pub struct Making {
    begun: Instant,
    state: Mutex<MakingState>,
}

struct MakingState {
    line: Line,
    /// What is done for each image, and when that was last told.
    images: BTreeMap<String, (String, String, Instant)>,
}

impl Making {
    pub fn begin(missing: &[Name], cache: &Path) -> Self {
        let names: Vec<_> = missing.iter().map(|name| name.as_str()).collect();
        let downloads: u32 = missing.iter().map(|name| name.download_megabytes()).sum();
        let minutes = if missing.contains(&Name::Kernel) { "seven to ten minutes" } else { "two minutes" };
        let cost = format!("about {downloads} MB of downloads and {minutes} on two processors");
        let mut line = Line::new();
        line.print(&format!("making {} in {}: {cost}, once", names.join(", "), cache.display()));
        Self { begun: Instant::now(), state: Mutex::new(MakingState { line, images: BTreeMap::new() }) }
    }

    pub fn end(&self, ready: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.line.clear();
        if ready {
            let took = duration(self.begun.elapsed().as_millis() as u64);
            state.line.print(&format!("all images are ready after {took}"));
        }
    }
}

impl ImageProgress for Making {
    fn step(&self, image: &str, text: &str, done: Option<(u64, u64)>) {
        let share = match done {
            Some((so_far, all)) if all > 0 => format!(" {} %", so_far * 100 / all),
            _ => String::new(),
        };
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        let now = Instant::now();
        let before = state.images.get(image);
        let new = before.is_none_or(|(known, ..)| known != text);
        let due = before.is_none_or(|(.., told)| now.duration_since(*told) >= PERIOD);
        let tell = if state.line.terminal { text == "ready" } else { new || due };
        let told = before.map_or(now, |(.., told)| if tell { now } else { *told });
        state.images.insert(image.to_owned(), (text.to_owned(), share.clone(), told));
        if tell {
            state.line.print(&format!("{image}: {text}{share}"));
        }
        let busy = state.images.iter().filter(|(_, (text, ..))| text != "ready");
        let words: Vec<_> = busy.map(|(image, (text, share, _))| format!("{image}: {text}{share}")).collect();
        let text = format!("{} | {}", duration(self.begun.elapsed().as_millis() as u64), words.join(" | "));
        state.line.draw(&text);
    }
}

/// The run of cells.
pub struct Proving {
    cells: usize,
    state: Mutex<ProvingState>,
}

struct ProvingState {
    line: Line,
    doing: BTreeMap<String, String>,
    done: usize,
}

impl Proving {
    pub fn begin(cells: usize) -> Self {
        Self { cells, state: Mutex::new(ProvingState { line: Line::new(), doing: BTreeMap::new(), done: 0 }) }
    }

    pub fn end(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).line.clear();
    }
}

impl RunProgress for Proving {
    fn doing(&self, cell: &str, what: &str) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        state.doing.insert(cell.to_owned(), what.to_owned());
        let words: Vec<_> = state.doing.iter().map(|(cell, what)| format!("{cell}: {what}")).collect();
        let text = format!("{}/{} | {}", state.done, self.cells, words.join(" | "));
        state.line.draw(&text);
    }

    fn done(&self, cell: &CellRecord) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *state;
        state.doing.remove(&cell.id);
        state.done += 1;
        let verdict = paint::verdict(cell.verdict, &format!("{:<11}", cell.verdict.name()));
        let virtual_time = if cell.virtual_ms > cell.wall_ms {
            format!(" ({} of virtual time)", duration(cell.virtual_ms))
        } else {
            String::new()
        };
        let took = duration(cell.wall_ms);
        state.line.print(&format!("{verdict} {} in {took}{virtual_time}\n            {}", cell.id, cell.reason));
    }

    fn interrupted(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let what = "interrupted: what was made in the cloud is deleted; interrupt again to leave it there";
        state.line.print(&format!("{} {what}", paint::yellow("note:")));
    }
}

/// Cells that are counted, and not told one by one.
pub struct Counting {
    cells: usize,
    state: Mutex<(Line, usize)>,
}

impl Counting {
    pub fn begin(cells: usize) -> Self {
        Self { cells, state: Mutex::new((Line::new(), 0)) }
    }
}

impl RunProgress for Counting {
    fn doing(&self, _: &str, _: &str) {}

    fn done(&self, _: &CellRecord) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (line, done) = &mut *state;
        *done += 1;
        line.draw(&format!("{done}/{}", self.cells));
        if *done == self.cells {
            line.clear();
        }
    }
}

/// `1.9 s`, `4 min 10 s`, `2 h 0 min`.
pub fn duration(ms: u64) -> String {
    let seconds = ms / 1000;
    match seconds {
        0..60 => format!("{}.{} s", seconds, ms % 1000 / 100),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short_words() {
        assert_eq!(duration(1_949), "1.9 s");
        assert_eq!(duration(250_000), "4 min 10 s");
        assert_eq!(duration(7_207_741), "2 h 0 min");
    }
}
