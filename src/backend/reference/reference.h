// SPDX-License-Identifier: Apache-2.0
// The kernels of the reference backend, one declaration a slot of the kernel table (backend.h says what each computes).
// They are the yardstick for every other backend: plain C, work split over outputs, every sum in an order that does not
// depend on the number of threads. Faster backends may call them for the cases they do not cover themselves.
#ifndef SPIKESTILL_BACKEND_REFERENCE_H
#define SPIKESTILL_BACKEND_REFERENCE_H

#include "backend/backend.h"

// Plans. The reference kernels need neither descriptors nor scratch: *out is NULL, and plan and workspace are ignored.
sst_status ssti_reference_conv2d_plan(ssti_backend *backend, const ssti_conv2d *shape, bool training, ssti_plan **out);
sst_status ssti_reference_linear_plan(ssti_backend *backend, const ssti_linear *shape, bool training, ssti_plan **out);
sst_status ssti_reference_pool_plan(ssti_backend *backend, const ssti_pool *shape, bool training, ssti_plan **out);
void ssti_reference_plan_destroy(ssti_backend *backend, ssti_plan *plan);

// Convolution.
void ssti_reference_conv2d_forward(ssti_backend *backend, const ssti_conv2d *shape, ssti_plan *plan, const float *x,
                                   const float *weight, const float *bias, float *y, void *saved, void *workspace);
void ssti_reference_conv2d_backward_data(ssti_backend *backend, const ssti_conv2d *shape, ssti_plan *plan,
                                         const float *dy, const float *weight, float *dx, bool accumulate,
                                         void *workspace);
void ssti_reference_conv2d_backward_weights(ssti_backend *backend, const ssti_conv2d *shape, ssti_plan *plan,
                                            const float *x, const float *dy, float *dweight, bool accumulate_weight,
                                            float *dbias, bool accumulate_bias, const void *saved, void *workspace);

// Linear layer.
void ssti_reference_linear_forward(ssti_backend *backend, const ssti_linear *shape, ssti_plan *plan, const float *x,
                                   const float *weight, const float *bias, float *y, void *saved, void *workspace);
void ssti_reference_linear_backward_data(ssti_backend *backend, const ssti_linear *shape, ssti_plan *plan,
                                         const float *dy, const float *weight, float *dx, bool accumulate,
                                         void *workspace);
void ssti_reference_linear_backward_weights(ssti_backend *backend, const ssti_linear *shape, ssti_plan *plan,
                                            const float *x, const float *dy, float *dweight, bool accumulate_weight,
                                            float *dbias, bool accumulate_bias, const void *saved, void *workspace);

// Quantisers.
void ssti_reference_quantize_weights_forward(ssti_backend *backend, const ssti_weight_shape *shape, const float *weight,
                                             const float *step, float *codes, float *scale, void *workspace);
void ssti_reference_quantize_weights_backward(ssti_backend *backend, const ssti_weight_shape *shape,
                                              const float *weight, const float *scale, const float *dcodes,
                                              float *dweight, bool accumulate_weight, float *dstep,
                                              bool accumulate_step, void *workspace);
size_t ssti_reference_quantize_workspace(const ssti_weight_shape *shape);
// The same with other loops over rows (quantize_rows.h), which must give the same bits.
struct ssti_quantize_rows;
void ssti_quantize_forward_by(ssti_backend *backend, const struct ssti_quantize_rows *loops,
                              const ssti_weight_shape *shape, const float *weight, const float *step, float *codes,
                              float *scale, void *workspace);
void ssti_quantize_backward_by(ssti_backend *backend, const struct ssti_quantize_rows *loops,
                               const ssti_weight_shape *shape, const float *weight, const float *scale,
                               const float *dcodes, float *dweight, bool accumulate_weight, float *dstep,
                               bool accumulate_step, void *workspace);
void ssti_reference_norm_constants(ssti_backend *backend, const ssti_batch_norm *shape, const float *gamma,
                                   const float *mean, const float *variance, float *saved);
