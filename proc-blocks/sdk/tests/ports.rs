//! Ports that are many, texts made in a call, dimensions that a block computes.

use rune_block_sdk::{
    Block, Bounded, BoundedMut, Call, ElementType, Fault, Flow, Many, Parts, PartsMut, Refusal,
    Setup, State, Text, Utf8,
    testing::{Data, Instance, Native, Type, Variant, parts, parts_mut},
};

/// Swaps halves: the outputs are the inputs in reverse order, each plus the offset.
#[derive(Debug)]
struct Reverse;

impl Block for Reverse {
    type Inputs = (i32, Many<i32>);
    type Outputs = Many<i32>;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        if setup.inputs() != setup.outputs() + 1 {
            return Err(format!("{} inputs", setup.inputs()).into());
        }
        Ok(Self)
    }

    fn run(
        &self,
        (offset, inputs): (&[i32], Parts<'_, i32>),
        mut outputs: PartsMut<'_, i32>,
        _: &mut Call<'_>,
    ) -> Result<Flow, Fault> {
        assert_eq!(
            (inputs.len(), inputs.is_empty()),
            (outputs.len(), outputs.is_empty())
        );
        for (index, input) in inputs.iter().enumerate() {
            let output = outputs.get(inputs.len() - 1 - index);
            for (y, x) in output.iter_mut().zip(input) {
                *y = x + offset[0];
            }
        }
        Ok(Flow::Output)
    }
}

#[test]
fn many_inputs_and_outputs() {
    let dims: [&[u32]; 3] = [&[1], &[2], &[1]];
    let mut block = Instance::<Reverse>::new(&[], &dims, &[&[1], &[2]]).unwrap();
    let (mut a, mut b) = ([0], [0; 2]);
    let outputs = parts_mut(vec![&mut a, &mut b]);
    block
        .run((&[10], parts(&[&[1, 2][..], &[3]])), outputs)
        .unwrap();
    assert_eq!((a, b), ([13], [11, 12]));
    let refusal = Instance::<Reverse>::new(&[], &dims, &[&[1]]).unwrap_err();
    assert_eq!(refusal.message(), "3 inputs");
}

fn one(element: ElementType, n: u32) -> Type {
    Type {
        element,
        dims: vec![n],
        bounds: 0,
    }
}

/// As many outputs as inputs, each as long as all of them.
fn dims(setup: &Setup<'_>) -> Result<Vec<Vec<u32>>, Refusal> {
    let total: usize = (1..setup.inputs()).map(|i| setup.input(i).len()).sum();
    if total == 0 {
        return Err("there is nothing".into());
    }
    Ok(vec![vec![total as u32]; setup.outputs()])
}

#[test]
fn many_without_types() {
    static NATIVE: Native = Native::new("", &[Variant::of::<Reverse>("run")], &[Some(dims)]);
    let variant = NATIVE.variants()[0];
    let i32s = [ElementType::I32; 5];
    assert!(variant.takes(&i32s[..2], &i32s[..1]) && variant.takes(&i32s, &i32s[..4]));
    assert!(!variant.takes(&[ElementType::I32, ElementType::U8], &i32s));
    let types = [1, 2, 1].map(|n| one(ElementType::I32, n));
    let mut block = NATIVE.init("run", &[], &types, &types[1..]).unwrap();
    let bytes = |x: &[i32]| Data::Bytes(x.iter().flat_map(|x| x.to_le_bytes()).collect());
    let outputs = block
        .run(&[bytes(&[1]), bytes(&[5, 6]), bytes(&[7])])
        .unwrap();
    // What is not written is seen.
    let garbage = i32::from_le_bytes([0xa5; 4]);
    assert_eq!(outputs.unwrap(), [bytes(&[8, garbage]), bytes(&[6])]);

    let shape = |inputs: &[Type]| NATIVE.shape(&[], inputs, &i32s[..2]).unwrap();
    assert_eq!(shape(&types).unwrap(), [[3], [3]]);
    assert_eq!(
        shape(&types[..1]).unwrap_err().message(),
        "there is nothing"
    );
    assert!(NATIVE.init("run.f32", &[], &types, &types).is_err());
}

/// Gives the longest word, the unit, the number of calls in words, and the words that start with `a`.
#[derive(Debug)]
struct Words {
    unit: String,
    made: State<u8>,
    calls: State<u32>,
}

