// The mixer block's memory-bound parts, one pass over memory each, for CPUs.
//
// A depthwise convolution, an activation and a batch norm all work on one channel at a time, and
// one channel of a batch fits the cache: each function below reads and writes every tensor once.
// Plain C++ with GCC's and clang's vector extension, so that any instruction set is served by
// -march=native. Tensors are contiguous, (N, C, H, W); arithmetic is float32 (float64 for float64).

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <vector>

#if defined(__AVX512F__)
#include <immintrin.h>
#endif

namespace {

constexpr int kBytes = 64;  // of a vector: one of AVX-512, two of AVX2, four of NEON

struct bf16 {
  uint16_t bits;
};

// Arithmetic type of each storage type.
template <class S>
struct Arithmetic {
  using type = S;
};
template <>
struct Arithmetic<bf16> {
  using type = float;
};

template <class T>
struct Vectors;
template <>
struct Vectors<float> {
  typedef float type __attribute__((vector_size(kBytes)));
  typedef int32_t ints __attribute__((vector_size(kBytes)));
};
template <>
struct Vectors<double> {
  typedef double type __attribute__((vector_size(kBytes)));
  typedef int64_t ints __attribute__((vector_size(kBytes)));
};
template <class T>
using Vec = typename Vectors<T>::type;
template <class T>
constexpr int kLanes = kBytes / sizeof(T);

template <class T>
inline Vec<T> load(const T* p) {
  Vec<T> v;
  std::memcpy(&v, p, kBytes);
  return v;
}

template <class T>
inline void store(T* p, Vec<T> v) {
  std::memcpy(p, &v, kBytes);
}

typedef uint16_t Half __attribute__((vector_size(kBytes / 2)));
typedef uint32_t Word __attribute__((vector_size(kBytes)));

inline Vec<float> load(const bf16* p) {
  Half half;
  std::memcpy(&half, p, sizeof(half));
  return (Vec<float>)(__builtin_convertvector(half, Word) << 16);
}

// To nearest, ties to even.
inline Half round_to_half(Vec<float> v) {
#if defined(__AVX512BF16__)
  return (Half)_mm512_cvtneps_pbh((__m512)v);
#else
  Word bits = (Word)v;
  bits += 0x7fff + ((bits >> 16) & 1);
  return __builtin_convertvector(bits >> 16, Half);
#endif
}

inline void store(bf16* p, Vec<float> v) {
  const Half half = round_to_half(v);
  std::memcpy(p, &half, sizeof(half));
}

inline float value(bf16 x) {
  const uint32_t bits = uint32_t(x.bits) << 16;
  float y;
  std::memcpy(&y, &bits, sizeof(y));
  return y;
}

template <class T>
inline T value(T x) {
  return x;
}

// The first ``count`` lanes; the others are zero.
template <class S, class T = typename Arithmetic<S>::type>
inline Vec<T> load_part(const S* p, int64_t count) {
  S lanes[kLanes<T>] = {};
  std::memcpy(lanes, p, count * sizeof(S));
  return load(lanes);
}

template <class S, class T = typename Arithmetic<S>::type>
inline void store_part(S* p, Vec<T> v, int64_t count) {
  S lanes[kLanes<T>];
  store(lanes, v);
  std::memcpy(p, lanes, count * sizeof(S));
}

// The lanes' sum, as a tree: one after the other they would wait for each other.
template <class T>
inline double total(Vec<T> v) {
  double lanes[kLanes<T>];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes<T>; ++i) lanes[i] = v[i];
#pragma GCC unroll 4
  for (int half = kLanes<T> / 2; half; half /= 2)
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  return lanes[0];
}

// c[0] x^n + ... + c[n]
template <int Size>
inline Vec<float> polynomial(const float (&c)[Size], Vec<float> x) {
  Vec<float> y = Vec<float>{} + c[0];
#pragma GCC unroll 8
  for (int i = 1; i < Size; ++i) y = y * x + c[i];
  return y;
}

