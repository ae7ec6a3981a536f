//! Tensors of the file, and which of them the graph has.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rune_ir::graph::{DataType, Graph, Quantization, Tensor, TensorId, Variable, VariableId};

use crate::{
    error::{ImportError, unreadable, unsupported_form},
    flatbuffer::Vector,
    schema::{self, Storage},
    stored::{self, Sparsity},
};

/// Most dimensions of a tensor.
const MAX_RANK: usize = 8;
/// Most characters of a tensor's name that are kept.
const MAX_NAME: usize = 200;

/// How `VAR_HANDLE` names a variable: by container and name.
pub(crate) type Handle = (Vec<u8>, Vec<u8>);

/// The tensors of a subgraph, and the graph they make; each comes into it the first time something names it.
pub(crate) struct Tensors<'a> {
    /// The graph, as far as it is read.
    pub(crate) graph: Graph,
    /// What is given or written so far.
    written: BTreeSet<TensorId>,
    /// The variables that tensors stand for, by the tensors' indices in the file.
    pub(crate) handles: BTreeMap<i32, Handle>,
    /// Whether shapes of inputs are other than the file says, so that those behind them will be, too.
    pub(crate) resized: bool,
    buffers: Option<Vector<'a, schema::Buffer<'a>>>,
    tables: Option<Vector<'a, schema::Tensor<'a>>>,
    /// By index in the file, once imported.
    imported: Vec<Option<TensorId>>,
    /// By index in the file, so that tensors of one buffer share its bytes.
    data: Vec<Option<Arc<[u8]>>>,
    /// By index in the file, those tensors that are variables and were named.
    variables: Vec<Option<VariableId>>,
    /// How many scales may still come: no file has more than bytes, unless tensors share them.
    scales_left: usize,
    /// How many bytes constants that are stored otherwise may still come to.
    unfolded_left: usize,
}

/// How many times the file's size constants may come to that it stores in fewer bytes.
const UNFOLDED: usize = 32;

impl<'a> Tensors<'a> {
    pub(crate) fn new(
        file: &'a [u8],
        buffers: Option<Vector<'a, schema::Buffer<'a>>>,
        tables: Option<Vector<'a, schema::Tensor<'a>>>,
    ) -> Self {
        Self {
            graph: Graph::default(),
            written: BTreeSet::new(),
            handles: BTreeMap::new(),
            resized: false,
            buffers,
            tables,
            imported: vec![None; tables.map_or(0, |t| t.len())],
            data: vec![None; buffers.map_or(0, |b| b.len())],
            variables: vec![None; tables.map_or(0, |t| t.len())],
            scales_left: file.len(),
            unfolded_left: file.len().saturating_mul(UNFOLDED),
        }
    }

    /// The tensor of an index of the file.
    pub(crate) fn import(&mut self, index: i32) -> Result<TensorId, ImportError> {
        let (slot, table) = self.table(index)?;
        if let Some(id) = self.imported[slot] {
            return Ok(id);
        }
        if table.is_variable()?.unwrap_or(0) != 0 {
            let name = name(slot, &table)?;
            return Err(unsupported_form(format!("`{name}` keeps state")));
        }
        let tensor = self.read(slot, table)?;
        let id = self.graph.tensors.push(tensor);
        self.imported[slot] = Some(id);
        Ok(id)
    }

    /// As [`import`](Self::import), of a tensor that the file marks as kept, though its value here is that of
    /// one call.
    pub(crate) fn import_kept(&mut self, index: i32) -> Result<&Tensor, ImportError> {
        let (slot, table) = self.table(index)?;
        let id = if let Some(id) = self.imported[slot] {
            id
        } else {
            let tensor = self.read(slot, table)?;
            self.graph.tensors.push(tensor)
        };
        self.imported[slot] = Some(id);
        Ok(&self.graph.tensors[id])
    }

