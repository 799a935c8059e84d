#include <array>
#include <cmath>

#include "fmt/format.h"
#include "sim/world/scene.h"

namespace bowerbird::sim::world {
namespace {

void DrawGeometry(Scene& s, double x, double y, double width, double height) {
  const Palette& c = s.colours;
  const std::string_view fills[] = {c.main, c.accent, c.soft, c.ink, c.white};
  const double cell = width / 3;
  for (int row = 0; (row + 1) * cell <= height + 1; ++row) {
    for (int column = 0; column < 3; ++column) {
      s.svg.Rect(x + column * cell, y + row * cell, cell, cell, fills[s.rng.Below(5)], 0, .9);
      s.svg.Open(x + (column + .5) * cell, y + (row + .5) * cell, cell / 100,
                 90.0 * static_cast<double>(s.rng.Below(4)));
      const std::string_view fill = fills[s.rng.Below(5)];
      switch (s.rng.Below(5)) {
        case 0:
          s.svg.Circle(0, 0, 42, fill);
          break;
        case 1:
          s.svg.Path("M-50 -50 A100 100 0 0 1 50 50 H-50 Z", fill);
          break;
        case 2:
          s.svg.Path("M-50 0 A50 50 0 0 1 50 0 Z M-50 50 A50 50 0 0 1 50 50 Z", fill);
          break;
        case 3:
          s.svg.Path("M-50 50 L50 -50 V50 Z", fill);
          break;
        default:
          s.svg.Circle(0, 0, 42, fill);
          s.svg.Circle(0, 0, 20, fills[s.rng.Below(5)]);
          break;
      }
      s.svg.Close();
    }
  }
}

void DrawWindows(Scene& s, double x, double y, double width, double height, std::string_view fill) {
  const double step_x = 34;
  const double step_y = 46;
  for (double at = y + 20; at < y + height - 30; at += step_y) {
    for (double to = x + 14; to < x + width - 20; to += step_x) {
      s.svg.Rect(to, at, 18, 28, s.Maybe(.25) ? std::string_view("#ffe08a") : fill, s.kind == 1 ? 9 : 1);
    }
  }
}

}  // namespace

void DrawPoster(Scene& s) {
  const Palette& c = s.colours;
  s.svg.Rect(0, 0, kWidth, s.height, c.back);
  // A sheet on a wall, then what is printed on it.
  const double margin = 62;
  const double width = kWidth - 2 * margin;
  const double top = s.height * .08;
  const double height = s.height * .84;
  s.svg.Rect(margin + 12, top + 16, width, height, c.ink, 2, .15);
  s.svg.Rect(margin, top, width, height, c.white);
  const double x = margin + 26;
  const double y = top + 26;
  const double w = width - 52;
  const double h = height - 52;
  switch (s.kind) {
    case 0:
      DrawGeometry(s, x, y, w, h);
      break;
    case 1: {  // lettering: abstract letters from bars and rings
      const double size = w / 2.2;
      s.svg.Rect(x, y, w, h, c.main);
      for (int row = 0; (row + 1) * size * 1.05 < h; ++row) {
        for (int column = 0; column < 2; ++column) {
          s.svg.Open(x + w * (.27 + .46 * column), y + size * (.62 + 1.05 * row), size / 130);
          const std::string_view fill = (row + column) % 2 == 0 ? c.white : c.accent;
          switch (s.rng.Below(5)) {
            case 0:
              s.svg.Line("M-34 46 L0 -46 L34 46 M-20 14 H20", fill, 20);
              break;
            case 1:
              s.svg.Line("M-26 46 V-46 H8 Q32 -46 32 -22 Q32 0 8 0 H-20 M8 0 Q36 0 36 24 Q36 46 8 46 H-26", fill, 18);
              break;
            case 2:
              s.svg.Ring(0, 0, 40, fill, 20);
              break;
            case 3:
              s.svg.Line("M-30 46 V-46 L30 46 V-46", fill, 18);
              break;
            default:
              s.svg.Line("M30 -34 Q0 -62 -26 -34 Q-36 -10 0 0 Q38 10 28 34 Q0 62 -32 34", fill, 18);
              break;
          }
          s.svg.Close();
        }
      }
      break;
    }
    case 2:  // travel
      s.svg.Rect(x, y, w, h, Mix(c.soft, "#ffd98a", .4));
      for (int ray = 0; ray < 9; ++ray) {
        s.svg.Open(x + w / 2, y + h * .42, 1, -80 + ray * 20);
        s.svg.Path(fmt::format("M-12 0 L-34 -{0} H34 L12 0 Z", h * .4), c.white, .35);
        s.svg.Close();
      }
      s.svg.Circle(x + w / 2, y + h * .42, w * .2, c.accent);
      s.svg.Path(fmt::format("M{0} {1} l{2} -{3} l{2} {4} l{2} -{5} l{2} {3} V{6} H{0} Z", x, y + h * .62, w / 4,
                             h * .18, h * .1, h * .08, y + h * .8),
                 c.main);
      s.svg.Path(
          fmt::format("M{0} {1} q{2} -{3} {4} 0 t{4} 0 V{5} H{0} Z", x, y + h * .7, w / 4, h * .08, w / 2, y + h * .8),
          c.ink);
      s.svg.Rect(x, y + h * .8, w, h * .2, c.white);
      for (int line = 0; line < 2; ++line)
        s.svg.Rect(x + w * (.14 + .12 * line), y + h * (.85 + .06 * line), w * (.72 - .24 * line), h * .032,
                   line == 0 ? c.ink : c.accent);
      break;
    case 3:  // botanical
      s.svg.Rect(x, y, w, h, Mix(c.back, c.white, .5));
      s.svg.Line(fmt::format("M{0} {1} Q{2} {3} {0} {4}", x + w / 2, y + h * .94, x + w * .56, y + h * .5, y + h * .1),
                 "#4f7f5a", 6);
      for (int pair = 0; pair < 7; ++pair) {
        const double at = y + h * (.84 - .105 * pair);
        const double size = (w * .36) * (1 - .08 * pair);
        DrawLeaf(s, x + w / 2 + 6, at, size, 62, pair % 2 == 0 ? "#5c9a68" : "#3f7d58");
        DrawLeaf(s, x + w / 2, at, size, -62, pair % 2 == 0 ? "#3f7d58" : "#5c9a68");
      }
      for (const double at : {-30.0, 0.0, 30.0})
        s.svg.Circle(x + w / 2 + at, y + h * .1 - std::abs(at) * .2 + 8, 17, c.accent);
      break;
    default: {  // cut-outs
      s.svg.Rect(x, y, w, h, c.soft);
      const std::string_view fills[] = {c.main, c.accent, c.ink, c.white};
      for (int blob = 0; blob < 5; ++blob) {
        s.svg.Open(x + w * s.Between(.22, .78), y + h * (.16 + .17 * blob), w / 420 * s.Between(.8, 1.3),
                   s.Between(-40, 40));
        if (blob % 2 == 0) {
          s.svg.Path("M-90 10 C-110 -70 -30 -90 10 -60 C60 -90 120 -40 90 20 C70 80 -70 80 -90 10 Z", fills[blob % 4]);
        } else {
          s.svg.Path(
              "M0 80 C-20 40 -70 40 -60 0 C-90 -20 -60 -60 -30 -40 C-30 -90 30 -90 30 -40 C60 -60 90 -20 60 0 C70 40 "
              "20 40 0 80 Z",
              fills[blob % 4]);
        }
        s.svg.Close();
      }
      break;
    }
  }
}

void DrawArchitecture(Scene& s) {
  const Palette& c = s.colours;
  const bool is_night = s.Maybe(.3);
  s.svg.Sky(is_night ? Mix("#1f2f57", c.main, .25) : Mix(c.soft, "#bfe0f2", .45),
            is_night ? Mix("#e58f6b", c.soft, .35) : Mix(c.back, "#fff1d6", .5));
  s.svg.Circle(s.Between(100, 500), s.height * .18, 46, is_night ? "#fff3c9" : c.accent, .9);
  const std::string_view panes = is_night ? "#3a4a70" : std::string_view(c.ink);
  if (s.kind == 2) {  // bridge
    const double deck = s.height * .56;
    s.svg.Rect(0, s.height * .78, kWidth, s.height, Mix("#5b9fb5", c.main, .2));
    s.svg.Rect(0, deck - 20, kWidth, 30, c.main);
    for (int arch = 0; arch < 3; ++arch) {
      const double x = arch * 200.0;
      s.svg.Path(fmt::format("M{0} {1} H{2} V{3} H{4} V{5} A72 72 0 0 0 {6} {5} V{3} H{0} Z", x, deck, x + 200,
                             s.height * .86, x + 172, deck + 104, x + 28),
                 Mix(c.main, c.white, .18));
    }
    for (double x = 10; x < kWidth; x += 36) s.svg.Rect(x, deck - 50, 6, 32, Mix(c.main, c.ink, .3));
    s.svg.Rect(0, deck - 54, kWidth, 7, Mix(c.main, c.ink, .3));
    for (int wave = 0; wave < 6; ++wave)
      s.svg.Rect(s.Between(10, 480), s.height * (.88 + .018 * wave), s.Between(50, 120), 4, c.white, 2, .6);
    return;
  }
  if (s.kind == 3) {  // stairs
    s.svg.Rect(0, 0, kWidth, s.height, c.back);
    const double step = s.height / 11;
    for (int stair = 0; stair < 11; ++stair) {
      const double x = 40 + stair * 48;
      s.svg.Rect(x, s.height - (stair + 1) * step * .82, kWidth, s.height,
                 Mix(c.main, c.back, stair % 2 == 0 ? .15 : .45));
      s.svg.Rect(x, s.height - (stair + 1) * step * .82, kWidth, 8, c.white, 0, .5);
    }
    s.svg.Path(fmt::format("M90 {0} V{1} A80 80 0 0 1 250 {1} V{0} Z", s.height * .42, s.height * .2), c.accent);
    s.svg.Line(fmt::format("M20 {} L560 {}", s.height * .66, s.height * .02), c.ink, 9);
    for (int post = 0; post < 9; ++post)
      s.svg.Line(fmt::format("M{0} {1} v{2}", 50 + post * 60, s.height * (.625 - .072 * post), s.height * .16), c.ink,
                 4);
    return;
  }
  const std::string_view walls[] = {c.main, c.accent, c.soft, c.white};
  if (s.kind == 4) {  // arcades
    s.svg.Rect(50, s.height * .18, 500, s.height, c.main);
    s.svg.Rect(36, s.height * .18 - 16, 528, 26, Mix(c.main, c.white, .4));
    const double storey = s.height * .26;
    for (int row = 0; row < 3; ++row) {
      for (int arch = 0; arch < 4; ++arch) {
        const double x = 78 + arch * 116;
        const double y = s.height * .24 + row * storey;
        s.svg.Path(fmt::format("M{0} {1} V{2} A48 48 0 0 1 {3} {2} V{1} Z", x, y + storey - 26, y + 58, x + 96),
                   is_night && s.Maybe(.6) ? "#ffe08a" : Mix(c.ink, c.main, .25));
        s.svg.Path(
            fmt::format("M{0} {1} V{2} A48 48 0 0 1 {3} {4} V{1} Z", x + 30, y + storey - 26, y + 58, x + 96, y + 58),
            c.white, .08);
      }
      s.svg.Rect(50, s.height * .24 + row * storey + storey - 26, 500, 14, Mix(c.main, c.white, .3));
    }
    return;
  }
  if (s.kind == 0) {  // towers
    for (int tower = 0; tower < 5; ++tower) {
      const double wide = s.Between(96, 150);
      const double tall = s.height * s.Between(.4, .72);
      const double x = tower * 118 - 10;
      const std::string_view wall = walls[tower % 4];
      s.svg.Rect(x, s.height - tall, wide, tall, is_night ? Mix(wall, "#1f2f57", .45) : std::string(wall), 2);
      s.svg.Rect(x + wide * .7, s.height - tall, wide * .3, tall, c.ink, 0, .12);
      if (s.Maybe(.4)) s.svg.Line(fmt::format("M{} {} v-50", x + wide / 2, s.height - tall), c.ink, 5);
      DrawWindows(s, x, s.height - tall, wide, tall, panes);
    }
    return;
  }
  // Row houses.
  double x = -20;
  int house = static_cast<int>(s.rng.Below(4));
  while (x < kWidth) {
    const double wide = s.Between(130, 180);
    const double top = s.height * s.Between(.3, .42);
    const std::string_view wall = walls[house % 4];
    s.svg.Rect(x, top, wide, s.height, is_night ? Mix(wall, "#1f2f57", .35) : std::string(wall));
    if (s.Maybe(.5)) {
      s.svg.Path(fmt::format("M{} {} L{} {} L{} {} Z", x - 6, top + 2, x + wide / 2, top - 80, x + wide + 6, top + 2),
                 Mix("#a4553a", c.ink, .15));
    } else {
      s.svg.Path(fmt::format("M{0} {1} v-30 h{2} v-30 h{2} v-24 h{2} v24 h{2} v30 h{2} v30 Z", x, top + 2, wide / 5),
                 Mix(wall, c.ink, .25));
    }
    DrawWindows(s, x + 8, top + 6, wide - 8, s.height * .88 - top - 110, panes);
    s.svg.Path(fmt::format("M{0} {1} V{2} A24 24 0 0 1 {3} {2} V{1} Z", x + wide / 2 - 24, s.height * .94,
                           s.height * .94 - 70, x + wide / 2 + 24),
               walls[(house + 1) % 4]);
    x += wide;
    ++house;
  }
  s.svg.Rect(0, s.height * .94, kWidth, s.height * .06, Mix(c.ink, c.soft, .4));
}

void DrawNightSky(Scene& s) {
  const Palette& c = s.colours;
  const std::string top = Mix("#0d1430", c.main, .14);
  s.svg.Sky(top, Mix("#2a2f66", c.main, .45));
  for (int star = 0; star < 90; ++star)
    s.svg.Circle(s.Between(4, 596), s.Between(4, s.height - 4), s.Between(.8, 2.8), "#fff8e0", s.Between(.4, 1));
  const double y = s.height * .46;
  switch (s.kind) {
    case 0: {  // a planet with rings
      s.svg.Open(300, y, 1, -18);
      s.svg.Ellipse(0, 0, 270, 62, Mix(c.soft, c.white, .2), .5);
      s.svg.Ellipse(0, 0, 220, 44, top);
      s.svg.Circle(0, 0, 150, c.main);
      s.svg.Path("M-146 -34 Q0 0 146 -34 L149 0 Q0 34 -149 0 Z", c.accent, .8);
      s.svg.Path("M-120 -90 Q0 -60 120 -90 L108 -104 Q0 -80 -108 -104 Z", c.white, .35);
      s.svg.Path("M-270 0 A270 62 0 0 0 270 0 L220 0 A220 44 0 0 1 -220 0 Z", Mix(c.soft, c.white, .3));
      s.svg.Close();
      s.svg.Circle(120, s.height * .8, 26, c.accent);
      break;
    }
    case 1:  // phases of the moon
      for (int phase = 0; phase < 5; ++phase) {
        const double angle = -1.1 + phase * .55;
        const double x = 300 + 210 * std::sin(angle);
        const double at = y + 60 - 170 * std::cos(angle);
        const double radius = phase == 2 ? 64 : 40;
        s.svg.Circle(x, at, radius, "#f6ecd2");
        if (phase != 2)
          s.svg.Circle(x + (phase < 2 ? 1 : -1) * radius * (phase == 0 || phase == 4 ? .45 : .95), at, radius * .98,
                       Mix(top, c.main, .1));
      }
      s.svg.Circle(300, y + 70, 104, "#f6ecd2");
      for (const auto& [x, at, r] : {std::array{-34.0, -20.0, 22.0}, std::array{30.0, 24.0, 16.0},
                                     std::array{20.0, -46.0, 11.0}, std::array{-40.0, 40.0, 12.0}}) {
        s.svg.Circle(300 + x, y + 70 + at, r, "#d9cba6", .8);
      }
      break;
    case 2:  // a galaxy
      for (int star = 0; star < 260; ++star) {
        const double along = s.Between(.2, 4.6);
        const double angle = along * 1.5 + (star % 2) * 3.14159265 + s.Between(-.25, .25);
        const double reach = 52 * along;
        s.svg.Circle(300 + reach * std::cos(angle), y + reach * std::sin(angle) * .62, s.Between(1.5, 5.5),
                     star % 3 == 0   ? c.accent
                     : star % 3 == 1 ? c.soft
                                     : c.white,
                     .85);
      }
      s.svg.Ellipse(300, y, 62, 40, "#fff3c9", .9);
      s.svg.Ellipse(300, y, 110, 68, "#fff3c9", .25);
      break;
    case 3:  // an aurora over hills
      for (int veil = 0; veil < 4; ++veil) {
        const double x = 40 + veil * 130;
        s.svg.Path(fmt::format("M{0} {1} C{2} {3} {4} {5} {6} {7} L{8} {9} C{10} {11} {12} {13} {14} {1} Z", x,
                               s.height * .78, x + 60, s.height * .5, x - 60, s.height * .4, x + 30, s.height * .08,
                               x + 120, s.height * .1, x + 60, s.height * .44, x + 170, s.height * .52, x + 90),
                   veil % 2 == 0 ? "#63d8a6" : Mix("#8f7ff0", c.accent, .3), .38);
      }
      s.svg.Path(fmt::format("M0 {} Q140 {} 300 {} T600 {} V{} H0 Z", s.height * .82, s.height * .7, s.height * .82,
                             s.height * .76, s.height),
                 "#101a33");
      break;
    default: {  // a chart
      s.svg.Ring(300, y + 20, 236, c.soft, 3, .8);
      s.svg.Ring(300, y + 20, 170, c.soft, 2, .5);
      s.svg.Ring(300, y + 20, 100, c.soft, 2, .5);
      double last_x = 0;
      double last_y = 0;
      for (int star = 0; star < 11; ++star) {
        const double angle = star * 2.399;
        const double reach = 66 * std::sqrt(star + .3);
        const double x = 300 + reach * std::cos(angle);
        const double at = y + 20 + reach * std::sin(angle);
        if (star % 4 != 0)
          s.svg.Line(fmt::format("M{:.0f} {:.0f} L{:.0f} {:.0f}", last_x, last_y, x, at), c.accent, 2.5, .8);
        s.svg.Circle(x, at, 8, "#fff3c9");
        last_x = x;
        last_y = at;
      }
      break;
    }
  }
}

void DrawPet(Scene& s) {
  const Palette& c = s.colours;
  DrawRoom(s);
  const double scale = std::min(1.3, s.height / 560);
  DrawShadow(s, 300, 150 * scale);
  const std::string_view furs[] = {"#d98f4e", "#5b5560", "#efe0c8", "#8a5f42", "#c9c4bd"};
  const std::string fur(furs[s.rng.Below(5)]);
  const std::string dark = Mix(fur, c.ink, .35);
  const std::string light = Mix(fur, c.white, .6);
  s.svg.Open(300, s.floor + 8, scale);
  const auto face = [&](double y, double apart) {
    for (const double side : {-1.0, 1.0}) {
      s.svg.Circle(side * apart, y, 10, "#2a2226");
      s.svg.Circle(side * apart + 3, y - 4, 3, "#ffffff");
    }
  };
  switch (s.kind) {
    case 2:  // bird
      s.svg.Line("M-190 -60 H190", "#8a5a33", 16);
      s.svg.Path("M-70 -70 Q-110 -240 10 -262 Q110 -262 104 -160 Q96 -70 0 -66 Z", c.main);
      s.svg.Path("M-60 -80 Q-160 -60 -190 20 Q-90 0 -30 -66 Z", Mix(c.main, c.ink, .2));
      s.svg.Path("M-50 -96 Q-60 -180 24 -188 Q50 -110 -50 -96 Z", c.accent);
      s.svg.Path("M100 -214 L150 -194 L98 -178 Z", "#f2a33c");
      s.svg.Circle(58, -212, 11, "#2a2226");
      s.svg.Circle(61, -216, 3, "#ffffff");
      s.svg.Line("M-10 -66 V-52 M24 -66 V-52", "#f2a33c", 8);
      break;
    case 3:  // rabbit
      for (const double side : {-1.0, 1.0}) {
        s.svg.Open(side * 34, -210, 1, side * 10);
        s.svg.Ellipse(0, -72, 27, 86, fur);
        s.svg.Ellipse(0, -68, 14, 64, "#f1b6ae");
        s.svg.Close();
      }
      s.svg.Ellipse(0, -84, 118, 92, fur);
      s.svg.Circle(0, -186, 82, fur);
      s.svg.Ellipse(0, -60, 64, 58, light);
      s.svg.Circle(112, -40, 30, light);
      face(-196, 34);
      s.svg.Path("M-10 -168 H10 L0 -156 Z", "#e08a8a");
      for (const double side : {-1.0, 1.0}) s.svg.Ellipse(side * 46, -10, 40, 20, light);
      break;
    case 1:  // dog
      s.svg.Path("M-96 0 Q-110 -170 0 -176 Q110 -170 96 0 Z", fur);
      s.svg.Path("M-44 0 Q-50 -110 0 -116 Q50 -110 44 0 Z", light);
      s.svg.Line("M92 -30 Q150 -50 138 -116", fur, 24);
      s.svg.Path("M-92 -250 Q-96 -330 0 -330 Q96 -330 92 -250 Q90 -162 0 -158 Q-90 -162 -92 -250 Z", fur);
      s.svg.Path("M-84 -312 Q-150 -316 -138 -214 Q-120 -184 -92 -216 Z M84 -312 Q150 -316 138 -214 Q120 -184 92 -216 Z",
                 dark);
      s.svg.Ellipse(0, -206, 50, 42, light);
      s.svg.Ellipse(0, -226, 19, 14, "#2a2226");
      s.svg.Line("M0 -212 V-196 Q-18 -180 -28 -192 M0 -196 Q18 -180 28 -192", "#2a2226", 5);
      face(-256, 40);
      s.svg.Rect(-62, -172, 124, 22, c.accent, 11);
      s.svg.Circle(0, -146, 13, "#f2c14e");
      break;
    case 4:  // cat tree or basket
      s.svg.Rect(-170, -24, 340, 30, c.accent, 12);
      s.svg.Rect(-26, -240, 52, 220, "#d9c7a3");
      for (int turn = 0; turn < 9; ++turn) s.svg.Rect(-26, -230 + turn * 23, 52, 5, "#b39b6e");
      s.svg.Path("M-140 -240 H140 V-270 Q0 -230 -140 -270 Z", c.main);
      s.svg.Ellipse(0, -286, 110, 44, fur);
      s.svg.Circle(-76, -306, 44, fur);
      s.svg.Path("M-110 -326 L-108 -372 L-78 -346 Z M-42 -326 L-44 -372 L-74 -346 Z", fur);
      s.svg.Line("M-96 -304 q8 8 16 0 M-70 -304 q8 8 16 0", "#2a2226", 4);
      s.svg.Line("M96 -270 Q160 -220 120 -150", fur, 20);
      break;
    default:  // cat
      s.svg.Line("M86 -20 C190 -10 190 -130 140 -170", fur, 26);
      s.svg.Path("M-96 0 Q-104 -170 0 -184 Q104 -170 96 0 Z", fur);
      s.svg.Path("M-40 0 Q-44 -100 0 -110 Q44 -100 40 0 Z", light);
      s.svg.Path("M-86 -300 L-92 -364 L-40 -322 Z M86 -300 L92 -364 L40 -322 Z", fur);
      s.svg.Path("M-78 -312 L-82 -346 L-54 -322 Z M78 -312 L82 -346 L54 -322 Z", "#f1b6ae");
      s.svg.Path("M-98 -256 Q-98 -334 0 -334 Q98 -334 98 -256 Q96 -174 0 -172 Q-96 -174 -98 -256 Z", fur);
      s.svg.Line("M-20 -330 V-302 M0 -332 V-296 M20 -330 V-302", dark, 8);
      s.svg.Ellipse(0, -214, 40, 28, light);
      s.svg.Path("M-11 -232 H11 L0 -220 Z", "#e08a8a");
      s.svg.Line("M-40 -216 L-104 -226 M-40 -206 L-100 -202 M40 -216 L104 -226 M40 -206 L100 -202", c.white, 3, .9);
      face(-258, 42);
      s.svg.Rect(-56, -184, 112, 18, c.accent, 9);
      break;
  }
  s.svg.Close();
}

}  // namespace bowerbird::sim::world
