// The operator of inference, which sacm_mm/kernels/cpu/operators.py defines.
#include "inference.h"
#include "tensors.h"

namespace {

void token_mixing(const Tensor& x, const Tensor& taps, const Tensor& vectors, bool gelu,
                  int64_t dilation, Tensor& out) {
  TORCH_CHECK(x.dim() == 4 && x.is_contiguous() && x.size(3) % inference::kBlock == 0,
              "maps are (N, H, W, C) and contiguous, of a multiple of 32 channels");
  TORCH_CHECK(x.scalar_type() != at::kDouble && dilation > 0, "float32 or bfloat16 maps");
  check(out, x.sizes(), x.scalar_type());
  const int64_t c = x.size(3), kernel = std::lround(std::sqrt(taps.size(0)));
  check(taps, {kernel * kernel, c}, at::kFloat);
  check(vectors, {4, c}, at::kFloat);
  const inference::Shape shape(x.size(1), x.size(2), c, dilation);
  const float* v = read<float>(vectors);
  const inference::Weights weights{read<float>(taps), v, v + c, v + 2 * c, v + 3 * c};
  dispatch_kernel(kernel, [&](auto size) {
    const auto run = [&](auto type) {
      using S = decltype(type);
      const auto mix = gelu ? inference::mix<S, size(), kGelu> : inference::mix<S, size(), kRelu>;
      mix(read<S>(x), write<S>(out), x.size(0), shape, weights);
    };
    x.scalar_type() == at::kFloat ? run(float()) : run(bf16());
  });
}

}  // namespace

TORCH_LIBRARY_IMPL(sacm_mm_cpu, CPU, m) {
  m.impl("token_mixing", token_mixing);
}
