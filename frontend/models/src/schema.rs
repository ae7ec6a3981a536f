//! The TensorFlow Lite format: the tables and fields that the importer reads, by the format's public names
//! and ids, and the numbers it gives to types, activations and operators.

use rune_ir::{graph::DataType, op::Activation, ty::ElementType};

use crate::flatbuffer::{Malformed, Table, Vector, tables};

/// Bytes 4..8 of every file.
pub(crate) const IDENTIFIER: &[u8] = b"TFL3";

tables! { 'a
    /// The root.
    Model {
        1 operator_codes: Vector<'a, OperatorCode<'a>>,
        2 subgraphs: Vector<'a, SubGraph<'a>>,
        3 description: Vector<'a, u8>,
        4 buffers: Vector<'a, Buffer<'a>>,
    }

    /// An operator that the model uses; the greater of its two codes counts.
    OperatorCode {
        0 deprecated_builtin_code: i8,
        1 custom_code: Vector<'a, u8>,
        3 builtin_code: i32,
    }

    /// Tensors and the operators between them.
    SubGraph {
        0 tensors: Vector<'a, Tensor<'a>>,
        1 inputs: Vector<'a, i32>,
        2 outputs: Vector<'a, i32>,
        3 operators: Vector<'a, Operator<'a>>,
    }

    /// One tensor. Buffer 0 is none.
    Tensor {
        0 shape: Vector<'a, i32>,
        1 element: i8,
        2 buffer: u32,
        3 name: Vector<'a, u8>,
        4 quantization: QuantizationParameters<'a>,
        5 is_variable: u8,
        6 sparsity: SparsityParameters<'a>,
        7 shape_signature: Vector<'a, i32>,
        10 external_buffer: u32,
    }

    /// Scales and zero points; `details` are other kinds of quantisation.
    QuantizationParameters {
        2 scale: Vector<'a, f32>,
        3 zero_point: Vector<'a, i64>,
        5 details: Table<'a>,
        6 quantized_dimension: i32,
    }

    /// How the elements of a tensor that are not zero are reached.
    SparsityParameters {
        0 traversal_order: Vector<'a, i32>,
        1 block_map: Vector<'a, i32>,
        2 dim_metadata: Vector<'a, DimensionMetadata<'a>>,
    }

    /// One dimension of a sparse tensor: dense (format 0), or segments and indices of a number that says in
    /// what type they are.
    DimensionMetadata {
        0 format: i8,
        1 dense_size: i32,
        2 array_segments_type: u8,
        3 array_segments: IndexVector<'a>,
        4 array_indices_type: u8,
        5 array_indices: IndexVector<'a>,
    }

    /// One of three tables: numbers in the type of its number, 1 for i32, 2 for u16, 3 for u8.
    IndexVector {
        0 i32_values: Vector<'a, i32>,
    }

    /// One application of an operator. A tensor of -1 is left out.
    Operator {
        0 opcode_index: u32,
        1 inputs: Vector<'a, i32>,
        2 outputs: Vector<'a, i32>,
        3 builtin_options_type: u8,
        4 builtin_options: Table<'a>,
        5 custom_options: Vector<'a, u8>,
    }

    /// Constant data, in the file or (`offset` above 1) behind it.
    Buffer {
        0 data: Vector<'a, u8>,
        1 offset: u64,
    }

    /// Number 1 of `builtin_options_type`.
    Conv2DOptions {
        0 padding: i8,
        1 stride_w: i32,
        2 stride_h: i32,
        3 fused_activation_function: i8,
        4 dilation_w_factor: i32,
        5 dilation_h_factor: i32,
    }

    /// Number 2 of `builtin_options_type`.
    DepthwiseConv2DOptions {
        0 padding: i8,
        1 stride_w: i32,
        2 stride_h: i32,
        4 fused_activation_function: i8,
        5 dilation_w_factor: i32,
        6 dilation_h_factor: i32,
    }

    /// Number 5 of `builtin_options_type`.
    Pool2DOptions {
        0 padding: i8,
        1 stride_w: i32,
        2 stride_h: i32,
        3 filter_width: i32,
        4 filter_height: i32,
        5 fused_activation_function: i8,
    }

    /// Number 8 of `builtin_options_type`.
    FullyConnectedOptions {
        0 fused_activation_function: i8,
        1 weights_format: i8,
        2 keep_num_dims: u8,
        3 asymmetric_quantize_inputs: u8,
    }

    /// Number 6 of `builtin_options_type`.
    SvdfOptions {
        0 rank: i32,
        1 fused_activation_function: i8,
    }

    /// Number 71 of `builtin_options_type`.
    UnidirectionalSequenceLstmOptions {
        0 fused_activation_function: i8,
        1 cell_clip: f32,
        3 time_major: u8,
        5 diagonal_recurrent_tensors: u8,
    }

    /// Number 49 of `builtin_options_type`.
    TransposeConvOptions {
        0 padding: i8,
        1 stride_w: i32,
        2 stride_h: i32,
        3 fused_activation_function: i8,
    }

    /// Number 101 of `builtin_options_type`.
    BatchMatMulOptions {
        0 adj_x: u8,
        1 adj_y: u8,
        2 asymmetric_quantize_inputs: u8,
    }

    /// Number 9 of `builtin_options_type`.
    SoftmaxOptions {
        0 beta: f32,
    }

    /// Number 11 of `builtin_options_type`; number 28, `SubOptions`, has the same fields.
    AddOptions {
        0 fused_activation_function: i8,
        1 pot_scale_int16: u8,
    }

    /// Number 21 of `builtin_options_type`; number 29, `DivOptions`, has the same field.
    MulOptions {
        0 fused_activation_function: i8,
    }

    /// Number 75 of `builtin_options_type`.
    LeakyReluOptions {
        0 alpha: f32,
    }

    /// Number 116 of `builtin_options_type`.
    GeluOptions {
        0 approximate: u8,
    }

    /// Number 10 of `builtin_options_type`.
    ConcatenationOptions {
        0 axis: i32,
        1 fused_activation_function: i8,
    }

    /// Number 15 of `builtin_options_type`.
    ResizeBilinearOptions {
        2 align_corners: u8,
        3 half_pixel_centers: u8,
    }

    /// Number 12 of `builtin_options_type`.
    L2NormOptions {
        0 fused_activation_function: i8,
    }

    /// Number 17 of `builtin_options_type`.
    ReshapeOptions {
        0 new_shape: Vector<'a, i32>,
    }

    /// Number 19 of `builtin_options_type`.
    SpaceToDepthOptions {
        0 block_size: i32,
    }

    /// Number 23 of `builtin_options_type`.
    GatherOptions {
        0 axis: i32,
        1 batch_dims: i32,
    }

    /// Number 30 of `builtin_options_type`.
    SqueezeOptions {
        0 squeeze_dims: Vector<'a, i32>,
    }

    /// Number 32 of `builtin_options_type`.
    StridedSliceOptions {
        0 begin_mask: i32,
        1 end_mask: i32,
        2 ellipsis_mask: i32,
        3 new_axis_mask: i32,
        4 shrink_axis_mask: i32,
        5 offset: u8,
    }

    /// Number 59 of `builtin_options_type`.
    PackOptions {
        1 axis: i32,
    }

    /// Number 64 of `builtin_options_type`.
    UnpackOptions {
        1 axis: i32,
    }

    /// Number 74 of `builtin_options_type`.
    ResizeNearestNeighborOptions {
        0 align_corners: u8,
        1 half_pixel_centers: u8,
    }

    /// Number 77 of `builtin_options_type`.
    MirrorPadOptions {
        0 mode: i8,
    }

    /// Number 94 of `builtin_options_type`.
    DepthToSpaceOptions {
        0 block_size: i32,
    }

    /// Number 27 of `builtin_options_type`.
    ReducerOptions {
        0 keep_dims: u8,
    }

    /// Number 92 of `builtin_options_type`.
    IfOptions {
        0 then_subgraph_index: i32,
        1 else_subgraph_index: i32,
    }

    /// Number 93 of `builtin_options_type`.
    WhileOptions {
        0 cond_subgraph_index: i32,
        1 body_subgraph_index: i32,
    }

    /// Number 102 of `builtin_options_type`.
    CumsumOptions {
        0 exclusive: u8,
        1 reverse: u8,
    }

    /// Number 103 of `builtin_options_type`.
    CallOnceOptions {
        0 init_subgraph_index: i32,
    }

    /// Number 111 of `builtin_options_type`.
    VarHandleOptions {
        0 container: Vector<'a, u8>,
        1 shared_name: Vector<'a, u8>,
    }
}

