// Token mixing of a mixer block at inference in one pass over channels-last maps:
//   v = in_scale * act(x) + in_shift     (the activation and the norm before it)
//   y = v + scale * act(depthwise(v) + bias)
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>

#include "vectors.h"

namespace {
namespace inference {

constexpr int kStrip = 8;   // outputs along a row that share the loads of their inputs
constexpr int kTile = 32;   // columns of a tile, which has the rows of a window in the L1 cache
constexpr int kBand = 32;   // rows of a tile
constexpr int kBlock = 32;  // channels of a tile: whole cache lines, in bfloat16 too

// A map, or those of its positions that a dilated kernel takes together: each second, say, in both
// directions. They are one map for a kernel that is not dilated.
struct Shape {
  int64_t height, width, channels, dilation;
  int64_t row, column;  // distances of neighbours, in numbers
  Shape(int64_t h, int64_t w, int64_t c, int64_t d)
      : height(h), width(w), channels(c), dilation(d), row(d * w * c), column(d * c) {}
  Shape part(int64_t y, int64_t x) const {
    Shape s = *this;
    s.height = (height - y + dilation - 1) / dilation;
    s.width = (width - x + dilation - 1) / dilation;
    return s;
  }
};

struct Weights {
  const float* taps;                // (k * k, C)
  const float *bias, *scale;        // (C,)
  const float *in_scale, *in_shift; // (C,)
};

// A window over K rows of one tile, kept in the first-level cache as float32 with zeros around it.
template <int K>
struct Window {
  static constexpr int kColumns = kTile + K - 1;
  alignas(64) float rows[K][kColumns][kBlock];
  alignas(64) float zeros[kColumns][kBlock];

  template <class S, Activation A>
  void fetch(const S* image, const Shape& s, const Weights& w, int64_t row, int64_t left,
             int64_t c) {
    const S* line = image + row * s.row + (left - K / 2) * s.column + c;
    for (int x = 0; x < kColumns; ++x, line += s.column) {
      const int64_t column = left + x - K / 2;
      const bool inside = column >= 0 && column < s.width;
      for (int l = 0; l < kBlock; l += kLanes<float>) {
        const Vec<float> a = load(w.in_scale + c + l), b = load(w.in_shift + c + l);
        Vec<float> value = {}, slope;
        if (inside) {
          activate<A, kLow<S>, float>(load(line + l), value, slope);
          value = value * a + b;
        }
        store(&rows[row % K][x][l], value);
      }
      if (inside && row + 1 < s.height)
        for (size_t byte = 0; byte < kBlock * sizeof(S); byte += 64)
          __builtin_prefetch(reinterpret_cast<const char*>(line + s.row) + byte);
    }
  }
};

template <class S, int K, Activation A>
inline void strip(const float* const* lines, const Weights& w, const Shape& s, int64_t c, S* out,
                  int count) {
  const Vec<float> bias = load(w.bias + c), scale = load(w.scale + c);
  Vec<float> acc[kStrip];
#pragma GCC unroll 16
  for (int o = 0; o < kStrip; ++o) acc[o] = bias;
  for (int i = 0; i < K; ++i) {
    Vec<float> t[K];
#pragma GCC unroll 16
    for (int j = 0; j < K; ++j) t[j] = load(w.taps + (i * K + j) * s.channels + c);
#pragma GCC unroll 32
    for (int x = 0; x < kStrip + K - 1; ++x) {
      const Vec<float> v = load(lines[i] + x * kBlock);
#pragma GCC unroll 32
      for (int o = 0; o < kStrip; ++o)
        if (x - o >= 0 && x - o < K) acc[o] += v * t[x - o];
    }
  }
#pragma GCC unroll 16
  for (int o = 0; o < kStrip; ++o) {
    if (o >= count) break;
    const Vec<float> v = load(lines[K / 2] + (o + K / 2) * kBlock);
    Vec<float> value, slope;
    activate<A, kLow<S>, float>(acc[o], value, slope);
    store(out + o * s.column, v + scale * value);
  }
}

// Rows [top, bottom) of kTile columns from `left` and kBlock channels from `c`.
template <class S, int K, Activation A>
void tile(const S* in, S* out, const Shape& s, const Weights& w, int64_t top, int64_t bottom,
          int64_t left, int64_t c) {
  Window<K> window;
  std::memset(window.zeros, 0, sizeof(window.zeros));
  for (int64_t row = std::max<int64_t>(top - K / 2, 0); row < std::min(top + K / 2, s.height); ++row)
    window.template fetch<S, A>(in, s, w, row, left, c);
  for (int64_t row = top; row < bottom; ++row) {
    if (row + K / 2 < s.height) window.template fetch<S, A>(in, s, w, row + K / 2, left, c);
    for (int x = 0; x < kTile && left + x < s.width; x += kStrip)
      for (int l = 0; l < kBlock; l += kLanes<float>) {
        const float* lines[K];
        for (int i = 0; i < K; ++i) {
          const int64_t from = row + i - K / 2;
          lines[i] = from < 0 || from >= s.height ? &window.zeros[x][l]
                                                  : &window.rows[from % K][x][l];
        }
        strip<S, K, A>(lines, w, s, c + l, out + row * s.row + (left + x) * s.column + c + l,
                       static_cast<int>(std::min<int64_t>(kStrip, s.width - left - x)));
      }
  }
}

template <class S, int K, Activation A>
void mix(const S* x, S* y, int64_t n, const Shape& s, const Weights& w) {
  const int64_t d = s.dilation, blocks = s.channels / kBlock;
  const Shape most = s.part(0, 0);
  const int64_t tiles = (most.width + kTile - 1) / kTile, bands = (most.height + kBand - 1) / kBand;
  at::parallel_for(0, n * d * d * bands * tiles * blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t c = i % blocks * kBlock, left = i / blocks % tiles * kTile;
      const int64_t top = i / blocks / tiles % bands * kBand, map = i / blocks / tiles / bands;
      const int64_t down = map / d % d, right = map % d;
      const Shape part = s.part(down, right);
      const int64_t at = ((map / (d * d) * s.height + down) * s.width + right) * s.channels;
      const int64_t bottom = std::min(top + kBand, part.height);
      if (top < bottom && left < part.width)
        tile<S, K, A>(x + at, y + at, part, w, top, bottom, left, c);
    }
  });
}

}  // namespace inference
}  // namespace