    /// The variable that the tensor of an index of the file is, all zeros at first; `keep` says whether so many
    /// bytes more may be kept.
    pub(crate) fn variable(
        &mut self,
        index: i32,
        keep: impl FnOnce(usize) -> Result<(), ImportError>,
    ) -> Result<VariableId, ImportError> {
        let (slot, table) = self.table(index)?;
        if let Some(id) = self.variables[slot] {
            return Ok(id);
        }
        if table.is_variable()?.unwrap_or(0) == 0 {
            let name = name(slot, &table)?;
            return Err(unsupported_form(format!("`{name}` keeps no state")));
        }
        let tensor = self.read(slot, table)?;
        check_size(&tensor)?;
        keep(tensor.bytes())?;
        let id = self.graph.variables.push(Variable {
            initial: vec![0; tensor.bytes()].into(),
            name: tensor.name,
            ty: tensor.ty,
            shape: tensor.shape,
            quantization: tensor.quantization,
        });
        self.variables[slot] = Some(id);
        Ok(id)
    }

    /// A new variable of the type and shape of a tensor, all zeros at first.
    pub(crate) fn variable_like(
        &mut self,
        index: i32,
        name: String,
    ) -> Result<VariableId, ImportError> {
        let id = self.import(index)?;
        let tensor = &self.graph.tensors[id];
        check_size(tensor)?;
        let variable = Variable {
            name,
            ty: tensor.ty,
            shape: tensor.shape.clone(),
            quantization: tensor.quantization.clone(),
            initial: vec![0; tensor.bytes()].into(),
        };
        Ok(self.graph.variables.push(variable))
    }

    /// Says what the shape of an output is by the law of its operator. That must be what the file says, unless
    /// the file leaves it open or inputs were resized.
    pub(crate) fn set_shape(&mut self, index: i32, due: Vec<u32>) -> Result<(), ImportError> {
        let id = self.import(index)?;
        let open = self.resized || self.is_open(index)?;
        let tensor = &mut self.graph.tensors[id];
        if open {
            tensor.shape = due;
            check_size(tensor)
        } else if tensor.shape == due {
            Ok(())
        } else {
            Err(unsupported_form(format!(
                "`{}` has the shape {:?} where {due:?} is due",
                tensor.name, tensor.shape
            )))
        }
    }

    /// Whether the file leaves a dimension of a tensor open.
    pub(crate) fn is_open(&self, index: i32) -> Result<bool, ImportError> {
        let (_, table) = self.table(index)?;
        let mut dims = [table.shape()?, table.shape_signature()?]
            .into_iter()
            .flatten()
            .flat_map(|dims| dims.iter().collect::<Vec<_>>());
        Ok(dims.any(|d| d.is_none_or(|d| d < 0)))
    }

    /// Notes that a tensor is given or written here, and nowhere else.
    pub(crate) fn write(&mut self, id: TensorId) -> Result<(), ImportError> {
        let tensor = &self.graph.tensors[id];
        if tensor.data.is_none() && self.written.insert(id) {
            Ok(())
        } else {
            let name = &tensor.name;
            Err(unsupported_form(format!(
                "`{name}` is given or written twice"
            )))
        }
    }

    /// The name of the tensor of an index of the file.
    pub(crate) fn name(&self, index: i32) -> Result<String, ImportError> {
        let (slot, table) = self.table(index)?;
        name(slot, &table)
    }

    /// What is known of a tensor that was imported.
    pub(crate) fn get(&self, id: TensorId) -> &Tensor {
        &self.graph.tensors[id]
    }

