//! Tests of the front end as a whole: our corpus, the reference's snippets, mutations, the language
//! reference and YAML.
#![allow(
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests read their cases from files, BLESS from the environment, and say what they skip"
)]

mod corpus;
mod fmt;
mod language;
mod layers;
mod limits;
mod lines;
mod mutations;
mod reference;
mod world;
mod yaml;
