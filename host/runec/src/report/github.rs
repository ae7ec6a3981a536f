//! Diagnostics as commands of a GitHub workflow, which shows them beside the lines they are about.

use rune_ir::diag::{Diagnostic, Severity};

use super::place::{Places, slashes};

/// One diagnostic as a line: `::error file=..,line=..::message`.
///
/// The service takes columns only where the first line is the last one.
pub(super) fn line(places: &Places<'_>, diagnostic: &Diagnostic) -> String {
    let region = places.region(diagnostic.primary.span);
    let (start, end) = (region.start, region.end);
    let file = slashes(places.sources().name(region.file));
    let columns = if start.line == end.line {
        format!(",col={},endColumn={}", start.column, end.column)
    } else {
        String::new()
    };
    let title = format!("{} {}", diagnostic.code, diagnostic.code.name());
    let mut message = format!(
        "{file}:{}:{}: {}",
        start.line, start.column, diagnostic.message
    );
    let rest = super::advice(diagnostic);
    for sentence in std::iter::once(&diagnostic.primary.message)
        .filter(|m| !m.is_empty())
        .chain(&rest)
    {
        message.push('\n');
        message.push_str(sentence);
    }
    format!(
        "::{} file={},line={}{columns},endLine={},title={}::{}",
        command(diagnostic.severity),
        property(&file),
        start.line,
        end.line,
        property(&title),
        data(&message),
    )
}

/// What is wrong outside any Runefile.
pub(super) fn fault(message: &str) -> String {
    format!("::error title=runec::{}", data(message))
}

fn command(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "notice",
    }
}

/// What a command says, on one line.
fn data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// The value of a property, which ends at a comma or colon.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use rune_ir::diag::{Code, Sources, Span};

    use super::*;

    #[test]
    fn a_diagnostic_is_one_line_with_its_place() {
        let mut sources = Sources::default();
        let file = sources.add("a, b:c/Runefile", "FROM x\nRUN y\n");
        let found = Diagnostic::new(Code::UnknownStage, Span::new(file, 11, 12), "100% wrong")
            .at("here")
            .hint("try\r\nagain");
        assert_eq!(
            line(&Places::new(&sources), &found),
            "::error file=a%2C b%3Ac/Runefile,line=2,col=5,endColumn=6,endLine=2,\
             title=R0101 unknown-stage::a, b:c/Runefile:2:5: 100%25 wrong%0Ahere%0Ahelp: try%0D%0Aagain\
             %0A`runec explain R0101` says more"
        );
        let long = Diagnostic::new(Code::Cycle, Span::new(file, 0, 9), "m");
        let long = line(&Places::new(&sources), &long);
        assert!(
            !long.contains("col=") && long.contains("line=1,endLine=2"),
            "{long}"
        );
    }
}
