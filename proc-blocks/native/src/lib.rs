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
    "audio-float-conversion" => rune_block_audio_float_conversion,
    "audio-frontend" => rune_block_audio_frontend,
    "binary-classification" => rune_block_binary_classification,
    "biquad" => rune_block_biquad,
    "cast" => rune_block_cast,
    "concat" => rune_block_concat,
    "crop" => rune_block_crop,
    "debounce" => rune_block_debounce,
    "dequantize" => rune_block_dequantize,
    "fft" => rune_block_fft,
    "fir" => rune_block_fir,
    "frame" => rune_block_frame,
    "grayscale" => rune_block_grayscale,
    "image-normalization" => rune_block_image_normalization,
    "image-resize" => rune_block_image_resize,
    "kmeans-anomaly" => rune_block_kmeans_anomaly,
    "label" => rune_block_label,
    "mean" => rune_block_mean,
    "mel-spectrogram" => rune_block_mel_spectrogram,
    "mfcc" => rune_block_mfcc,
    "modulo" => rune_block_modulo,
    "most-confident-indices" => rune_block_most_confident_indices,
    "nms" => rune_block_nms,
    "noise-filtering" => rune_block_noise_filtering,
    "normalize" => rune_block_normalize,
    "object-filter" => rune_block_object_filter,
    "parse" => rune_block_parse,
    "quantize" => rune_block_quantize,
    "regex-matcher" => rune_block_regex_matcher,
    "resample" => rune_block_resample,
    "reshape" => rune_block_reshape,
    "segment-output" => rune_block_segment_output,
    "slice" => rune_block_slice,
    "smooth-scores" => rune_block_smooth_scores,
    "softmax" => rune_block_softmax,
    "spectrogram" => rune_block_spectrogram,
    "split" => rune_block_split,
    "std-dev" => rune_block_std_dev,
    "stft" => rune_block_stft,
    "text-extractor" => rune_block_text_extractor,
    "threshold" => rune_block_threshold,
    "tokenizer" => rune_block_tokenizer,
    "top-k" => rune_block_top_k,
    "utf8-decode" => rune_block_utf8_decode,
}

/// The block of a name.
pub fn block(name: &str) -> Option<&'static Native> {
    let found = BLOCKS.iter().find(|(n, _)| *n == name);
    found.map(|(_, native)| *native)
}
