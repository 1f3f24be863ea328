// SPDX-License-Identifier: Apache-2.0
// Convolution as its definition says it: loops over outputs and over the window, channels innermost. With i, o the
// positions of an input and an output element, i = o * stride - pad + k * dilation.
#include "backend/reference/products_reference.h"
#include "backend/reference/reference.h"

typedef struct conv_work {
  const ssti_conv2d *s;
  const float *x, *weight, *bias, *dy;
  float *out;
  bool accumulate;
} conv_work;

// A range of positions, end not included.
typedef struct span {
  int64_t begin, end;
} span;

// Quotient rounded up, for a divisor > 0 and any numerator; never below 0, which is where spans begin.
static int64_t ceil_quotient(int64_t a, int64_t b) { return a <= 0 ? 0 : (a + b - 1) / b; }

// Kernel positions whose input, first + k * dilation, lies inside [0, in).
static span kernel_span(int64_t first, int64_t dilation, int64_t kernel, int64_t in) {
  span k = {ceil_quotient(-first, dilation), ssti_smaller(ceil_quotient(in - first, dilation), kernel)};
  return k;
}

// Output positions o in [0, out) whose input, o * stride + offset, lies inside [0, in).
static span output_span(int64_t offset, int64_t stride, int64_t out, int64_t in) {
  span o = {ceil_quotient(-offset, stride), ssti_smaller(ceil_quotient(in - offset, stride), out)};
  return o;
}

// The output position that reads input i through kernel position k, or -1.
static int64_t output_of(int64_t i, int64_t k, int64_t stride, int64_t pad, int64_t dilation, int64_t out) {
  int64_t scaled = i + pad - k * dilation;
  if (scaled < 0 || scaled % stride != 0 || scaled / stride >= out) { return -1; }
  return scaled / stride;
}

// One output element: the part of the window that lies inside the image.
static double window_sum(const conv_work *w, int64_t image, int64_t first_y, int64_t first_x, span ky, span kx,
                         int64_t o) {
  const ssti_conv2d *s = w->s;
  int64_t group_in = s->in_c / s->groups, group = o / (s->out_c / s->groups);
  // Without dilation and groups a row of the window is one run of memory in both factors: longer, faster products.
  bool run = s->dilation_w == 1 && s->groups == 1;
  double sum = 0.0;
  for (int64_t k = ky.begin; k < ky.end; k++) {
    const float *row = w->x + (image * s->in_h + first_y + k * s->dilation_h) * s->in_w * s->in_c + group * group_in;
    const float *weight = w->weight + (o * s->kernel_h + k) * s->kernel_w * group_in;
    if (run && kx.begin < kx.end) {
      sum += (double)ssti_dot(row + (first_x + kx.begin) * s->in_c, weight + kx.begin * group_in,
                              (kx.end - kx.begin) * group_in);
      continue;
    }
    for (int64_t l = kx.begin; l < kx.end; l++) {
      sum += (double)ssti_dot(row + (first_x + l * s->dilation_w) * s->in_c, weight + l * group_in, group_in);
    }
  }
  return sum;
}

static void forward_range(void *arg, int64_t begin, int64_t end) {
  const conv_work *w = arg;
  const ssti_conv2d *s = w->s;
  for (int64_t line = begin; line < end; line++) {
    int64_t image = line / s->out_h, first_y = line % s->out_h * s->stride_h - s->pad_h;
    span ky = kernel_span(first_y, s->dilation_h, s->kernel_h, s->in_h);
    for (int64_t ox = 0; ox < s->out_w; ox++) {
      int64_t first_x = ox * s->stride_w - s->pad_w;
      span kx = kernel_span(first_x, s->dilation_w, s->kernel_w, s->in_w);
      float *y = w->out + (line * s->out_w + ox) * s->out_c;
      for (int64_t o = 0; o < s->out_c; o++) {
        double sum = window_sum(w, image, first_y, first_x, ky, kx, o);
        y[o] = (float)(w->bias != NULL ? sum + (double)w->bias[o] : sum);
      }
    }
  }
}

