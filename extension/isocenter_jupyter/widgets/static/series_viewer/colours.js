// Colours of overlays: told by the object (CIELab of a SEG, RGB of an RTSTRUCT), else from a list that stays apart.

export const DISTINCT = [
  [255, 99, 71], [72, 201, 176], [255, 200, 61], [120, 160, 255], [230, 120, 230], [150, 215, 90],
  [255, 150, 60], [90, 210, 255], [240, 110, 150], [190, 170, 255], [200, 200, 110], [110, 190, 140],
];

export const distinct = (number) => DISTINCT[((number % DISTINCT.length) + DISTINCT.length) % DISTINCT.length];

export const css_colour = ([red, green, blue], opacity = 1) => `rgba(${red}, ${green}, ${blue}, ${opacity})`;

export const hex_of = (colour) => `#${colour.map((value) => value.toString(16).padStart(2, "0")).join("")}`;

export const rgb_of_hex = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

// RecommendedDisplayCIELabValue (PS3.3 C.10.7.1.1, D50) as sRGB of 0 to 255.
export function rgb_of_lab([first, second, third]) {
  const [l, a, b] = [(first * 100) / 65535, (second * 255) / 65535 - 128, (third * 255) / 65535 - 128];
  const fy = (l + 16) / 116;
  const cube = (t) => (t > 6 / 29 ? t ** 3 : 3 * (6 / 29) ** 2 * (t - 4 / 29));
  const [x, y, z] = [0.9642 * cube(fy + a / 500), cube(fy), 0.8249 * cube(fy - b / 200)];
  const linear = [
    3.1338561 * x - 1.6168667 * y - 0.4906146 * z,
    -0.9787684 * x + 1.9161415 * y + 0.033454 * z,
    0.0719453 * x - 0.2289914 * y + 1.4052427 * z,
  ];
  return linear.map((value) => {
    const held = Math.min(1, Math.max(0, value));
    return Math.round(255 * (held <= 0.0031308 ? 12.92 * held : 1.055 * held ** (1 / 2.4) - 0.055));
  });
}
