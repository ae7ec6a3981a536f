//! An instance that the evaluator calls.

use rune_abi::Fault;
use rune_ir::{
    block::{Instance, RunningBlock},
    eval::Data,
    ty::{ElementType, TensorType},
};

use super::{Machine, Started, Stop};

/// An instance in memory of its own.
#[derive(Debug)]
pub(super) struct Running {
    machine: Machine,
    export: String,
    instance: u32,
    scratch: u32,
    inputs: Vec<TensorType>,
    outputs: Vec<TensorType>,
    /// Where the memory of a call begins.
    base: usize,
    /// Whether a call trapped, after which nothing can be relied on.
    trapped: bool,
}

impl Running {
    pub(super) fn new(machine: Machine, started: &Started, instance: &Instance) -> Self {
        Self {
            base: machine.top(),
            machine,
            export: instance.export.clone(),
            instance: started.instance,
            scratch: started.scratch,
            inputs: instance.inputs.clone(),
            outputs: instance.outputs.clone(),
            trapped: false,
        }
    }

    fn call(&mut self, inputs: &[Data]) -> Result<Result<Option<Vec<Data>>, i32>, Stop> {
        let machine = &mut self.machine;
        let scratch = machine.take(0, self.scratch as usize)?;
        if inputs.len() != self.inputs.len() {
            return Ok(Err(Fault::BadValue as i32));
        }
        let mut records = Vec::new();
        for (ty, input) in self.inputs.iter().zip(inputs) {
            match put(machine, ty, input)? {
                Some(record) => records.push(record),
                None => return Ok(Err(Fault::BadValue as i32)),
            }
        }
        let inputs = put_records(machine, &records)?;
        records.clear();
        for ty in &self.outputs {
            records.push([machine.take(0, ty.bytes() as usize)?, ty.elements() as u32]);
        }
        let outputs = put_records(machine, &records)?;
        let params = (self.instance, scratch, inputs, outputs);
        match machine.call(&self.export, params)? {
            0 => {
                let data = self.outputs.iter().enumerate().map(|(i, ty)| {
                    let record = outputs + 8 * i as u32;
                    get(&self.machine, ty, record).ok_or(Fault::Block as i32)
                });
                Ok(data.collect::<Result<_, _>>().map(Some))
            }
            1 => Ok(Ok(None)),
            code if code < 0 => Ok(Err(code)),
            _ => Ok(Err(Fault::Block as i32)),
        }
    }
}

impl RunningBlock for Running {
    fn run(&mut self, inputs: &[Data]) -> Result<Option<Vec<Data>>, i32> {
        if self.trapped {
            return Err(Fault::Block as i32);
        }
        let result = self.call(inputs);
        self.machine.release(self.base);
        result.unwrap_or_else(|_| {
            self.trapped = true;
            Err(Fault::Block as i32)
        })
    }
}

/// Writes the records of inputs or outputs.
fn put_records(machine: &mut Machine, records: &[[u32; 2]]) -> Result<u32, Stop> {
    let bytes: Vec<u8> = records
        .as_flattened()
        .iter()
        .flat_map(|w| w.to_le_bytes())
        .collect();
    let address = machine.take(0, bytes.len())?;
    machine.write(address, &bytes);
    Ok(address)
}

/// Writes an input and gives its record; `None` if it is not of its type.
fn put(machine: &mut Machine, ty: &TensorType, input: &Data) -> Result<Option<[u32; 2]>, Stop> {
    let (address, count) = match input {
        Data::Bytes(bytes) => {
            let size = ty.element.size() as usize;
            if ty.element == ElementType::Utf8 || !bytes.len().is_multiple_of(size) {
                return Ok(None);
            }
            let address = machine.take(0, bytes.len())?;
            machine.write(address, bytes);
            (address, bytes.len() / size)
        }
        Data::Strings(strings) => {
            if ty.element != ElementType::Utf8 {
                return Ok(None);
            }
            let mut pairs = Vec::new();
            for string in strings {
                let address = machine.take(0, string.len())?;
                machine.write(address, string.as_bytes());
                pairs.push([address, string.len() as u32]);
            }
            (put_records(machine, &pairs)?, strings.len())
        }
    };
    Ok((count as u64 <= ty.elements()).then_some([address, count as u32]))
}

/// Reads an output; `None` if its record or strings make no sense.
fn get(machine: &Machine, ty: &TensorType, record: u32) -> Option<Data> {
    let (address, count) = (machine.word(record), machine.word(record + 4));
    if u64::from(count) > ty.elements() {
        return None;
    }
    let bytes = machine.read(address, count * ty.element.size())?;
    if ty.element != ElementType::Utf8 {
        return Some(Data::Bytes(bytes.to_vec()));
    }
    let half = |bytes: &[u8]| u32::from_le_bytes(bytes.try_into().expect("half a pair"));
    bytes
        .chunks_exact(8)
        .map(|pair| {
            let text = machine.read(half(&pair[..4]), half(&pair[4..]))?;
            String::from_utf8(text.to_vec()).ok()
        })
        .collect::<Option<_>>()
        .map(Data::Strings)
}