// Polynomials of GELU, fitted to 8e-8 and 1e-8, and for storage in bfloat16 to 3e-6 and 2e-6.
constexpr float kExp[] = {8.29765581e-3f, 4.19154416e-2f, 0.166675751f,
                          0.499988943f,   0.999999692f,   1.f};
constexpr float kExpLow[] = {4.14585844e-2f, 0.167909393f, 0.500043607f, 0.999963386f,
                             0.999999261f};
constexpr float kTail[] = {-0.0899251709f, 0.332490593f,  -0.246140617f, 0.255288562f,
                           0.0435197743f,  0.104369858f, 0.100550603f,  -0.000153605418f};
constexpr float kTailLow[] = {0.851267268f, -1.31721897f, 1.24513557f, -0.348073579f,
                              0.0688884725f};

// exp(v) for v <= 0: 2^n * p(r), |r| <= log(2) / 2; below -87 it is 0 within rounding.
template <bool Low>
inline Vec<float> exp_negative(Vec<float> v) {
  const Vec<float> floor = Vec<float>{} - 87.f;
  v = v < floor ? floor : v;
  const Vec<float> n = (v * 1.44269504f + 12582912.f) - 12582912.f;  // to the nearest integer
  const Vec<float> r = (v - n * 0.693359375f) + n * 2.12194440e-4f;
  Vec<float> p;
  if constexpr (Low)
    p = polynomial(kExpLow, r);
  else
    p = polynomial(kExp, r);
  return p * (Vec<float>)((__builtin_convertvector(n, Vectors<float>::ints) + 127) << 23);
}

// 1 / v; a division takes as long as ten products.
inline Vec<float> reciprocal(Vec<float> v) {
#if defined(__AVX512F__)
  const Vec<float> y = (Vec<float>)_mm512_rcp14_ps((__m512)v);
  return y * (2.f - v * y);
#else
  return 1.f / v;
#endif
}

enum Activation { kGelu, kRelu };

// GELU x * P(x) and its derivative P(x) + x * p(x), of the normal distribution P and density p.
// 1 - P(|x|) = exp(-x * x / 2) * q(t) with t = 1 / (1 + |x| / 4).
template <bool Low>
inline void gelu(Vec<float> x, Vec<float>& value, Vec<float>& slope) {
  const Vec<float> size = x < 0.f ? -x : x;
  const Vec<float> e = exp_negative<Low>(x * x * -0.5f);
  const Vec<float> t = reciprocal(1.f + size * 0.25f);
  Vec<float> q;
  if constexpr (Low)
    q = polynomial(kTailLow, t);
  else
    q = polynomial(kTail, t);
  const Vec<float> tail = e * q;
  const Vec<float> cdf = x < 0.f ? tail : 1.f - tail;
  value = x * cdf;
  slope = cdf + x * e * 0.39894228f;
}

template <bool Low>
inline void gelu(Vec<double> x, Vec<double>& value, Vec<double>& slope) {
  for (int i = 0; i < kLanes<double>; ++i) {
    const double cdf = 0.5 * std::erfc(-x[i] * M_SQRT1_2);
    value[i] = x[i] * cdf;
    slope[i] = cdf + x[i] * std::exp(-0.5 * x[i] * x[i]) * 0.5 * M_2_SQRTPI * M_SQRT1_2;
  }
}

template <Activation A, bool Low, class T>
inline void activate(Vec<T> x, Vec<T>& value, Vec<T>& slope) {
  if constexpr (A == kRelu) {
    const Vec<T> zero = {}, one = zero + 1;
    value = x > zero ? x : zero;
    slope = x > zero ? one : zero;
  } else {
    gelu<Low>(x, value, slope);
  }
}

// Memory of this thread that later calls use again.
template <class T>
T* scratch(int slot, int64_t size) {
  static thread_local std::vector<T> buffers[4];
  auto& buffer = buffers[slot];
  if ((int64_t)buffer.size() < size) buffer.resize(size);
  return buffer.data();
}

// What convolutions multiply: numbers of the arithmetic type, or two rows' bfloat16 numbers, one
// below the other, where the processor multiplies such pairs and adds up in float32.
struct Pair {
  uint32_t bits;
};
template <>
struct Vectors<Pair> {
  typedef Word type;
};

