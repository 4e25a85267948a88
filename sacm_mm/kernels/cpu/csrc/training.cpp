// The operators of training, which sacm_mm/kernels/cpu/operators.py defines.
#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>

#include <tuple>

#include "tensors.h"
#include "training.h"

namespace {

// Half of a block in training, its parameters checked.
struct BlockHalf {
  const Tensor &x, &norm_weight, &norm_bias;
  const Maybe &weight, &bias;
  double eps;
  training::Shape shape;
  int64_t kernel = 0;

  BlockHalf(const Tensor& x, const Maybe& weight, const Maybe& bias, const Tensor& norm_weight,
       const Tensor& norm_bias, double eps, bool relu, int64_t dilation)
      : x(x), norm_weight(norm_weight), norm_bias(norm_bias), weight(weight), bias(bias), eps(eps) {
    TORCH_CHECK(x.dim() == 4 && x.is_contiguous(), "maps are (N, C, H, W) and contiguous");
    TORCH_CHECK(dilation > 0, "a dilation is positive");
    const int64_t c = x.size(1);
    const auto wide = x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
    for (const Tensor* vector : {&norm_weight, &norm_bias, bias ? &*bias : nullptr})
      if (vector) check(*vector, {c}, wide);
    if (weight) {
      kernel = weight->size(-1);
      check(*weight, {c, 1, kernel, kernel}, wide);
    }
    shape = {x.size(0), c, x.size(2), x.size(3), dilation, at::get_num_threads(),
             relu ? kRelu : kGelu};
  }

  template <class T>
  training::Norm<T> norm() const {
    return {read<T>(norm_weight), read<T>(norm_bias), eps};
  }
};

std::tuple<Tensor, Tensor, Tensor> mix_act_norm(
    const Tensor& x, const Maybe& weight, const Maybe& bias, const Tensor& norm_weight,
    const Tensor& norm_bias, double eps, bool relu, bool residual, int64_t dilation) {
  const BlockHalf half(x, weight, bias, norm_weight, norm_bias, eps, relu, dilation);
  Tensor y = at::empty_like(x), mean = at::empty_like(norm_weight);
  Tensor variance = at::empty_like(norm_weight);
  dispatch(x.scalar_type(), [&](auto type) {
    using S = decltype(type);
    using T = typename Arithmetic<S>::type;
    if (!weight)
      return training::act_norm<S>(half.shape, read<S>(x), read<T>(bias), half.norm<T>(),
                                   write<S>(y), write<T>(mean), write<T>(variance));
    dispatch_kernel(half.kernel, [&](auto size) {
      training::mix<S, size()>(half.shape, residual, read<S>(x), read<T>(weight), read<T>(bias),
                               half.norm<T>(), write<S>(y), write<T>(mean), write<T>(variance));
    });
  });
  return {y, mean, variance};
}

// Gradients of x, weight (empty if there is none), bias, norm_weight and norm_bias.
std::tuple<Tensor, Tensor, Tensor, Tensor, Tensor> mix_act_norm_backward(
    const Tensor& grad, const Tensor& x, const Maybe& weight, const Maybe& bias,
    const Tensor& norm_weight, const Tensor& norm_bias, double eps, bool relu, bool residual,
    int64_t dilation) {
  const BlockHalf half(x, weight, bias, norm_weight, norm_bias, eps, relu, dilation);
  check(grad, x.sizes(), x.scalar_type());
  Tensor grad_x = at::empty_like(x);
  Tensor grad_weight = weight ? at::empty_like(*weight) : norm_weight.new_empty({0});
  Tensor grad_bias = at::empty_like(norm_weight), grad_norm_weight = at::empty_like(norm_weight);
  Tensor grad_norm_bias = at::empty_like(norm_weight);
  dispatch(x.scalar_type(), [&](auto type) {
    using S = decltype(type);
    using T = typename Arithmetic<S>::type;
    if (!weight)
      return training::act_norm_backward<S>(
          half.shape, read<S>(grad), read<S>(x), read<T>(bias), half.norm<T>(), write<S>(grad_x),
          write<T>(grad_bias), write<T>(grad_norm_weight), write<T>(grad_norm_bias));
    dispatch_kernel(half.kernel, [&](auto size) {
      training::mix_backward<S, size()>(
          half.shape, residual, read<S>(grad), read<S>(x), read<T>(weight), read<T>(bias),
          half.norm<T>(), write<S>(grad_x), write<T>(grad_weight), write<T>(grad_bias),
          write<T>(grad_norm_weight), write<T>(grad_norm_bias));
    });
  });
  return {grad_x, grad_weight, grad_bias, grad_norm_weight, grad_norm_bias};
}

}  // namespace

TORCH_LIBRARY_IMPL(sacm_mm_cpu, CPU, m) {
  m.impl("mix_act_norm", mix_act_norm);
  m.impl("mix_act_norm_backward", mix_act_norm_backward);
}
