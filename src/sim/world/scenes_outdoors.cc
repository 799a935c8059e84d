#include <cmath>

#include "fmt/format.h"
#include "sim/world/scene.h"

namespace bowerbird::sim::world {
namespace {

constexpr std::string_view kPine = "#2d5a4c";

void DrawPine(Scene& s, double x, double y, double size, std::string_view fill) {
  s.svg.Open(x, y, size / 100);
  s.svg.Rect(-5, -14, 10, 16, "#5b4030");
  s.svg.Path("M0 -104 L26 -58 H14 L36 -12 H-36 L-14 -58 H-26 Z", fill);
  s.svg.Path("M0 -104 L26 -58 H14 L36 -12 H0 Z", s.colours.ink, .12);
  s.svg.Close();
}

void DrawTrees(Scene& s, double y, int count, double size, std::string_view fill) {
  for (int tree = 0; tree < count; ++tree) {
    DrawPine(s, s.Between(-10, 610), y + s.Between(-8, 14), size * s.Between(.7, 1.25), fill);
  }
}

/// A jagged ridge from edge to edge, filled to the bottom.
std::string Ridge(Scene& s, double y, double height, int peaks) {
  std::string d = fmt::format("M0 {:.0f} V{:.0f}", s.height, y);
  for (int peak = 0; peak < peaks; ++peak) {
    const double step = kWidth / peaks;
    d += fmt::format(" L{:.0f} {:.0f} L{:.0f} {:.0f}", (peak + s.Between(.35, .65)) * step,
                     y - height * s.Between(.45, 1), (peak + 1) * step, y - height * s.Between(0, .25));
  }
  return d + fmt::format(" V{:.0f} Z", s.height);
}

void DrawStars(Scene& s, int count, double below) {
  for (int star = 0; star < count; ++star)
    s.svg.Circle(s.Between(8, 592), s.Between(8, below), s.Between(1.2, 3), s.colours.white, .85);
}

void DrawWheel(Scene& s, double x, double y, double radius) {
  s.svg.Ring(x, y, radius, s.colours.ink, 9);
  s.svg.Ring(x, y, radius - 9, s.colours.soft, 3);
  for (int spoke = 0; spoke < 6; ++spoke) {
    const double angle = spoke * 3.14159265 / 6;
    s.svg.Line(fmt::format("M{:.0f} {:.0f} L{:.0f} {:.0f}", x - (radius - 10) * std::cos(angle),
                           y - (radius - 10) * std::sin(angle), x + (radius - 10) * std::cos(angle),
                           y + (radius - 10) * std::sin(angle)),
               s.colours.ink, 1.6, .6);
  }
  s.svg.Circle(x, y, 8, s.colours.ink);
}

}  // namespace

void DrawMountains(Scene& s) {
  const Palette& c = s.colours;
  s.svg.Sky(Mix(c.main, c.white, .45), Mix(c.back, "#ffe9cf", .5));
  s.svg.Circle(s.Between(140, 460), s.height * s.Between(.2, .32), s.Between(40, 66), Mix(c.accent, c.white, .25));
  const double base = s.height * .62;
  s.svg.Path(Ridge(s, base - s.height * .08, s.height * .2, 4), Mix(c.main, c.white, .42));
  // One great peak with snow.
  const double x = s.Between(220, 380);
  const double top = s.height * .2;
  s.svg.Path(fmt::format("M{} {} L{} {} L{} {} Z", x - 250, base + 60, x, top, x + 270, base + 60),
             Mix(c.main, c.ink, .25));
  s.svg.Path(fmt::format("M{} {} L{} {} L{} {} Z", x, top, x + 270, base + 60, x + 30, base + 60), c.ink, .25);
  s.svg.Path(fmt::format("M{0} {1} L{2} {3} l26 -16 l22 26 l24 -24 l24 20 l{4} -12 Z", x, top, x - 62, top + 92, 30),
             c.white);
  s.svg.Path(Ridge(s, base + 30, s.height * .12, 5), Mix(c.main, c.ink, .45));
  if (s.kind == 2) {  // lake
    s.svg.Rect(0, s.height * .72, kWidth, s.height, Mix(c.soft, "#8fc3d8", .6));
    for (int wave = 0; wave < 7; ++wave) {
      s.svg.Rect(s.Between(20, 460), s.height * (.75 + .03 * wave), s.Between(60, 150), 4, c.white, 2, .6);
    }
    DrawTrees(s, s.height * .73, 9, 80, kPine);
  } else if (s.kind == 4) {  // snow
    s.svg.Path(fmt::format("M0 {} Q200 {} 380 {} T600 {} V{} H0 Z", s.height * .74, s.height * .64, s.height * .76,
                           s.height * .7, s.height),
               c.white);
    s.svg.Line(fmt::format("M430 {} C360 {} 470 {} 250 {}", s.height * .76, s.height * .84, s.height * .88, s.height),
               Mix(c.soft, c.main, .3), 6);
    DrawTrees(s, s.height * .86, 5, 100, kPine);
  } else {
    s.svg.Path(fmt::format("M0 {} Q180 {} 340 {} T600 {} V{} H0 Z", s.height * .78, s.height * .7, s.height * .8,
                           s.height * .74, s.height),
               Mix(kPine, c.main, .3));
    if (s.kind == 1 || s.Maybe(.3)) {
      s.svg.Path(fmt::format("M300 {0} C380 {1} 210 {2} 250 {3} H350 C330 {2} 450 {1} 316 {0} Z", s.height * .78,
                             s.height * .85, s.height * .91, s.height),
                 Mix(c.back, "#e5d3ae", .5));
    }
    DrawTrees(s, s.height * .93, s.kind == 3 ? 16 : 7, s.kind == 3 ? 150 : 105, kPine);
  }
}

void DrawCoast(Scene& s) {
  const Palette& c = s.colours;
  const std::string sea = Mix("#2f8f9d", c.main, .25);
  s.svg.Sky(Mix(c.soft, "#bfe3ef", .5), Mix(c.back, "#fff1d6", .6));
  const double horizon = s.height * .46;
  s.svg.Circle(s.Between(160, 440), horizon - s.Between(10, 110), 62, Mix(c.accent, "#ffd98a", .5));
  s.svg.Rect(0, horizon, kWidth, s.height, sea);
  for (int band = 0; band < 5; ++band) {
    const double y = horizon + 26 + band * (s.height * .07);
    s.svg.Path(fmt::format("M0 {0} q50 -18 100 0 t100 0 t100 0 t100 0 t100 0 t100 0 V{1} H0 Z", y, s.height),
               Mix(sea, "#d8f0ee", .12 * (band + 1)));
  }
  s.svg.Path(fmt::format("M0 {} Q220 {} 600 {} V{} H0 Z", s.height * .86, s.height * .74, s.height * .9, s.height),
             Mix("#f0dcae", c.back, .3));
  if (s.kind == 2) {  // lighthouse
    s.svg.Path(fmt::format("M330 {0} Q420 {1} 600 {2} V{0} Z", s.height * .72, s.height * .56, s.height * .54),
               Mix("#6c8a6b", c.ink, .2));
    s.svg.Open(460, s.height * .6, std::min(1.1, s.height / 640));
    s.svg.Path("M-36 0 L-24 -220 H24 L36 0 Z", c.white);
    s.svg.Path("M-33 -56 L-30 -104 H30 L33 -56 Z M-27 -156 L-25 -204 H25 L27 -156 Z", "#c9503f");
    s.svg.Rect(-30, -232, 60, 14, c.ink, 3);
    s.svg.Rect(-18, -262, 36, 32, "#ffe08a");
    s.svg.Path("M-26 -262 L0 -288 L26 -262 Z", "#c9503f");
    s.svg.Path("M-18 -258 L-260 -300 V-210 Z", "#fff3c4", .5);
    s.svg.Close();
  } else if (s.kind == 3) {  // sailing
    for (const double x : {220.0, 430.0}) {
      s.svg.Open(x, horizon + (x > 300 ? 36 : 96), x > 300 ? .55 : 1.1);
      s.svg.Path("M-90 0 H90 Q70 36 40 36 H-50 Q-76 30 -90 0 Z", c.ink);
      s.svg.Rect(-5, -200, 6, 200, "#8a5a33");
      s.svg.Path("M6 -194 C70 -150 84 -70 80 -14 H6 Z", c.white);
      s.svg.Path("M-12 -176 C-60 -120 -72 -60 -74 -14 H-12 Z", c.accent);
      s.svg.Close();
    }
  } else if (s.kind == 4 || s.kind == 0) {  // palms, or an umbrella
    if (s.kind == 4) {
      s.svg.Open(430, s.height * .86, std::min(1.15, s.height / 620));
      s.svg.Line("M0 0 C-30 -110 -10 -200 -60 -300", "#8a6a45", 20);
      for (const double turn : {-110, -70, -30, 20, 64, 104})
        DrawLeaf(s, -60, -300, 160, turn, Mix("#3f7d58", c.main, .15));
      for (const double at : {-74, -48}) s.svg.Circle(at, -292, 13, "#6b4a32");
      s.svg.Close();
    } else {
      s.svg.Open(200, s.height * .9, std::min(1.1, s.height / 640), -12);
      s.svg.Rect(-5, -210, 10, 210, "#b98556");
      s.svg.Path("M-130 -180 Q0 -330 130 -180 Z", c.accent);
      s.svg.Path("M-44 -180 Q0 -330 44 -180 Z", c.white);
      s.svg.Close();
      s.svg.Rect(270, s.height * .9, 150, 18, c.main, 6);
      s.svg.Rect(290, s.height * .9, 14, 18, c.white);
    }
  } else {  // surfboards
    const std::string_view fills[] = {c.accent, c.white, c.main};
    for (int board = 0; board < 3; ++board) {
      s.svg.Open(210 + board * 92, s.height * .92, std::min(1.2, s.height / 600), -8 + 8 * board);
      s.svg.Path("M0 0 C-46 -40 -46 -210 0 -270 C46 -210 46 -40 0 0 Z", fills[board]);
      s.svg.Line("M0 -10 V-256", c.ink, 3, .5);
      s.svg.Path("M-33 -110 H33 V-150 H-34 Z", c.ink, .16);
      s.svg.Close();
    }
  }
}

void DrawCamping(Scene& s) {
  const Palette& c = s.colours;
  const bool is_night = s.Maybe(.6);
  s.svg.Sky(is_night ? Mix("#16264a", c.main, .2) : Mix(c.soft, "#cfe8f5", .5),
            is_night ? Mix("#3d4f80", c.main, .3) : c.back);
  if (is_night) DrawStars(s, 60, s.height * .55);
  s.svg.Circle(s.Between(120, 480), s.height * .18, 40, is_night ? "#fff3c9" : c.accent);
  s.svg.Path(Ridge(s, s.height * .6, s.height * .16, 4), is_night ? "#24365c" : Mix(c.main, c.white, .35));
  DrawTrees(s, s.height * .72, 14, 120, is_night ? "#17323a" : kPine);
  s.svg.Path(fmt::format("M0 {} Q300 {} 600 {} V{} H0 Z", s.height * .74, s.height * .67, s.height * .75, s.height),
             is_night ? "#1f3b36" : Mix("#7fa56d", c.main, .2));
  const double y = s.height * .86;
  if (s.kind == 2) {  // van
    s.svg.Open(300, y, 1.25);
    s.svg.Path("M-170 -26 V-128 Q-170 -160 -136 -160 H96 Q128 -160 142 -116 L156 -78 Q166 -76 166 -56 V-26 Z", c.main);
    s.svg.Path("M-170 -26 V-84 H166 V-26 Z", c.white);
    for (const double at : {-146, -74, -2})
      s.svg.Rect(at, -142, 62, 46, is_night ? "#ffe08a" : Mix(c.soft, c.white, .5), 8);
    s.svg.Path("M74 -142 H96 Q112 -142 124 -96 H74 Z", is_night ? "#ffe08a" : Mix(c.soft, c.white, .5));
    for (const double at : {-104, 98}) {
      s.svg.Circle(at, -22, 32, c.ink);
      s.svg.Circle(at, -22, 14, c.soft);
    }
    s.svg.Rect(-120, -182, 190, 20, "#b98556", 6);
    s.svg.Close();
  } else {
    s.svg.Open(s.kind == 1 ? 250 : 300, y, 1.25);
    if (is_night) s.svg.Ellipse(0, 0, 210, 26, "#ffd98a", .3);
    s.svg.Path("M-160 0 L0 -190 L160 0 Z", c.main);
    s.svg.Path("M0 -190 L160 0 H54 Z", Mix(c.main, c.ink, .3));
    s.svg.Path("M-54 0 L0 -190 L54 0 Z", is_night ? "#ffd98a" : Mix(c.main, c.white, .5));
    s.svg.Path("M0 -190 L54 0 H0 Z", c.ink, .25);
    s.svg.Line("M0 -190 L-200 8 M0 -190 L200 8", c.ink, 3);
    s.svg.Close();
  }
  if (s.kind == 1 || s.kind == 4) {  // fire
    s.svg.Open(470, y + 20, 1);
    s.svg.Ellipse(0, 0, 100, 22, "#ffb65c", .35);
    s.svg.Line("M-44 2 L44 -14 M-44 -14 L44 2", "#6b4a32", 14);
    s.svg.Path("M-34 -8 C-44 -52 -12 -58 -8 -108 C18 -84 22 -66 24 -52 C32 -60 32 -70 32 -80 C50 -44 44 -20 34 -8 Z",
               "#f08a3c");
    s.svg.Path("M-16 -8 C-20 -34 0 -38 2 -64 C18 -40 22 -22 16 -8 Z", "#ffd166");
    s.svg.Close();
  }
}

void DrawBicycle(Scene& s) {
  const Palette& c = s.colours;
  DrawRoom(s);
  if (s.Maybe(.4)) {
    const double top = s.height * .1;
    for (int brick = 0; brick < 16; ++brick)
      s.svg.Rect(s.Between(20, 540), top + s.Between(0, s.floor - top - 60), 46, 18, c.soft, 3, .7);
  }
  DrawShadow(s, 300, 230);
  const double y = s.floor + 6;
  if (s.kind == 4) {  // a wheel, large
    DrawWheel(s, 300, y - 190, 186);
    s.svg.Ring(300, y - 190, 54, c.main, 12);
    s.svg.Line(fmt::format("M300 {} l120 -30", y - 190), c.accent, 16);
    s.svg.Rect(398, y - 236, 54, 22, c.ink, 6);
    return;
  }
  s.svg.Open(300, y, 1.12);
  DrawWheel(s, -142, -88, 86);
  DrawWheel(s, 146, -88, 86);
  const std::string frame = s.Maybe(.7) ? c.main : c.accent;
  s.svg.Line("M-142 -88 L-62 -206 H92 L146 -88", frame, 12);
  s.svg.Line(
      s.kind == 1 ? "M-142 -88 H-20 L-66 -206 M-20 -88 Q40 -150 92 -200" : "M-142 -88 H-20 L-66 -206 M-20 -88 L92 -200",
      frame, 12);
  s.svg.Line("M-66 -206 L-76 -244", c.ink, 8);
  s.svg.Path("M-116 -256 Q-76 -268 -40 -250 Q-60 -238 -108 -240 Z", "#6b4a32");
  if (s.kind == 0 || s.kind == 3) {
    s.svg.Line("M90 -202 L84 -244 H124 Q148 -240 140 -212", c.ink, 9);
  } else {
    s.svg.Line("M90 -202 L80 -258 Q110 -276 54 -262", c.ink, 9);
  }
  s.svg.Ring(-20, -88, 24, c.ink, 7);
  s.svg.Line("M-20 -88 L4 -60", c.ink, 7);
  s.svg.Rect(-10, -60, 34, 8, c.ink, 4);
  if (s.kind == 1 || s.kind == 2) {
    const double wide = s.kind == 2 ? 130 : 84;
    s.svg.Path(fmt::format("M96 -250 h{} l-12 70 h-{} Z", wide, wide - 24), "#c49a6c");
    s.svg.Line(fmt::format("M96 -232 h{0} M100 -214 h{1}", wide - 4, wide - 10), "#8a5a33", 4);
    for (const double at : {114.0, 140.0}) DrawLeaf(s, at, -248, 50, at > 120 ? 20 : -14, "#5c9a68");
    s.svg.Circle(128, -274, 14, c.accent);
  }
  if (s.kind == 3) {
    s.svg.Path("M-48 -194 H66 L-18 -110 Z", c.accent);
    s.svg.Rect(-166, -240, 56, 42, c.accent, 12);
  }
  s.svg.Close();
}

void DrawCabin(Scene& s) {
  const Palette& c = s.colours;
  const bool is_dusk = s.Maybe(.5);
  s.svg.Sky(is_dusk ? Mix("#2b3a67", c.main, .25) : Mix(c.soft, "#cfe8f5", .5),
            is_dusk ? Mix("#e9a07a", c.soft, .3) : c.back);
  if (is_dusk) DrawStars(s, 26, s.height * .35);
  s.svg.Circle(s.Between(120, 200), s.height * .2, 44, is_dusk ? "#fff3c9" : c.accent, .9);
  s.svg.Path(Ridge(s, s.height * .58, s.height * .18, 3),
             is_dusk ? Mix("#46507f", c.main, .2) : Mix(c.main, c.white, .4));
  DrawTrees(s, s.height * .76, 13, 165, is_dusk ? "#1d3a3c" : kPine);
  const bool is_snow = s.Maybe(.35);
  const std::string ground = is_snow   ? std::string(c.white)
                             : is_dusk ? std::string("#2c4a40")
                                       : Mix("#86a873", c.main, .2);
  s.svg.Path(fmt::format("M0 {} Q280 {} 600 {} V{} H0 Z", s.height * .77, s.height * .71, s.height * .78, s.height),
             ground);
  const std::string wall = Mix("#8a5a3a", c.main, .3);
  const std::string_view glow = is_dusk ? "#ffd98a" : std::string_view(c.white);
  s.svg.Open(320, s.height * .82, std::min(1.25, s.height / 560));
  if (s.kind == 2) {  // on stilts
    for (const double at : {-86, 76}) s.svg.Rect(at, -90, 12, 110, "#5b4030");
    s.svg.Line("M-80 10 L82 -80 M-80 -80 L82 10", "#5b4030", 6);
    s.svg.Open(0, -86);
  }
  if (s.kind == 0 || s.kind == 2) {  // A-frame
    s.svg.Path("M-150 6 L0 -230 L150 6 Z", Mix(c.ink, wall, .2));
    s.svg.Path("M-112 6 L0 -178 L112 6 Z", wall);
    s.svg.Path("M-60 -52 L0 -152 L60 -52 Z", glow);
    s.svg.Rect(-26, -46, 52, 52, c.accent, 3);
    s.svg.Line("M0 -152 V-52 M-30 -100 H30", c.ink, 4, .7);
  } else {
    s.svg.Rect(-140, -110, 280, 116, wall);
    for (int plank = 1; plank < 5; ++plank) s.svg.Rect(-140, -110 + plank * 23, 280, 3, c.ink, 0, .2);
    s.svg.Path("M-168 -106 L0 -200 L168 -106 Z", is_snow ? c.white : Mix(c.ink, c.main, .3));
    s.svg.Rect(76, -206, 28, 60, Mix(c.ink, wall, .4));
    s.svg.Rect(-110, -82, 76, 54, glow, 3);
    s.svg.Line("M-72 -82 V-28 M-110 -55 H-34", c.ink, 4);
    s.svg.Rect(34, -80, 56, 86, c.accent, 3);
    s.svg.Circle(80, -36, 4, c.white);
    s.svg.Line("M92 -220 q-16 -24 4 -44 t0 -44", c.white, 10, .5);
  }
  if (s.kind == 2) s.svg.Close();
  s.svg.Close();
  if (s.kind == 1 || s.kind == 3) {
    s.svg.Rect(0, s.height * .88, kWidth, s.height, is_dusk ? "#3a5a7c" : Mix("#8fc3d8", c.soft, .3));
    for (int wave = 0; wave < 5; ++wave)
      s.svg.Rect(s.Between(20, 460), s.height * (.9 + .02 * wave), s.Between(60, 140), 4, c.white, 2, .5);
  }
}

}  // namespace bowerbird::sim::world
