//! The manifest as owned data, for whoever writes one.

use alloc::{borrow::ToOwned, string::String, vec::Vec};

use super::{
    BaseView, CapabilityView, Dim, FORMAT_VERSION, FeedView, MAGIC, ManifestError, ManifestView,
    ModelView, OutputView, ParamView, TensorType, ValueView, Version,
};
use crate::{CapabilityKind, OutputKind, WasmFeatures};

/// What a rune needs and what it is. The fields are those of [`ManifestView`].
#[derive(Clone, Debug, PartialEq)]
pub struct Manifest {
    /// The contract with the runtime it needs, see [`ABI_VERSION`](crate::ABI_VERSION).
    pub abi_version: u16,
    /// The Wasm features its code uses.
    pub features: WasmFeatures,
    /// Raised when an older rune must not come back.
    pub security_counter: u32,
    /// Exact bytes of memory it uses, from address 0.
    pub memory_bytes: u32,
    /// Bytes of these that are its stack, from address 0.
    pub stack_bytes: u32,
    /// Name of the rune.
    pub name: String,
    /// Version of the rune.
    pub version: Version,
    /// The base images it was built on.
    pub bases: Vec<Base>,
    /// Where its data comes from; the index is what `read` gets. Names are distinct.
    pub capabilities: Vec<Capability>,
    /// Where its results go; the index is what `write` gets. Names are distinct.
    pub outputs: Vec<Output>,
    /// The models compiled into it.
    pub models: Vec<Model>,
    /// Its stages in execution order; the index is what `mark` gets.
    pub stages: Vec<String>,
}

/// A base image a rune was built on.
#[derive(Clone, Debug, PartialEq)]
pub struct Base {
    /// Its canonical name, such as `runicos/base`.
    pub name: String,
    /// Its version.
    pub version: Version,
}

/// A source of data a rune reads.
#[derive(Clone, Debug, PartialEq)]
pub struct Capability {
    /// What it is.
    pub kind: CapabilityKind,
    /// The name of its stage.
    pub name: String,
    /// What one call reads.
    pub ty: TensorType,
    /// Its parameters; names are canonical, an absent one has no value.
    pub params: Vec<Param>,
}

/// A sink a rune writes to.
#[derive(Clone, Debug, PartialEq)]
pub struct Output {
    /// What it is.
    pub kind: OutputKind,
    /// The name of its stage.
    pub name: String,
    /// The tensors of one record, in order.
    pub tensors: Vec<Feed>,
    /// Its parameters.
    pub params: Vec<Param>,
}

/// A tensor of an output.
#[derive(Clone, Debug, PartialEq)]
pub struct Feed {
    /// The stage it comes from.
    pub from: String,
    /// What it is.
    pub ty: TensorType,
}

/// A model compiled into a rune.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// The name of its stage.
    pub name: String,
    /// Of the model file as it was.
    pub sha256: [u8; 32],
    /// What it takes.
    pub inputs: Vec<TensorType>,
    /// What it gives.
    pub outputs: Vec<TensorType>,
}

/// A parameter of a capability or output.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Canonical name, in kebab case.
    pub name: String,
    /// Its value.
    pub value: Value,
}

/// The value of a parameter.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A whole number.
    Integer(i64),
    /// A finite number.
    Float(f64),
    /// A word.
    Text(String),
}

