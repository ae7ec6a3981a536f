//! `kmeans-anomaly`.
