#include "sim/world/picture.h"

#include <array>
#include <cmath>

#include "fmt/format.h"
#include "sim/world/scene.h"
#include "sim/world/vocabulary.h"

namespace bowerbird::sim::world {
namespace {

struct Tones {
  std::string_view back, soft, main, accent, ink;
};

/// In the order of Colours().
constexpr std::array<Tones, kColours> kTones = {{
    {"#f7e6d6", "#efc6a4", "#c8643f", "#2f5d50", "#4a2418"},
    {"#fbf1d8", "#f1d795", "#d9a441", "#3b5f7a", "#4b3411"},
    {"#f1e6d0", "#fffaf0", "#d8b98a", "#a4553a", "#4d3d2a"},
    {"#eaf0e4", "#c8d6c1", "#8fa98b", "#d98e6a", "#33443a"},
    {"#e2ebde", "#a3c3aa", "#2f5d50", "#e0a84c", "#16302a"},
    {"#def0ef", "#98cfcc", "#2a7f86", "#f0825f", "#123f45"},
    {"#e8f4fb", "#bcddf1", "#6fa9d6", "#f4b860", "#24415c"},
    {"#e2e7f1", "#98aacf", "#2e4478", "#f2a65a", "#141f3b"},
    {"#f1ecf8", "#d5c6e8", "#a48ac6", "#f0b35f", "#3f2f5b"},
    {"#f4e4ec", "#d5a5bd", "#7d3f67", "#e9a24a", "#371a2e"},
    {"#fdf0ea", "#f6d2c5", "#e39d88", "#5d7f73", "#5b2f28"},
    {"#ffece4", "#fbc3ae", "#ef7b62", "#2c6e7f", "#5a2218"},
    {"#fbe6e2", "#eea7a0", "#b3303c", "#23486b", "#43101a"},
    {"#f6eedd", "#e5d3ae", "#c2a26a", "#4f7a7d", "#463824"},
    {"#e9eaec", "#b9bdc4", "#4b4f59", "#e8a33d", "#1f2126"},
    {"#fff8dc", "#fae99c", "#efc736", "#d9623c", "#4d3d0c"},
}};

constexpr void (*kDraw[kTopics])(Scene&) = {DrawDesk,   DrawLivingRoom,   DrawKitchen,  DrawCeramics,  DrawHouseplant,
                                            DrawGarden, DrawMountains,    DrawCoast,    DrawCamping,   DrawBicycle,
                                            DrawCabin,  DrawBread,        DrawCake,     DrawCoffee,    DrawFreshBowl,
                                            DrawDrink,  DrawSneaker,      DrawCoat,     DrawJewellery, DrawTextile,
                                            DrawPoster, DrawArchitecture, DrawNightSky, DrawPet};

Palette MakePalette(const TrueItem& item, base::Rng& rng) {
  const Tones& tones = kTones[item.colour];
  // The accent often comes from another palette, so that items of one colour still differ.
  const Tones& other = kTones[rng.Below(kColours)];
  Palette palette{std::string(tones.back),   std::string(tones.soft), std::string(tones.main),
                  std::string(tones.accent), std::string(tones.ink),  "#fffdf8"};
  if (rng.Bernoulli(.4)) palette.accent = other.main;
  const auto towards = [&](std::string_view colour, double share) {
    for (std::string* tone : {&palette.back, &palette.soft, &palette.main, &palette.accent})
      *tone = Mix(*tone, colour, share);
  };
  const std::string_view style = Styles()[item.style].name;
  if (style == "pastel") towards("#fff6f6", .22);
  if (style == "vintage") towards("#c9a063", .16);
  if (style == "industrial") towards("#7d8288", .2);
  if (style == "natural") towards("#c9b48a", .12);
  if (style == "bold") {
    palette.back = palette.soft;
    palette.soft = Mix(tones.soft, tones.main, .5);
  }
  if (style == "minimal") palette.soft = Mix(palette.soft, palette.back, .45);
  return palette;
}

}  // namespace

std::string DrawPicture(const TrueItem& item, double aspect) {
  base::Rng rng(item.seed);
  const double height = std::round(kWidth / aspect);
  Svg svg(kWidth, height);
  const Palette palette = MakePalette(item, rng);
  Scene scene{svg, rng, palette, height, item.subtopic % kSubtopicsPerTopic, std::round(height * .8)};
  kDraw[item.topic](scene);
  return svg.Finish();
}

void DrawRoom(Scene& s) {
  const Palette& c = s.colours;
  s.svg.Rect(0, 0, kWidth, s.height, c.back);
  const double x = s.Between(230, 370);
  switch (s.rng.Below(5)) {
    case 0:
      s.svg.Circle(x, s.height * .42, 190, c.soft);
      break;
    case 1: {
      const double top = s.height * .16 + 150;
      s.svg.Path(fmt::format("M{0} {1} V{2} A170 170 0 0 1 {3} {2} V{1} Z", x - 170, s.floor, top, x + 170), c.soft);
      break;
    }
    case 2:
      s.svg.Rect(60, s.height * .12, 200, s.floor - s.height * .12, c.soft);
      s.svg.Rect(60, s.height * .12, 200, 14, Mix(c.soft, c.main, .3));
      break;
    case 3:
      // Light of a window on the wall.
      s.svg.Open(x - 150, s.height * .1, 1, 0);
      s.svg.Path("M40 0 L140 -14 L118 260 L18 274 Z", c.white, .5);
      s.svg.Path("M160 -17 L260 -31 L238 243 L138 257 Z", c.white, .5);
      s.svg.Close();
      break;
    default:
      for (int stripe = 0; stripe < 6; ++stripe) s.svg.Rect(20 + stripe * 100, 0, 50, s.floor, c.soft, 0, .35);
      break;
  }
  s.svg.Rect(0, s.floor, kWidth, s.height - s.floor, Mix(c.soft, c.main, .28));
  s.svg.Rect(0, s.floor, kWidth, 6, Mix(c.soft, c.main, .5), 0, .5);
}

void DrawShadow(Scene& s, double x, double half_width) {
  s.svg.Ellipse(x, s.floor + 14, half_width, 13, s.colours.ink, .14);
}

void DrawLeaf(Scene& s, double x, double y, double length, double degrees, std::string_view fill) {
  s.svg.Open(x, y, length / 100, degrees);
  s.svg.Path("M0 0 C-34 -30 -30 -78 0 -100 C30 -78 34 -30 0 0 Z", fill);
  s.svg.Line("M0 0 V-84", Mix(fill, s.colours.white, .35), 2.5, .7);
  s.svg.Close();
}

void DrawPot(Scene& s, double x, double y, double size, std::string_view fill) {
  s.svg.Open(x, y, size / 100);
  s.svg.Path("M-44 -92 H44 L34 -6 Q33 0 26 0 H-26 Q-33 0 -34 -6 Z", fill);
  s.svg.Rect(-50, -104, 100, 24, Mix(fill, s.colours.ink, .12), 6);
  s.svg.Path("M14 -80 H40 L32 -6 Q31 0 25 0 H8 Z", s.colours.ink, .1);
  s.svg.Close();
}

}  // namespace bowerbird::sim::world
