#include "sim/world/svg.h"

#include <charconv>
#include <cmath>
#include <iterator>

#include "fmt/format.h"

namespace bowerbird::sim::world {
namespace {

std::string Number(double value) {
  std::string text = fmt::format("{:.1f}", value);
  if (text.ends_with(".0")) text.resize(text.size() - 2);
  return text == "-0" ? "0" : text;
}

std::string Opacity(double opacity) {
  return opacity < 1 ? fmt::format(" opacity=\"{:.2f}\"", opacity) : std::string();
}

int Channel(std::string_view colour, size_t at) {
  int value = 0;
  std::from_chars(colour.data() + at, colour.data() + at + 2, value, 16);
  return value;
}

}  // namespace

Svg::Svg(double width, double height) : width_(width), height_(height) {
  out_ = fmt::format("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {} {}\" width=\"{}\" height=\"{}\">",
                     Number(width), Number(height), Number(width), Number(height));
}

void Svg::Open(double x, double y, double scale, double degrees) {
  out_ += fmt::format("<g transform=\"translate({} {})", Number(x), Number(y));
  if (degrees != 0) out_ += fmt::format(" rotate({})", Number(degrees));
  if (scale != 1) out_ += fmt::format(" scale({:.3f})", scale);
  out_ += "\">";
}

void Svg::Close() { out_ += "</g>"; }

void Svg::Rect(double x, double y, double width, double height, std::string_view fill, double radius, double opacity) {
  out_ += fmt::format("<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" fill=\"{}\"{}{}/>", Number(x), Number(y),
                      Number(width), Number(height), fill,
                      radius > 0 ? fmt::format(" rx=\"{}\"", Number(radius)) : std::string(), Opacity(opacity));
}

void Svg::Circle(double x, double y, double radius, std::string_view fill, double opacity) {
  out_ += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"{}\"{}/>", Number(x), Number(y), Number(radius),
                      fill, Opacity(opacity));
}

void Svg::Ellipse(double x, double y, double rx, double ry, std::string_view fill, double opacity) {
  out_ += fmt::format("<ellipse cx=\"{}\" cy=\"{}\" rx=\"{}\" ry=\"{}\" fill=\"{}\"{}/>", Number(x), Number(y),
                      Number(rx), Number(ry), fill, Opacity(opacity));
}

void Svg::Path(std::string_view d, std::string_view fill, double opacity) {
  out_ += fmt::format("<path d=\"{}\" fill=\"{}\"{}/>", d, fill, Opacity(opacity));
}

void Svg::Line(std::string_view d, std::string_view stroke, double width, double opacity) {
  out_ += fmt::format(
      "<path d=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linecap=\"round\" "
      "stroke-linejoin=\"round\"{}/>",
      d, stroke, Number(width), Opacity(opacity));
}

void Svg::Ring(double x, double y, double radius, std::string_view stroke, double width, double opacity) {
  out_ += fmt::format("<circle cx=\"{}\" cy=\"{}\" r=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\"{}/>",
                      Number(x), Number(y), Number(radius), stroke, Number(width), Opacity(opacity));
}

void Svg::Sky(std::string_view top, std::string_view bottom) {
  out_ += fmt::format(
      "<defs><linearGradient id=\"sky\" x1=\"0\" y1=\"0\" x2=\"0\" y2=\"1\"><stop offset=\"0\" stop-color=\"{}\"/>"
      "<stop offset=\"1\" stop-color=\"{}\"/></linearGradient></defs>",
      top, bottom);
  Rect(0, 0, width_, height_, "url(#sky)");
}

std::string Svg::Finish() {
  out_ += "</svg>";
  return std::move(out_);
}

std::string Mix(std::string_view a, std::string_view b, double share) {
  std::string out = "#";
  for (size_t at = 1; at < 7; at += 2) {
    const double value = Channel(a, at) + (Channel(b, at) - Channel(a, at)) * share;
    fmt::format_to(std::back_inserter(out), "{:02x}", static_cast<int>(std::lround(value)));
  }
  return out;
}

}  // namespace bowerbird::sim::world
