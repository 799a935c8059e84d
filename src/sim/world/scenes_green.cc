#include <cmath>

#include "fmt/format.h"
#include "sim/world/scene.h"

namespace bowerbird::sim::world {
namespace {

constexpr std::string_view kGreens[] = {"#3f7d58", "#5c9a68", "#2f6149", "#7fae6b"};

void DrawFlower(Scene& s, double x, double y, double size, std::string_view petals) {
  for (int petal = 0; petal < 6; ++petal) {
    const double angle = petal * 3.14159265 / 3;
    s.svg.Circle(x + size * .62 * std::cos(angle), y + size * .62 * std::sin(angle), size * .46, petals);
  }
  s.svg.Circle(x, y, size * .42, "#f2c14e");
}

void DrawMonsteraLeaf(Scene& s, double x, double y, double size, double degrees, std::string_view fill,
                      std::string_view behind) {
  s.svg.Open(x, y, size / 100, degrees);
  s.svg.Path("M0 0 C-70 -4 -78 -84 0 -126 C78 -84 70 -4 0 0 Z", fill);
  for (const double side : {-1.0, 1.0}) {
    for (const double at : {-30.0, -56.0, -82.0}) {
      s.svg.Path(fmt::format("M{} {} Q{} {} {} {} Q{} {} {} {} Z", side * 14, at, side * 44, at - 6, side * 72, at - 20,
                             side * 50, at + 8, side * 14, at),
                 behind);
    }
  }
  s.svg.Line("M0 0 V-112", Mix(fill, s.colours.white, .4), 3);
  s.svg.Close();
}

}  // namespace

void DrawHouseplant(Scene& s) {
  const Palette& c = s.colours;
  DrawRoom(s);
  const double scale = std::min(1.25, s.height / 620);
  DrawShadow(s, 300, 96 * scale);
  const double y = s.floor + 8;
  if (s.kind == 4) {  // terrarium
    s.svg.Open(300, y, 1.3 * scale);
    s.svg.Path("M-60 -236 H60 V-214 Q130 -170 124 -84 Q118 0 60 0 H-60 Q-118 0 -124 -84 Q-130 -170 -60 -214 Z", c.white,
               .55);
    s.svg.Path("M-122 -66 Q-60 -92 0 -70 T122 -66 Q112 0 60 0 H-60 Q-112 0 -122 -66 Z", "#6b4a32");
    s.svg.Path("M-122 -74 Q-80 -110 -40 -88 Q0 -120 50 -92 Q90 -110 122 -74 Q60 -62 0 -66 T-122 -74 Z", kGreens[1]);
    for (const double turn : {-30, 0, 26}) DrawLeaf(s, -26, -84, 96, turn, kGreens[0]);
    for (const double turn : {-16, 30}) DrawLeaf(s, 48, -88, 66, turn, kGreens[3]);
    s.svg.Rect(-66, -252, 132, 26, "#c49a6c", 8);
    s.svg.Path("M-100 -150 Q-112 -90 -88 -40", c.white, .7);
    s.svg.Close();
    return;
  }
  const double pot = 118 * scale;
  const double rim = y - pot * 1.02;
  switch (s.kind) {
    case 0:
      for (const double turn : {-62, -30, 4, 36, 66}) {
        const double reach = s.Between(120, 190) * scale;
        const double rad = turn * 3.14159265 / 180;
        const double tip_x = 300 + reach * std::sin(rad);
        const double tip_y = rim - reach * std::cos(rad);
        s.svg.Line(fmt::format("M300 {} Q300 {} {} {}", rim, rim - reach * .5, tip_x, tip_y), kGreens[2], 7);
        DrawMonsteraLeaf(s, tip_x, tip_y, 92 * scale, turn, kGreens[s.rng.Below(3)], Mix(c.back, c.soft, .5));
      }
      break;
    case 1:
      for (int ring = 0; ring < 3; ++ring) {
        const int leaves = 9 - 2 * ring;
        for (int leaf = 0; leaf < leaves; ++leaf) {
          const double turn = -80 + 160.0 * leaf / (leaves - 1);
          DrawLeaf(s, 300, rim + 8, (150 - 34 * ring) * scale, turn, Mix(kGreens[ring], "#a9cdb2", .3));
        }
      }
      break;
    case 2: {
      s.svg.Open(300, rim + 10, 1.25 * scale);
      s.svg.Rect(-44, -210, 88, 214, kGreens[0], 44);
      s.svg.Line("M-60 -70 H-84 Q-96 -70 -96 -84 V-120", kGreens[0], 36);
      s.svg.Line("M60 -100 H82 Q94 -100 94 -114 V-160", kGreens[0], 36);
      for (const double at : {-24, 0, 24}) s.svg.Line(fmt::format("M{} -186 V-6", at), kGreens[3], 3, .7);
      s.svg.Close();
      DrawFlower(s, 300, rim - 256 * scale, 26 * scale, c.accent == "#2f5d50" ? c.main : c.accent);
      break;
    }
    default:
      for (int frond = 0; frond < 9; ++frond) {
        const double turn = -84 + 21.0 * frond;
        const double reach = s.Between(170, 230) * scale;
        const double rad = turn * 3.14159265 / 180;
        for (int pair = 1; pair < 8; ++pair) {
          const double along = reach * pair / 8;
          const double droop = .0016 * along * along * std::abs(std::sin(rad));
          const double x = 300 + along * std::sin(rad);
          const double at = rim - along * std::cos(rad) * .9 + droop * .8;
          DrawLeaf(s, x, at, (52 - 4 * pair) * scale, turn + 64, kGreens[frond % 4]);
          DrawLeaf(s, x, at, (52 - 4 * pair) * scale, turn - 64, kGreens[frond % 4]);
        }
      }
      break;
  }
  DrawPot(s, 300, y, pot, s.Maybe(.5) ? c.main : c.accent);
}

void DrawGarden(Scene& s) {
  const Palette& c = s.colours;
  s.svg.Sky(Mix(c.soft, "#cfe8f5", .6), Mix(c.back, "#fff6e0", .5));
  s.svg.Circle(s.Between(120, 480), s.height * .2, 52, "#fff3c9");
  const double horizon = s.height * .48;
  for (int hill = 0; hill < 3; ++hill) {
    const double top = horizon + hill * 26;
    s.svg.Path(fmt::format("M0 {} Q{} {} 300 {} T600 {} V{} H0 Z", top, 120 + 60 * hill, top - 60, top - 8, top - 20,
                           s.height),
               Mix("#a8c99a", "#4f8a5c", hill * .4));
  }
  if (s.kind == 1) {  // greenhouse
    s.svg.Open(300, s.height * .72, std::min(1.2, s.height / 640));
    s.svg.Path("M-170 0 V-150 L0 -250 L170 -150 V0 Z", c.white, .75);
    for (const double at : {-170, -85, 0, 85, 170}) s.svg.Line(fmt::format("M{} 0 V-150", at), c.main, 6);
    s.svg.Line("M-170 -150 L0 -250 L170 -150 M-170 -150 H170 M-170 -76 H170 M0 -250 V-150", c.main, 6);
    s.svg.Rect(-38, -116, 76, 116, c.accent, 4);
    s.svg.Close();
  }
  if (s.kind == 2) {  // vegetable rows
    for (int row = 0; row < 4; ++row) {
      const double y = s.height * (.62 + .1 * row);
      s.svg.Rect(40, y, 520, 30 + 6 * row, "#7a5238", 12);
      for (int plant = 0; plant < 9; ++plant) {
        const double x = 72 + plant * 57;
        for (const double turn : {-44, 0, 44}) DrawLeaf(s, x, y + 8, 40 + 6 * row, turn, kGreens[(row + plant) % 4]);
        if (row % 2 == 0) s.svg.Circle(x + 10, y - 8, 9, "#e2583e");
      }
    }
    return;
  }
  // A path and flowers that grow towards us.
  if (s.kind != 4) {
    s.svg.Path(fmt::format("M250 {} Q300 {} 330 {} L520 {} H120 Q230 {} 250 {} Z", s.height * .62, s.height * .7,
                           s.height * .62, s.height, s.height * .8, s.height * .62),
               Mix(c.back, "#e5d3ae", .6));
  }
  const std::string_view petals[] = {c.main, c.accent, c.white, c.soft, "#e8738a"};
  for (int row = 0; row < 5; ++row) {
    const double y = s.height * (.66 + .075 * row);
    for (int flower = 0; flower < 8; ++flower) {
      const double x = s.Between(0, 600);
      if (s.kind != 4 && std::abs(x - 300) < 60 + 26 * row) continue;
      const double tall = s.Between(40, 70) * (.7 + .2 * row);
      s.svg.Line(fmt::format("M{} {} q4 {} 0 {}", x, y + 40, -tall * .5, -tall), kGreens[row % 4], 4);
      DrawLeaf(s, x, y + 30, tall * .5, flower % 2 == 0 ? 40 : -40, kGreens[(row + 1) % 4]);
      DrawFlower(s, x, y + 40 - tall, 11 + 3.2 * row, petals[s.rng.Below(5)]);
    }
  }
}

}  // namespace bowerbird::sim::world
