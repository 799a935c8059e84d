#pragma once

#include <cstdint>
#include <string>

#include "base/rng.h"
#include "sim/world/svg.h"

namespace bowerbird::sim::world {

/// Colours that go together, chosen by the item's main colour and changed a little by its style.
struct Palette {
  std::string back;
  std::string soft;
  std::string main;
  std::string accent;
  std::string ink;
  std::string white;
};

/// What a picture is drawn with. The coordinates are 600 wide and `height` high.
struct Scene {
  Svg& svg;
  base::Rng& rng;
  const Palette& colours;
  double height;
  /// Place of the subtopic within its topic, 0 to 4.
  uint32_t kind;
  /// Where things stand.
  double floor;

  double Between(double low, double high) { return low + (high - low) * rng.Uniform(); }
  bool Maybe(double probability) { return rng.Bernoulli(probability); }
};

inline constexpr double kWidth = 600;

/// Wall, floor and one large shape behind what stands there.
void DrawRoom(Scene& scene);
/// A soft shadow on the floor, around (x, scene.floor).
void DrawShadow(Scene& scene, double x, double half_width);
/// One leaf from (x, y), `length` long, turned by `degrees` (0 points up).
void DrawLeaf(Scene& scene, double x, double y, double length, double degrees, std::string_view fill);
/// A pot that stands at (x, y), `size` high.
void DrawPot(Scene& scene, double x, double y, double size, std::string_view fill);

// One function a topic; each draws the whole picture.
void DrawDesk(Scene& scene);
void DrawLivingRoom(Scene& scene);
void DrawKitchen(Scene& scene);
void DrawCeramics(Scene& scene);
void DrawHouseplant(Scene& scene);
void DrawGarden(Scene& scene);
void DrawMountains(Scene& scene);
void DrawCoast(Scene& scene);
void DrawCamping(Scene& scene);
void DrawBicycle(Scene& scene);
void DrawCabin(Scene& scene);
void DrawBread(Scene& scene);
void DrawCake(Scene& scene);
void DrawCoffee(Scene& scene);
void DrawFreshBowl(Scene& scene);
void DrawDrink(Scene& scene);
void DrawSneaker(Scene& scene);
void DrawCoat(Scene& scene);
void DrawJewellery(Scene& scene);
void DrawTextile(Scene& scene);
void DrawPoster(Scene& scene);
void DrawArchitecture(Scene& scene);
void DrawNightSky(Scene& scene);
void DrawPet(Scene& scene);

}  // namespace bowerbird::sim::world