void ssti_reference_norm_fixed_point(ssti_backend *backend, const ssti_batch_norm *shape, int bits, const float *gamma,
                                     const float *beta, float *saved);
void ssti_reference_fixed_point(ssti_backend *backend, int64_t channels, int bits, float *factor, float *offset);
// Puts y = factor * (x - mean) + offset as factor' * x + offset' in place, [channels] each, `mean` may be NULL; with
// `bits` above 0 both on their fixed-point grids, the offset following the rounded factor. No slot: a part of two.
void ssti_reference_fold_norm(int64_t channels, int bits, float *factor, const float *mean, float *offset);
void ssti_reference_channel_affine(ssti_backend *backend, int64_t rows, int64_t channels, const float *x,
                                   const float *factor, const float *offset, float *y, bool accumulate);

// Pooling.
void ssti_reference_pool_forward(ssti_backend *backend, const ssti_pool *shape, ssti_plan *plan, const float *x,
                                 float *y, uint8_t *saved, void *workspace);
void ssti_reference_pool_backward(ssti_backend *backend, const ssti_pool *shape, ssti_plan *plan, const float *dy,
                                  const uint8_t *saved, float *dx, bool accumulate, void *workspace);
void ssti_reference_adaptive_pool_forward(ssti_backend *backend, const ssti_adaptive_pool *shape, const float *x,
                                          float *y);
void ssti_reference_adaptive_pool_backward(ssti_backend *backend, const ssti_adaptive_pool *shape, const float *dy,
                                           float *dx, bool accumulate);

// Batch norm.
void ssti_reference_batch_norm_forward_training(ssti_backend *backend, const ssti_batch_norm *shape, const float *x,
                                                const float *gamma, const float *beta, float *running_mean,
                                                float *running_variance, float *y, float *saved);
void ssti_reference_batch_norm_forward_inference(ssti_backend *backend, const ssti_batch_norm *shape, const float *x,
                                                 const float *gamma, const float *beta, const float *running_mean,
                                                 const float *running_variance, float *y);
void ssti_reference_batch_norm_backward(ssti_backend *backend, const ssti_batch_norm *shape, const float *x,
                                        const float *dy, const float *gamma, const float *saved, bool batch_statistics,
                                        float *dx, bool accumulate_dx, float *dgamma, bool accumulate_dgamma,
                                        float *dbeta, bool accumulate_dbeta, void *workspace);
size_t ssti_reference_batch_norm_workspace(ssti_backend *backend, const ssti_batch_norm *shape);

// Elementwise functions and arithmetic.
void ssti_reference_unary_forward(ssti_backend *backend, ssti_unary_kind kind, float a, float b, int64_t count,
                                  const float *x, float *y);
void ssti_reference_unary_backward(ssti_backend *backend, ssti_unary_kind kind, float a, float b, int64_t count,
                                   const float *x, const float *y, const float *dy, float *dx, bool accumulate);
void ssti_reference_binary_forward(ssti_backend *backend, const ssti_binary *shape, const float *a, const float *b,
                                   float *y);
void ssti_reference_binary_backward(ssti_backend *backend, const ssti_binary *shape, const float *a, const float *b,
                                    const float *dy, float *da, bool accumulate_a, float *db, bool accumulate_b);

// Reductions over axes.
void ssti_reference_reduce_forward(ssti_backend *backend, ssti_reduce_kind kind, sst_shape shape, int axes,
                                   const float *x, float *y);
void ssti_reference_reduce_backward(ssti_backend *backend, ssti_reduce_kind kind, sst_shape shape, int axes,
                                    const float *x, const float *y, const float *dy, float *dx, bool accumulate);
void ssti_reference_l2_normalize_forward(ssti_backend *backend, sst_shape shape, int axes, float epsilon,
                                         const float *x, float *y);