// Multiply-accumulates of one output pixel, over all channels.
static int64_t pixel_macs(const ssti_conv2d *s) { return s->kernel_h * s->kernel_w * s->out_c * (s->in_c / s->groups); }

void ssti_reference_conv2d_forward(ssti_backend *backend, const ssti_conv2d *shape, ssti_plan *plan, const float *x,
                                   const float *weight, const float *bias, float *y, void *saved, void *workspace) {
  (void)plan, (void)saved, (void)workspace;
  conv_work work = {.s = shape, .x = x, .weight = weight, .bias = bias, .out = y};
  ssti_parallel_for(backend->context, shape->images * shape->out_h,
                    ssti_reference_grain(shape->out_w * pixel_macs(shape)), forward_range, &work);
}

// One piece of an input pixel's gradient: channels first..first+width-1 of a group, summed over all windows it is in.
static void gather_pixel(const conv_work *w, int64_t image, int64_t iy, int64_t ix, int64_t group, int64_t first,
                         int64_t width, double *total) {
  const ssti_conv2d *s = w->s;
  int64_t group_in = s->in_c / s->groups, group_out = s->out_c / s->groups;
  int64_t filter = s->kernel_h * s->kernel_w * group_in;
  for (int64_t ky = 0; ky < s->kernel_h; ky++) {
    int64_t oy = output_of(iy, ky, s->stride_h, s->pad_h, s->dilation_h, s->out_h);
    if (oy < 0) { continue; }
    for (int64_t kx = 0; kx < s->kernel_w; kx++) {
      int64_t ox = output_of(ix, kx, s->stride_w, s->pad_w, s->dilation_w, s->out_w);
      if (ox < 0) { continue; }
      const float *dy = w->dy + ((image * s->out_h + oy) * s->out_w + ox) * s->out_c + group * group_out;
      const float *weight = w->weight + group * group_out * filter + (ky * s->kernel_w + kx) * group_in + first;
      ssti_add_combination(dy, group_out, weight, filter, width, total);
    }
  }
}

static void backward_data_range(void *arg, int64_t begin, int64_t end) {
  const conv_work *w = arg;
  const ssti_conv2d *s = w->s;
  int64_t group_in = s->in_c / s->groups;
  for (int64_t line = begin; line < end; line++) {
    for (int64_t ix = 0; ix < s->in_w; ix++) {
      for (int64_t group = 0; group < s->groups; group++) {
        for (int64_t first = 0; first < group_in; first += SSTI_PRODUCT_TILE) {
          int64_t width = ssti_smaller(SSTI_PRODUCT_TILE, group_in - first);
          double total[SSTI_PRODUCT_TILE];
          for (int64_t j = 0; j < width; j++) { total[j] = 0.0; }
          gather_pixel(w, line / s->in_h, line % s->in_h, ix, group, first, width, total);
          float *dx = w->out + (line * s->in_w + ix) * s->in_c + group * group_in + first;
          for (int64_t j = 0; j < width; j++) { dx[j] = (float)((w->accumulate ? (double)dx[j] : 0.0) + total[j]); }
        }
      }
    }
  }
}

void ssti_reference_conv2d_backward_data(ssti_backend *backend, const ssti_conv2d *shape, ssti_plan *plan,
                                         const float *dy, const float *weight, float *dx, bool accumulate,
                                         void *workspace) {
  (void)plan, (void)workspace;
  conv_work work = {.s = shape, .weight = weight, .dy = dy, .out = dx, .accumulate = accumulate};
  ssti_parallel_for(backend->context, shape->images * shape->in_h,
                    ssti_reference_grain(shape->in_w * pixel_macs(shape)), backward_data_range, &work);
}

