// The network in the browser: onnxruntime-web and the ONNX file, out of this page or its folder.

function text(id) {
  return document.getElementById(id)?.textContent.trim();
}

async function bytesOf(id) {
  const packed = Uint8Array.from(atob(text(id)), (c) => c.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

async function loadNetwork(about) {
  let ort, model;
  if (text('model')) { // all in one page: nothing is fetched
    const code = await bytesOf('runtime');
    ort = await import(URL.createObjectURL(new Blob([code], { type: 'text/javascript' })));
    ort.env.wasm.wasmBinary = (await bytesOf('wasm')).buffer;
    ort.env.wasm.numThreads = 1;
    model = await bytesOf('model');
  } else {
    ort = await import(new URL('./ort.wasm.bundle.min.mjs', location.href));
    ort.env.wasm.wasmPaths = { wasm: new URL('./ort-wasm-simd-threaded.wasm', location.href).href };
    ort.env.wasm.numThreads = self.crossOriginIsolated ? Math.min(navigator.hardwareConcurrency || 1, 8) : 1;
    model = new Uint8Array(await (await fetch('model.onnx')).arrayBuffer());
  }
  const session = await ort.InferenceSession.create(model, { executionProviders: ['wasm'] });
  const run = async (values, dims) => session.run({ image: new ort.Tensor('float32', values, dims) });
  await checkNumbers(run, about.check);
  return run;
}

// The same picture, and what Python computed from it when the page was written.
async function checkNumbers(run, check) {
  const values = new Float32Array(check.dims.reduce((a, b) => a * b));
  for (let i = 0; i < values.length; i++) values[i] = ((i * 7919) % 257 - 128) / 64;
  const outputs = await run(values, check.dims);
  for (const [name, wanted] of Object.entries(check.outputs)) {
    const found = outputs[name].data;
    const top = Math.max(...wanted.map(Math.abs), 1e-6);
    const worst = Math.max(...wanted.map((value, i) => Math.abs(value - found[i * check.steps[name]])));
    if (!(worst <= 1e-3 * top)) throw new Error(`this browser computes other numbers than Python (${name} differs by ${worst})`);
  }
}