void ssti_reference_l2_normalize_backward(ssti_backend *backend, sst_shape shape, int axes, float epsilon,
                                          const float *x, const float *dy, float *dx, bool accumulate);

// Softmax.
void ssti_reference_softmax_forward(ssti_backend *backend, int64_t rows, int64_t channels, float temperature, bool log,
                                    const float *x, float *y);
void ssti_reference_softmax_backward(ssti_backend *backend, int64_t rows, int64_t channels, float temperature, bool log,
                                     const float *y, const float *dy, float *dx, bool accumulate);

// Head of a distribution.
void ssti_reference_head_mask(ssti_backend *backend, int64_t rows, int64_t channels, float mass, const float *p,
                              float *mask);

// Losses.
void ssti_reference_cross_entropy_forward(ssti_backend *backend, int64_t rows, int64_t target_rows, int64_t channels,
                                          float smoothing, const float *logits, const float *target, float *loss);
void ssti_reference_cross_entropy_backward(ssti_backend *backend, int64_t rows, int64_t target_rows, int64_t channels,
                                           float smoothing, const float *logits, const float *target,
                                           const float *dloss, float *dlogits, bool accumulate);
void ssti_reference_kl_forward(ssti_backend *backend, int64_t rows, int64_t channels, const float *p,
                               const float *log_q, float *loss);
void ssti_reference_kl_backward(ssti_backend *backend, int64_t rows, int64_t channels, const float *p,
                                const float *log_q, const float *dloss, float *dp, bool accumulate_p, float *dlog_q,
                                bool accumulate_q);

// Dropout.
void ssti_reference_dropout(ssti_backend *backend, int64_t count, float rate, uint64_t seed, uint64_t stream,
                            uint64_t step, const float *x, float *y, bool accumulate);

// Noise.
void ssti_reference_noise(ssti_backend *backend, int64_t count, float deviation, uint64_t seed, uint64_t stream,
                          uint64_t step, const float *x, float *y);

// Copies.
void ssti_reference_copy_rows(ssti_backend *backend, int64_t outer, int64_t width, const float *from,
                              int64_t from_stride, float *to, int64_t to_stride, bool accumulate);
void ssti_reference_copy_box(ssti_backend *backend, const ssti_box *box, const float *from, float *to, bool accumulate);
void ssti_reference_fill_value(ssti_backend *backend, int64_t count, float value, float *y);

// Neurons.
void ssti_reference_neuron_forward(ssti_backend *backend, const ssti_neuron_shape *shape, const float *x,
                                   const float *decay_parameter, float *spikes, float *membrane, void *workspace);
void ssti_reference_neuron_backward(ssti_backend *backend, const ssti_neuron_shape *shape, const float *x,
                                    const float *decay_parameter, const float *dspikes, const float *dmembrane,
                                    float *dx, bool accumulate_dx, float *ddecay, bool accumulate_ddecay,
                                    void *workspace);
size_t ssti_reference_neuron_workspace(ssti_backend *backend, const ssti_neuron_shape *shape, bool is_backward);

// Optimiser steps.
void ssti_reference_clip_gradient(ssti_backend *backend, int64_t count, const float *gradient, float clip_norm,
                                  ssti_update *update);
void ssti_reference_sgd_step(ssti_backend *backend, int64_t count, float *value, const float *gradient, float *velocity,
                             const ssti_update *update, float momentum, bool nesterov, float weight_decay);
void ssti_reference_adamw_step(ssti_backend *backend, int64_t count, float *value, const float *gradient, float *first,
                               float *second, const ssti_update *update, float beta1, float beta2, float epsilon,
                               float weight_decay);
double ssti_reference_sum_of_squares(ssti_backend *backend, int64_t count, const float *x);

// Batches from plans.
void ssti_reference_make_batch(ssti_backend *backend, const ssti_picture_form *form, const uint8_t *set,
                               const float *values, const ssti_picture_plan *plans, float *out);

#endif
