// What the page shows and does.

const about = JSON.parse(text('description'));
const $ = (id) => document.getElementById(id);
const dense = about.task !== 'classification';
const state = { run: null, picture: null, answer: null, queue: Promise.resolve() };
window.sacm = state; // for pages around this one, and for tests

function say(message, failed = false) {
  $('status').textContent = message;
  $('status').className = failed ? 'failed' : '';
}

const pause = () => new Promise((done) => setTimeout(() => requestAnimationFrame(() => setTimeout(done)), 20));

async function predict(blob, name) {
  if (!state.run) return;
  say(`Reading ${name}.`);
  let picture;
  try {
    picture = await readPixels(blob);
  } catch {
    say(`${name} cannot be read as a picture.`, true);
    return;
  }
  say('Computing.');
  await pause(); // the browser draws the line above
  try {
    const begun = performance.now();
    const usual = about.resize.length ? 8192 : about.usual;
    // twice the usual area is still computed whole; a photograph of a phone is not
    const large = picture.width * picture.height > 2 * usual * usual;
    let input = large ? shrink(picture, usual) : picture;
    for (const step of about.resize) input = applyStep(input, step);
    const tensor = toTensor(input, about);
    const ready = performance.now();
    const outputs = await state.run(tensor.values, tensor.dims);
    const computed = performance.now();
    const { width, height } = picture;
    const answer = { name, width, height, network: [input.width, input.height] };
    if (!dense) answer.scores = softmax(outputs.logits.data);
    else {
      if (outputs.logits) answer.classes = decideClasses(outputs.logits, width, height, about);
      if (outputs.depth) answer.depth = enlargeDepth(outputs.depth, width, height, about);
    }
    answer.ms = { network: computed - ready, all: performance.now() - begun };
    state.picture = picture;
    state.answer = answer;
    show();
    const smaller = input.width === width && input.height === height ? '' : ` (computed at ${input.width} x ${input.height})`;
    say(`${name}: ${width} x ${height}${smaller}. Network ${Math.round(answer.ms.network)} ms, in all ${Math.round(answer.ms.all)} ms.`);
  } catch (error) {
    say(`It failed: ${error.message ?? error}`, true);
  }
}

function enqueue(blob, name) {
  state.queue = state.queue.then(() => predict(blob, name));
  return state.queue;
}

// ---- drawing

function shown() {
  if (!dense) return 'scores';
  if (!state.answer.classes) return 'depth';
  if (!state.answer.depth) return 'classes';
  return document.querySelector('input[name=which]:checked').value;
}

function colourOf(value, low, high) {
  const at = Math.min(255, Math.max(0, Math.round(255 * (value - low) / (high - low || 1))));
  return about.ramp[at];
}

function depthRange(depth) {
  let low = Infinity, high = -Infinity;
  for (const value of depth) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  return [low, high];
}

function draw() {
  const { width, height, classes, depth } = state.answer, what = shown();
  const canvas = $('view');
  canvas.width = width;
  canvas.height = height;
  const out = new ImageData(width, height), source = state.picture.data;
  const share = what === 'scores' ? 0 : Number($('opacity').value) / 100;
  const [low, high] = what === 'depth' ? depthRange(depth) : [0, 1];
  for (let i = 0; i < width * height; i++) {
    const colour = what === 'classes' ? about.palette[classes[i]] : what === 'depth' ? colourOf(depth[i], low, high) : [0, 0, 0];
    for (let c = 0; c < 3; c++) out.data[4 * i + c] = source[4 * i + c] * (1 - share) + colour[c] * share;
    out.data[4 * i + 3] = 255;
  }
  canvas.getContext('2d').putImageData(out, 0, 0);
}

function row(colour, name, value, absent = false) {
  const item = document.createElement('li');
  const swatch = document.createElement('span'), label = document.createElement('span'), number = document.createElement('span');
  swatch.className = 'swatch';
  swatch.style.background = colour ? `rgb(${colour.join(',')})` : 'none';
  label.textContent = name; // as text: names may hold anything
  number.textContent = value;
  item.append(swatch, label, number);
  item.classList.toggle('absent', absent);
  return item;
}

function percent(share) {
  return share && share < 0.001 ? '< 0.1 %' : `${(100 * share).toFixed(1)} %`;
}

function legend() {
  const list = $('legend'), what = shown();
  list.replaceChildren();
  $('bar').hidden = what !== 'depth';
  if (what === 'classes') {
    const counts = new Array(about.classes.length).fill(0);
    for (const value of state.answer.classes) counts[value] += 1;
    const order = counts.map((count, i) => i).sort((a, b) => counts[b] - counts[a]);
    for (const i of order) list.append(row(about.palette[i], about.classes[i], percent(counts[i] / state.answer.classes.length), !counts[i]));
  } else if (what === 'depth') {
    const [low, high] = depthRange(state.answer.depth), context = $('ramp').getContext('2d');
    const line = new ImageData(256, 1);
    about.ramp.forEach((colour, i) => line.data.set([...colour, 255], 4 * i));
    context.putImageData(line, 0, 0);
    $('ticks').replaceChildren(...[low, (low + high) / 2, high].map((value) => {
      const tick = document.createElement('span');
      tick.textContent = `${value.toFixed(2)} m`;
      return tick;
    }));
  } else {
    const scores = state.answer.scores;
    const order = scores.map((score, i) => i).sort((a, b) => scores[b] - scores[a]).slice(0, 5);
    for (const i of order) {
      const item = row(about.palette[i], about.classes[i], percent(scores[i]));
      const bar = document.createElement('div'), inner = document.createElement('i');
      bar.className = 'score';
      inner.style.width = `${100 * scores[i]}%`;
      bar.append(inner);
      item.append(bar);
      list.append(item);
    }
  }
}

