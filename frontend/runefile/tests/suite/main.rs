//! Tests of the front end as a whole: our corpus, the reference's snippets, mutations, the language
//! reference and the pages on errors.
#![allow(
    clippy::disallowed_methods,
    reason = "tests read their cases from files and BLESS from the environment"
)]

mod corpus;
mod language;
mod limits;
mod mutations;
mod pages;
mod reference;
mod world;
