//! What a file is that is no TensorFlow Lite model, by its first bytes, and how to make it one.

/// A sort of file that people give in place of a TensorFlow Lite model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Foreign {
    /// What it is, with its article: "an ONNX model".
    pub(crate) is: &'static str,
    /// What to do, as a command.
    pub(crate) advice: &'static str,
}

/// How a sort of file is told from others.
enum Sign {
    /// It begins with these bytes.
    Begins(&'static [u8]),
    /// It is text that begins with this after any blanks, in any case.
    Text(&'static str),
    /// It is a zip archive, and this stands near its beginning or in its directory at the end.
    Zip(&'static [u8]),
    /// These bytes stand from this byte on.
    At(usize, &'static [u8]),
    /// It is a Python pickle of protocol 2 to 5, and this stands in its first [`HEAD`] bytes.
    Pickle(&'static [u8]),
    /// It begins with the first, and the second stands in its first [`HEAD`] bytes.
    Has(&'static [u8], &'static [u8]),
    /// It is text, and this stands in its first [`HEAD`] bytes.
    TextHas(&'static str),
}

/// As many bytes of a file's beginning and end are looked at.
const HEAD: usize = 4096;

const KERAS: &str = "convert it with TensorFlow: `tf.lite.TFLiteConverter.from_keras_model(tf.keras.models.load_model(path)).convert()`";
const TORCH: &str =
    "convert it with litert-torch: `litert_torch.convert(model, inputs).export(\"model.tflite\")`";
const UNPACK: &str = "unpack it, and name the `.tflite` file";
const JS: &str = "convert the Keras model or SavedModel that it was made from";

/// The sorts, those with the surer sign first.
const SORTS: &[(Sign, &str, &str)] = &[
    (
        Sign::Text("version https://git-lfs.github.com/"),
        "a pointer of Git LFS",
        "fetch the model that it stands for: `git lfs install`, then `git lfs pull`",
    ),
    (
        Sign::Begins(b"\x89HDF\r\n\x1a\n"),
        "a Keras model (HDF5)",
        KERAS,
    ),
    (Sign::Zip(b"model.weights.h5"), "a Keras model", KERAS),
    (Sign::Zip(b"metadata.json"), "a Keras model", KERAS),
    (Sign::Zip(b"data.pkl"), "a PyTorch model", TORCH),
    (Sign::Zip(b".tflite"), "a zip archive", UNPACK),
    (Sign::Zip(b""), "a zip archive", UNPACK),
    (Sign::Begins(b"\x1f\x8b"), "a file packed by gzip", UNPACK),
    (Sign::Pickle(b"torch"), "a PyTorch model", TORCH),
    (
        Sign::Pickle(b"sklearn"),
        "a model of scikit-learn",
        "train it as a Keras model, and convert that",
    ),
    (
        Sign::Pickle(b""),
        "a Python pickle",
        "load it in Python, and convert the model in it to TensorFlow Lite",
    ),
    (
        Sign::At(8, b"{\""),
        "a file of weights (safetensors)",
        "it has no operators: load the weights into the model they are of, and convert that to TensorFlow Lite",
    ),
    (
        Sign::Has(b"\x08\x01\x12", b"serve"),
        "a TensorFlow SavedModel",
        SAVED,
    ),
    (Sign::Has(b"\x08", b"pytorch"), "an ONNX model", ONNX),
    (Sign::Has(b"\x08", b"onnx"), "an ONNX model", ONNX),
    (Sign::Has(b"\x08", b"tf2onnx"), "an ONNX model", ONNX),
    (Sign::Has(b"\x08", b"skl2onnx"), "an ONNX model", ONNX),
    (
        Sign::Has(b"\x0a", b"Placeholder"),
        "a frozen graph of TensorFlow 1",
        "convert it with TensorFlow: `tf.compat.v1.lite.TFLiteConverter.from_frozen_graph(path, inputs, outputs).convert()`",
    ),
    (
        Sign::Text("<!doctype html"),
        "a web page",
        "download the file itself; on GitHub that is behind \"Raw\" or \"Download\"",
    ),
    (
        Sign::Text("<html"),
        "a web page",
        "download the file itself; on GitHub that is behind \"Raw\" or \"Download\"",
    ),
    (
        Sign::TextHas("unsigned char"),
        "a model as C source",
        "name the `.tflite` file it was made from; `xxd -r -p` turns the numbers back into bytes",
    ),
    (Sign::TextHas("modelTopology"), "a TensorFlow.js model", JS),
    (Sign::Text("{"), "a JSON file", "name the `.tflite` file"),
    (Sign::Text(""), "a text file", "name the `.tflite` file"),
];

const SAVED: &str =
    "convert its folder: `tf.lite.TFLiteConverter.from_saved_model(folder).convert()`";
const ONNX: &str = "convert it with onnx2tf: `onnx2tf -i model.onnx -o folder`";

/// What a file is, where that is known. Looks at no more than 8 KiB of it.
pub(crate) fn tell(file: &[u8]) -> Option<Foreign> {
    if file.is_empty() {
        return Some(Foreign {
            is: "an empty file",
            advice: "write the model again: saving or downloading it did not finish",
        });
    }
    let head = &file[..file.len().min(HEAD)];
    let tail = &file[file.len() - head.len()..];
    let text = text(head);
    SORTS
        .iter()
        .find(|(sign, ..)| match sign {
            Sign::Begins(bytes) => head.starts_with(bytes),
            Sign::Text(word) => text.is_some_and(|text| {
                let text = text.trim_start_matches('\u{FEFF}').trim_start();
                text.get(..word.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(word))
            }),
            Sign::TextHas(word) => text.is_some_and(|text| text.contains(word)),
            Sign::Zip(name) => {
                head.starts_with(b"PK\x03\x04") && (has(head, name) || has(tail, name))
            }
            Sign::Pickle(name) => matches!(head, [0x80, 2..=5, ..]) && has(head, name),
            Sign::At(at, bytes) => head.get(*at..).is_some_and(|rest| rest.starts_with(bytes)),
            Sign::Has(first, word) => head.starts_with(first) && has(head, word),
        })
        .map(|(_, is, advice)| Foreign { is, advice })
}

/// The beginning of a file, if it is text; a character cut off at the end counts for nothing.
fn text(head: &[u8]) -> Option<&str> {
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).ok()?
        }
        Err(_) => return None,
    };
    let is_text = |c: char| !c.is_control() || c.is_ascii_whitespace();
    text.chars().all(is_text).then_some(text)
}

fn has(bytes: &[u8], word: &[u8]) -> bool {
    word.is_empty() || bytes.windows(word.len()).any(|w| w == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn is(file: &[u8], what: &str) {
        assert_eq!(tell(file).map(|f| f.is), Some(what));
    }

    #[test]
    fn files_that_are_no_models_are_told_apart() {
        is(b"", "an empty file");
        is(b"\x89HDF\r\n\x1a\n\0", "a Keras model (HDF5)");
        is(b"PK\x03\x04....net/data.pkl", "a PyTorch model");
        is(
            b"PK\x03\x04....config.json..model.weights.h5",
            "a Keras model",
        );
        is(b"PK\x03\x04....readme", "a zip archive");
        is(b"\x1f\x8b\x08", "a file packed by gzip");
        is(b"\x80\x02csklearn.tree\n.", "a model of scikit-learn");
        is(b"\x08\x08\x12\x07pytorch\x1a\x05", "an ONNX model");
        is(b"\n\t<!DOCTYPE HTML>", "a web page");
        is(b"const unsigned char m[] = {", "a model as C source");
        is(b"{\"a\": 1}", "a JSON file");
        is("schön".as_bytes(), "a text file");
        assert_eq!(tell(b"\x1c\0\0\0TFL2"), None);
        assert_eq!(tell(&[0xFF; 9000]), None);
    }

    #[test]
    fn the_directory_of_an_archive_counts() {
        let mut file = b"PK\x03\x04".to_vec();
        file.resize(100_000, 0xAA);
        file.extend(b"archive/data.pkl");
        is(&file, "a PyTorch model");
    }

    #[test]
    fn a_character_may_be_cut() {
        let mut text = "a".repeat(HEAD - 1);
        text.push('é');
        is(text.as_bytes(), "a text file");
    }
}
