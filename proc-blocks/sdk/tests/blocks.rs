//! Blocks that use everything the SDK offers, run on the host.

use rune_block_sdk::{
    Block, Bounded, BoundedMut, Call, Fault, Flow, Refusal, Scratch, Setup, State, Text, Utf8,
    testing::{Instance, Value},
};

/// Adds what it is given to a running sum, and answers in every `every`-th call.
struct Totals {
    sums: State<f64>,
    calls: State<u32>,
    work: Scratch<[f32; 2]>,
    every: u32,
}

impl Block for Totals {
    type Inputs = (f32, i16);
    type Outputs = (f64, u8);

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        assert_eq!(setup.input(1).dims(), [3]);
        assert!(!setup.input(0).is_bound(0) && !setup.output(1).is_empty());
        let sums = setup.state(setup.output(0).len())?;
        let calls = setup.state(1)?;
        let work = setup.scratch(setup.input(0).len())?;
        let start = setup.float(0)?;
        setup.initial_state().get(&sums).fill(start);
        Ok(Self {
            sums,
            calls,
            work,
            every: setup.integer(1)? as u32,
        })
    }

    fn run(
        &self,
        (a, b): (&[f32], &[i16]),
        (sums, flags): (&mut [f64], &mut [u8]),
        call: &mut Call<'_>,
    ) -> Result<Flow, Fault> {
        let work = call.scratch.get(&self.work);
        for (pair, (a, b)) in work.iter_mut().zip(a.iter().zip(b)) {
            *pair = [*a, f32::from(*b)];
        }
        let kept = call.state.get(&self.sums);
        for (sum, [a, b]) in kept.iter_mut().zip(work) {
            *sum += f64::from(*a) + f64::from(*b);
            if !sum.is_finite() {
                return Err(Fault::BadValue);
            }
        }
        sums.copy_from_slice(kept);
        flags.fill(1);
        let [calls] = call.state.get(&self.calls) else {
            return Err(Fault::Block);
        };
        *calls += 1;
        Ok(if calls.is_multiple_of(self.every) {
            Flow::Output
        } else {
            Flow::Nothing
        })
    }
}

#[test]
fn state_stays_and_scratch_is_lent() {
    let args = [10.0.into(), 2.into()];
    let make = || Instance::<Totals>::new(&args, &[&[3], &[3]], &[&[3], &[1]]).unwrap();
    let (mut one, mut other) = (make(), make());
    let mut sums = [0.0; 3];
    let mut flags = [0];
    let input = (&[0.5, 1.5, 2.5][..], &[1, 2, -3][..]);
    assert_eq!(one.run(input, (&mut sums, &mut flags)), Ok(Flow::Nothing));
    assert_eq!(one.run(input, (&mut sums, &mut flags)), Ok(Flow::Output));
    assert_eq!((sums, flags), ([13.0, 17.0, 9.0], [1]));
    assert_eq!(other.run(input, (&mut sums, &mut flags)), Ok(Flow::Nothing));
    assert_eq!(sums, [11.5, 13.5, 9.5]);
    let infinite = (&[f32::INFINITY; 3][..], &[0; 3][..]);
    assert_eq!(
        one.run(infinite, (&mut sums, &mut flags)),
        Err(Fault::BadValue)
    );
}

/// Keeps the strings that contain a word, and names where they came from.
#[derive(Debug)]
struct Grep {
    word: String,
    sources: Vec<Text<'static>>,
    table: Vec<u8>,
    invert: bool,
}

impl Block for Grep {
    type Inputs = Utf8;
    type Outputs = (Utf8, Bounded<u32>);

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        let sources = setup.texts(1)?;
        if sources.len() == 0 {
            return Err("`--sources` is empty".into());
        }
        Ok(Self {
            word: setup.text(0)?.to_owned(),
            sources: sources.map(Text::frozen).collect(),
            table: setup.bytes(2)?.to_vec(),
            invert: setup.bool(3)?,
        })
    }

    fn run(
        &self,
        texts: &[Text<'_>],
        (sources, mut found): (&mut [Text<'_>], BoundedMut<'_, u32>),
        _: &mut Call<'_>,
    ) -> Result<Flow, Fault> {
        let mut count = 0;
        for (i, text) in texts.iter().enumerate() {
            if text.as_str().contains(&self.word) != self.invert {
                found[count] = u32::from(self.table[i]);
                count += 1;
            }
        }
        found.truncate(count);
        sources[0] = self.sources[count % self.sources.len()];
        Ok(Flow::Output)
    }
}

fn grep(sources: &[&str], invert: bool) -> Result<Instance<Grep>, Refusal> {
    let args = [
        "on".into(),
        Value::Texts(sources),
        Value::Bytes(&[7, 8, 9]),
        invert.into(),
    ];
    Instance::new(&args, &[&[3]], &[&[1], &[3]])
}

#[test]
fn strings_go_in_and_bounded_outputs_come_out() {
    let mut block = grep(&["none", "one", "two"], false).unwrap();
    let mut sources = [Text::default()];
    let mut room = [0; 3];
    let mut count = 0;
    let texts = ["stone", "tree", "bone"].map(Text::of);
    let found = BoundedMut::new(&mut room, &mut count);
    assert_eq!(block.run(&texts, (&mut sources, found)), Ok(Flow::Output));
    assert_eq!((sources[0].as_str(), count), ("two", 2));
    assert_eq!(room[..2], [7, 9]);
    let mut block = grep(&["none", "one"], true).unwrap();
    let found = BoundedMut::new(&mut room, &mut count);
    block.run(&texts, (&mut sources, found)).unwrap();
    assert_eq!((sources[0], count, room[0]), (Text::of("one"), 1, 8));
}

#[test]
fn a_refusal_has_a_message() {
    assert_eq!(
        grep(&[], false).unwrap_err().message(),
        "`--sources` is empty"
    );
    let args = ["on".into(), "not a list".into(), 1.into(), false.into()];
    let refusal = Instance::<Grep>::new(&args, &[&[3]], &[&[1], &[3]]).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "argument 1 is not of the type the block reads"
    );
}

/// More state than the host's arena has.
#[derive(Debug)]
struct Greedy;

impl Block for Greedy {
    type Inputs = u8;
    type Outputs = u8;

    fn init(setup: &mut Setup<'_>) -> Result<Self, Refusal> {
        setup.state::<[u64; 2]>(usize::MAX / 8).map(|_| Self)
    }

    fn run(&self, _: &[u8], _: &mut [u8], _: &mut Call<'_>) -> Result<Flow, Fault> {
        Ok(Flow::Nothing)
    }
}

#[test]
fn too_much_state_is_refused() {
    let refusal = Instance::<Greedy>::new(&[], &[&[1]], &[&[1]]).unwrap_err();
    assert_eq!(refusal.message(), "the state of the block is too large");
}
