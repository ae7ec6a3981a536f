//! What blocks rely on of the interpreter: version 2.0.0 took some conditions of `select` for their contrary.

use wasmi::{Engine, Instance, Module, Store};

#[test]
fn conditions_of_select_are_what_they_say() {
    for ty in ["i32", "i64", "f32", "f64"] {
        for (condition, holds) in [
            ("(local.get 0)", (|k| k != 0) as fn(i32) -> bool),
            ("(i32.eqz (local.get 0))", |k| k == 0),
            ("(i32.eq (local.get 0) (i32.const 0))", |k| k == 0),
            ("(i32.ne (local.get 0) (i32.const 0))", |k| k != 0),
            ("(i32.eq (local.get 0) (i32.const 5))", |k| k == 5),
            ("(i32.lt_s (local.get 0) (i32.const 3))", |k| k < 3),
            ("(i64.eqz (i64.extend_i32_s (local.get 0)))", |k| k == 0),
        ] {
            let text = format!(
                "(module (func (export \"f\") (param i32) (result i32) (local {ty} {ty})
                    (local.set 1 ({ty}.const 1))
                    (local.set 2 ({ty}.const 2))
                    ({ty}.eq (select (local.get 1) (local.get 2) {condition}) ({ty}.const 1))))"
            );
            let engine = Engine::default();
            let module = Module::new(&engine, wat::parse_str(&text).unwrap()).unwrap();
            let mut store = Store::new(&engine, ());
            let instance = Instance::new(&mut store, &module, &[]).unwrap();
            let f = instance.get_typed_func::<i32, i32>(&store, "f").unwrap();
            for k in [-7, -1, 0, 1, 2, 3, 5] {
                let first = f.call(&mut store, k).unwrap();
                assert_eq!(first == 1, holds(k), "{ty} by {condition} of {k}");
            }
        }
    }
}