template <class S>
struct Factors {
  using type = typename Arithmetic<S>::type;
};

inline Word broadcast(Pair x) { return Word{} + x.bits; }

#if defined(__AVX512BF16__)
template <>
struct Factors<bf16> {
  using type = Pair;
};

inline Vec<float> multiply_add(Word a, Word b, Vec<float> sum) {
  return (Vec<float>)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}
#endif

template <class F>
constexpr int kRows = std::is_same<F, Pair>::value ? 2 : 1;  // that a factor is of

template <class T>
inline Vec<T> broadcast(T x) {
  return Vec<T>{} + x;
}

template <class V>
inline V multiply_add(V a, V b, V sum) {
  return sum + a * b;
}

// A padded plane: rows of ``stride`` hold the K / 2 zeros of each side and whole vectors.
template <class F, int K>
struct Plane {
  int64_t height, width, stride, size;
  Plane(int64_t h, int64_t w) : height(h), width(w) {
    stride = (w + kLanes<F> - 1) / kLanes<F> * kLanes<F> + K - 1;
    size = (h + K - 1) * stride + kLanes<F>;
  }
  int64_t at(int64_t row, int64_t column) const {
    return (row + K / 2) * stride + column + K / 2;
  }
};

// Asks for the start of a plane: the same channel of the next image is far away, and no processor
// guesses that by itself.
template <class S>
void prefetch(const S* plane, int64_t area) {
  for (int64_t i = 0; i < area && i < 512; i += kBytes / sizeof(S)) __builtin_prefetch(plane + i);
}

// Copies a plane into the middle of a padded one, whose border stays as it is.
template <class F, int K, class S, class T = typename Arithmetic<S>::type>
void pad(const Plane<F, K>& plane, const S* from, F* padded) {
  constexpr int lanes = kLanes<F>;
  const int64_t width = plane.width, height = plane.height;
  typename Vectors<T>::ints in_row;  // lanes of a row narrower than a vector
  for (int i = 0; i < lanes; ++i) in_row[i] = i < width ? -1 : 0;
  const auto row_at = [&](int64_t row, int64_t w) -> Vec<T> {
    const S* line = from + row * width;
    if (width >= lanes) return load(line + w);
    const bool inside = row * width + lanes <= height * width;
    return in_row ? (inside ? load(line) : load_part(line, width)) : Vec<T>{};
  };
  const auto column = [&](int64_t w) {
    if constexpr (kRows<F> == 1) {
      for (int64_t row = 0; row < height; ++row)
        store(padded + plane.at(row, w), row_at(row, w));
    } else {
      Word above = {};
      for (int64_t row = 0; row < height; ++row) {
        const Word bits = __builtin_convertvector(round_to_half(row_at(row, w)), Word);
        store(padded + plane.at(row - 1, w), above | bits << 16);
        above = bits;
      }
      store(padded + plane.at(height - 1, w), above);
    }
  };
  for (int64_t w = 0; w + lanes <= width; w += lanes) column(w);
  // the last overlaps the one before
  if (width % lanes) column(width < lanes ? 0 : width - lanes);
}

// Holds a vector in a register: compilers would rather load it again at each use, although loads
// across cache lines are what limits here.
template <class V>
inline V keep(V v) {
#if defined(__AVX512F__)
  asm("" : "+v"(v));
#endif
  return v;
}

// A kernel's weights as factors, from the last to the first for the convolution's transpose.
template <class F, int K, class T>
void taps(const T* weight, bool flip, F* out) {
  const auto at = [&](int i, int j) {
    return i >= K ? T(0) : weight[flip ? K * K - 1 - (i * K + j) : i * K + j];
  };
  for (int i = 0; i < K; i += kRows<F>)
    for (int j = 0; j < K; ++j)
      if constexpr (kRows<F> == 1) {
        out[i * K + j] = at(i, j);
      } else {
        const Half halves = round_to_half(Vec<float>{at(i, j), at(i + 1, j)});
        out[i / 2 * K + j].bits = halves[0] | uint32_t(halves[1]) << 16;
      }
}

