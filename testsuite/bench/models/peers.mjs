// One peer of the benchmark of models under Node, driven line by line; README.md beside this says how.
//
//     node peers.mjs tfjs|ort PACKAGES
//
// PACKAGES is the folder with `node_modules`. The lines are those of peers.py.

import { readFileSync, existsSync } from "node:fs";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [kind, folder] = process.argv.slice(2);
const require = createRequire(`${folder}/package.json`);

/** TensorFlow Lite and XNNPACK as WebAssembly: the low-level module, with SIMD and without threads. */
async function tfjs() {
  const name = "@tensorflow/tfjs-tflite/wasm/tflite_web_api_cc_simd";
  const wasmBinary = readFileSync(require.resolve(`${name}.wasm`));
  const module = await require(`${name}.js`)({ wasmBinary, printErr: () => {} });
  return {
    about: `tfjs-tflite ${version("@tensorflow/tfjs-tflite")}, ${wasmBinary.length}`,
    load(path, input) {
      const model = readFileSync(path);
      const at = module._malloc(model.length);
      module.HEAPU8.set(model, at);
      const options = { numThreads: 1, enableProfiling: false, maxProfilingBufferEntries: 1 };
      const status = module.TFLiteWebModelRunner.CreateFromBufferAndOptions(at, model.length, options);
      if (!status.ok()) throw new Error(status.errorMessage());
      const runner = status.value();
      const bytes = (list) => {
        const tensors = Array.from({ length: list.size() }, (_, i) => list.get(i).data());
        return tensors.map((t) => new Uint8Array(t.buffer, t.byteOffset, t.byteLength));
      };
      let from = 0;
      for (const tensor of bytes(runner.GetInputs())) {
        tensor.set(input.subarray(from, (from += tensor.length)));
      }
      if (from !== input.length) throw new Error(`its inputs have ${from} bytes, not ${input.length}`);
      const call = () => {
        if (!runner.Infer()) throw new Error("a call failed");
      };
      call();
      const output = Buffer.concat(bytes(runner.GetOutputs()));
      return { call, output };
    },
  };
}

/** ONNX Runtime as WebAssembly, on the model of the same name that tf2onnx wrote into PACKAGES/onnx. */
async function ort() {
  const ort = await import(require.resolve("onnxruntime-web"));
  ort.env.wasm.numThreads = 1;
  ort.env.logLevel = "error";
  const { size } = (await import("node:fs")).statSync(
    require.resolve("onnxruntime-web").replace(/[^/]*$/, "ort-wasm-simd-threaded.wasm"),
  );
  const kinds = { float32: Float32Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array, int32: Int32Array };
  return {
    about: `onnxruntime-web ${version("onnxruntime-web")}, ${size}`,
    async load(path, input, name) {
      const model = `${folder}/onnx/${name}.onnx`;
      if (!existsSync(model)) throw new Error("not converted");
      const session = await ort.InferenceSession.create(readFileSync(model), {
        executionProviders: ["wasm"],
        intraOpNumThreads: 1,
      });
      const feeds = {};
      let from = 0;
      for (const { name, type, shape } of session.inputMetadata) {
        // An open dimension is the batch.
        const dims = shape.map((d) => (typeof d === "number" ? d : 1));
        const count = dims.reduce((a, b) => a * b, 1);
        const values = new kinds[type](count);
        const bytes = new Uint8Array(values.buffer);
        bytes.set(input.subarray(from, (from += bytes.length)));
        feeds[name] = new ort.Tensor(type, values, dims);
      }
      if (from !== input.length) throw new Error(`its inputs have ${from} bytes, not ${input.length}`);
      const call = () => session.run(feeds);
      const results = await call();
      const output = Buffer.concat(
        session.outputNames.map((n) => {
          const data = results[n].data;
          return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
        }),
      );
      return { call, output };
    },
  };
}

function version(name) {
  return JSON.parse(readFileSync(`${folder}/node_modules/${name}/package.json`)).version;
}

const now = () => Number(process.hrtime.bigint()) / 1e3;

/** Microseconds of `count` calls. */
async function time(call, count) {
  const start = now();
  if (kind === "ort") for (let i = 0; i < count; i++) await call();
  else for (let i = 0; i < count; i++) call();
  return now() - start;
}

/** So many milliseconds of calls: how many, and the median and least microseconds of one. */
async function measure(call, milliseconds) {
  // A batch is long enough that the clock is not felt, and the middle of 2 is rather a call than a pause.
  const once = Math.min(await time(call, 1), await time(call, 1), await time(call, 1));
  const batch = Math.max(1, Math.ceil(20 / Math.max(once, 0.01)));
  const times = [];
  const end = now() + milliseconds * 1e3;
  while (now() < end || times.length < 3) times.push((await time(call, batch)) / batch);
  times.sort((a, b) => a - b);
  return `${times.length * batch} ${times[times.length >> 1]} ${times[0]}`;
}

const models = new Map();
let peer;
try {
  peer = await { tfjs, ort }[kind]();
  console.log(`ok ${peer.about}`);
} catch (error) {
  console.log(`error ${String(error).replaceAll("\n", " ")}`);
  process.exit(1);
}
for await (const line of createInterface({ input: process.stdin })) {
  const [word, name, first, second] = line.split("\t");
  try {
    if (word === "load") {
      const { call, output } = await peer.load(first, readFileSync(second), name);
      models.set(name, call);
      console.log(`ok - ${output.toString("hex")}`);
    } else if (word === "run") {
      console.log(`ok ${await measure(models.get(name), Number(first))}`);
    } else throw new Error(`no such command: ${word}`);
  } catch (error) {
    console.log(`error ${String(error?.message ?? error).replaceAll("\n", " ")}`);
  }
}
