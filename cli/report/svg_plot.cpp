#include "cli/report/svg_plot.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/report/svg_marks.h"
#include "cli/report/text.h"

namespace errata::report {

namespace {

using Real = std::span<const double>;
std::vector<double> copy(Real values) { return {values.begin(), values.end()}; }

struct Split {
  std::vector<double> estimate, low, high;
};
Split split(std::span<const Interval> intervals) {
  Split s;
  for (const auto& i : intervals) {
    s.estimate.push_back(i.estimate);
    s.low.push_back(std::isfinite(i.low) ? i.low : i.estimate);
    s.high.push_back(std::isfinite(i.high) ? i.high : i.estimate);
  }
  return s;
}

}  // namespace

void Plot::line(Real x, Real y, Style style) {
  series_.push_back({Kind::kLine, copy(x), copy(y), {}, {}, {}, {}, {}, std::move(style)});
}

void Plot::points(Real x, Real y, Style style) {
  // The lowest and the highest point are always drawn: what matters in a residual is its worst value.
  Series s{Kind::kPoints, {}, {}, {}, {}, {}, {}, {}, std::move(style)};
  auto chosen = thinned(x.size(), kMostPoints);
  if (chosen.size() < x.size()) {
    const auto lower = [&](std::size_t a, std::size_t b) { return y[a] < y[b]; };
    std::vector<std::size_t> finite;
    for (std::size_t i = 0; i < y.size(); ++i)
      if (std::isfinite(y[i])) finite.push_back(i);
    if (!finite.empty()) {
      chosen.front() = *std::ranges::min_element(finite, lower);
      chosen.back() = *std::ranges::max_element(finite, lower);
    }
  }
  for (const std::size_t i : chosen) {
    s.x.push_back(x[i]);
    s.y.push_back(y[i]);
  }
  series_.push_back(std::move(s));
}

void Plot::error_bars(Real x, std::span<const Interval> y, Style style) {
  Split s = split(y);
  series_.push_back({Kind::kErrorBars, copy(x), s.estimate, copy(x), copy(x), s.low, s.high, {}, std::move(style)});
}

void Plot::error_crosses(std::span<const Interval> x, std::span<const Interval> y, Style style) {
  Split h = split(x), v = split(y);
  series_.push_back({Kind::kErrorBars, h.estimate, v.estimate, h.low, h.high, v.low, v.high, {}, std::move(style)});
}

void Plot::band(Real x, Real low, Real high, Style style) {
  series_.push_back({Kind::kBand, copy(x), {}, {}, {}, copy(low), copy(high), {}, std::move(style)});
}

void Plot::bars(Real edges, Real heights, Style style) {
  series_.push_back({Kind::kBars, copy(edges), copy(heights), {}, {}, {}, {}, {}, std::move(style)});
}

void Plot::named_bars(Real lengths, const std::vector<std::string>& texts, Style style) {
  series_.push_back({Kind::kNamedBars, copy(lengths), {}, {}, {}, {}, {}, texts, std::move(style)});
}

void Plot::box(double row, Real values, Style style) {
  std::vector<double> finite;
  for (const double v : values)
    if (std::isfinite(v)) finite.push_back(v);
  if (finite.empty()) return;
  std::vector<double> five;
  for (const double p : {0.05, 0.25, 0.5, 0.75, 0.95}) five.push_back(quantile(finite, p));
  series_.push_back({Kind::kBox, std::move(five), {row}, {}, {}, {}, {}, {}, std::move(style)});
}

void Plot::horizontal(double y, Style style) {
  series_.push_back({Kind::kHorizontal, {}, {y}, {}, {}, {}, {}, {}, std::move(style)});
}
void Plot::vertical(double x, Style style) {
  series_.push_back({Kind::kVertical, {x}, {}, {}, {}, {}, {}, {}, std::move(style)});
}

bool Plot::empty() const {
  return std::ranges::none_of(series_, [](const Series& s) {
    const auto any = [](const std::vector<double>& v) {
      return std::ranges::any_of(v, [](double d) { return std::isfinite(d); });
    };
    return s.kind != Kind::kHorizontal && s.kind != Kind::kVertical && any(s.x) &&
           (any(s.y) || any(s.low) || s.y.empty());
  });
}

Range Plot::data_range(bool of_x) const {
  Range r;
  for (const auto& s : series_) {
    if ((of_x && s.kind == Kind::kHorizontal) || (!of_x && s.kind == Kind::kVertical)) continue;
    const auto hold = [&](const std::vector<double>& values) {
      for (const double v : values) r.include(v);
    };
    hold(of_x ? s.x : s.y);
    hold(of_x ? s.x_low : s.low);
    hold(of_x ? s.x_high : s.high);
    const bool from_zero = of_x ? s.kind == Kind::kNamedBars : s.kind == Kind::kBars;
    if (from_zero) r.include(0.0);
  }
  return r;
}

double Plot::room_for_end_labels() const {
  double room = 12;
  for (const auto& s : series_)
    if (!s.style.end_label.empty()) room = std::max(room, text_width(s.style.end_label) + 10);
  for (const auto& s : series_)
    for (const auto& text : s.texts) room = std::max(room, text_width(text) + 10);
  return room;
}

std::string Plot::draw(const Series& s, const Frame& f) const {
  switch (s.kind) {
    case Kind::kLine:
      return draw_line(f, s.x, s.y, s.style);
    case Kind::kPoints:
      return draw_points(f, s.x, s.y, s.style);
    case Kind::kErrorBars:
      return draw_whiskers(f, {s.x, s.y, s.x_low, s.x_high, s.low, s.high}, s.style);
    case Kind::kBand:
      return draw_band(f, s.x, s.low, s.high, s.style);
    case Kind::kBars:
      return draw_bars(f, s.x, s.y, s.style);
    case Kind::kNamedBars:
      return draw_named_bars(f, s.x, s.texts, s.style);
    case Kind::kBox:
      return draw_box(f, s.y[0], s.x, s.style);
    case Kind::kHorizontal:
      return draw_line(f, std::vector{f.x_range().low, f.x_range().high}, std::vector{s.y[0], s.y[0]}, s.style);
    case Kind::kVertical:
      return draw_line(f, std::vector{s.x[0], s.x[0]}, std::vector{f.y_range().low, f.y_range().high}, s.style);
  }
  return {};
}

std::string Plot::end_labels(const Frame& f) const {
  struct Label {
    double y;
    std::string element;
  };
  std::vector<Label> labels;
  for (const auto& s : series_) {
    if (s.style.end_label.empty() || s.x.empty()) continue;
    const double x = s.x.back(), y = s.kind == Kind::kBand ? 0.5 * (s.low.back() + s.high.back()) : s.y.back();
    if (!std::isfinite(x) || !std::isfinite(y)) continue;
    labels.push_back({f.py(y), text_element(f.px(x) + 6, f.py(y) + 4, "start", s.style.end_label,
                                            "tick " + color_class(s.style.color) + " name")});
  }
  std::ranges::stable_sort(labels, {}, &Label::y);
  std::string out;
  double last = -1e9;
  for (const auto& l : labels) {
    if (l.y < last + 12) continue;  // would overlap the one above
    out += l.element;
    last = l.y;
  }
  return out;
}

std::string Plot::svg() const {
  Axis x = options_.x, y = options_.y;
  if (x.range.empty && x.names.empty()) x.range = data_range(true).padded(0.04);
  if (y.range.empty && y.names.empty()) y.range = data_range(false).padded(0.06);
  std::vector<std::string> legend;
  for (const auto& s : series_)
    if (!s.style.legend.empty()) legend.push_back(s.style.legend);
  const Frame frame(std::move(x), std::move(y), legend, options_.plot_height, room_for_end_labels());
  std::string out = frame.open(options_.name, options_.title) + frame.furniture(legend);
  out += fmt::format("<g clip-path=\"url(#{}-clip)\">\n", escape(options_.name));
  for (const auto& s : series_) out += draw(s, frame);
  out += "</g>\n" + end_labels(frame);
  for (const auto& s : series_)
    if (s.kind == Kind::kNamedBars) out += bar_texts(frame, s.x, s.texts);
  std::size_t entry = 0;
  for (const auto& s : series_) {
    if (s.style.legend.empty()) continue;
    const LegendPlace at = frame.legend_places()[entry++];
    const bool filled =
        s.kind == Kind::kBand || s.kind == Kind::kBars || s.kind == Kind::kNamedBars || s.kind == Kind::kBox;
    const bool marker = s.kind == Kind::kPoints || s.kind == Kind::kErrorBars;
    out += legend_symbol(at, s.style, filled ? Symbol::kArea : marker ? Symbol::kMarker : Symbol::kStroke);
  }
  return out + "</svg>\n";
}

std::vector<std::size_t> thinned(std::size_t count, std::size_t most) {
  std::vector<std::size_t> chosen(std::min(count, most));
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    // A golden-ratio jitter inside each stratum: a plain stride would meet the same operand of every column.
    double whole = 0;
    const double jitter = std::modf(static_cast<double>(i) * 0.6180339887498949, &whole);
    const double at =
        (static_cast<double>(i) + jitter) * static_cast<double>(count) / static_cast<double>(chosen.size());
    chosen[i] = count <= most ? i : std::min(count - 1, static_cast<std::size_t>(at));
  }
  return chosen;
}

Histogram histogram(Real values, std::size_t bins) {
  Histogram h;
  Range r;
  for (const double v : values) r.include(v);
  if (r.empty || bins == 0) return h;
  if (!(r.width() > 0)) r = r.padded(0.5);
  std::size_t total = 0;
  h.percent.assign(bins, 0.0);
  for (const double v : values) {
    if (!std::isfinite(v)) continue;
    ++h.percent[std::min(bins - 1, static_cast<std::size_t>((v - r.low) / r.width() * static_cast<double>(bins)))];
    ++total;
  }
  for (double& p : h.percent) p *= 100.0 / static_cast<double>(total);
  for (std::size_t i = 0; i <= bins; ++i)
    h.edges.push_back(r.low + r.width() * static_cast<double>(i) / static_cast<double>(bins));
  return h;
}

}  // namespace errata::report
