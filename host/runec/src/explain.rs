//! The pages about diagnostics, as they are in `docs/errors`.

use rune_ir::diag::Code;

mod embedded {
    //! The pages, found by `build.rs`: numbers and texts.
    include!(concat!(env!("OUT_DIR"), "/pages.rs"));
}

/// The page about a code, in Markdown; `None`: there is none, which a test of the suite would not let pass.
pub fn page(code: Code) -> Option<&'static str> {
    let is_it = |(number, _): &&(&str, &str)| *number == code.number();
    embedded::PAGES.iter().find(is_it).map(|(_, text)| *text)
}
