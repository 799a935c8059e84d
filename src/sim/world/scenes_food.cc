#include <cmath>

#include "fmt/format.h"
#include "sim/world/scene.h"

namespace bowerbird::sim::world {
namespace {

/// A table seen from above, with a cloth.
void DrawTableTop(Scene& s) {
  const Palette& c = s.colours;
  s.svg.Rect(0, 0, kWidth, s.height, c.back);
  if (s.Maybe(.5)) {
    for (double x = -s.height; x < kWidth; x += 64) {
      s.svg.Line(fmt::format("M{} 0 l{} {}", x, s.height, s.height), c.soft, 16, .4);
    }
  } else {
    for (double x = 0; x < kWidth; x += 75) s.svg.Rect(x, 0, 36, s.height, c.soft, 0, .4);
    for (double y = 0; y < s.height; y += 75) s.svg.Rect(0, y, kWidth, 36, c.soft, 0, .4);
  }
}

void DrawPlate(Scene& s, double x, double y, double radius) {
  s.svg.Circle(x + 8, y + 14, radius, s.colours.ink, .14);
  s.svg.Circle(x, y, radius, s.colours.white);
  s.svg.Ring(x, y, radius - 16, s.colours.soft, 4);
}

void DrawSteam(Scene& s, double x, double y) {
  for (const double at : {-34.0, 0.0, 34.0}) {
    s.svg.Line(fmt::format("M{} {} q-18 -26 0 -52 t0 -52", x + at, y), s.colours.white, 9, .7);
  }
}

void DrawSprig(Scene& s, double x, double y, double size, double degrees) {
  s.svg.Open(x, y, size / 100, degrees);
  s.svg.Line("M0 0 Q6 -50 0 -110", "#4f7f5a", 5);
  for (const double at : {-20.0, -46.0, -72.0}) {
    DrawLeaf(s, 0, at, 40, 52, "#5c9a68");
    DrawLeaf(s, 0, at, 40, -52, "#5c9a68");
  }
  DrawLeaf(s, 0, -100, 40, 0, "#5c9a68");
  s.svg.Close();
}

}  // namespace

void DrawBread(Scene& s) {
  const Palette& c = s.colours;
  const double y = s.height * .54;
  if (s.kind == 3) {  // pizza
    DrawTableTop(s);
    DrawPlate(s, 300, y, 236);
    s.svg.Circle(300, y, 208, "#d69a55");
    s.svg.Circle(300, y, 182, "#d2553a");
    s.svg.Circle(300, y, 174, "#f3d58c", .85);
    for (int topping = 0; topping < 13; ++topping) {
      const double angle = topping * 2.399;
      const double reach = 44 * std::sqrt(topping + .5);
      const double x = 300 + reach * std::cos(angle);
      const double at = y + reach * std::sin(angle);
      if (topping % 3 == 0) {
        DrawLeaf(s, x, at, 46, topping * 50, "#4f7f5a");
      } else {
        s.svg.Circle(x, at, 21, topping % 3 == 1 ? "#b8372d" : "#fff6dd");
      }
    }
    for (const double turn : {20, 80, 140}) {
      s.svg.Open(300, y, 1, turn);
      s.svg.Line("M-206 0 H206", "#a8703a", 3, .5);
      s.svg.Close();
    }
    return;
  }
  DrawRoom(s);
  const double base = s.floor - 12;
  s.svg.Rect(60, base - 8, 480, 26, "#c49a6c", 10);
  s.svg.Rect(520, base - 4, 60, 16, "#c49a6c", 8);
  DrawShadow(s, 300, 250);
  const std::string crust = Mix("#c07f3f", c.main, .12);
  const std::string dark = Mix(crust, "#5a3415", .45);
  s.svg.Open(300, base - 6, std::min(1.2, s.height / 560));
  if (s.kind == 2 || s.kind == 4) {  // buns or croissants
    for (int bun = 0; bun < 3; ++bun) {
      s.svg.Open(bun == 2 ? 0 : -104 + 208 * bun, bun == 2 ? -96 : 0);
      if (s.kind == 2) {
        s.svg.Path("M-100 0 Q-108 -100 0 -104 Q108 -100 100 0 Z", crust);
        s.svg.Line("M-6 -46 q26 -6 24 16 t-46 12 q-26 -10 -16 -44 t62 -24 q44 14 34 62", dark, 9);
        for (int dot = 0; dot < 7; ++dot) s.svg.Circle(s.Between(-66, 66), s.Between(-90, -40), 4, c.white, .9);
      } else {
        s.svg.Path(
            "M-112 0 C-104 -60 -60 -104 0 -104 C60 -104 104 -60 112 0 C76 -16 60 -44 0 -44 C-60 -44 -76 -16 -112 0 Z",
            crust);
        s.svg.Line(
            "M-70 -78 Q-48 -52 -54 -34 M-28 -102 Q-14 -74 -18 -46 M24 -102 Q16 -74 22 -46 M68 -80 Q48 -54 56 -34", dark,
            7);
      }
      s.svg.Close();
    }
  } else if (s.kind == 1) {  // focaccia
    s.svg.Rect(-210, -92, 420, 92, crust, 26);
    s.svg.Rect(-210, -92, 420, 46, Mix(crust, "#ffe2a8", .5), 24);
    for (int dot = 0; dot < 11; ++dot) {
      s.svg.Ellipse(-186 + dot * 37, -74 + 14 * (dot % 2), 12, 7, dot % 3 == 0 ? "#b8372d" : dark, .8);
    }
    DrawSprig(s, -60, -58, 60, 76);
    DrawSprig(s, 90, -60, 60, -70);
  } else {
    s.svg.Path(
        "M-206 -60 C-206 -170 -110 -196 0 -196 C110 -196 206 -170 206 -60 C206 -14 180 0 150 0 H-150 C-180 0 -206 -14 "
        "-206 -60 Z",
        crust);
    s.svg.Path("M-150 -120 C-120 -170 -60 -182 0 -184 C-60 -168 -110 -146 -150 -120 Z", c.white, .35);
    for (const double at : {-110, -30, 50, 130}) {
      s.svg.Path(fmt::format("M{} -40 Q{} -110 {} -164 Q{} -104 {} -36 Z", at, at - 6, at + 34, at + 30, at + 14),
                 "#f4d9a6");
    }
    for (int dot = 0; dot < 24; ++dot) s.svg.Circle(s.Between(-160, 160), s.Between(-150, -20), 2.4, c.white, .8);
  }
  s.svg.Close();
  if (s.Maybe(.6)) {
    s.svg.Open(110, s.height * .2, 1.1, 14);
    s.svg.Line("M0 120 Q10 50 0 -30", "#b5843c", 5);
    for (int grain = 0; grain < 5; ++grain) {
      DrawLeaf(s, 0, 20 - grain * 14, 34, 40, "#d9a441");
      DrawLeaf(s, 0, 20 - grain * 14, 34, -40, "#d9a441");
    }
    s.svg.Close();
  }
}

void DrawCake(Scene& s) {
  const Palette& c = s.colours;
  DrawRoom(s);
  const double scale = std::min(1.2, s.height / 600);
  DrawShadow(s, 300, 150);
  s.svg.Open(300, s.floor + 6, scale);
  const std::string cream = "#fff4e6";
  if (s.kind == 3) {  // ice cream
    s.svg.Path("M-70 -190 H70 L0 8 Z", "#d69a55");
    s.svg.Line("M-46 -180 L24 -60 M-10 -184 L44 -110 M46 -180 L-24 -60 M10 -184 L-44 -110", "#a8703a", 4);
    s.svg.Circle(-42, -226, 62, c.main);
    s.svg.Circle(44, -226, 62, c.accent);
    s.svg.Circle(0, -306, 64, cream);
    s.svg.Path("M-92 -210 q16 30 34 4 q18 34 38 2 q20 34 38 0 q18 32 36 2 q18 24 36 -6 v-20 H-92 Z", c.main);
    s.svg.Circle(10, -376, 16, "#c9303c");
    s.svg.Close();
    return;
  }
  if (s.kind == 2 || s.kind == 4) {  // cupcakes or cookies
    if (s.kind == 2) {
      s.svg.Path("M-84 -110 H84 L60 0 H-60 Z", c.accent);
      s.svg.Line("M-50 -106 L-38 -4 M-18 -106 L-14 -4 M18 -106 L14 -4 M50 -106 L38 -4", c.white, 5, .6);
      s.svg.Path(
          "M-100 -108 Q-116 -160 -64 -168 Q-70 -216 -14 -222 Q10 -262 28 -222 Q76 -212 66 -168 Q118 -158 100 -108 Q0 "
          "-88 -100 -108 Z",
          c.main);
      s.svg.Line("M-64 -166 Q0 -146 66 -166 M-30 -214 Q8 -200 38 -214", c.white, 6, .5);
      s.svg.Circle(8, -252, 18, "#c9303c");
    } else {
      for (int cookie = 0; cookie < 5; ++cookie) {
        const double y = -22 - cookie * 44;
        const double x = s.Between(-14, 14);
        s.svg.Rect(x - 96, y - 22, 192, 42, Mix("#d69a55", c.main, .25), 21);
        s.svg.Rect(x - 88, y - 8, 176, 13, cookie % 2 == 0 ? c.accent : std::string_view(cream));
        for (int chip = 0; chip < 5; ++chip) s.svg.Circle(x - 70 + chip * 34, y - 12, 6, "#5a3415");
      }
    }
    s.svg.Close();
    return;
  }
  // A stand with a layer cake or a tart.
  s.svg.Path("M-70 0 H70 L22 -22 V-66 H-22 V-22 Z", c.white);
  s.svg.Rect(-176, -82, 352, 20, c.white, 10);
  s.svg.Rect(-176, -72, 352, 10, c.ink, 5, .1);
  if (s.kind == 1) {
    s.svg.Path("M-152 -82 L-164 -132 H164 L152 -82 Z", "#d69a55");
    for (int fold = 0; fold < 10; ++fold) s.svg.Line(fmt::format("M{} -130 l3 44", -146 + fold * 32), "#a8703a", 4);
    s.svg.Ellipse(0, -134, 160, 22, c.main);
    for (int berry = 0; berry < 11; ++berry)
      s.svg.Circle(-130 + berry * 26, -140 - 8 * (berry % 2), 15,
                   berry % 3 == 0 ? c.accent : std::string_view("#c9303c"));
  } else {
    const int layers = 2 + static_cast<int>(s.rng.Below(2));
    for (int layer = 0; layer < layers; ++layer) {
      const double y = -82 - 70.0 * layer;
      s.svg.Rect(-136, y - 70, 272, 70, layer % 2 == 0 ? c.main : Mix(c.main, c.white, .35), 8);
      s.svg.Rect(-136, y - 40, 272, 12, cream);
    }
    const double top = -82 - 70.0 * layers;
    s.svg.Path(fmt::format("M-142 {0} q0 -22 22 -22 H120 q22 0 22 22 v18 q-20 28 -38 0 q-18 40 -40 4 q-20 30 -42 -2 "
                           "q-20 44 -44 4 q-20 26 "
                           "-40 -6 q-24 34 -40 0 Z",
                           top),
               cream);
    for (const double at : {-84, -28, 28, 84}) {
      if (s.Maybe(.5)) {
        s.svg.Circle(at, top - 30, 18, at > 0 ? c.accent : std::string_view("#c9303c"));
      } else {
        s.svg.Rect(at - 5, top - 74, 10, 54, c.accent, 3);
        s.svg.Ellipse(at, top - 86, 7, 12, "#ffc145");
      }
    }
  }
  s.svg.Close();
}

void DrawCoffee(Scene& s) {
  const Palette& c = s.colours;
  if (s.kind == 2) {  // latte art from above
    DrawTableTop(s);
    const double y = s.height * .5;
    DrawPlate(s, 300, y, 216);
    s.svg.Line(fmt::format("M450 {} h90", y), c.main, 34);
    s.svg.Circle(300, y, 164, c.main);
    s.svg.Circle(300, y, 144, "#8a5a33");
    s.svg.Circle(300, y, 132, "#b07a48");
    s.svg.Open(300, y + 10, 1.15);
    for (int leaf = 0; leaf < 4; ++leaf) {
      s.svg.Path(fmt::format("M0 {0} C-{1} {2} -{1} {3} 0 {4} C{1} {3} {1} {2} 0 {0} Z", 70 - leaf * 34, 74 - leaf * 12,
                             60 - leaf * 34, 6 - leaf * 34, 36 - leaf * 34),
                 "#fff1dc");
    }
    s.svg.Circle(0, -84, 16, "#fff1dc");
    s.svg.Line("M0 76 V-80", "#b07a48", 4);
    s.svg.Close();
    return;
  }
  DrawRoom(s);
  DrawShadow(s, 300, 170);
  s.svg.Open(300, s.floor + 4, std::min(1.25, s.height / 560));
  if (s.kind == 0) {  // pour-over
    s.svg.Path("M-86 0 Q-110 -86 -40 -128 V-150 H40 V-128 Q110 -86 86 0 Z", c.white, .75);
    s.svg.Path("M-90 -44 Q0 -60 90 -44 L86 0 H-86 Z", "#6b3f22");
    s.svg.Rect(-48, -152, 96, 34, "#b98556", 8);
    s.svg.Path("M-96 -250 H96 L42 -150 H-42 Z", c.main);
    s.svg.Path("M-80 -262 Q0 -286 80 -262 L74 -248 H-74 Z", c.white);
    s.svg.Line("M96 -236 C140 -232 132 -184 76 -196", c.main, 12);
    DrawSteam(s, 0, -280);
  } else if (s.kind == 4) {  // iced
    s.svg.Path("M-78 -210 H78 L62 0 H-62 Z", c.white, .6);
    s.svg.Path("M-73 -150 H73 L62 0 H-62 Z", "#7a4a26");
    s.svg.Path("M-73 -150 H73 L70 -110 Q30 -84 0 -112 T-70 -112 Z", "#f4dfc0");
    for (const double at : {-36, 22}) {
      s.svg.Open(at, -150, 1, at);
      s.svg.Rect(-24, -24, 48, 48, c.white, 8, .75);
      s.svg.Close();
    }
    s.svg.Line("M20 -10 L54 -268", c.accent, 11);
  } else if (s.kind == 1) {  // moka pot
    s.svg.Path("M-74 0 L-56 -112 H56 L74 0 Z", Mix("#b9bec4", c.main, .25));
    s.svg.Path("M-54 -124 L-74 -236 H66 L54 -124 Z", Mix("#b9bec4", c.main, .25));
    s.svg.Rect(-62, -128, 124, 18, c.ink, 4);
    s.svg.Path("M-74 -236 L-106 -222 L-68 -196 Z", Mix("#b9bec4", c.main, .4));
    s.svg.Path("M-70 -240 L-4 -274 L64 -240 Z", c.main);
    s.svg.Circle(-4, -282, 12, c.ink);
    s.svg.Line("M60 -220 H110 V-120", c.ink, 15);
    DrawSteam(s, -20, -310);
  } else {  // a cup
    s.svg.Ellipse(0, -4, 176, 18, c.accent);
    s.svg.Line("M104 -124 C186 -130 178 -40 84 -46", c.main, 20);
    s.svg.Path("M-122 -158 H122 Q120 -8 40 -8 H-40 Q-120 -8 -122 -158 Z", c.main);
    s.svg.Ellipse(0, -158, 122, 24, Mix(c.main, c.white, .5));
    s.svg.Ellipse(0, -156, 106, 18, "#7a4a26");
    s.svg.Path("M-98 -120 Q-90 -50 -54 -28 Q-110 -50 -98 -120 Z", c.white, .3);
    DrawSteam(s, 0, -200);
  }
  s.svg.Close();
}

void DrawFreshBowl(Scene& s) {
  const Palette& c = s.colours;
  DrawTableTop(s);
  const double y = s.height * .52;
  s.svg.Circle(312, y + 18, 232, c.ink, .14);
  s.svg.Circle(300, y, 232, c.main);
  s.svg.Circle(300, y, 210, Mix(c.main, c.ink, .2));
  const std::string_view base = s.kind == 2 ? "#e0a34e" : s.kind == 4 ? "#fff4e6" : s.kind == 1 ? "#f3e2bd" : "#7fae6b";
  s.svg.Circle(300, y, 198, base);
  if (s.kind == 0 || s.kind == 1) {
    for (int leaf = 0; leaf < 22; ++leaf) {
      DrawLeaf(s, 300 + s.Between(-130, 130), y + s.Between(-120, 140), s.Between(60, 96), s.Between(0, 360),
               leaf % 2 == 0 ? "#5c9a68" : "#94bf6f");
    }
  }
  // Round things in a sunflower's order.
  const std::string_view fills[] = {"#d2453a", "#f2b544", "#8b3f6b", "#fff6dd", "#e8738a", "#6fa15b"};
  const int things = s.kind == 2 ? 9 : 14;
  for (int thing = 0; thing < things; ++thing) {
    const double angle = thing * 2.399 + s.Between(-.2, .2);
    const double reach = 46 * std::sqrt(thing + .4);
    const double x = 300 + reach * std::cos(angle);
    const double at = y + reach * std::sin(angle);
    const double radius = s.Between(17, 34);
    const std::string_view fill = fills[s.rng.Below(6)];
    s.svg.Circle(x, at, radius, fill);
    switch (s.rng.Below(4)) {
      case 0:
        s.svg.Circle(x, at, radius * .66, Mix(fill, c.white, .5));
        for (int slice = 0; slice < 3; ++slice) {
          s.svg.Open(x, at, 1, slice * 60);
          s.svg.Line(fmt::format("M{} 0 H{}", -radius * .6, radius * .6), fill, 3);
          s.svg.Close();
        }
        break;
      case 1:
        s.svg.Circle(x - radius * .3, at - radius * .3, radius * .25, c.white, .6);
        break;
      default:
        s.svg.Ring(x, at, radius * .6, c.white, 3, .5);
        break;
    }
  }
  for (int seed = 0; seed < 26; ++seed) {
    const double angle = s.Between(0, 6.28);
    const double reach = 190 * std::sqrt(s.rng.Uniform());
    s.svg.Circle(300 + reach * std::cos(angle), y + reach * std::sin(angle), 3.4, seed % 2 == 0 ? c.white : c.ink, .9);
  }
  DrawSprig(s, 340, y + 60, 110, 24);
  s.svg.Open(80, s.height * .5, 1.1, -6);
  s.svg.Rect(-6, -40, 12, 230, c.accent, 6);
  s.svg.Ellipse(0, -70, 24, 44, c.accent);
  s.svg.Close();
}

void DrawDrink(Scene& s) {
  const Palette& c = s.colours;
  DrawRoom(s);
  const double scale = std::min(1.25, s.height / 600);
  DrawShadow(s, 300, 110);
  const std::string liquid = s.kind == 4 ? Mix("#8fb35a", c.main, .2) : Mix(c.main, "#f28c4b", s.Between(0, .5));
  s.svg.Open(300, s.floor + 6, scale);
  if (s.kind == 4) {  // a tea bowl and pot
    s.svg.Path("M-150 -150 H6 Q0 0 -44 0 H-100 Q-144 0 -150 -150 Z", c.accent);
    s.svg.Ellipse(-72, -150, 78, 16, liquid);
    s.svg.Path("M40 0 Q20 -110 110 -116 Q200 -110 180 0 Z", c.main);
    s.svg.Path("M44 -70 L6 -116 L20 -124 L60 -96 Z", c.main);
    s.svg.Line("M178 -84 Q226 -74 184 -22", c.main, 13);
    s.svg.Rect(74, -128, 72, 14, c.ink, 7);
    s.svg.Circle(110, -136, 10, c.ink);
    DrawSteam(s, -72, -180);
    s.svg.Close();
    return;
  }
  if (s.kind == 2) {  // coupe
    s.svg.Path("M-130 -300 H130 Q120 -180 0 -176 Q-120 -180 -130 -300 Z", c.white, .55);
    s.svg.Path("M-122 -272 H122 Q104 -186 0 -184 Q-104 -186 -122 -272 Z", liquid);
    s.svg.Rect(-5, -180, 10, 172, c.white, 0, .9);
    s.svg.Ellipse(0, -6, 78, 11, c.white);
    s.svg.Circle(112, -302, 36, "#f2b544");
    s.svg.Circle(112, -302, 25, "#fbe3a2");
    s.svg.Line("M60 -330 L-46 -250", c.accent, 5);
    s.svg.Circle(-40, -256, 15, "#7fa15b");
  } else {
    const double wide = s.kind == 3 ? 84 : 70;
    s.svg.Path(fmt::format("M-{0} -300 H{0} L{1} 0 H-{1} Z", wide, wide - 14), c.white, .55);
    s.svg.Path(fmt::format("M-{0} -246 H{0} L{1} -6 H-{1} Z", wide - 5, wide - 16), liquid);
    s.svg.Path(fmt::format("M-{0} -110 H{0} L{1} -6 H-{1} Z", wide - 11, wide - 16), Mix(liquid, c.accent, .4), .7);
    if (s.kind != 3) {
      for (int cube = 0; cube < 3; ++cube) {
        s.svg.Open(s.Between(-26, 26), -214 + cube * 62, 1, s.Between(-30, 30));
        s.svg.Rect(-24, -24, 48, 48, c.white, 8, .5);
        s.svg.Close();
      }
    }
    s.svg.Line("M8 -20 L44 -372 L84 -384", c.accent, 10);
    s.svg.Circle(-wide, -296, 42, "#f2b544");
    s.svg.Circle(-wide, -296, 33, "#fff0c2");
    for (int slice = 0; slice < 4; ++slice) {
      s.svg.Open(-wide, -296, 1, slice * 45);
      s.svg.Line("M-30 0 H30", "#f2b544", 3);
      s.svg.Close();
    }
    DrawSprig(s, 10, -262, 76, 10);
  }
  s.svg.Path("M-58 -280 L-50 -40", c.white, .4);
  for (int bubble = 0; bubble < 9; ++bubble)
    s.svg.Circle(s.Between(-40, 40), s.Between(s.kind == 2 ? -250 : -230, s.kind == 2 ? -200 : -30), s.Between(2, 6),
                 c.white, .7);
  s.svg.Close();
}

}  // namespace bowerbird::sim::world
