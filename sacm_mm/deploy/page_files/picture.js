// From a picture to the numbers that the network takes, as the config's test pipeline does it.

// Pixels (H x W x 4, 0..255) of a file, turned upright, in the numbers that the file holds.
async function readPixels(blob) {
  const bitmap = await createImageBitmap(blob, { colorSpaceConversion: 'none', premultiplyAlpha: 'none', imageOrientation: 'from-image' });
  const canvas = document.createElement('canvas');
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  const context = canvas.getContext('2d', { willReadFrequently: true });
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, canvas.width, canvas.height);
}

// Draw a large photograph smaller; a small picture comes back as it is.
function shrink(picture, longest) {
  const factor = longest / Math.max(picture.width, picture.height);
  if (factor >= 1) return picture;
  const from = document.createElement('canvas');
  from.width = picture.width;
  from.height = picture.height;
  from.getContext('2d').putImageData(picture, 0, 0);
  const to = document.createElement('canvas');
  to.width = Math.max(1, Math.round(picture.width * factor));
  to.height = Math.max(1, Math.round(picture.height * factor));
  const context = to.getContext('2d', { willReadFrequently: true });
  context.imageSmoothingQuality = 'high';
  context.drawImage(from, 0, 0, to.width, to.height);
  return context.getImageData(0, 0, to.width, to.height);
}

// The weights with which the pixels of one line make those of another.
function lineWeights(from, to, how) {
  const scale = from / to, weights = [];
  // OpenCV takes the two (bilinear) neighbours; Pillow widens its filter when it makes things smaller
  const widen = how.backend === 'pillow' ? Math.max(scale, 1) : 1;
  const cubic = how.interpolation === 'bicubic', reach = (cubic ? 2 : 1) * widen;
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    const parts = [];
    if (how.backend === 'pillow') {
      const first = Math.max(0, Math.trunc(centre - reach + 0.5)), last = Math.min(from, Math.trunc(centre + reach + 0.5));
      let sum = 0;
      for (let j = first; j < last; j++) {
        const weight = kernel((j - centre + 0.5) / widen, cubic);
        parts.push([j, weight]);
        sum += weight;
      }
      for (const part of parts) part[1] /= sum;
    } else {
      const place = centre - 0.5, left = Math.floor(place), share = place - left;
      parts.push([Math.min(Math.max(left, 0), from - 1), 1 - share], [Math.min(Math.max(left + 1, 0), from - 1), share]);
    }
    weights.push(parts);
  }
  return weights;
}

function kernel(x, cubic) {
  x = Math.abs(x);
  if (!cubic) return x < 1 ? 1 - x : 0;
  if (x < 1) return (1.5 * x - 2.5) * x * x + 1;
  return x < 2 ? ((-0.5 * x + 2.5) * x - 4) * x + 2 : 0;
}

function resize(picture, width, height, how) {
  if (picture.width === width && picture.height === height) return picture;
  const between = how.backend === 'pillow'; // it rounds after each direction
  const rows = new Float32Array(picture.height * width * 4), data = picture.data;
  const across = lineWeights(picture.width, width, how), down = lineWeights(picture.height, height, how);
  for (let y = 0; y < picture.height; y++) for (let x = 0; x < width; x++) for (let c = 0; c < 3; c++) {
    let sum = 0;
    for (const [j, weight] of across[x]) sum += weight * data[(y * picture.width + j) * 4 + c];
    rows[(y * width + x) * 4 + c] = between ? Math.min(255, Math.max(0, Math.floor(sum + 0.5))) : sum;
  }
  const out = new ImageData(width, height);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) for (let c = 0; c < 3; c++) {
    let sum = 0;
    for (const [j, weight] of down[y]) sum += weight * rows[(j * width + x) * 4 + c];
    out.data[(y * width + x) * 4 + c] = Math.floor(sum + 0.5); // clamped by its type
  }
  for (let i = 3; i < out.data.length; i += 4) out.data[i] = 255;
  return out;
}

// Python's round: halves go to the even number.
function roundEven(x) {
  const low = Math.floor(x);
  return x - low === 0.5 ? low + (low % 2) : Math.round(x);
}

function applyStep(picture, step) {
  const { width: w, height: h } = picture;
  if (step.step === 'resize') {
    if (!step.keep_ratio) return resize(picture, step.width, step.height, step);
    const factor = Math.min(Math.max(step.width, step.height) / Math.max(w, h), Math.min(step.width, step.height) / Math.min(w, h));
    return resize(picture, Math.trunc(w * factor + 0.5), Math.trunc(h * factor + 0.5), step);
  }
  if (step.step === 'short_edge') {
    const size = step.size;
    return w < h ? resize(picture, size, Math.max(1, Math.trunc(size * h / w)), step) : resize(picture, Math.max(1, Math.trunc(size * w / h)), size, step);
  }
  const left = Math.max(0, roundEven((w - step.width) / 2)), top = Math.max(0, roundEven((h - step.height) / 2));
  const width = Math.min(step.width, w), height = Math.min(step.height, h);
  const out = new ImageData(width, height);
  for (let y = 0; y < height; y++) {
    const start = ((top + y) * w + left) * 4;
    out.data.set(picture.data.subarray(start, start + width * 4), y * width * 4);
  }
  return out;
}

// (1, C, H, W), normalized, in the network's order of colours.
function toTensor(picture, about) {
  const { width, height, data } = picture, area = width * height;
  const values = new Float32Array(about.channels * area);
  const order = about.colours === 'BGR' ? [2, 1, 0] : [0, 1, 2];
  for (let c = 0; c < about.channels; c++) {
    const mean = about.mean[c], std = about.std[c];
    for (let i = 0; i < area; i++) {
      const value = about.channels === 1
        ? Math.round(0.299 * data[4 * i] + 0.587 * data[4 * i + 1] + 0.114 * data[4 * i + 2])
        : data[4 * i + order[c]];
      values[c * area + i] = (value - mean) / std;
    }
  }
  return { values, dims: [1, about.channels, height, width] };
}
