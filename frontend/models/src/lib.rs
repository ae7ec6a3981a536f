//! Model bytes to tensor graph.
