//! `image-resize`.