// One vector of ``Rows`` rows; each input row that is loaded serves all of them.
template <class F, int K, int Rows, class T>
inline void convolve_vector(
    const F* padded, int64_t stride, const F* weight, T bias, T* out, int64_t width) {
  constexpr int step = kRows<F>;
  Vec<T> sums[Rows];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) sums[r] = broadcast(bias);
#pragma GCC unroll 9
  for (int j = 0; j < K; ++j) {
#pragma GCC unroll 16
    for (int i = 0; i < Rows + K - 1; ++i) {
      const Vec<F> x = keep(load(padded + i * stride + j));
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r)
        if (i - r >= 0 && i - r < K && (i - r) % step == 0)
          sums[r] = multiply_add(x, broadcast(weight[(i - r) / step * K + j]), sums[r]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) store(out + r * width, sums[r]);
}

template <class F, int K, int Rows, class T>
inline void convolve_rows(
    const Plane<F, K>& plane, const F* padded, const F* weight, T bias, int64_t row, T* out) {
  constexpr int lanes = kLanes<F>;
  const F* line = padded + row * plane.stride;
  T* to = out + row * plane.width;
  int64_t w = 0;
  for (; w + lanes <= plane.width; w += lanes)
    convolve_vector<F, K, Rows>(line + w, plane.stride, weight, bias, to + w, plane.width);
  if (w < plane.width) {  // the last vector overlaps the one before
    w = plane.width < lanes ? 0 : plane.width - lanes;
    convolve_vector<F, K, Rows>(line + w, plane.stride, weight, bias, to + w, plane.width);
  }
}

// Padded plane -> (H, W), followed by up to one vector of anything.
template <class F, int K, class T>
void convolve(const Plane<F, K>& plane, const F* padded, const F* weight, T bias, T* out) {
  int64_t row = 0;  // in order: where a vector is wider than a row, the next overwrites the excess
  for (; row + 4 <= plane.height; row += 4)
    convolve_rows<F, K, 4>(plane, padded, weight, bias, row, out);
  for (; row < plane.height; ++row)
    convolve_rows<F, K, 1>(plane, padded, weight, bias, row, out);
}

// sums[i, j] += x[h + i, w + j] * g[h, w] over all h and w, both padded, for as many i from
// ``First`` as there are registers for their sums. Each vector of x that is loaded serves all.
// Of pairs of rows h goes over every second; the i of one call are all even or all odd.
template <class F, int K, int First = 0, class T>
void correlate(const Plane<F, K>& plane, const F* x, const F* g, Vec<T>* sums) {
  constexpr int step = kRows<F>, left = (K - First + step - 1) / step;
  constexpr int rows = left * K <= 28 ? left : 28 / K, next = First + rows * step;
  Vec<T> part[rows][K] = {};
  for (int64_t row = 0; row < plane.height + (rows - 1) * step; row += step) {
    const F* line = x + (row + First) * plane.stride;
    const F* lines[rows];  // of g; above and below it a row of the lower border, which is zero
    for (int i = 0; i < rows; ++i) {
      const int64_t h = row - i * step;
      lines[i] = g + plane.at(h >= 0 && h < plane.height ? h : plane.height + K / 2 - 1, 0);
    }
    for (int64_t w = 0; w < plane.width; w += kLanes<F>) {
      Vec<F> grads[rows];
#pragma GCC unroll 9
      for (int i = 0; i < rows; ++i) grads[i] = keep(load(lines[i] + w));
#pragma GCC unroll 9
      for (int j = 0; j < K; ++j) {
        const Vec<F> value = keep(load(line + w + j));
#pragma GCC unroll 9
        for (int i = 0; i < rows; ++i) part[i][j] = multiply_add(value, grads[i], part[i][j]);
      }
    }
  }
  // unrolled as well, or the sums would have addresses and no registers
#pragma GCC unroll 9
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 9
    for (int j = 0; j < K; ++j) sums[(First + i * step) * K + j] += part[i][j];
  if constexpr (next < K)
    correlate<F, K, next, T>(plane, x, g, sums);
  else if constexpr (First % step + 1 < step)
    correlate<F, K, First % step + 1, T>(plane, x, g, sums);
}

