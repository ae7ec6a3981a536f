//! ACCEL: triplets from CSV files with three columns.

use rune_abi::{Capability, ElementType};

use super::{
    Given, Source, SourceError, unfit,
    window::{Recording, Windows},
};

/// Opens CSV files; the hop is in triplets.
pub(super) fn open(capability: &Capability, given: &Given) -> Result<Box<dyn Source>, SourceError> {
    if capability.ty.element() != ElementType::F32 {
        return Err(unfit(capability, "is not of F32"));
    }
    let recordings = given
        .values
        .iter()
        .map(|file| {
            Ok(Recording {
                name: file.clone(),
                data: parse(file, &given.read(file)?)?,
            })
        })
        .collect::<Result<_, SourceError>>()?;
    Ok(Box::new(Windows::new(
        capability, recordings, 12, "triplet",
    )?))
}

/// The numbers of a CSV file as little-endian f32. Empty lines are skipped, and so is a first line that is
/// a header: one in which no field is a number.
fn parse(name: &str, bytes: &[u8]) -> Result<Vec<u8>, SourceError> {
    let text = std::str::from_utf8(bytes).map_err(|_| SourceError::new(name, "it is not text"))?;
    let text = text.trim_start_matches('\u{feff}');
    let mut data = vec![];
    for (i, line) in text.lines().enumerate() {
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        if line.trim().is_empty() || (i == 0 && fields.iter().all(|f| f.parse::<f32>().is_err())) {
            continue;
        }
        let place = || format!("{name}:{}", i + 1);
        if fields.len() != 3 {
            return Err(SourceError::new(
                place(),
                format_args!("a reading has 3 fields, and this line has {}", fields.len()),
            ));
        }
        for field in fields {
            let value = field.parse().ok().filter(|v: &f32| v.is_finite());
            let value = value.ok_or_else(|| {
                SourceError::new(place(), format_args!("{field:?} is not a finite number"))
            })?;
            data.extend(value.to_le_bytes());
        }
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(text: &str) -> Result<Vec<f32>, String> {
        let bytes = parse("a.csv", text.as_bytes()).map_err(|e| e.to_string())?;
        Ok(bytes
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect())
    }

    #[test]
    fn headers_blank_lines_and_line_ends_are_no_data() {
        let want = Ok(vec![1.0, -2.5, 3e2, 4.0, 5.0, 6.0]);
        assert_eq!(floats("x,y,z\r\n1, -2.5,3e2\r\n\r\n4,5,6"), want);
        assert_eq!(floats("1,-2.5,300\n4,5,6\n"), want);
        assert_eq!(floats(""), Ok(vec![]));
    }

    #[test]
    fn errors_name_the_file_and_the_line() {
        assert_eq!(
            floats("1,2,3\n1,2").unwrap_err(),
            "a.csv:2: a reading has 3 fields, and this line has 2"
        );
        assert_eq!(
            floats("1,2,3\n1,2,up").unwrap_err(),
            "a.csv:2: \"up\" is not a finite number"
        );
        assert!(floats("1,2,x").unwrap_err().contains("a.csv:1"));
        assert!(floats("1,2,3\n1,2,inf").unwrap_err().contains("a.csv:2"));
        assert!(floats("x,y,z\nx,y,z").unwrap_err().contains("a.csv:2"));
        let binary = parse("a.csv", &[0xff, 0xfe]).unwrap_err();
        assert_eq!(binary.to_string(), "a.csv: it is not text");
    }
}
