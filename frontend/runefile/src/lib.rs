//! Runefile text to pipeline.