    /// The elements of a constant of I32 or I64, of which there are at most `most`. An operator's result is
    /// one if it was folded.
    pub(crate) fn integers(&mut self, index: i32, most: usize) -> Result<Vec<i64>, ImportError> {
        let (slot, table) = self.table(index)?;
        let Tensor {
            name,
            ty,
            data,
            shape,
            ..
        } = match self.imported[slot] {
            Some(id) => self.graph.tensors[id].clone(),
            None => self.read(slot, table)?,
        };
        let is_empty = shape.contains(&0);
        let data = match data {
            Some(data) => data,
            // The shape of a scalar has no data.
            None if is_empty => [].into(),
            None => return Err(unsupported_form(format!("`{name}` is not constant"))),
        };
        let of_i32 = |b: &[u8]| Some(i64::from(i32::from_le_bytes(b.try_into().ok()?)));
        let of_i64 = |b: &[u8]| Some(i64::from_le_bytes(b.try_into().ok()?));
        let elements: Option<Vec<_>> = if ty == DataType::I32 {
            data.chunks(4).take(most).map(of_i32).collect()
        } else if ty == DataType::I64 {
            data.chunks(8).take(most).map(of_i64).collect()
        } else {
            None
        };
        match elements {
            Some(elements) if data.len() <= most * ty.size() as usize => Ok(elements),
            _ => Err(unsupported_form(format!(
                "`{name}` is not up to {most} numbers of i32 or i64, but {} bytes of {ty}",
                data.len()
            ))),
        }
    }

    /// Checks that the shape of an input is known: that no dimension but the first is left open, unless
    /// `shape` gives them all. The first is the batch, for which the file has a concrete number beside.
    pub(crate) fn fix(&mut self, index: i32, shape: Option<&[u32]>) -> Result<(), ImportError> {
        let Some(shape) = shape else {
            return self.expect_fixed(index);
        };
        let (slot, table) = self.table(index)?;
        let name = name(slot, &table)?;
        let open = signature(slot, &table)?;
        let fits = |(open, is): (&i32, &u32)| *open < 0 || u32::try_from(*open) == Ok(*is);
        if open.len() != shape.len() || !open.iter().zip(shape).all(fits) {
            return Err(unsupported_form(format!(
                "`{name}` has the shape {open:?} and cannot be given as {shape:?}"
            )));
        }
        let mut tensor = self.read_of_shape(slot, table, shape.to_vec())?;
        tensor.data = None;
        let id = self.graph.tensors.push(tensor);
        self.imported[slot] = Some(id);
        self.resized |= table.shape()?.is_none_or(|s| {
            !s.iter()
                .flatten()
                .map(i64::from)
                .eq(shape.iter().map(|d| i64::from(*d)))
        });
        Ok(())
    }

    /// Checks that no dimension of a tensor but the first is left open. That one is the batch, for which
    /// the file has a concrete number beside.
    /// The type of a tensor, `None` for a dimension that the file leaves open.
    pub(crate) fn open_type(
        &mut self,
        index: i32,
    ) -> Result<(DataType, Vec<Option<u32>>), ImportError> {
        let (slot, table) = self.table(index)?;
        let dims = signature(slot, &table)?;
        let ty = self.read(slot, table)?.ty;
        Ok((ty, dims.iter().map(|d| u32::try_from(*d).ok()).collect()))
    }

    fn expect_fixed(&self, index: i32) -> Result<(), ImportError> {
        let (slot, table) = self.table(index)?;
        let dims = signature(slot, &table)?;
        let shape: Vec<i32> = table
            .shape()?
            .iter()
            .flat_map(Vector::iter)
            .flatten()
            .collect();
        if dims
            .iter()
            .skip(1)
            .chain(shape.iter().skip(1))
            .any(|d| *d == -1)
        {
            let name = name(slot, &table)?;
            return Err(unsupported_form(format!(
                "a dimension of `{name}` is not fixed: {dims:?}"
            )));
        }
        Ok(())
    }

    fn table(&self, index: i32) -> Result<(usize, schema::Tensor<'a>), ImportError> {
        let slot = usize::try_from(index).ok();
        slot.and_then(|slot| Some((slot, self.tables?.get(slot)?)))
            .ok_or_else(|| unreadable(format!("tensor {index} is not there")))
    }

    fn read(&mut self, slot: usize, table: schema::Tensor<'a>) -> Result<Tensor, ImportError> {
        let shape = shape(&table, &name(slot, &table)?)?;
        self.read_of_shape(slot, table, shape)
    }