template <Activation A, bool Slopes, bool Low, class T>
void activate_channel(T* values, T* slopes, int64_t count, double& mean, double& variance) {
  constexpr int lanes = kLanes<T>;
  double sum = 0;
  for (int64_t start = 0; start < count; start += 4096) {  // sums of few are exact enough
    Vec<T> part = {};
    const int64_t end = start + 4096 < count ? start + 4096 : count;
    int64_t i = start;
    for (; i < end; i += lanes) {
      Vec<T> x = i + lanes <= end ? load(values + i) : load_part(values + i, end - i);
      Vec<T> value, slope;
      activate<A, Low, T>(x, value, slope);
      store(values + i, value);
      if constexpr (Slopes) store(slopes + i, slope);
      part += value;  // that of 0 is 0
    }
    sum += total<T>(part);
  }
  mean = sum / count;
  double squares = 0;
  for (int64_t start = 0; start < count; start += 4096) {
    Vec<T> part = {};
    const int64_t end = start + 4096 < count ? start + 4096 : count;
    int64_t i = start;
    for (; i + lanes <= end; i += lanes) {
      const Vec<T> distance = load(values + i) - (T)mean;
      part += distance * distance;
    }
    squares += total<T>(part);
    for (; i < end; ++i) squares += (values[i] - mean) * (values[i] - mean);
  }
  variance = squares / count;
}

// Applies the activation to one channel, with its slopes where they are asked for, and measures.
template <class S, class T>
void activate_all(Activation a, T* values, T* slopes, int64_t count, double& mean, double& var) {
  constexpr bool low = std::is_same<S, bf16>::value;
  if (a == kRelu)
    slopes ? activate_channel<kRelu, true, low>(values, slopes, count, mean, var)
           : activate_channel<kRelu, false, low>(values, slopes, count, mean, var);
  else
    slopes ? activate_channel<kGelu, true, low>(values, slopes, count, mean, var)
           : activate_channel<kGelu, false, low>(values, slopes, count, mean, var);
}

// The arguments that all functions share.
struct Shape {
  int64_t batch, channels, height, width, threads;
  Activation activation;
  int64_t area() const { return height * width; }
  int64_t plane(int64_t n, int64_t c) const { return (n * channels + c) * area(); }
};

template <class T>
struct Norm {
  const T *weight, *bias;
  double eps;
};

// out = (residual +) the normalized values of one channel.
template <class S, class T>
void write_normalized(const Shape& s, int64_t c, const T* values, T scale, T shift,
                      const S* residual, S* out) {
  constexpr int lanes = kLanes<T>;
  for (int64_t n = 0; n < s.batch; ++n) {
    const T* from = values + n * s.area();
    const int64_t offset = s.plane(n, c);
    int64_t i = 0;
    for (; i + lanes <= s.area(); i += lanes) {
      Vec<T> y = load(from + i) * scale + shift;
      if (residual) y += load(residual + offset + i);
      store(out + offset + i, y);
    }
    if (i < s.area()) {
      const int64_t rest = s.area() - i;
      Vec<T> y = load_part(from + i, rest) * scale + shift;
      if (residual) y += load_part(residual + offset + i, rest);
      store_part(out + offset + i, y, rest);
    }
  }
}

