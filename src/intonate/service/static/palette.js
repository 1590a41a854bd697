/** One colour per emotion: the table of `intonate.evaluation.palette` (a test holds the two together). */

const COLOURS = {
  angry: "#d55e00",
  boredom: "#999933",
  calm: "#44aa99",
  contempt: "#882255",
  disgust: "#009e73",
  excited: "#ddaa33",
  fear: "#b5679a",
  frustrated: "#cc6677",
  happy: "#e69f00",
  neutral: "#8a929c",
  other: "#a5a5a5",
  sad: "#0072b2",
  surprise: "#56b4e9",
  unknown: "#a5a5a5",
  "anger/disgust": "#d55e00",
  "fear/surprise": "#b5679a",
  happiness: "#e69f00",
  negative: "#d55e00",
  positive: "#e69f00",
  sadness: "#0072b2",
};
const OTHERS = ["#332288", "#88ccee", "#117733", "#ddcc77", "#aa4499", "#661100"];

/**
 * What is not an emotion: greys, told apart by their drawing (dim, dotted, hatched) rather than by their shade; and the blue
 * of speech that a model without labels hears.
 */
const GREYS = { silence: "#aab2bd", noise: "#aab2bd", unsure: "#737d8a", speech: "#5b86c4" };

/** The colour of a label, as `#rrggbb`; always the same one for the same name. */
export function colour(label) {
  const sum = new TextEncoder().encode(label).reduce((total, byte) => total + byte, 0);
  return GREYS[label] ?? COLOURS[label] ?? OTHERS[sum % OTHERS.length];
}

/** Black or white, whichever is read better on a colour (WCAG relative luminance). */
export function inkOn(hex) {
  const [r, g, b] = [1, 3, 5].map((at) => {
    const part = parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b > 0.179 ? "#10141a" : "#ffffff";
}
