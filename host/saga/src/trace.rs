//! Traces in the trace-event format of Chrome, which Perfetto (<https://ui.perfetto.dev>) opens too.

use std::io::{self, Write};

use serde_json::Value;

/// Writes events as they come and keeps none, so a trace may be as long as its file. A file that was
/// never [finished](Self::finish) still opens: readers do without the end of the list.
#[derive(Debug)]
pub struct TraceWriter<W> {
    out: W,
    is_empty: bool,
}

impl<W: Write> TraceWriter<W> {
    /// Begins a trace.
    pub fn new(mut out: W) -> io::Result<Self> {
        out.write_all(b"[")?;
        Ok(Self {
            out,
            is_empty: true,
        })
    }

    /// Names a row of the picture, by the number its spans have.
    pub fn row(&mut self, row: u32, name: &str) -> io::Result<()> {
        self.event(format_args!(
            r#"{{"ph":"M","name":"thread_name","pid":1,"tid":{row},"args":{{"name":{}}}}}"#,
            Value::from(name)
        ))
    }

    /// A span of time in a row, such as a call, or a stage, which lies within its call. `began_ns` counts from
    /// any one instant.
    pub fn span(&mut self, row: u32, name: &str, began_ns: u64, took_ns: u64) -> io::Result<()> {
        // The format counts microseconds; what follows the point keeps the nanoseconds.
        let micros = |ns: u64| format!("{}.{:03}", ns / 1_000, ns % 1_000);
        self.event(format_args!(
            r#"{{"ph":"X","name":{},"pid":1,"tid":{row},"ts":{},"dur":{}}}"#,
            Value::from(name),
            micros(began_ns),
            micros(took_ns)
        ))
    }

    /// Ends the list and gives back what it was written to, flushed.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.write_all(b"\n]\n")?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn event(&mut self, event: std::fmt::Arguments<'_>) -> io::Result<()> {
        let before = if self.is_empty { "\n" } else { ",\n" };
        self.is_empty = false;
        self.out.write_all(before.as_bytes())?;
        self.out.write_fmt(event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_json_to_the_nanosecond() {
        let mut trace = TraceWriter::new(Vec::new()).unwrap();
        trace.row(3, "a \"rune\"\n\\").unwrap();
        trace.span(3, "call", 1_000_007, 5_250).unwrap();
        trace.span(3, "fft", 1_000_100, 40).unwrap();
        let text = String::from_utf8(trace.finish().unwrap()).unwrap();
        assert!(text.contains(r#""ts":1000.007,"dur":5.250}"#), "{text}");
        assert!(text.contains(r#""ts":1000.100,"dur":0.040}"#), "{text}");
        let events: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(events[0]["args"]["name"], "a \"rune\"\n\\");
        assert_eq!(events[1]["name"], "call");
        assert_eq!(events[2]["tid"], 3);
        assert_eq!(events.as_array().unwrap().len(), 3);
    }

    #[test]
    fn an_empty_trace_is_an_empty_list() {
        let text = TraceWriter::new(Vec::new()).unwrap().finish().unwrap();
        let events: Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(events, Value::Array(Vec::new()));
    }
}