// The gradient of one channel's values before the activation, in place of ``slopes``; it is summed
// up in ``sum_input``. ``grad`` is that of the norm's output.
template <class S, class T>
void norm_backward(const Shape& s, int64_t c, const T* values, T* slopes, const S* grad, T weight,
                   double mean, double inverse, double& sum_weight, double& sum_bias,
                   double& sum_input) {
  constexpr int lanes = kLanes<T>;
  const int64_t area = s.area(), whole = area / lanes * lanes;
  double sum = 0, product = 0;
  Vec<T> a = {}, b = {};
  int64_t summed = 0;
  const auto flush = [&] {  // sums of few are exact enough
    sum += total<T>(a);
    product += total<T>(b);
    a = b = Vec<T>{};
    summed = 0;
  };
  for (int64_t n = 0; n < s.batch; ++n) {
    const S* g = grad + s.plane(n, c);
    const T* v = values + n * area;
    for (int64_t i = 0; i < whole; i += lanes) {
      const Vec<T> y = load(g + i);
      a += y;
      b += y * (load(v + i) - (T)mean);
      if ((summed += lanes) >= 4096) flush();
    }
    if (whole < area) {
      const Vec<T> y = load_part(g + whole, area - whole);  // zero where there is nothing
      a += y;
      b += y * (load_part(v + whole, area - whole) - (T)mean);
    }
  }
  flush();
  const double count = double(s.batch) * area;
  sum_bias = sum;
  sum_weight = product * inverse;
  const T scale = weight * inverse, offset = sum / count;
  const T tilt = product * inverse * inverse / count;
  sum_input = 0;
  for (int64_t n = 0; n < s.batch; ++n) {
    const S* g = grad + s.plane(n, c);
    const T* v = values + n * area;
    T* out = slopes + n * area;
    for (int64_t i = 0; i < whole; i += lanes) {
      const Vec<T> centred = load(v + i) - (T)mean;
      const Vec<T> d = load(out + i) * scale * (load(g + i) - offset - centred * tilt);
      store(out + i, d);
      a += d;
      if ((summed += lanes) >= 4096) {
        sum_input += total<T>(a);
        a = Vec<T>{};
        summed = 0;
      }
    }
    for (int64_t i = whole; i < area; ++i) {
      const T y = value(g[i]);
      out[i] *= scale * (y - offset - (v[i] - (T)mean) * tilt);
      sum_input += out[i];
    }
  }
  sum_input += total<T>(a);
}

template <class S, class T>
void load_channel(const Shape& s, int64_t c, const S* from, T bias, T* values) {
  constexpr int lanes = kLanes<T>;
  for (int64_t n = 0; n < s.batch; ++n) {
    const S* x = from + s.plane(n, c);
    T* to = values + n * s.area();
    int64_t i = 0;
    for (; i + lanes <= s.area(); i += lanes) store(to + i, load(x + i) + bias);
    if (i < s.area())
      store_part(to + i, load_part(x + i, s.area() - i) + bias, s.area() - i);
  }
}

template <class S, class T>
void store_plane(const T* values, const S* residual, S* out, int64_t area) {
  constexpr int lanes = kLanes<T>;
  int64_t i = 0;
  for (; i + lanes <= area; i += lanes) {
    Vec<T> y = load(values + i);
    if (residual) y += load(residual + i);
    store(out + i, y);
  }
  if (i < area) {
    Vec<T> y = load_part(values + i, area - i);
    if (residual) y += load_part(residual + i, area - i);
    store_part(out + i, y, area - i);
  }
}

// y = norm(act(x + bias)); statistics are the batch's.
template <class S, class T = typename Arithmetic<S>::type>
void act_norm(Shape s, const S* x, const T* bias, Norm<T> norm, S* y, T* mean, T* variance) {
#pragma omp parallel for num_threads(s.threads) schedule(dynamic, 4)
  for (int64_t c = 0; c < s.channels; ++c) {
    const int64_t count = s.batch * s.area();
    T* values = scratch<T>(0, count + kLanes<T>);
    double m, v;
    load_channel(s, c, x, bias ? bias[c] : T(0), values);
    activate_all<S, T>(s.activation, values, nullptr, count, m, v);
    mean[c] = m;
    variance[c] = v;
    const T scale = norm.weight[c] / std::sqrt(v + norm.eps);
    write_normalized<S, T>(s, c, values, scale, norm.bias[c] - scale * T(m), nullptr, y);
  }
}