    fn read_of_shape(
        &mut self,
        slot: usize,
        table: schema::Tensor<'a>,
        shape: Vec<u32>,
    ) -> Result<Tensor, ImportError> {
        let name = name(slot, &table)?;
        let of_type = |ty| unsupported_form(format!("the elements of `{name}` are of type {ty}"));
        let (ty, storage) = schema::stored(table.element()?.unwrap_or(0)).map_err(of_type)?;
        if table.external_buffer()?.unwrap_or(0) != 0 {
            return Err(unsupported_form(format!("`{name}` lies in another file")));
        }
        let data = self.data(table.buffer()?.unwrap_or(0), &name)?;
        let sparsity = table.sparsity()?;
        let data = match data {
            Some(data) if storage != Storage::Whole || sparsity.is_some() => {
                let sparsity = sparsity
                    .map(|s| Sparsity::read(&s, shape.len()))
                    .transpose()?;
                Some(self.unfold(&data, storage, sparsity, ty, &shape, &name)?)
            }
            None if storage == Storage::Half => return Err(of_type("FLOAT16".to_owned())),
            None if storage == Storage::Int4 => return Err(of_type("INT4".to_owned())),
            data => data,
        };
        let tensor = Tensor {
            quantization: self.quantization(&table, &name, shape.len())?,
            shape,
            data,
            name,
            ty,
        };
        let bytes = tensor
            .shape
            .iter()
            .try_fold(u64::from(ty.size()), |n, d| n.checked_mul(u64::from(*d)));
        match &tensor.data {
            Some(data) if bytes != Some(data.len() as u64) => Err(unreadable(format!(
                "`{}` of type {ty} and shape {:?} has {} bytes of data",
                tensor.name,
                tensor.shape,
                data.len()
            ))),
            _ => Ok(tensor),
        }
    }

    /// The elements of a constant as the graph has them.
    fn unfold(
        &mut self,
        data: &[u8],
        storage: Storage,
        sparsity: Option<Sparsity>,
        ty: DataType,
        shape: &[u32],
        name: &str,
    ) -> Result<Arc<[u8]>, ImportError> {
        rune_ir::op::check_shape(name, shape).map_err(unsupported_form)?;
        let elements: usize = shape.iter().map(|d| *d as usize).product();
        let bytes = elements * ty.size() as usize;
        self.unfolded_left = self.unfolded_left.checked_sub(bytes).ok_or_else(|| {
            unsupported_form(format!("`{name}` takes far more room than the file"))
        })?;
        let wrong = || {
            unreadable(format!(
                "`{name}` of shape {shape:?} has {} bytes of data",
                data.len()
            ))
        };
        let data = match storage {
            Storage::Whole => data.to_vec(),
            Storage::Half => stored::widen(data),
            // Of a sparse tensor nobody knows the count beforehand.
            Storage::Int4 if sparsity.is_some() => return Err(wrong()),
            Storage::Int4 => stored::unpack(data, elements).ok_or_else(wrong)?,
        };
        let data = match sparsity {
            Some(sparsity) => sparsity.densify(&data, shape, ty.size() as usize)?,
            None => data,
        };
        Ok(data.into())
    }

    fn quantization(
        &mut self,
        table: &schema::Tensor,
        name: &str,
        rank: usize,
    ) -> Result<Option<Quantization>, ImportError> {
        let Some(table) = table.quantization()? else {
            return Ok(None);
        };
        if table.details()?.is_some() {
            return Err(unsupported_form(format!(
                "`{name}` is quantised in another way than by scale and zero point"
            )));
        }
        let Some(scales) = table.scale()?.filter(|s| s.len() > 0) else {
            return Ok(None);
        };
        self.scales_left = self
            .scales_left
            .checked_sub(scales.len())
            .ok_or_else(|| unreadable(format!("`{name}` shares its scales with too many")))?;
        let scale: Vec<f32> = scales.iter().flatten().collect();
        let zero_point = table
            .zero_point()?
            .map_or(Ok(vec![]), |z| {
                z.iter()
                    .flatten()
                    .take(scale.len())
                    .map(i32::try_from)
                    .collect()
            })
            .map_err(|_| unsupported_form(format!("a zero point of `{name}` is too large")))?;
        // One zero point, or none, stands for all.
        let zero_point = match zero_point[..] {
            [] => vec![0; scale.len()],
            [one] => vec![one; scale.len()],
            _ => zero_point,
        };
        let axis = self.axis(&table, name, scale.len(), rank)?;
        Ok(Some(Quantization {
            scale,
            zero_point,
            axis,
        }))
    }