impl Block for Words {
    type Inputs = Utf8;
    type Outputs = (Utf8, Utf8, Bounded<Utf8>);

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let unit = setup.text(0)?.to_owned();
        let made = setup.state(8)?;
        let calls = setup.state(1)?;
        Ok(Self { unit, made, calls })
    }

    fn run<'a>(
        &'a self,
        lines: &'a [Text<'a>],
        (longest, notes, mut found): (
            &'a mut [Text<'a>],
            &'a mut [Text<'a>],
            BoundedMut<'a, Text<'a>>,
        ),
        call: &mut Call<'a>,
    ) -> Result<Flow, Fault> {
        let line = lines[0].as_str();
        let words = || line.split(' ');
        longest[0] = Text::of(words().max_by_key(|w| w.len()).ok_or(Fault::BadValue)?);
        let [calls] = call.state.get(&self.calls) else {
            return Err(Fault::Block);
        };
        *calls += 1;
        let digit = b'0' + (*calls % 10) as u8;
        call.state.get(&self.made)[..2].copy_from_slice(&[b'#', digit]);
        notes[0] = call.keep_text(&self.made, 2)?;
        notes[1] = Text::of(&self.unit);
        // More than one text can be kept, but nothing changes any more.
        notes[2] = call.keep_text(&self.made, 1)?;
        assert_eq!(call.keep_text(&self.made, 9), Err(Fault::OutOfRange));
        assert_eq!(
            call.state.keep(&self.calls)[0] % 10,
            u32::from(digit - b'0')
        );
        let mut count = 0;
        for word in words().filter(|w| w.starts_with('a')).take(found.len()) {
            found[count] = Text::of(word);
            count += 1;
        }
        found.truncate(count);
        Ok(Flow::Output)
    }
}

#[test]
fn texts_borrow_from_inputs_block_and_state() {
    let dims: [&[u32]; 3] = [&[1], &[3], &[4]];
    let mut block = Instance::<Words>::new(&["km".into()], &[&[1]], &dims).unwrap();
    let mut longest = [Text::default()];
    let mut notes = [Text::default(); 3];
    let mut room = [Text::default(); 4];
    let mut count = 0;
    for expected in ["#1", "#2"] {
        let line = String::from("an apple is red");
        let lines = [Text::of(&line)];
        let found = BoundedMut::new(&mut room, &mut count);
        block
            .run(&lines, (&mut longest, &mut notes, found))
            .unwrap();
        assert_eq!(
            (longest[0].as_str(), notes[0].as_str()),
            ("apple", expected)
        );
    }
    assert_eq!(notes[1..], ["km", "#"].map(Text::of));
    assert_eq!((&room[..2], count), (&["an", "apple"].map(Text::of)[..], 2));
}

#[test]
fn texts_without_types() {
    static NATIVE: Native = Native::new("", &[Variant::of::<Words>("run")], &[None]);
    let mut outputs = [1, 3, 4].map(|n| one(ElementType::Utf8, n));
    outputs[2].bounds = 1;
    let inputs = [one(ElementType::Utf8, 1)];
    let mut block = NATIVE
        .init("run", &["km".into()], &inputs, &outputs)
        .unwrap();
    let texts = |t: &[&str]| Data::Texts(t.iter().map(|t| (*t).to_owned()).collect());
    for expected in ["#1", "#2", "#1"] {
        let found = block.run(&[texts(&["a bc"])]).unwrap().unwrap();
        let notes = texts(&[expected, "km", "#"]);
        assert_eq!(found, [texts(&["bc"]), notes, texts(&["a"])]);
        if expected == "#2" {
            block.reset();
        }
    }
    assert_eq!((block.state_bytes(), block.scratch_bytes()), (32, 0));
    assert!(NATIVE.shape(&[], &inputs, &[]).is_none());
}

/// Changes the state after a text of it was kept.
#[derive(Debug)]
struct Late(State<u8>);

impl Block for Late {
    type Inputs = u8;
    type Outputs = Utf8;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        Ok(Self(setup.state(4)?))
    }

    fn run<'a>(
        &'a self,
        input: &'a [u8],
        output: &'a mut [Text<'a>],
        call: &mut Call<'a>,
    ) -> Result<Flow, Fault> {
        call.state.get(&self.0)[0] = input[0];
        output[0] = call.keep_text(&self.0, 1)?;
        call.state.get(&self.0)[0] = 0;
        Ok(Flow::Output)
    }
}

#[test]
fn bytes_that_are_no_text_are_a_fault() {
    let mut late = Instance::<Late>::new(&[], &[&[1]], &[&[1]]).unwrap();
    let mut output = [Text::default()];
    assert_eq!(late.run(&[0xff], &mut output), Err(Fault::BadValue));
}

#[test]
#[should_panic(expected = "assertion failed")]
fn a_kept_state_cannot_change() {
    let mut late = Instance::<Late>::new(&[], &[&[1]], &[&[1]]).unwrap();
    let _ = late.run(b"a", &mut [Text::default()]);
}
