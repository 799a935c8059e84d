#pragma once

#include <string>
#include <string_view>

namespace bowerbird::sim::world {

/// Writes one SVG document, shape by shape, back to front. Colours are "#rrggbb"; lengths are in the units of the view
/// box.
class Svg {
 public:
  Svg(double width, double height);
  /// What follows, up to Close, is drawn around (x, y), turned by `degrees` and then scaled.
  void Open(double x, double y, double scale = 1, double degrees = 0);
  void Close();
  void Rect(double x, double y, double width, double height, std::string_view fill, double radius = 0,
            double opacity = 1);
  void Circle(double x, double y, double radius, std::string_view fill, double opacity = 1);
  void Ellipse(double x, double y, double rx, double ry, std::string_view fill, double opacity = 1);
  /// `d` as in SVG's path element.
  void Path(std::string_view d, std::string_view fill, double opacity = 1);
  /// The same as a line with round ends.
  void Line(std::string_view d, std::string_view stroke, double width, double opacity = 1);
  void Ring(double x, double y, double radius, std::string_view stroke, double width, double opacity = 1);
  /// A fade over the whole picture from `top` to `bottom`.
  void Sky(std::string_view top, std::string_view bottom);
  /// Closes the document; use once.
  std::string Finish();

 private:
  double width_;
  double height_;
  std::string out_;
};

/// The colour `share` of the way from `a` to `b`; both "#rrggbb".
std::string Mix(std::string_view a, std::string_view b, double share);

}  // namespace bowerbird::sim::world
