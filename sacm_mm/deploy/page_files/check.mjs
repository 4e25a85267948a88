// Run an ONNX file with onnxruntime-web, as a browser would, and print its outputs as JSON:
// node check.mjs RUNTIME_FOLDER MODEL N C H W
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';

const [folder, model, ...size] = process.argv.slice(2);
const ort = await import(pathToFileURL(join(folder, 'ort.wasm.bundle.min.mjs')));
ort.env.wasm.wasmBinary = readFileSync(join(folder, 'ort-wasm-simd-threaded.wasm')).buffer;
ort.env.wasm.numThreads = 1;
const dims = size.map(Number), values = new Float32Array(dims.reduce((a, b) => a * b));
for (let i = 0; i < values.length; i++) values[i] = ((i * 7919) % 257 - 128) / 64;
const session = await ort.InferenceSession.create(readFileSync(model), { executionProviders: ['wasm'] });
const outputs = await session.run({ image: new ort.Tensor('float32', values, dims) });
process.stdout.write(JSON.stringify(Object.fromEntries(Object.entries(outputs).map(([k, v]) => [k, Array.from(v.data)]))));
