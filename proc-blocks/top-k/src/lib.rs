//! `top-k`.