impl<'a> IndexVector<'a> {
    /// The values, in the table of number 2.
    pub(crate) fn u16_values(&self) -> Result<Option<Vector<'a, u16>>, Malformed> {
        self.0.field("IndexVector", 0, "values")
    }

    /// The values, in the table of number 3.
    pub(crate) fn u8_values(&self) -> Result<Option<Vector<'a, u8>>, Malformed> {
        self.0.field("IndexVector", 0, "values")
    }
}

/// How a tensor's elements are stored, where the graph has them otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Storage {
    /// As they are.
    Whole,
    /// Two four-bit integers in a byte; the graph has bytes.
    Int4,
    /// 16-bit floats; the graph has F32.
    Half,
}

/// The element type and storage of a number, or its name if tensors here cannot have it.
pub(crate) fn stored(number: i8) -> Result<(DataType, Storage), String> {
    match number {
        1 => Ok((DataType::F32, Storage::Half)),
        17 => Ok((DataType::I8, Storage::Int4)),
        other => Ok((element(other)?, Storage::Whole)),
    }
}

/// The element type of a number, or its name if tensors here cannot have it.
pub(crate) fn element(number: i8) -> Result<DataType, String> {
    Ok(DataType::Element(match number {
        0 => ElementType::F32,
        2 => ElementType::I32,
        3 => ElementType::U8,
        4 => ElementType::I64,
        6 => return Ok(DataType::Bool),
        7 => ElementType::I16,
        9 => ElementType::I8,
        10 => ElementType::F64,
        12 => ElementType::U64,
        15 => ElementType::U32,
        16 => ElementType::U16,
        1 => return Err("FLOAT16".to_owned()),
        5 => return Err("STRING".to_owned()),
        8 => return Err("COMPLEX64".to_owned()),
        17 => return Err("INT4".to_owned()),
        18 => return Err("BFLOAT16".to_owned()),
        other => return Err(format!("number {other}")),
    }))
}