impl Manifest {
    /// The bytes of the manifest, or the first place that breaks a rule of the format: a limit,
    /// an empty name, a control character, a name twice.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ManifestError> {
        let mut w = Writer(Vec::new());
        w.0.extend(MAGIC);
        w.u32(0);
        w.u16(FORMAT_VERSION);
        w.u16(self.abi_version);
        w.u32(self.features.0);
        w.u32(self.security_counter);
        w.u32(self.memory_bytes);
        w.u32(self.stack_bytes);
        w.text(&self.name);
        w.version(self.version);
        w.list(&self.bases, |w, base| {
            w.text(&base.name);
            w.version(base.version);
        });
        w.list(&self.capabilities, |w, capability| {
            w.u16(capability.kind as u16);
            w.text(&capability.name);
            w.tensor(&capability.ty);
            w.params(&capability.params);
        });
        w.list(&self.outputs, |w, output| {
            w.u16(output.kind as u16);
            w.text(&output.name);
            w.list(&output.tensors, |w, feed| {
                w.text(&feed.from);
                w.tensor(&feed.ty);
            });
            w.params(&output.params);
        });
        w.list(&self.models, |w, model| {
            w.text(&model.name);
            w.0.extend(model.sha256);
            w.list(&model.inputs, Writer::tensor);
            w.list(&model.outputs, Writer::tensor);
        });
        w.list(&self.stages, |w, stage| w.text(stage));
        let length = u32::try_from(w.0.len()).unwrap_or(u32::MAX);
        w.0[4..8].copy_from_slice(&length.to_le_bytes());
        ManifestView::parse(&w.0)?;
        Ok(w.0)
    }
}

/// Appends fields. A count that does not fit is written as the largest number, which the reader
/// refuses as over its limit.
struct Writer(Vec<u8>);

impl Writer {
    fn u16(&mut self, n: u16) {
        self.0.extend(n.to_le_bytes());
    }

    fn u32(&mut self, n: u32) {
        self.0.extend(n.to_le_bytes());
    }

    fn count(&mut self, n: usize) {
        self.u16(u16::try_from(n).unwrap_or(u16::MAX));
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend(text.bytes());
    }

    fn version(&mut self, version: Version) {
        self.u16(version.major);
        self.u16(version.minor);
        self.u16(version.patch);
    }

    fn list<T>(&mut self, items: &[T], write: impl Fn(&mut Self, &T)) {
        self.count(items.len());
        for item in items {
            write(self, item);
        }
    }

    fn tensor(&mut self, ty: &TensorType) {
        let is_bound = |d: &Dim| matches!(d, Dim::AtMost(_));
        let bounds = ty
            .dims()
            .iter()
            .rev()
            .fold(0, |mask, d| mask << 1 | u8::from(is_bound(d)));
        self.0
            .extend([ty.element() as u8, ty.dims().len() as u8, bounds]);
        for dim in ty.dims() {
            self.u32(dim.bound());
        }
    }

    fn params(&mut self, params: &[Param]) {
        self.list(params, |w, param| {
            w.text(&param.name);
            match &param.value {
                Value::Integer(n) => {
                    w.0.push(0);
                    w.0.extend(n.to_le_bytes());
                }
                Value::Float(x) => {
                    w.0.push(1);
                    w.0.extend(x.to_le_bytes());
                }
                Value::Text(text) => {
                    w.0.push(2);
                    w.text(text);
                }
            }
        });
    }
}

impl ManifestView<'_> {
    /// The same as owned data.
    pub fn to_owned(&self) -> Manifest {
        Manifest {
            abi_version: self.abi_version,
            features: self.features,
            security_counter: self.security_counter,
            memory_bytes: self.memory_bytes,
            stack_bytes: self.stack_bytes,
            name: self.name.to_owned(),
            version: self.version,
            bases: self.bases.iter().map(Base::from).collect(),
            capabilities: self.capabilities.iter().map(Capability::from).collect(),
            outputs: self.outputs.iter().map(Output::from).collect(),
            models: self.models.iter().map(Model::from).collect(),
            stages: self.stages.iter().map(ToOwned::to_owned).collect(),
        }
    }
}

impl From<BaseView<'_>> for Base {
    fn from(view: BaseView<'_>) -> Self {
        Self {
            name: view.name.to_owned(),
            version: view.version,
        }
    }
}

impl From<CapabilityView<'_>> for Capability {
    fn from(view: CapabilityView<'_>) -> Self {
        Self {
            kind: view.kind,
            name: view.name.to_owned(),
            ty: view.ty,
            params: view.params.iter().map(Param::from).collect(),
        }
    }
}

impl From<OutputView<'_>> for Output {
    fn from(view: OutputView<'_>) -> Self {
        Self {
            kind: view.kind,
            name: view.name.to_owned(),
            tensors: view.tensors.iter().map(Feed::from).collect(),
            params: view.params.iter().map(Param::from).collect(),
        }
    }
}