    /// The dimension along which scales differ. Old converters write that of the weights on a bias, too, which
    /// has fewer: where just one dimension remains, that one is meant.
    fn axis(
        &mut self,
        table: &schema::QuantizationParameters,
        name: &str,
        scales: usize,
        rank: usize,
    ) -> Result<u32, ImportError> {
        let axis = table.quantized_dimension()?.unwrap_or(0);
        if scales > 1 && rank == 1 && axis != 0 {
            self.graph.repairs.push(format!(
                "the scales of `{name}` lie along dimension {axis}, of which it has not so many; dimension 0 is meant"
            ));
            return Ok(0);
        }
        // Operators to which it matters check it.
        Ok(axis.max(0) as u32)
    }

    fn data(&mut self, buffer: u32, name: &str) -> Result<Option<Arc<[u8]>>, ImportError> {
        if buffer == 0 {
            return Ok(None);
        }
        let slot = buffer as usize;
        let table = self
            .buffers
            .and_then(|b| b.get(slot))
            .ok_or_else(|| unreadable(format!("buffer {buffer} of `{name}` is not there")))?;
        if table.offset()?.unwrap_or(0) > 1 {
            return Err(unsupported_form(format!(
                "the data of `{name}` lie behind the model"
            )));
        }
        let Some(data) = table.data()?.filter(|d| d.len() > 0) else {
            return Ok(None);
        };
        Ok(Some(
            self.data[slot]
                .get_or_insert_with(|| data.bytes().into())
                .clone(),
        ))
    }
}

/// The name, as far as it is text and not too long, or one made of the index where there is none.
pub(crate) fn name(slot: usize, table: &schema::Tensor) -> Result<String, ImportError> {
    let bytes = table.name()?.map_or(&[][..], |n| n.bytes());
    if bytes.is_empty() {
        return Ok(format!("tensor {slot}"));
    }
    let kept = &bytes[..bytes.len().min(MAX_NAME)];
    Ok(String::from_utf8_lossy(kept).into_owned())
}

/// Checks that a tensor is neither empty nor too large.
pub(crate) fn check_size(tensor: &Tensor) -> Result<(), ImportError> {
    rune_ir::op::check_shape(&tensor.name, &tensor.shape).map_err(unsupported_form)
}

/// The shape; a dimension that is open counts as 1 until the law of the operator says what it is.
fn shape(table: &schema::Tensor, name: &str) -> Result<Vec<u32>, ImportError> {
    let Some(shape) = table.shape()? else {
        return Ok(Vec::new());
    };
    if shape.len() > MAX_RANK {
        return Err(unsupported_form(format!(
            "`{name}` has {} dimensions",
            shape.len()
        )));
    }
    let dims: Vec<i32> = shape.iter().flatten().collect();
    dims.iter()
        .map(|d| if *d == -1 { Ok(1) } else { u32::try_from(*d) })
        .collect::<Result<_, _>>()
        .map_err(|_| unsupported_form(format!("`{name}` has the dimensions {dims:?}")))
}

/// The dimensions of a tensor, below 0 for one that the file leaves open.
fn signature(slot: usize, table: &schema::Tensor) -> Result<Vec<i32>, ImportError> {
    let dims = match table.shape_signature()?.filter(|s| s.len() > 0) {
        Some(signature) => Some(signature),
        None => table.shape()?,
    };
    match dims {
        Some(dims) if dims.len() > MAX_RANK => {
            let name = name(slot, table)?;
            let rank = dims.len();
            Err(unsupported_form(format!("`{name}` has {rank} dimensions")))
        }
        dims => Ok(dims.iter().flat_map(Vector::iter).flatten().collect()),
    }
}