template <class S, class T = typename Arithmetic<S>::type>
void act_norm_backward(Shape s, const S* grad, const S* x, const T* bias, Norm<T> norm, S* grad_x,
                       T* grad_bias, T* grad_norm_weight, T* grad_norm_bias) {
#pragma omp parallel for num_threads(s.threads) schedule(dynamic, 4)
  for (int64_t c = 0; c < s.channels; ++c) {
    const int64_t count = s.batch * s.area();
    T* values = scratch<T>(0, count + kLanes<T>);
    T* slopes = scratch<T>(1, count + kLanes<T>);
    double mean, variance, sum_weight, sum_bias, sum_input;
    load_channel(s, c, x, bias ? bias[c] : T(0), values);
    activate_all<S, T>(s.activation, values, slopes, count, mean, variance);
    norm_backward<S, T>(s, c, values, slopes, grad, norm.weight[c], mean,
                        1 / std::sqrt(variance + norm.eps), sum_weight, sum_bias, sum_input);
    for (int64_t n = 0; n < s.batch; ++n)
      store_plane<S, T>(slopes + n * s.area(), nullptr, grad_x + s.plane(n, c), s.area());
    if (grad_bias) grad_bias[c] = sum_input;
    grad_norm_weight[c] = sum_weight;
    grad_norm_bias[c] = sum_bias;
  }
}

// y = (x +) norm(act(depthwise(x) + bias)).
template <class S, int K, class T = typename Arithmetic<S>::type>
void mix(Shape s, bool residual, const S* x, const T* weight, const T* bias, Norm<T> norm, S* y,
         T* mean, T* variance) {
  using F = typename Factors<S>::type;
  const Plane<F, K> plane(s.height, s.width);
  const int64_t count = s.batch * s.area();
#pragma omp parallel num_threads(s.threads)
  {
    T* values = scratch<T>(0, count + kLanes<T>);
    F* padded = scratch<F>(1, plane.size);
    std::memset(padded, 0, plane.size * sizeof(F));
#pragma omp for schedule(dynamic, 4)
    for (int64_t c = 0; c < s.channels; ++c) {
      F kernel[K * K];
      taps<F, K>(weight + c * K * K, false, kernel);
      for (int64_t n = 0; n < s.batch; ++n) {
        prefetch(x + s.plane(n + 1, c), s.area());
        pad(plane, x + s.plane(n, c), padded);
        convolve(plane, padded, kernel, bias ? bias[c] : T(0), values + n * s.area());
      }
      double m, v;
      activate_all<S, T>(s.activation, values, nullptr, count, m, v);
      mean[c] = m;
      variance[c] = v;
      const T scale = norm.weight[c] / std::sqrt(v + norm.eps);
      write_normalized<S, T>(s, c, values, scale, norm.bias[c] - scale * T(m),
                             residual ? x : nullptr, y);
    }
  }
}

