#include "fmt/format.h"
#include "sim/world/scene.h"

namespace bowerbird::sim::world {
namespace {

constexpr std::string_view kLeafGreen = "#4f7f5a";

void DrawLamp(Scene& s, double x, double y, double size, std::string_view shade) {
  s.svg.Open(x, y, size / 100);
  s.svg.Path("M-57 -84 L2 -93 L30 0 L-108 0 Z", "#fff3c4", .35);
  s.svg.Rect(-26, -6, 62, 8, s.colours.ink, 4);
  s.svg.Line("M6 -4 L40 -62 L-16 -104", s.colours.ink, 6);
  s.svg.Circle(40, -62, 7, s.colours.accent);
  s.svg.Path("M-58 -84 Q-44 -124 -6 -116 L4 -92 Z", shade);
  s.svg.Close();
}

void DrawBooks(Scene& s, double x, double y, double width, double height) {
  const std::string_view fills[] = {s.colours.main, s.colours.accent, s.colours.soft, s.colours.ink, s.colours.white};
  double at = x;
  while (at < x + width - 12) {
    const double book = s.Between(11, 22);
    const double tall = height * s.Between(.6, .95);
    s.svg.Rect(at, y - tall, book - 2, tall, fills[s.rng.Below(5)], 2);
    at += book;
  }
}

void DrawFrame(Scene& s, double x, double y, double width, double height) {
  const Palette& c = s.colours;
  s.svg.Rect(x, y, width, height, Mix(c.main, c.ink, .35), 3);
  s.svg.Rect(x + 7, y + 7, width - 14, height - 14, c.white);
  const double r = std::min(width, height) * .24;
  if (s.Maybe(.5)) {
    s.svg.Circle(x + width / 2, y + height * .42, r, c.accent);
    s.svg.Path(fmt::format("M{0} {1} q{2} {3} {4} 0 V{5} H{0} Z", x + 14, y + height * .68, (width - 28) / 2, -r,
                           width - 28, y + height - 14),
               c.main);
  } else {
    s.svg.Circle(x + width * .4, y + height * .45, r, c.soft);
    s.svg.Line(fmt::format("M{} {} q{} {} {} {}", x + width * .3, y + height * .75, width * .2, -height * .5,
                           width * .4, -height * .3),
               c.ink, 4);
  }
}

void DrawTable(Scene& s, double left, double right, double top, std::string_view wood) {
  const std::string dark = Mix(wood, s.colours.ink, .3);
  for (const double leg : {left + 24, right - 36}) s.svg.Rect(leg, top, 12, s.floor - top, dark, 3);
  s.svg.Rect(left, top - 16, right - left, 20, wood, 5);
  s.svg.Rect(left + 40, top + 4, 130, 42, Mix(wood, s.colours.ink, .14), 4);
  s.svg.Circle(left + 105, top + 25, 5, s.colours.accent);
}

/// A jar, a cup or a stack of plates that stands at (x, y); returns its width.
double DrawCrockery(Scene& s, double x, double y) {
  const Palette& c = s.colours;
  const std::string_view fills[] = {c.main, c.accent, c.white, c.ink};
  const std::string_view fill = fills[s.rng.Below(4)];
  const double wide = s.Between(40, 66);
  switch (s.rng.Below(3)) {
    case 0: {
      const double tall = s.Between(56, 96);
      s.svg.Rect(x, y - tall, wide, tall, fill, 9);
      s.svg.Rect(x + 4, y - tall - 10, wide - 8, 14, "#c99a6b", 4);
      s.svg.Rect(x + wide * .2, y - tall * .6, wide * .6, tall * .3, c.white, 3, .8);
      break;
    }
    case 1:
      for (int plate = 0; plate < 5; ++plate)
        s.svg.Rect(x, y - 9 - plate * 11, wide + 24, 8, plate % 2 == 0 ? fill : c.white, 4);
      return wide + 24;
    default:
      s.svg.Line(fmt::format("M{} {} q26 2 6 26", x + wide - 4, y - 40), fill, 8);
      s.svg.Path(fmt::format("M{} {} h{} l-6 50 q-1 4 -6 4 h-{} q-5 0 -6 -4 Z", x, y - 54, wide, wide - 24), fill);
      break;
  }
  return wide;
}

void DrawOpenShelves(Scene& s) {
  const Palette& c = s.colours;
  s.svg.Rect(0, 0, kWidth, s.height, c.back);
  const int shelves = s.height > 640 ? 4 : 3;
  for (int row = 0; row < shelves; ++row) {
    const double y = s.height * (row + 1) / (shelves + .35);
    s.svg.Rect(0, y + 14, kWidth, 26, c.ink, 0, .05);
    double x = s.Between(40, 80);
    while (x < 480) x += DrawCrockery(s, x, y) + s.Between(12, 34);
    s.svg.Rect(24, y, 552, 15, "#b98556", 3);
    for (const double at : {70.0, 518.0})
      s.svg.Path(fmt::format("M{} {} h12 v34 q-12 -8 -12 -34 Z", at, y + 15), c.ink);
  }
}

void DrawStove(Scene& s) {
  const Palette& c = s.colours;
  DrawRoom(s);
  const double scale = std::min(1.35, s.height / 520);
  s.svg.Rect(40, s.floor - 22, 520, 30, c.ink, 8);
  s.svg.Rect(40, s.floor + 8, 520, s.height - s.floor, Mix(c.main, c.ink, .35));
  for (const double at : {140.0, 230.0, 370.0, 460.0}) s.svg.Circle(at, s.floor + 42, 17, c.soft);
  s.svg.Open(300, s.floor - 24, scale);
  switch (s.rng.Below(3)) {
    case 0:  // a stockpot
      s.svg.Rect(-120, -150, 240, 150, c.main, 20);
      s.svg.Rect(-132, -168, 264, 26, Mix(c.main, c.ink, .25), 13);
      s.svg.Path("M-118 -168 Q0 -222 118 -168 Z", Mix(c.main, c.white, .2));
      s.svg.Circle(0, -204, 14, c.ink);
      for (const double at : {-154, 120}) s.svg.Rect(at, -116, 34, 18, c.ink, 9);
      s.svg.Path("M-98 -130 Q-108 -60 -92 -20", c.white, .3);
      break;
    case 1:  // a pan with an egg
      s.svg.Rect(110, -60, 170, 20, "#8a5a33", 10);
      s.svg.Path("M-150 -78 H130 L104 -8 Q102 0 90 0 H-110 Q-122 0 -124 -8 Z", c.ink);
      s.svg.Ellipse(-10, -78, 140, 26, Mix(c.ink, c.soft, .25));
      s.svg.Ellipse(-20, -80, 78, 14, c.white);
      s.svg.Ellipse(-14, -84, 26, 11, "#f2b544");
      break;
    default:  // a kettle
      s.svg.Path("M-112 0 Q-126 -140 0 -146 Q126 -140 112 0 Z", c.main);
      s.svg.Path("M92 -92 L164 -136 L174 -116 L106 -44 Z", c.main);
      s.svg.Line("M-80 -122 Q0 -262 80 -122", c.ink, 15);
      s.svg.Circle(0, -154, 15, c.accent);
      s.svg.Path("M-90 -30 Q-92 -106 -34 -122 Q-66 -86 -62 -22 Z", c.white, .3);
      break;
  }
  for (const double at : {-44.0, 0.0, 44.0})
    s.svg.Line(fmt::format("M{} -276 q-16 -24 0 -46 t0 -46", at), c.white, 9, .7);
  s.svg.Close();
}

}  // namespace

void DrawDesk(Scene& s) {
  const Palette& c = s.colours;
  DrawRoom(s);
  const std::string wood = s.Maybe(.5) ? "#b98556" : Mix(c.main, "#8a5a33", .45);
  if (s.kind == 3) {  // shelving
    for (int row = 0; row < 3; ++row) {
      const double y = s.height * (.26 + .19 * row);
      s.svg.Rect(90, y, 420, 14, wood, 3);
      DrawBooks(s, 110 + 20 * row, y, 170, s.height * .13);
      if (row == 1) {
        DrawPot(s, 430, y, 58, c.accent);
        for (const double turn : {-40, -12, 14, 42}) DrawLeaf(s, 430, y - 56, 58, turn, kLeafGreen);
      } else {
        s.svg.Circle(400 + 30 * row, y - 30, 30, row == 0 ? c.main : c.accent);
      }
    }
    return;
  }
  DrawShadow(s, 300, 240);
  const double top = s.floor - (s.kind == 1 ? 230 : 165);
  DrawTable(s, 80, 520, top, wood);
  if (s.Maybe(.6)) DrawFrame(s, 130, s.height * .12, 100, std::min(130.0, top - 150 - s.height * .12 + 20));
  if (s.kind == 0 || s.kind == 4 || s.kind == 1) {
    s.svg.Rect(270, top - 132, 150, 96, c.ink, 8);
    s.svg.Rect(278, top - 124, 134, 80, Mix(c.soft, c.white, .4), 3);
    s.svg.Path(fmt::format("M278 {} l50 -34 l34 22 l50 -30 v38 h-134 Z", top - 48), c.main);
    s.svg.Rect(338, top - 38, 14, 24, c.ink);
    s.svg.Rect(312, top - 22, 66, 7, c.ink, 3);
    DrawBooks(s, 440, top - 16, 64, 70);
  } else {
    DrawBooks(s, 330, top - 16, 90, 84);
    s.svg.Rect(440, top - 54, 34, 38, c.accent, 6);
    s.svg.Line(fmt::format("M450 {0} l-6 -40 M458 {0} l2 -48 M466 {0} l8 -36", top - 52), c.ink, 4);
  }
  DrawLamp(s, 168, top - 16, s.kind == 2 ? 150 : 105, c.main);
  if (s.kind == 4 || s.Maybe(.35)) {
    s.svg.Rect(250, s.floor - 96, 96, 14, c.main, 7);
    s.svg.Line(fmt::format("M262 {0} L250 {1} M334 {0} L346 {1}", s.floor - 84, s.floor + 4), c.ink, 7);
  }
}

void DrawLivingRoom(Scene& s) {
  const Palette& c = s.colours;
  DrawRoom(s);
  const double y = s.floor;
  if (s.kind == 4 || s.kind == 0) {
    const double top = s.height * .12;
    DrawFrame(s, 170, top, 110, 140);
    DrawFrame(s, 296, top + 26, 84, 84);
    if (s.height > 650) DrawFrame(s, 296, top + 124, 120, 90);
  }
  if (s.kind == 3) {  // fireplace
    s.svg.Rect(150, y - 270, 300, 270, c.white, 4);
    s.svg.Rect(130, y - 292, 340, 28, Mix(c.main, c.ink, .2), 4);
    s.svg.Path(fmt::format("M210 {} V{} A90 90 0 0 1 390 {} V{} Z", y, y - 120, y - 120, y), c.ink);
    s.svg.Open(300, y);
    s.svg.Path("M-50 0 C-60 -60 -20 -70 -16 -120 C14 -96 20 -80 24 -62 C34 -74 34 -84 34 -96 C60 -56 56 -20 46 0 Z",
               "#f08a3c");
    s.svg.Path("M-26 0 C-30 -36 -4 -40 0 -74 C22 -44 30 -24 22 0 Z", "#ffd166");
    s.svg.Rect(-62, -12, 124, 14, "#6b4a32", 6);
    s.svg.Close();
    DrawPot(s, 180, y - 292, 54, c.accent);
    for (const double turn : {-34, 0, 34}) DrawLeaf(s, 180, y - 346, 60, turn, kLeafGreen);
    s.svg.Circle(400, y - 330, 36, c.accent);
    return;
  }
  // Rug, then a sofa or an armchair.
  s.svg.Ellipse(300, y + 40, 250, 34, c.accent, .55);
  s.svg.Ellipse(300, y + 40, 200, 25, c.soft, .7);
  const double half = s.kind == 1 ? 120 : 205;
  const double x = s.kind == 1 ? 330 : 300;
  const std::string dark = Mix(c.main, c.ink, .22);
  for (const double leg : {x - half + 26, x + half - 36}) s.svg.Rect(leg, y - 22, 10, 34, Mix("#8a5a33", c.ink, .2), 3);
  s.svg.Rect(x - half + 20, y - 190, 2 * half - 40, 130, c.main, 26);
  s.svg.Rect(x - half, y - 122, 58, 104, dark, 24);
  s.svg.Rect(x + half - 58, y - 122, 58, 104, dark, 24);
  s.svg.Rect(x - half + 40, y - 96, 2 * half - 80, 46, Mix(c.main, c.white, .18), 14);
  s.svg.Rect(x - half + 40, y - 60, 2 * half - 80, 42, dark, 10);
  s.svg.Open(x - half + 96, y - 128, 1, -9);
  s.svg.Rect(-34, -34, 68, 68, c.accent, 12);
  s.svg.Close();
  if (s.kind != 1) {
    s.svg.Open(x + half - 104, y - 124, 1, 8);
    s.svg.Rect(-32, -32, 64, 64, c.white, 12);
    s.svg.Line("M-20 0 H20 M-20 -14 H20 M-20 14 H20", c.accent, 4);
    s.svg.Close();
  }
  if (s.kind == 1 || s.Maybe(.5)) {
    s.svg.Line(fmt::format("M104 {} V{}", y + 4, y - 300), c.ink, 6);
    s.svg.Path(fmt::format("M64 {0} L80 {1} H128 L144 {0} Z", y - 296, y - 366), c.accent);
    s.svg.Ellipse(104, y + 6, 36, 7, c.ink);
  } else {
    DrawPot(s, 92, y + 6, 78, c.white);
    for (const double turn : {-48, -22, 2, 26, 50}) DrawLeaf(s, 92, y - 70, 120, turn, kLeafGreen);
  }
}

void DrawKitchen(Scene& s) {
  if (s.kind == 3) return DrawStove(s);
  if (s.kind == 4) return DrawOpenShelves(s);
  const Palette& c = s.colours;
  s.svg.Rect(0, 0, kWidth, s.height, c.back);
  const double counter = s.floor - 40;
  // Tiles behind the counter.
  const double tile = 50;
  for (int row = 0; counter - (row + 1) * tile > s.height * .34; ++row) {
    for (int column = 0; column < 12; ++column) {
      const bool is_dark = s.kind == 2 ? (row + column) % 2 == 0 : s.rng.Bernoulli(.22);
      s.svg.Rect(column * tile + 2, counter - (row + 1) * tile + 2, tile - 4, tile - 4, is_dark ? c.soft : c.white, 5,
                 .9);
    }
  }
  const std::string front = s.kind == 0 ? c.main : Mix(c.soft, c.main, .6);
  s.svg.Rect(0, counter - 16, kWidth, 22, s.Maybe(.5) ? "#c99a6b" : c.white);
  s.svg.Rect(0, counter + 6, kWidth, s.height - counter, front);
  for (int door = 0; door < 4; ++door) {
    s.svg.Rect(14 + door * 148, counter + 24, 128, s.height - counter, Mix(front, c.white, .12), 6);
    s.svg.Rect(60 + door * 148, counter + 42, 36, 7, c.accent, 3);
  }
  const double shelf = s.height * .26;
  s.svg.Rect(60, shelf, 480, 12, "#b98556", 3);
  double x = 96;
  while (x < 510) {
    const double wide = s.Between(34, 58);
    const std::string_view fill = s.Maybe(.4) ? c.accent : s.Maybe(.5) ? c.main : c.white;
    if (s.Maybe(.5)) {
      s.svg.Path(fmt::format("M{0} {1} h{2} v-20 q0 -10 -10 -10 h-{3} q-10 0 -10 10 Z", x, shelf, wide, wide - 20),
                 fill);
    } else {
      const double tall = s.Between(40, 66);
      s.svg.Rect(x, shelf - tall, wide * .8, tall, fill, 8);
    }
    x += wide + s.Between(14, 30);
  }
  for (int hook = 0; hook < 3; ++hook) {
    const double at = 400 + hook * 52;
    s.svg.Line(fmt::format("M{} {} v22", at, shelf + 12), c.ink, 3);
    s.svg.Ellipse(at, shelf + 46, 17, 19, hook % 2 == 0 ? c.main : c.accent);
  }
  // A kettle or a pot on the counter.
  s.svg.Open(s.Between(170, 250), counter - 16, 1.1);
  if (s.Maybe(.5)) {
    s.svg.Path("M-62 0 Q-70 -80 0 -84 Q70 -80 62 0 Z", c.main);
    s.svg.Path("M50 -50 L92 -78 L98 -66 L60 -26 Z", c.main);
    s.svg.Line("M-44 -70 Q0 -148 44 -70", c.ink, 9);
    s.svg.Circle(0, -88, 9, c.accent);
    s.svg.Path("M-50 -20 Q-50 -62 -18 -70 Q-38 -50 -36 -14 Z", c.white, .3);
  } else {
    s.svg.Rect(-70, -74, 140, 74, c.accent, 12);
    s.svg.Rect(-78, -84, 156, 16, c.ink, 8);
    s.svg.Circle(0, -94, 10, c.ink);
    s.svg.Rect(-92, -58, 24, 12, c.ink, 6);
    s.svg.Rect(68, -58, 24, 12, c.ink, 6);
  }
  s.svg.Close();
  s.svg.Open(430, counter - 16);
  s.svg.Path("M-60 -34 H60 Q54 0 20 0 H-20 Q-54 0 -60 -34 Z", c.white);
  for (const double at : {-30, 2, 32}) s.svg.Circle(at, -44, 24, at == 2 ? "#e9a24a" : "#c9503f");
  s.svg.Path("M-60 -34 H60 Q54 0 20 0 H-20 Q-54 0 -60 -34 Z", c.white);
  s.svg.Close();
}

void DrawCeramics(Scene& s) {
  const Palette& c = s.colours;
  DrawRoom(s);
  // A wooden board or plinth, then one to three pieces.
  const double y = s.floor - 26;
  s.svg.Rect(70, y, 460, 26, "#c49a6c", 4);
  s.svg.Rect(70, y + 18, 460, 8, "#8a5a33", 0, .35);
  const std::string_view glazes[] = {c.main, c.accent, c.white};
  const double spots[] = {300, 152, 446};
  const size_t pieces = 1 + s.rng.Below(3);
  for (size_t piece = 0; piece < pieces; ++piece) {
    const std::string_view glaze = glazes[piece];
    const std::string dip = Mix(glaze, c.ink, .28);
    const double scale = (piece == 0 ? 1.35 : .82) * std::min(1.15, s.height / 640);
    s.svg.Ellipse(spots[piece], y + 2, 74 * scale, 7, c.ink, .2);
    s.svg.Open(spots[piece], y, scale);
    switch ((s.kind + (piece > 0 ? s.rng.Below(3) : 0)) % 5) {
      case 0:
        if (piece == 0) {
          s.svg.Line("M-8 -190 C-30 -250 -60 -270 -66 -320 M4 -190 C10 -250 40 -280 44 -330 M0 -190 V-300", "#6d7f55",
                     5);
          for (const double at : {-66, 44, 0}) s.svg.Circle(at, at == 0 ? -306 : -326, 20, at == 0 ? c.accent : c.soft);
        }
        s.svg.Path(
            "M-26 -196 H26 Q24 -168 42 -140 Q82 -96 64 -36 Q54 0 30 0 H-30 Q-54 0 -64 -36 Q-82 -96 -42 -140 Q-24 -168 "
            "-26 -196 Z",
            glaze);
        s.svg.Path("M-71 -66 Q-30 -44 0 -62 T71 -66 Q70 0 30 0 H-30 Q-70 0 -71 -66 Z", dip);
        break;
      case 1:
        s.svg.Path("M-96 -84 H96 Q88 0 30 0 H-30 Q-88 0 -96 -84 Z", glaze);
        s.svg.Ellipse(0, -84, 96, 16, dip);
        s.svg.Line("M-78 -48 Q0 -24 78 -48", c.white, 5, .5);
        break;
      case 2:
        s.svg.Line("M58 -92 C112 -96 108 -28 54 -30", dip, 14);
        s.svg.Path("M-62 -118 H62 L56 -14 Q54 0 40 0 H-40 Q-54 0 -56 -14 Z", glaze);
        s.svg.Ellipse(0, -118, 62, 12, dip);
        for (int fleck = 0; fleck < 12; ++fleck)
          s.svg.Circle(s.Between(-48, 48), s.Between(-96, -12), s.Between(1.5, 3.5), c.ink, .4);
        break;
      case 3:
        s.svg.Circle(0, -104, 104, glaze);
        s.svg.Ring(0, -104, 84, dip, 5);
        s.svg.Ring(0, -104, 46, c.white, 4, .7);
        break;
      default:
        DrawPot(s, 0, 0, 120, glaze);
        for (const double turn : {-52, -26, 0, 24, 50}) DrawLeaf(s, 0, -116, 92, turn, kLeafGreen);
        break;
    }
    s.svg.Path("M-34 -104 Q-50 -60 -40 -22", "#ffffff", .12);
    s.svg.Close();
  }
}

}  // namespace bowerbird::sim::world
