//! Every standard block as code of the host, for tests that compare it with linked Wasm and for benchmarks.

use rune_block_sdk::testing::Native;

macro_rules! blocks {
    ($($name:literal => $krate:ident),* $(,)?) => {
        /// The blocks by the name of their folder, in the order of names.
        pub const BLOCKS: &[(&str, &Native)] = &[$(($name, &$krate::NATIVE)),*];
    };
}

blocks! {
    "argmax" => rune_block_argmax,
    "binary-classification" => rune_block_binary_classification,
    "cast" => rune_block_cast,
    "concat" => rune_block_concat,
    "debounce" => rune_block_debounce,
    "dequantize" => rune_block_dequantize,
    "kmeans-anomaly" => rune_block_kmeans_anomaly,
    "mean" => rune_block_mean,
    "modulo" => rune_block_modulo,
    "most-confident-indices" => rune_block_most_confident_indices,
    "nms" => rune_block_nms,
    "normalize" => rune_block_normalize,
    "object-filter" => rune_block_object_filter,
    "quantize" => rune_block_quantize,
    "reshape" => rune_block_reshape,
    "segment-output" => rune_block_segment_output,
    "slice" => rune_block_slice,
    "softmax" => rune_block_softmax,
    "split" => rune_block_split,
    "std-dev" => rune_block_std_dev,
    "threshold" => rune_block_threshold,
    "top-k" => rune_block_top_k,
}

/// The block of a name.
pub fn block(name: &str) -> Option<&'static Native> {
    let found = BLOCKS.iter().find(|(n, _)| *n == name);
    found.map(|(_, native)| *native)
}