/// The fused activation of a number, or its name if no operator here has it.
pub(crate) fn activation(number: i8) -> Result<Activation, String> {
    Ok(match number {
        0 => Activation::None,
        1 => Activation::Relu,
        2 => Activation::ReluN1To1,
        3 => Activation::Relu6,
        4 => return Err("TANH".to_owned()),
        5 => return Err("SIGN_BIT".to_owned()),
        other => return Err(format!("number {other}")),
    })
}

/// How far a window may reach beyond the tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Padding {
    /// As far as needed for one position per stride.
    Same,
    /// Not at all.
    Valid,
}

/// The padding of a number.
pub(crate) fn padding(number: i8) -> Result<Padding, String> {
    match number {
        0 => Ok(Padding::Same),
        1 => Ok(Padding::Valid),
        other => Err(format!("number {other}")),
    }
}

/// The names of the builtin operators, by their codes.
const OPERATORS: &str = "\
ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE
EMBEDDING_LOOKUP FLOOR FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D
LOCAL_RESPONSE_NORMALIZATION LOGISTIC LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1
RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH SVDF TANH CONCAT_EMBEDDINGS
SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN GATHER
BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE
UNIDIRECTIONAL_SEQUENCE_LSTM STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT
LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG
PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN TRANSPOSE_CONV SPARSE_TO_DENSE TILE
EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN FAKE_QUANT REDUCE_PROD
REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV
REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU
SQUARED_DIFFERENCE MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE
RANK ELU REVERSE_SEQUENCE MATRIX_DIAG QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE
NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND SELECT_V2 DENSIFY SEGMENT_SUM
BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO RFFT2D CONV_3D
IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL
CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS
RANDOM_STANDARD_NORMAL BUCKETIZE RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE
RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX UNSORTED_SEGMENT_SUM ATAN2
UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT";

/// The name of a builtin operator.
pub(crate) fn operator_name(code: i32) -> String {
    usize::try_from(code)
        .ok()
        .and_then(|code| OPERATORS.split_whitespace().nth(code))
        .map_or_else(|| format!("operator code {code}"), str::to_owned)
}