impl From<FeedView<'_>> for Feed {
    fn from(view: FeedView<'_>) -> Self {
        Self {
            from: view.from.to_owned(),
            ty: view.ty,
        }
    }
}

impl From<ModelView<'_>> for Model {
    fn from(view: ModelView<'_>) -> Self {
        Self {
            name: view.name.to_owned(),
            sha256: *view.sha256,
            inputs: view.inputs.iter().collect(),
            outputs: view.outputs.iter().collect(),
        }
    }
}

impl From<ParamView<'_>> for Param {
    fn from(view: ParamView<'_>) -> Self {
        Self {
            name: view.name.to_owned(),
            value: match view.value {
                ValueView::Integer(n) => Value::Integer(n),
                ValueView::Float(x) => Value::Float(x),
                ValueView::Text(text) => Value::Text(text.to_owned()),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::{format, string::ToString, vec};

    use super::*;
    use crate::ElementType;

    /// xorshift64*: small, seeded, the same everywhere.
    struct Random(u64);

    impl Random {
        fn next(&mut self) -> u64 {
            self.0 ^= self.0 >> 12;
            self.0 ^= self.0 << 25;
            self.0 ^= self.0 >> 27;
            self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
        }

        fn below(&mut self, n: u64) -> u64 {
            self.next() % n
        }

        fn list<T>(&mut self, most: u64, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
            (0..self.below(most + 1)).map(|_| item(self)).collect()
        }

        fn name(&mut self) -> String {
            let letters = ['a', 'b', '-', '_', '7', 'é', '水', ' '];
            (0..=self.below(6))
                .map(|_| letters[self.below(8) as usize])
                .collect()
        }

        fn tensor(&mut self) -> TensorType {
            let dims = self.list(8, |r| {
                let n = 1 + r.below(5) as u32;
                if r.below(3) == 0 {
                    Dim::AtMost(n)
                } else {
                    Dim::Exact(n)
                }
            });
            TensorType::new(ElementType::ALL[self.below(11) as usize], &dims).unwrap()
        }

        fn param(&mut self) -> Param {
            Param {
                name: self.name(),
                value: match self.below(3) {
                    0 => Value::Integer(self.next() as i64),
                    1 => Value::Float(self.next() as i64 as f64 / 1000.0),
                    _ => Value::Text(self.name()),
                },
            }
        }

        fn version(&mut self) -> Version {
            Version {
                major: self.next() as u16,
                minor: self.next() as u16,
                patch: self.next() as u16,
            }
        }

        fn manifest(&mut self) -> Manifest {
            let memory_bytes = self.next() as u32;
            let mut id = 0;
            Manifest {
                abi_version: self.next() as u16,
                features: WasmFeatures(self.below(0x80) as u32),
                security_counter: self.next() as u32,
                memory_bytes,
                stack_bytes: memory_bytes / 2,
                name: self.name(),
                version: self.version(),
                bases: self.list(3, |r| Base {
                    name: r.name(),
                    version: r.version(),
                }),
                capabilities: self.list(4, |r| {
                    id += 1;
                    Capability {
                        kind: crate::CAPABILITIES[r.below(5) as usize].kind,
                        name: format!("{}{id}", r.name()),
                        ty: r.tensor(),
                        params: r.list(4, Self::param),
                    }
                }),
                outputs: self.list(3, |r| {
                    id += 1;
                    Output {
                        kind: OutputKind::Serial,
                        name: format!("{}{id}", r.name()),
                        tensors: r.list(3, |r| Feed {
                            from: r.name(),
                            ty: r.tensor(),
                        }),
                        params: r.list(2, Self::param),
                    }
                }),
                models: self.list(3, |r| Model {
                    name: r.name(),
                    sha256: core::array::from_fn(|_| r.next() as u8),
                    inputs: r.list(2, Self::tensor),
                    outputs: r.list(2, Self::tensor),
                }),
                stages: self.list(8, Self::name),
            }
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let mut random = Random(1);
        for _ in 0..500 {
            let manifest = random.manifest();
            let bytes = manifest.to_bytes().unwrap();
            let view = ManifestView::parse(&bytes).unwrap();
            assert_eq!(view.to_owned(), manifest);
            assert_eq!(view.capabilities.len(), manifest.capabilities.len());
            for (i, capability) in manifest.capabilities.iter().enumerate() {
                assert_eq!(view.capabilities.get(i).unwrap().name, capability.name);
            }
        }
    }

    #[test]
    fn no_mutation_panics_and_what_is_accepted_is_canonical() {
        let mut random = Random(2);
        let (mut accepted, mut refused) = (0, 0);
        for _ in 0..10_000 {
            let mut bytes = random.manifest().to_bytes().unwrap();
            for _ in 0..=random.below(3) {
                let at = random.below(bytes.len() as u64) as usize;
                match random.below(4) {
                    0 => bytes[at] = random.next() as u8,
                    1 => bytes[at] ^= 1 << random.below(8),
                    2 => bytes.insert(at, random.next() as u8),
                    _ => {
                        bytes.remove(at);
                    }
                }
            }
            if random.below(2) == 0 && bytes.len() >= 8 {
                let length = (bytes.len() as u32).to_le_bytes();
                bytes[4..8].copy_from_slice(&length);
            }
            match ManifestView::parse(&bytes) {
                Ok(view) => {
                    accepted += 1;
                    assert_eq!(view.to_owned().to_bytes().unwrap(), bytes);
                }
                Err(error) => {
                    refused += 1;
                    assert!(error.offset <= bytes.len(), "{error}");
                }
            }
        }
        assert!(accepted > 500 && refused > 500, "{accepted}, {refused}");
    }

    #[test]
    fn every_prefix_is_refused() {
        let bytes = Random(3).manifest().to_bytes().unwrap();
        for end in 0..bytes.len() {
            assert!(ManifestView::parse(&bytes[..end]).is_err());
        }
    }

    #[test]
    fn rules_are_named() {
        let good = Random(4).manifest();
        let refuse = |change: &dyn Fn(&mut Manifest)| {
            let mut bad = good.clone();
            change(&mut bad);
            bad.to_bytes().unwrap_err().to_string()
        };
        let capability = |name: &str| Capability {
            kind: CapabilityKind::Raw,
            name: name.to_owned(),
            ty: TensorType::new(ElementType::U8, &[Dim::Exact(1)]).unwrap(),
            params: vec![],
        };
        for (what, text) in [
            ("empty name", refuse(&|m| m.name.clear())),
            ("control character", refuse(&|m| m.name.push('\u{1b}'))),
            ("text too long", refuse(&|m| m.name = "x".repeat(2_000))),
            ("more stack", refuse(&|m| m.stack_bytes = u32::MAX)),
            ("unknown Wasm", refuse(&|m| m.features.0 = 1 << 31)),
            (
                "list too long",
                refuse(&|m| m.stages = vec!["s".to_owned(); 1025]),
            ),
            (
                "longer than 64 KiB",
                refuse(&|m| m.stages = vec!["s".repeat(1000); 100]),
            ),
            (
                "two capabilities",
                refuse(&|m| m.capabilities = vec![capability("a"), capability("a")]),
            ),
        ] {
            assert!(text.contains(what), "{text}");
        }
    }

    #[test]
    fn tensor_types_keep_their_limits_and_print_as_in_a_runefile() {
        let dims = [Dim::AtMost(100), Dim::Exact(6)];
        let boxes = TensorType::new(ElementType::F32, &dims).unwrap();
        assert_eq!(boxes.to_string(), "F32[<=100, 6]");
        assert_eq!((boxes.elements(), boxes.bytes()), (600, 2400));
        let scalar = TensorType::new(ElementType::F64, &[]).unwrap();
        assert_eq!((scalar.elements(), scalar.to_string()), (1, "F64[]".into()));
        for dims in [
            &[Dim::Exact(0)][..],
            &[Dim::Exact(1 << 14); 2],
            &[Dim::Exact(1); 9],
        ] {
            assert!(TensorType::new(ElementType::U8, dims).is_none());
        }
    }
}
