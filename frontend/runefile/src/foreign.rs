//! What people write who come from elsewhere - Docker, Python, another framework - and what it is called here.

/// What takes the place of an instruction of a Dockerfile.
pub(crate) fn docker(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_uppercase().as_str() {
        "ENV" => "a rune has no environment; what a stage is told stands behind it: `--name value`",
        "ARG" => {
            "a Runefile has no variables; a layer above may change an argument: `SET stage --name value`"
        }
        "COPY" | "ADD" => {
            "files need no copying: name them where they are used, or with `RESOURCE path name`, and they go into the rune"
        }
        "CMD" | "ENTRYPOINT" => {
            "a rune runs no command; `RUN input model serial` says what feeds what"
        }
        "WORKDIR" => "paths are relative to the folder of the Runefile",
        "EXPOSE" => {
            "a rune opens no port; `OUT SERIAL` gives its results to the program that runs it"
        }
        "VOLUME" | "USER" | "SHELL" | "HEALTHCHECK" | "STOPSIGNAL" | "ONBUILD" => {
            "a rune has no system around it: only the data of its CAPABILITYs go in, and those of its OUTs out"
        }
        "MAINTAINER" => "write `LABEL maintainer=\"...\"`",
        _ => return None,
    })
}

/// The kind of capability that a sensor is, and what to know about it.
pub(crate) fn sensor(word: &str) -> Option<(&'static str, &'static str)> {
    Some(match word.to_ascii_uppercase().as_str() {
        "MIC" | "MICROPHONE" | "PDM" | "I2S" | "WAV" => ("SOUND", ""),
        "VIDEO" | "WEBCAM" | "PHOTO" | "PICTURE" | "CAM" => ("IMAGE", ""),
        "ACCL" | "MOTION" => ("ACCEL", ""),
        "RANDOM" => ("RAND", ""),
        "THERMOMETER" => ("TEMPERATURE", ""),
        "PIN" => ("GPIO", ""),
        "GYRO" | "GYROSCOPE" | "IMU" | "MAGNETOMETER" | "HUMIDITY" | "PRESSURE" | "LIGHT"
        | "PROXIMITY" | "ADC" | "ANALOG" | "HEARTRATE" | "ECG" | "EMG" | "SENSOR" | "INPUT"
        | "TENSOR" | "CSV" | "I2C" | "UART" => (
            "RAW",
            ", which takes data of any kind from the program that runs the rune",
        ),
        _ => return None,
    })
}

/// The element type that a name of another framework stands for.
pub(crate) fn element(word: &str) -> Option<&'static str> {
    Some(match word.to_ascii_lowercase().as_str() {
        "float" | "float32" | "fp32" | "single" => "F32",
        "double" | "float64" | "fp64" => "F64",
        "int8" | "int8_t" | "sbyte" => "I8",
        "uint8" | "uint8_t" | "byte" | "quint8" => "U8",
        "int16" | "int16_t" | "short" => "I16",
        "uint16" | "uint16_t" => "U16",
        "int" | "int32" | "int32_t" => "I32",
        "uint" | "uint32" | "uint32_t" => "U32",
        "int64" | "int64_t" | "long" => "I64",
        "uint64" | "uint64_t" => "U64",
        "string" | "str" | "text" | "utf_8" => "UTF8",
        _ => return None,
    })
}

/// Whether a text is a Runefile in YAML: its first line of substance is a field of one.
pub(crate) fn yaml_field(text: &str) -> Option<(usize, &str)> {
    let line = text
        .trim_start_matches('\u{FEFF}')
        .lines()
        .find(|l| !l.trim().is_empty() && !l.trim_start().starts_with('#') && l.trim() != "---")?;
    let field = ["version:", "image:", "pipeline:", "resources:"]
        .into_iter()
        .find(|field| line.starts_with(field))?;
    // Both are of one text.
    let start = line.as_ptr() as usize - text.as_ptr() as usize;
    Some((start, field))
}

/// The straight quotation mark that a typographic one was made of.
pub(crate) fn straight(c: char) -> Option<&'static str> {
    match c {
        '“' | '”' | '„' | '‟' | '«' | '»' => Some("\""),
        '‘' | '’' | '‚' | '‛' => Some("'"),
        _ => None,
    }
}
