//! Block bytes to signature, object and snapshot.
