//! How far a long command has come, on a terminal; nothing where nobody looks.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar for about `total` events. It draws on standard error, and only on a terminal.
pub fn bar(total: u64, doing: &'static str) -> ProgressBar {
    let bar = ProgressBar::new(total);
    // The template is constant; the default is good enough should it ever not read.
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {eta}") {
        bar.set_style(style);
    }
    bar.set_message(doing);
    bar
}

/// Moves a bar to `position`, and its end further if that lies beyond.
pub fn at(bar: &ProgressBar, position: u64) {
    if bar.length().is_some_and(|length| length < position) {
        bar.set_length(position);
    }
    bar.set_position(position);
}
