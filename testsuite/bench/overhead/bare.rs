//! What the engine alone takes: a function that asks its host twice and does nothing else, on wasmtime as the runtime
//! sets it up, without clock, checks, records or health. No container on it can take less.

use wasmtime::{Config, Engine, Linker, Module, Store};

const EMPTY: &str = r#"(module
  (import "runicos" "read" (func $read (param i32 i32 i32) (result i32)))
  (import "runicos" "write" (func $write (param i32 i32) (result i32)))
  (func (export "_call") (result i32)
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 4)))
    (call $write (i32.const 0) (i32.const 0))))"#;

/// Makes calls of it.
pub(crate) fn calls(count: u64) -> impl FnMut() {
    let mut config = Config::new();
    config.epoch_interruption(true);
    let engine = Engine::new(&config).expect("this processor is known");
    let wasm = wat::parse_str(EMPTY).expect("it is a module");
    let module = Module::new(&engine, wasm).expect("it is a module");
    let mut linker = Linker::<()>::new(&engine);
    linker
        .func_wrap("runicos", "read", |_: u32, _: u32, len: u32| len)
        .and_then(|linker| linker.func_wrap("runicos", "write", |_: u32, _: u32| 0u32))
        .expect("no two of a name");
    let mut store = Store::new(&engine, ());
    let instance = linker.instantiate(&mut store, &module);
    let instance = instance.expect("it has its imports");
    let call = instance.get_typed_func::<(), u32>(&mut store, "_call");
    let call = call.expect("it is exported");
    move || {
        for _ in 0..count {
            store.set_epoch_deadline(1000);
            let code = call.call(&mut store, ());
            assert!(matches!(code, Ok(0)), "it does nothing");
        }
    }
}
