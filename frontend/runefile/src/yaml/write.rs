//! A tree as YAML.
