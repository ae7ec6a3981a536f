//! `reshape`.
