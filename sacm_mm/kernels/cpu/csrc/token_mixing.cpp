// Token mixing of a ConvMixer block at inference in one pass over channels-last maps:
//   v = in_scale * x + in_shift          (the norm before it)
//   y = v + scale * act(depthwise(v) + bias)
// Compiled where it runs, by sacm_mm/deploy/kernels.py; plain GCC/Clang vectors, no intrinsics.
#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>
#include <torch/library.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace {

#ifdef __AVX512F__
constexpr int kLanes = 16;
#else
constexpr int kLanes = 8;
#endif
constexpr int kStrip = 8;   // outputs along a row that share the loads of their inputs
constexpr int kTile = 32;   // columns of a tile, which has the rows of a window in the L1 cache
constexpr int kBand = 32;   // rows of a tile
constexpr int kBlock = 32;  // channels of a tile: whole cache lines, in bfloat16 too

typedef float Vec __attribute__((vector_size(kLanes * 4)));
typedef uint32_t Bits __attribute__((vector_size(kLanes * 4)));
typedef uint16_t Halves __attribute__((vector_size(kLanes * 2)));

inline Vec load(const float* p) {
  Vec v;
  std::memcpy(&v, p, sizeof(v));
  return v;
}

inline Vec load(const at::BFloat16* p) {
  Halves h;
  std::memcpy(&h, p, sizeof(h));
  Bits b = __builtin_convertvector(h, Bits) << 16;
  Vec v;
  std::memcpy(&v, &b, sizeof(v));
  return v;
}

inline void store(float* p, Vec v) { std::memcpy(p, &v, sizeof(v)); }

inline void store(at::BFloat16* p, Vec v) {  // to the nearest, ties to even
  Bits b;
  std::memcpy(&b, &v, sizeof(b));
  b += 0x7fff + ((b >> 16) & 1);
  Halves h = __builtin_convertvector(b >> 16, Halves);
  std::memcpy(p, &h, sizeof(h));
}

inline Vec least(Vec a, Vec b) { return a < b ? a : b; }
inline Vec most(Vec a, Vec b) { return a > b ? a : b; }

// x * (1 + erf(x / sqrt 2)) / 2. The rational function is our own fit of erf(x / sqrt 2) on
// [-5.2, 5.2], where it saturates; its error is 1.2e-7.
inline Vec gelu(Vec x) {
  const Vec bound = Vec{} + 5.2f;
  const Vec z = most(least(x, bound), -bound), s = z * z;
  Vec p = Vec{} + 1.167939535662299e-05f;
  p = p * s + 0.000628424808382988f;
  p = p * s + 0.011036846786737442f;
  p = p * s + 0.0991782620549202f;
  p = p * s + 0.7978838086128235f;
  Vec q = Vec{} + 5.01829674703913e-07f;
  q = q * s + 0.0001127212744904682f;
  q = q * s + 0.0027034657541662455f;
  q = q * s + 0.03733723983168602f;
  q = q * s + 0.290962278842926f;
  q = q * s + 1.0f;
  const Vec half = x * 0.5f;
  return half + half * (z * p / q);
}

struct Shape {
  int64_t height, width, channels;
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

  template <typename T>
  void fetch(const T* image, const Shape& s, const Weights& w, int64_t row, int64_t left,
             int64_t c) {
    const T* line = image + (row * s.width + left - K / 2) * s.channels + c;
    for (int x = 0; x < kColumns; ++x, line += s.channels) {
      const int64_t column = left + x - K / 2;
      const bool inside = column >= 0 && column < s.width;
      for (int l = 0; l < kBlock; l += kLanes) {
        const Vec a = load(w.in_scale + c + l), b = load(w.in_shift + c + l);
        store(&rows[row % K][x][l], inside ? load(line + l) * a + b : Vec{});
      }
      if (inside && row + 1 < s.height)
        for (size_t byte = 0; byte < kBlock * sizeof(T); byte += 64)
          __builtin_prefetch(reinterpret_cast<const char*>(line + s.width * s.channels) + byte);
    }
  }
};

template <typename T, int K, bool Gelu>
inline void strip(const float* const* lines, const Weights& w, int64_t c, T* out, int64_t C,
                  int count) {
  const Vec bias = load(w.bias + c), scale = load(w.scale + c);
  Vec acc[kStrip];
#pragma GCC unroll 16
  for (int o = 0; o < kStrip; ++o) acc[o] = bias;
  for (int i = 0; i < K; ++i) {
    Vec t[K];
#pragma GCC unroll 16
    for (int j = 0; j < K; ++j) t[j] = load(w.taps + (i * K + j) * C + c);
#pragma GCC unroll 32
    for (int x = 0; x < kStrip + K - 1; ++x) {
      const Vec v = load(lines[i] + x * kBlock);
#pragma GCC unroll 32
      for (int o = 0; o < kStrip; ++o)
        if (x - o >= 0 && x - o < K) acc[o] += v * t[x - o];
    }
  }
#pragma GCC unroll 16
  for (int o = 0; o < kStrip; ++o) {
    if (o >= count) break;
    const Vec v = load(lines[K / 2] + (o + K / 2) * kBlock);
    store(out + o * C, v + scale * (Gelu ? gelu(acc[o]) : most(acc[o], Vec{})));
  }
}