// The convolution is computed anew: that costs less than writing and reading its result.
template <class S, int K, class T = typename Arithmetic<S>::type>
void mix_backward(Shape s, bool residual, const S* grad, const S* x, const T* weight,
                  const T* bias, Norm<T> norm, S* grad_x, T* grad_weight, T* grad_bias,
                  T* grad_norm_weight, T* grad_norm_bias) {
  using F = typename Factors<S>::type;
  const Plane<F, K> plane(s.height, s.width);
  const int64_t count = s.batch * s.area();
#pragma omp parallel num_threads(s.threads)
  {
    T* values = scratch<T>(0, count + kLanes<T>);
    T* slopes = scratch<T>(1, count + kLanes<T>);
    F* padded = scratch<F>(2, s.batch * plane.size);
    F* padded_grad = scratch<F>(3, plane.size);
    std::memset(padded, 0, s.batch * plane.size * sizeof(F));
    std::memset(padded_grad, 0, plane.size * sizeof(F));
#pragma omp for schedule(dynamic, 4)
    for (int64_t c = 0; c < s.channels; ++c) {
      F kernel[K * K], flipped[K * K];
      taps<F, K>(weight + c * K * K, false, kernel);
      taps<F, K>(weight + c * K * K, true, flipped);
      for (int64_t n = 0; n < s.batch; ++n) {
        prefetch(x + s.plane(n + 1, c), s.area());
        pad(plane, x + s.plane(n, c), padded + n * plane.size);
        convolve(plane, padded + n * plane.size, kernel, bias ? bias[c] : T(0),
                 values + n * s.area());
      }
      double mean, variance, sum_weight, sum_bias, sum_input;
      activate_all<S, T>(s.activation, values, slopes, count, mean, variance);
      norm_backward<S, T>(s, c, values, slopes, grad, norm.weight[c], mean,
                          1 / std::sqrt(variance + norm.eps), sum_weight, sum_bias, sum_input);
      double sums[K * K] = {};
      Vec<T> part[K * K] = {};
      int64_t summed = 0;
      for (int64_t n = 0; n < s.batch; ++n) {
        pad(plane, slopes + n * s.area(), padded_grad);
        correlate<F, K, 0, T>(plane, padded + n * plane.size, padded_grad, part);
        summed += s.area();
        if (summed >= 4096 || n + 1 == s.batch) {  // sums of few are exact enough
          for (int i = 0; i < K * K; ++i) {
            sums[i] += total<T>(part[i]);
            part[i] = Vec<T>{};
          }
          summed = 0;
        }
        convolve(plane, padded_grad, flipped, T(0), values);
        store_plane<S, T>(values, residual ? grad + s.plane(n, c) : nullptr,
                          grad_x + s.plane(n, c), s.area());
      }
      for (int i = 0; i < K * K; ++i) grad_weight[c * K * K + i] = sums[i];
      if (grad_bias) grad_bias[c] = sum_input;
      grad_norm_weight[c] = sum_weight;
      grad_norm_bias[c] = sum_bias;
    }
  }
}

}  // namespace

// The functions that Python calls. Null pointers are absent parameters; false: not for this call.
struct Call {
  int64_t type;  // 0 float32, 1 bfloat16, 2 float64
  int64_t batch, channels, height, width, kernel, threads, activation, residual;
  double eps;
  const void *x, *weight, *bias, *norm_weight, *norm_bias;
  void *y, *mean, *variance;
  const void* grad;
  void *grad_x, *grad_weight, *grad_bias, *grad_norm_weight, *grad_norm_bias;
};

namespace {

template <class S, int K>
bool run(const Call& c) {
  using T = typename Arithmetic<S>::type;
  const Shape shape{c.batch, c.channels, c.height, c.width, c.threads, Activation(c.activation)};
  const Norm<T> norm{(const T*)c.norm_weight, (const T*)c.norm_bias, c.eps};
  const S* x = (const S*)c.x;
  const T *weight = (const T*)c.weight, *bias = (const T*)c.bias;
  const S* grad = (const S*)c.grad;
  S* grad_x = (S*)c.grad_x;
  T *grad_weight = (T*)c.grad_weight, *grad_bias = (T*)c.grad_bias;
  T *grad_norm_weight = (T*)c.grad_norm_weight, *grad_norm_bias = (T*)c.grad_norm_bias;
  if constexpr (K == 0) {
    if (grad)
      act_norm_backward<S>(shape, grad, x, bias, norm, grad_x, grad_bias, grad_norm_weight,
                           grad_norm_bias);
    else
      act_norm<S>(shape, x, bias, norm, (S*)c.y, (T*)c.mean, (T*)c.variance);
  } else {
    if (grad)
      mix_backward<S, K>(shape, c.residual, grad, x, weight, bias, norm, grad_x, grad_weight,
                         grad_bias, grad_norm_weight, grad_norm_bias);
    else
      mix<S, K>(shape, c.residual, x, weight, bias, norm, (S*)c.y, (T*)c.mean, (T*)c.variance);
  }
  return true;
}

template <class S>
bool run(const Call& call) {
  switch (call.kernel) {
    case 0: return run<S, 0>(call);
    case 3: return run<S, 3>(call);
    case 5: return run<S, 5>(call);
    case 7: return run<S, 7>(call);
    case 9: return run<S, 9>(call);
  }
  return false;
}

}  // namespace

extern "C" bool sacm_run(const Call* call) {
  switch (call->type) {
    case 0: return run<float>(*call);
    case 1: return run<bf16>(*call);
    case 2: return run<double>(*call);
  }
  return false;
}