function show() {
  $('stage').classList.add('filled');
  $('stage').classList.toggle('small', state.answer.width < 128);
  $('view').hidden = $('side').hidden = false;
  $('which').hidden = !(state.answer.classes && state.answer.depth);
  $('blend').hidden = !dense;
  $('pointed').hidden = !dense;
  draw();
  legend();
  downloads();
}

// ---- downloads

function link(name, make) {
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'button';
  button.textContent = name;
  button.onclick = async () => {
    const { blob, file } = await make();
    const anchor = document.createElement('a');
    anchor.href = URL.createObjectURL(blob);
    anchor.download = file;
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(anchor.href), 60000);
  };
  return button;
}

function downloads() {
  const { answer } = state, stem = answer.name.replace(/\.[^.]*$/, '');
  const buttons = [];
  if (answer.classes) buttons.push(link('Mask (PNG)', async () => ({ blob: await maskPng(), file: `${stem}_classes.png` })));
  if (answer.depth) {
    // millimetres as far as 16 bits reach, 65 m; beyond that centimetres
    const [, high] = depthRange(answer.depth), unit = high < 65.5 ? 1000 : 100;
    buttons.push(link(unit === 1000 ? 'Depth in mm (PNG)' : 'Depth in cm (PNG)', async () => ({
      blob: await encodePng(answer.depth.map((value) => Math.min(65535, Math.max(0, Math.round(value * unit)))), answer.width, answer.height, null),
      file: `${stem}_depth_${unit === 1000 ? 'mm' : 'cm'}.png`,
    })));
  }
  if (answer.scores) buttons.push(link('Scores (JSON)', async () => ({
    blob: new Blob([JSON.stringify(Object.fromEntries(about.classes.map((name, i) => [name, answer.scores[i]])), null, 1)], { type: 'application/json' }),
    file: `${stem}_scores.json`,
  })));
  if (dense) buttons.push(link('Picture as shown', () => new Promise((done) => $('view').toBlob((blob) => done({ blob, file: `${stem}_shown.png` })))));
  $('downloads').replaceChildren(...buttons);
}

// The class of each pixel as its value; the colours are the palette's.
function maskPng() {
  const { classes, width, height } = state.answer;
  return encodePng(classes, width, height, about.palette.length <= 256 ? about.palette : null);
}
state.maskPng = maskPng;

// ---- input

function point(event) {
  if (!state.answer || !dense) return;
  const box = $('view').getBoundingClientRect(), { width, height, classes, depth } = state.answer;
  const x = Math.min(width - 1, Math.max(0, Math.floor((event.clientX - box.left) / box.width * width)));
  const y = Math.min(height - 1, Math.max(0, Math.floor((event.clientY - box.top) / box.height * height)));
  const said = [`x ${x}, y ${y}`];
  if (classes) said.push(about.classes[classes[y * width + x]]);
  if (depth) said.push(`${depth[y * width + x].toFixed(2)} m`);
  $('pointed').textContent = said.join(': ');
}

async function openCamera() {
  try {
    const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
    $('video').srcObject = stream;
    $('live').hidden = false;
  } catch { // no camera here, or not allowed: a phone still has its own camera program
    $('shot').click();
  }
}

function closeCamera() {
  for (const track of $('video').srcObject?.getTracks() ?? []) track.stop();
  $('video').srcObject = null;
  $('live').hidden = true;
}

function takePicture() {
  const video = $('video'), canvas = document.createElement('canvas');
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext('2d').drawImage(video, 0, 0);
  closeCamera();
  canvas.toBlob((blob) => enqueue(blob, 'camera.png'));
}

for (const id of ['file', 'shot']) $(id).onchange = (event) => {
  const [file] = event.target.files;
  if (file) enqueue(file, file.name);
  event.target.value = ''; // the same file again is a change too
};
$('camera').onclick = openCamera;
$('take').onclick = takePicture;
$('stop').onclick = closeCamera;
$('opacity').oninput = () => draw();
for (const radio of document.querySelectorAll('input[name=which]')) radio.onchange = () => { draw(); legend(); };
for (const kind of ['pointermove', 'pointerdown']) $('view').addEventListener(kind, point);
for (const button of document.querySelectorAll('.sample')) button.onclick = async () => {
  const image = button.firstElementChild;
  enqueue(await (await fetch(image.src)).blob(), image.alt);
};
document.addEventListener('dragover', (event) => { event.preventDefault(); $('stage').classList.add('over'); });
document.addEventListener('dragleave', () => $('stage').classList.remove('over'));
document.addEventListener('drop', (event) => {
  event.preventDefault();
  $('stage').classList.remove('over');
  const [file] = event.dataTransfer.files;
  if (file) enqueue(file, file.name);
});

say('Loading the network.');
pause().then(() => loadNetwork(about)).then((run) => {
  state.run = run;
  say('Ready: open a picture, drop one, or choose a sample.');
}, (error) => say(`The network does not run in this browser: ${error.message ?? error}`, true));
