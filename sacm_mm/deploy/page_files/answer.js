// From what the network says to classes, metres and scores, at the size of the picture.

// Two neighbours and a share for every place of a line, as the hosts interpolate maps.
function neighbours(from, to, corners) {
  const low = new Int32Array(to), high = new Int32Array(to), share = new Float32Array(to);
  for (let i = 0; i < to; i++) {
    const place = corners ? (to > 1 ? i * (from - 1) / (to - 1) : 0) : Math.max(0, (i + 0.5) * from / to - 0.5);
    low[i] = Math.min(from - 1, Math.floor(place));
    high[i] = Math.min(from - 1, low[i] + 1);
    share[i] = place - low[i];
  }
  return { low, high, share };
}

// Call ``use(y, row)`` with every row (channels x width) of a map (1, C, h, w) at another size.
function eachRow(map, width, height, corners, use) {
  const [, channels, h, w] = map.dims, data = map.data;
  const across = neighbours(w, width, corners), down = neighbours(h, height, corners);
  const row = new Float32Array(channels * width), line = new Float32Array(w);
  for (let y = 0; y < height; y++) {
    const share = down.share[y];
    for (let c = 0; c < channels; c++) {
      const a = (c * h + down.low[y]) * w, b = (c * h + down.high[y]) * w;
      for (let x = 0; x < w; x++) line[x] = data[a + x] + (data[b + x] - data[a + x]) * share;
      for (let x = 0; x < width; x++) {
        const left = line[across.low[x]];
        row[c * width + x] = left + (line[across.high[x]] - left) * across.share[x];
      }
    }
    use(y, row);
  }
}

function decideClasses(map, width, height, about) {
  const classes = new Uint16Array(width * height), channels = map.dims[1];
  const least = about.threshold === null ? 0 : Math.log(about.threshold / (1 - about.threshold));
  eachRow(map, width, height, about.align_corners, (y, row) => {
    for (let x = 0; x < width; x++) {
      let best = 0;
      if (channels === 1) best = row[x] > least ? 1 : 0;
      else for (let c = 1; c < channels; c++) if (row[c * width + x] > row[best * width + x]) best = c;
      classes[y * width + x] = best;
    }
  });
  return classes;
}

function enlargeDepth(map, width, height, about) {
  const depth = new Float32Array(width * height);
  eachRow(map, width, height, about.align_corners, (y, row) => depth.set(row.subarray(0, width), y * width));
  return depth;
}

function softmax(logits) {
  const top = Math.max(...logits), parts = Array.from(logits, (x) => Math.exp(x - top));
  const sum = parts.reduce((a, b) => a + b, 0);
  return parts.map((x) => x / sum);
}

// A PNG of 8 bits with a palette, or of 16 bits in grey: canvases can write neither.
async function encodePng(values, width, height, palette) {
  const bytes = palette ? 1 : 2;
  const raw = new Uint8Array(height * (1 + width * bytes));
  for (let y = 0, at = 0; y < height; y++) {
    raw[at++] = 0; // no filter
    for (let x = 0; x < width; x++) {
      const value = values[y * width + x];
      if (bytes === 2) raw[at++] = value >> 8;
      raw[at++] = value & 255;
    }
  }
  const packed = new Uint8Array(await new Response(new Blob([raw]).stream().pipeThrough(new CompressionStream('deflate'))).arrayBuffer());
  const head = new Uint8Array(13), view = new DataView(head.buffer);
  view.setUint32(0, width);
  view.setUint32(4, height);
  head.set([bytes * 8, palette ? 3 : 0, 0, 0, 0], 8);
  const chunks = [chunk('IHDR', head)];
  if (palette) chunks.push(chunk('PLTE', Uint8Array.from(palette.flat())));
  chunks.push(chunk('IDAT', packed), chunk('IEND', new Uint8Array(0)));
  return new Blob([Uint8Array.of(137, 80, 78, 71, 13, 10, 26, 10), ...chunks], { type: 'image/png' });
}

function chunk(name, content) {
  const out = new Uint8Array(12 + content.length), view = new DataView(out.buffer);
  view.setUint32(0, content.length);
  for (let i = 0; i < 4; i++) out[4 + i] = name.charCodeAt(i);
  out.set(content, 8);
  let crc = -1;
  for (let i = 4; i < 8 + content.length; i++) {
    crc ^= out[i];
    for (let k = 0; k < 8; k++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  view.setUint32(8 + content.length, ~crc >>> 0);
  return out;
}
