//! What both drawings share: escaping, and an axis of time.

/// Text as it may stand in HTML and in attributes.
pub(super) fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // What a terminal would obey has no place on a page.
            control if control.is_control() && control != '\n' => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

/// The beginning of a text that fits into so many characters, escaped.
pub(super) fn fitted(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return escape(text);
    }
    let head: String = text.chars().take(characters.saturating_sub(1)).collect();
    format!("{}…", escape(head.trim_end()))
}

/// Minutes and seconds.
pub(super) fn clock(seconds: f64) -> String {
    let whole = seconds.max(0.0).round();
    format!("{:.0}:{:02.0}", (whole / 60.0).floor(), whole % 60.0)
}

/// Time from left to right.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    /// The pixel where the drill begins.
    pub(super) left: f64,
    /// Pixels for all of it.
    pub(super) width: f64,
    /// Seconds of all of it.
    pub(super) seconds: f64,
}

impl Axis {
    pub(super) fn at(&self, seconds: f64) -> f64 {
        self.left + self.width * (seconds / self.seconds.max(1.0)).clamp(0.0, 1.0)
    }

    /// Round moments, at most ten.
    pub(super) fn ticks(&self) -> impl Iterator<Item = f64> + use<> {
        let steps = [5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0];
        let seconds = self.seconds;
        let step = steps.into_iter().find(|step| seconds / step <= 10.0).unwrap_or(1800.0);
        (0_u32..).map(move |count| f64::from(count) * step).take_while(move |tick| *tick <= seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::{clock, escape, fitted};

    #[test]
    fn nothing_of_a_text_is_taken_for_a_tag_or_the_end_of_an_attribute() {
        assert_eq!(
            escape("<b a=\"1\" b='2'>&\u{1b}"),
            "&lt;b a=&quot;1&quot; b=&#39;2&#39;&gt;&amp;\u{fffd}"
        );
    }

    #[test]
    fn a_long_text_is_cut_before_it_is_escaped() {
        assert_eq!(fitted("<<<<", 3), "&lt;&lt;…");
        assert_eq!(fitted("ab", 2), "ab");
    }

    #[test]
    fn a_moment_is_minutes_and_seconds() {
        assert_eq!([clock(0.0), clock(59.6), clock(125.2)], ["0:00", "1:00", "2:05"]);
    }
}
