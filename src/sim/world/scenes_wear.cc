#include <cmath>

#include "fmt/format.h"
#include "sim/world/scene.h"

namespace bowerbird::sim::world {
namespace {

void DrawShoe(Scene& s, double x, double y, double scale, std::string_view upper, std::string_view stripe) {
  const Palette& c = s.colours;
  s.svg.Open(x, y, scale);
  s.svg.Ellipse(0, 8, 186, 12, c.ink, .15);
  const bool is_high = s.kind == 2 || s.kind == 4;
  if (is_high) {
    s.svg.Path("M-172 -20 V-196 Q-172 -210 -156 -212 L-74 -218 Q-62 -150 -20 -112 Q40 -84 110 -78 Q168 -70 172 -20 Z",
               upper);
    s.svg.Path("M-172 -196 Q-172 -210 -156 -212 L-74 -218 L-68 -188 L-172 -172 Z", stripe);
  } else if (s.kind == 3) {
    s.svg.Path("M-172 -20 V-92 Q-160 -120 -110 -104 Q-50 -92 0 -108 Q70 -100 120 -80 Q168 -66 172 -20 Z", upper);
    s.svg.Path("M-110 -104 Q-50 -92 0 -108 L20 -62 Q-60 -46 -120 -62 Z", Mix(upper, c.ink, .25));
  } else {
    s.svg.Path("M-172 -20 V-112 Q-170 -136 -150 -134 Q-120 -108 -84 -118 L-54 -146 Q0 -96 110 -82 Q168 -72 172 -20 Z",
               upper);
  }
  s.svg.Path("M96 -82 Q168 -72 172 -20 H88 Q104 -52 96 -82 Z", Mix(upper, c.white, .35));
  s.svg.Path("M-172 -20 V-84 Q-130 -70 -128 -20 Z", stripe);
  if (s.kind != 3) {
    s.svg.Path("M-88 -22 Q-20 -30 28 -92 L56 -84 Q20 -24 -40 -22 Z", stripe);
    const double top = is_high ? -176 : -120;
    const int laces = is_high ? 5 : 3;
    for (int lace = 0; lace < laces; ++lace) {
      const double along = static_cast<double>(lace) / laces;
      s.svg.Line(fmt::format("M{:.0f} {:.0f} l38 -14", -78 + 90 * along, top + 6 + (-88 - top) * along), c.white, 8);
    }
  }
  s.svg.Path("M-180 -24 H178 Q188 -24 186 -6 Q184 8 168 8 H-164 Q-182 8 -182 -8 Z",
             s.kind == 4 ? Mix("#8a5a33", c.ink, .3) : std::string(c.white));
  s.svg.Rect(-178, -6, 362, 6, stripe, 3, .8);
  s.svg.Close();
}

}  // namespace

void DrawSneaker(Scene& s) {
  const Palette& c = s.colours;
  DrawRoom(s);
  if (s.Maybe(.5) && s.height > 560) {
    s.svg.Rect(90, s.floor - 124, 420, 124, c.accent, 4);
    s.svg.Rect(78, s.floor - 140, 444, 34, Mix(c.accent, c.ink, .2), 4);
    DrawShoe(s, 300, s.floor - 146, 1.12, c.main, c.white);
    return;
  }
  if (s.height > 640) DrawShoe(s, 330, s.floor - 150, 1, Mix(c.main, c.ink, .15), c.accent);
  DrawShoe(s, 290, s.floor, 1.3, c.main, c.accent);
}

void DrawCoat(Scene& s) {
  const Palette& c = s.colours;
  DrawRoom(s);
  const double scale = std::min(1.3, s.height / 590);
  const std::string dark = Mix(c.main, c.ink, .22);
  s.svg.Rect(70, s.height * .13, 460, 10, "#8a5a33", 5);
  s.svg.Open(300, s.height * .13 + 4, scale);
  s.svg.Line("M0 6 q22 4 12 22 q-12 10 -12 22", c.ink, 5);
  s.svg.Line("M-92 88 L0 46 L92 88", "#b98556", 10);
  if (s.kind == 4) {  // dress
    s.svg.Path("M-58 66 Q0 96 58 66 L74 92 L52 190 L136 420 Q0 452 -136 420 L-52 190 L-74 92 Z", c.main);
    s.svg.Path("M-52 190 H52 L58 208 H-58 Z", c.accent);
    for (int dot = 0; dot < 40; ++dot) {
      const double y = s.Between(224, 410);
      const double half = 56 + (y - 208) * .34;
      s.svg.Circle(s.Between(-half, half), y, 6, c.white, .8);
    }
  } else if (s.kind == 2) {  // knitwear
    s.svg.Path("M-50 66 Q0 84 50 66 L118 92 L176 300 L124 314 L100 214 V356 H-100 V214 L-124 314 L-176 300 L-118 92 Z",
               c.main);
    s.svg.Rect(-100, 332, 200, 30, dark, 6);
    s.svg.Path("M-52 58 Q0 92 52 58 L46 38 Q0 60 -46 38 Z", dark);
    for (int row = 0; row < 4; ++row) {
      std::string d = fmt::format("M-96 {}", 150 + row * 46);
      for (int step = 0; step < 8; ++step) d += step % 2 == 0 ? " l24 -20" : " l24 20";
      s.svg.Line(d, row % 2 == 0 ? c.accent : c.white, 8);
    }
  } else {
    const double hem = s.kind == 3 ? 300 : 410;
    s.svg.Path(fmt::format("M-54 64 Q0 80 54 64 L124 92 L172 330 L120 342 L104 230 L118 {0} H-118 L-104 230 L-120 342 "
                           "L-172 330 L-124 92 Z",
                           hem),
               c.main);
    s.svg.Path(fmt::format("M0 110 L4 {0} H118 L104 230 L112 160 Z", hem), dark, .35);
    s.svg.Path("M-54 64 L0 156 L-34 176 L-86 78 Z M54 64 L0 156 L34 176 L86 78 Z", dark);
    s.svg.Line(fmt::format("M0 156 V{}", hem - 4), c.ink, 3, .6);
    for (double y = 196; y < hem - 30; y += 54) {
      s.svg.Circle(-18, y, 8, c.accent);
      if (s.kind == 0) s.svg.Circle(22, y, 8, c.accent);
    }
    s.svg.Rect(-92, hem - 120, 54, 14, dark, 5);
    s.svg.Rect(40, hem - 120, 54, 14, dark, 5);
    if (s.kind == 1) {
      s.svg.Path("M-70 78 Q-84 10 0 6 Q84 10 70 78 Q0 40 -70 78 Z", dark);
      s.svg.Rect(-118, 250, 236, 16, c.accent);
    }
    if (s.kind == 3) s.svg.Line("M-96 130 H-38 V176 H-96 Z M38 130 H96 V176 H38 Z", c.accent, 3);
  }
  s.svg.Close();
}

void DrawJewellery(Scene& s) {
  const Palette& c = s.colours;
  s.svg.Rect(0, 0, kWidth, s.height, c.back);
  const double y = s.height * .5;
  // Cut stone or folds of cloth below.
  if (s.Maybe(.5)) {
    s.svg.Path(fmt::format("M0 {} Q150 {} 300 {} T600 {} V{} H0 Z", s.height * .66, s.height * .58, s.height * .7,
                           s.height * .6, s.height),
               c.soft);
    s.svg.Path(fmt::format("M0 {} Q180 {} 330 {} T600 {} V{} H0 Z", s.height * .82, s.height * .72, s.height * .86,
                           s.height * .78, s.height),
               Mix(c.soft, c.main, .35));
  } else {
    s.svg.Circle(300, y, 236, c.soft);
    s.svg.Circle(300, y, 180, Mix(c.soft, c.white, .35));
  }
  const std::string gold = s.Maybe(.65) ? "#d9a441" : "#b9bec4";
  const std::string shade = Mix(gold, c.ink, .3);
  const auto gem = [&](double x, double at, double size, std::string_view fill) {
    s.svg.Open(x, at, size / 50);
    s.svg.Path("M-46 -16 L-24 -40 H24 L46 -16 L0 46 Z", fill);
    s.svg.Path("M-24 -40 L0 -16 L24 -40 Z M-46 -16 L0 46 L-16 -16 Z", c.white, .35);
    s.svg.Path("M16 -16 L0 46 L46 -16 Z", c.ink, .15);
    s.svg.Close();
  };
  switch (s.kind) {
    case 0:
      s.svg.Ring(300, y + 40, 122, shade, 30);
      s.svg.Ring(300, y + 37, 122, gold, 24);
      gem(300, y - 104, 74, c.accent);
      gem(236, y - 76, 30, c.white);
      gem(364, y - 76, 30, c.white);
      break;
    case 1:
      for (const double x : {196.0, 404.0}) {
        s.svg.Line(fmt::format("M{0} {1} q-26 -40 0 -62 q26 10 10 46", x, y - 90), gold, 7);
        s.svg.Ring(x, y, 80, shade, 17);
        s.svg.Ring(x, y - 2, 80, gold, 12);
        s.svg.Circle(x, y + 82, 24, c.main);
        s.svg.Circle(x - 7, y + 75, 7, c.white, .8);
      }
      break;
    case 2:
      s.svg.Line(
          fmt::format("M120 {0} C150 {1} 250 {2} 300 {2} C350 {2} 450 {1} 480 {0}", s.height * .06, y - 20, y + 30),
          gold, 8);
      for (int bead = 0; bead < 9; ++bead) {
        const double t = -1 + bead * .25;
        s.svg.Circle(300 + 172 * t, y + 26 - 168 * std::pow(std::abs(t), 2.1), 15, bead % 2 == 0 ? c.white : c.main);
      }
      s.svg.Circle(300, y + 62, 12, gold);
      gem(300, y + 118, 60, c.accent);
      break;
    case 3:
      for (int bangle = 0; bangle < 3; ++bangle) {
        s.svg.Open(300 - 26 + bangle * 26, y - 24 + bangle * 26, 1, -18);
        s.svg.Ellipse(0, 0, 186, 146, bangle == 1 ? c.main : gold);
        s.svg.Ellipse(0, -3, 162, 122, bangle == 0 ? c.soft : Mix(c.soft, c.white, .3));
        s.svg.Close();
      }
      gem(300, y + 172, 36, c.accent);
      break;
    default:
      s.svg.Rect(244, 0, 112, s.height, Mix("#6b4a32", c.main, .3));
      for (double at = 30; at < s.height; at += 46) s.svg.Circle(300, at, 6, c.ink, .4);
      s.svg.Circle(300, y, 142, gold);
      s.svg.Circle(300, y, 122, c.white);
      for (int hour = 0; hour < 12; ++hour) {
        s.svg.Open(300, y, 1, hour * 30);
        s.svg.Rect(-3, -112, 6, hour % 3 == 0 ? 24 : 12, c.ink);
        s.svg.Close();
      }
      s.svg.Line(fmt::format("M300 {0} V{1} M300 {0} L356 {2}", y, y - 84, y + 30), c.ink, 7);
      s.svg.Circle(300, y, 9, c.accent);
      s.svg.Rect(440, y - 13, 22, 26, shade, 5);
      break;
  }
}

void DrawTextile(Scene& s) {
  const Palette& c = s.colours;
  const std::string_view fills[] = {c.main, c.accent, c.soft, c.white, c.ink, c.back};
  s.svg.Rect(0, 0, kWidth, s.height, c.soft);
  if (s.kind == 4) {  // balls of yarn
    DrawRoom(s);
    const double spots[][3] = {{190, 96, 0}, {408, 110, 1}, {300, 84, 2}};
    for (const auto& [x, radius, order] : spots) {
      const double y = s.floor - radius + 20 - (order == 2 ? 150 : 0);
      const std::string_view fill = fills[static_cast<size_t>(order)];
      s.svg.Circle(x, y, radius, order == 2 ? std::string_view(c.white) : fill);
      for (int strand = 0; strand < 6; ++strand) {
        s.svg.Open(x, y, radius / 100, strand * 30 + order * 20);
        s.svg.Line(fmt::format("M-92 {0} Q0 {1} 92 {0}", -20 + strand * 6, -70 + strand * 12), c.ink, 4, .22);
        s.svg.Close();
      }
    }
    s.svg.Line(fmt::format("M200 {} L430 {} M410 {} L180 {}", s.floor - 40, s.floor - 330, s.floor - 40, s.floor - 330),
               "#c49a6c", 9);
    return;
  }
  if (s.kind == 2) {  // hoop
    s.svg.Rect(0, 0, kWidth, s.height, c.back);
    const double y = s.height * .52;
    s.svg.Rect(270, y - 266, 60, 40, "#b98556", 8);
    s.svg.Circle(300, y, 236, "#b98556");
    s.svg.Circle(300, y, 216, c.white);
    for (const double turn : {-50, -18, 14, 48}) {
      const double rad = turn * 3.14159265 / 180;
      const double reach = s.Between(130, 180);
      s.svg.Line(fmt::format("M300 {} Q300 {} {} {}", y + 150, y + 20, 300 + reach * std::sin(rad),
                             y + 60 - reach * std::cos(rad)),
                 "#5c9a68", 5);
      for (int petal = 0; petal < 8; ++petal) {
        DrawLeaf(s, 300 + reach * std::sin(rad), y + 60 - reach * std::cos(rad), 46, petal * 45,
                 turn < 0 ? c.main : c.accent);
      }
      s.svg.Circle(300 + reach * std::sin(rad), y + 60 - reach * std::cos(rad), 13, "#f2c14e");
    }
    for (const double turn : {-110, -74, 72, 108}) DrawLeaf(s, 300, y + 130, 100, turn, "#7fae6b");
    return;
  }
  if (s.kind == 1) {  // weaving: bands
    double y = 0;
    while (y < s.height) {
      const double band = s.Between(26, 70);
      s.svg.Rect(0, y, kWidth, band, fills[s.rng.Below(6)]);
      if (s.Maybe(.5)) {
        for (double x = 10; x < kWidth; x += 40)
          s.svg.Path(fmt::format("M{} {} l20 -{} l20 {} Z", x, y + band, band * .8, band * .8), fills[s.rng.Below(4)]);
      }
      y += band;
    }
    return;
  }
  // Quilts and block prints: tiles of one block, in turns.
  const double tile = s.kind == 3 ? 120 : 150;
  const size_t block = s.rng.Below(4);
  const std::string_view a = fills[s.rng.Below(2)];
  const std::string_view b = fills[2 + s.rng.Below(2)];
  for (int row = 0; row * tile < s.height; ++row) {
    for (int column = 0; column * tile < kWidth; ++column) {
      const bool is_even = (row + column) % 2 == 0;
      s.svg.Rect(column * tile, row * tile, tile, tile, is_even ? c.back : b);
      s.svg.Open((column + .5) * tile, (row + .5) * tile, tile / 100, is_even ? 0 : 90);
      switch (block) {
        case 0:
          s.svg.Path("M-50 -50 L0 0 L-50 50 Z M50 -50 L0 0 L50 50 Z", a);
          s.svg.Path("M-50 -50 L0 0 L50 -50 Z", is_even ? c.accent : c.soft);
          break;
        case 1:
          for (int petal = 0; petal < 8; ++petal)
            DrawLeaf(s, 0, 0, 46, petal * 45, is_even ? a : std::string_view(c.ink));
          s.svg.Circle(0, 0, 9, c.accent);
          break;
        case 2:
          s.svg.Path("M0 -48 L14 -14 L48 0 L14 14 L0 48 L-14 14 L-48 0 L-14 -14 Z",
                     is_even ? a : std::string_view(c.accent));
          s.svg.Path("M-50 -50 h24 L-50 -26 Z M50 50 h-24 L50 26 Z", c.ink, .8);
          break;
        default:
          s.svg.Path("M-50 -50 H50 A100 100 0 0 1 -50 50 Z", a);
          s.svg.Path("M-50 -50 H10 A60 60 0 0 1 -50 10 Z", is_even ? c.accent : c.white);
          break;
      }
      s.svg.Close();
      s.svg.Line(fmt::format("M{0} {1} h{2} v{2}", column * tile + 5, row * tile + 5, tile - 10), c.white, 2, .5);
    }
  }
}

}  // namespace bowerbird::sim::world