// One tile of one kernel position's weights: out channels o.., in channels `first`.. of the group.
static void weight_tile(const conv_work *w, int64_t group, int64_t o, int64_t ky, int64_t kx, int64_t first,
                        ssti_outer_tile *tile) {
  const ssti_conv2d *s = w->s;
  int64_t offset_y = ky * s->dilation_h - s->pad_h, offset_x = kx * s->dilation_w - s->pad_w;
  span oy = output_span(offset_y, s->stride_h, s->out_h, s->in_h);
  span ox = output_span(offset_x, s->stride_w, s->out_w, s->in_w);
  int64_t channel = group * (s->in_c / s->groups) + first;
  for (int64_t image = 0; image < s->images; image++) {
    for (int64_t y = oy.begin; y < oy.end; y++) {
      const float *dy = w->dy + (image * s->out_h + y) * s->out_w * s->out_c + o;
      const float *x = w->x + (image * s->in_h + y * s->stride_h + offset_y) * s->in_w * s->in_c + channel;
      for (int64_t p = ox.begin; p < ox.end; p++) {
        ssti_outer_add(tile, dy + p * s->out_c, x + (p * s->stride_w + offset_x) * s->in_c);
      }
      ssti_outer_flush(tile);
    }
  }
}

static void backward_weights_range(void *arg, int64_t begin, int64_t end) {
  const conv_work *w = arg;
  const ssti_conv2d *s = w->s;
  int64_t group_in = s->in_c / s->groups, group_out = s->out_c / s->groups;
  int64_t row_tiles = ssti_tiles(group_out, SSTI_OUTER_ROWS), column_tiles = ssti_tiles(group_in, SSTI_OUTER_COLUMNS);
  for (int64_t t = begin; t < end; t++) {
    int64_t rest = t;
    int64_t first = rest % column_tiles * SSTI_OUTER_COLUMNS;
    rest /= column_tiles;
    int64_t kx = rest % s->kernel_w;
    rest /= s->kernel_w;
    int64_t ky = rest % s->kernel_h;
    rest /= s->kernel_h;
    int64_t first_row = rest % row_tiles * SSTI_OUTER_ROWS, group = rest / row_tiles;
    int64_t o = group * group_out + first_row;
    ssti_outer_tile tile = {.rows = ssti_smaller(SSTI_OUTER_ROWS, group_out - first_row),
                            .columns = ssti_smaller(SSTI_OUTER_COLUMNS, group_in - first)};
    weight_tile(w, group, o, ky, kx, first, &tile);
    int64_t filter = s->kernel_h * s->kernel_w * group_in;
    ssti_outer_store(&tile, w->out + o * filter + (ky * s->kernel_w + kx) * group_in + first, filter, w->accumulate);
  }
}

void ssti_reference_conv2d_backward_weights(ssti_backend *backend, const ssti_conv2d *shape, ssti_plan *plan,
                                            const float *x, const float *dy, float *dweight, bool accumulate_weight,
                                            float *dbias, bool accumulate_bias, const void *saved, void *workspace) {
  (void)plan, (void)saved, (void)workspace;
  int64_t pixels = shape->images * shape->out_h * shape->out_w;
  if (dweight != NULL) {
    conv_work work = {.s = shape, .x = x, .dy = dy, .out = dweight, .accumulate = accumulate_weight};
    int64_t tiles = shape->groups * ssti_tiles(shape->out_c / shape->groups, SSTI_OUTER_ROWS) * shape->kernel_h *
                    shape->kernel_w * ssti_tiles(shape->in_c / shape->groups, SSTI_OUTER_COLUMNS);
    ssti_parallel_for(backend->context, tiles, ssti_reference_grain(pixels * SSTI_OUTER_ROWS), backward_weights_range,
                      &work);
  }
  if (dbias != NULL) { ssti_reference_column_sums(backend->context, pixels, shape->out_c, dy, dbias, accumulate_bias); }
}