// Rows [top, bottom) of kTile columns from `left` and kBlock channels from `c`.
template <typename T, int K, bool Gelu>
void tile(const T* in, T* out, const Shape& s, const Weights& w, int64_t top, int64_t bottom,
          int64_t left, int64_t c) {
  Window<K> window;
  std::memset(window.zeros, 0, sizeof(window.zeros));
  for (int64_t row = std::max<int64_t>(top - K / 2, 0); row < std::min(top + K / 2, s.height); ++row)
    window.fetch(in, s, w, row, left, c);
  for (int64_t row = top; row < bottom; ++row) {
    if (row + K / 2 < s.height) window.fetch(in, s, w, row + K / 2, left, c);
    for (int x = 0; x < kTile && left + x < s.width; x += kStrip)
      for (int l = 0; l < kBlock; l += kLanes) {
        const float* lines[K];
        for (int i = 0; i < K; ++i) {
          const int64_t from = row + i - K / 2;
          lines[i] = from < 0 || from >= s.height ? &window.zeros[x][l]
                                                  : &window.rows[from % K][x][l];
        }
        strip<T, K, Gelu>(lines, w, c + l, out + (row * s.width + left + x) * s.channels + c + l,
                          s.channels, static_cast<int>(std::min<int64_t>(kStrip, s.width - left - x)));
      }
  }
}

template <typename T, int K, bool Gelu>
void mix(const T* x, T* y, int64_t n, const Shape& s, const Weights& w) {
  const int64_t tiles = (s.width + kTile - 1) / kTile, bands = (s.height + kBand - 1) / kBand;
  const int64_t blocks = s.channels / kBlock, plane = s.height * s.width * s.channels;
  at::parallel_for(0, n * bands * tiles * blocks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t c = i % blocks * kBlock, left = i / blocks % tiles * kTile;
      const int64_t top = i / blocks / tiles % bands * kBand, at = i / blocks / tiles / bands * plane;
      tile<T, K, Gelu>(x + at, y + at, s, w, top, std::min(top + kBand, s.height), left, c);
    }
  });
}

template <typename T, int K>
void run(const at::Tensor& x, at::Tensor& y, const Weights& w, bool gelu) {
  const Shape s{x.size(1), x.size(2), x.size(3)};
  const T* in = x.const_data_ptr<T>();
  T* out = y.mutable_data_ptr<T>();
  if (gelu)
    mix<T, K, true>(in, out, x.size(0), s, w);
  else
    mix<T, K, false>(in, out, x.size(0), s, w);
}

// x (N, H, W, C), float32 or bfloat16; taps (k * k, C), vectors (4, C): bias, scale, in_scale,
// in_shift; float32 -> out, as x.
void token_mixing(const at::Tensor& in, const at::Tensor& taps, const at::Tensor& vectors,
                  bool gelu, at::Tensor& out) {
  TORCH_CHECK(in.is_contiguous() && out.is_contiguous(), "not contiguous");
  TORCH_CHECK(out.sizes() == in.sizes() && out.scalar_type() == in.scalar_type(), "not alike");
  TORCH_CHECK(in.dim() == 4 && in.size(3) % kBlock == 0, "not a multiple of 32 channels");
  const int64_t C = in.size(3);
  const float* v = vectors.const_data_ptr<float>();
  const Weights w{taps.const_data_ptr<float>(), v, v + C, v + 2 * C, v + 3 * C};
  const bool low = in.scalar_type() == at::kBFloat16;
  TORCH_CHECK(low || in.scalar_type() == at::kFloat, "neither float32 nor bfloat16");
  switch (taps.size(0)) {
#define SACM_CASE(K)                              \
  case K * K:                                     \
    low ? run<at::BFloat16, K>(in, out, w, gelu)  \
        : run<float, K>(in, out, w, gelu);        \
    break;
    SACM_CASE(3)
    SACM_CASE(5)
    SACM_CASE(7)
    SACM_CASE(9)
#undef SACM_CASE
    default:
      TORCH_CHECK(false, "no such kernel size");
  }
}

}  // namespace

TORCH_LIBRARY(sacm_mm_cpu, m) {
  m.def("token_mixing(Tensor x, Tensor taps, Tensor vectors, bool gelu, Tensor(a!) out) -> ()");
  m.impl("token_mixing", c10::DispatchKey::CPU, token_mixing);
}
