/** How well a model's answers agree with a person's labels. Pure. */

/** Merges of `intonate.emotions` that are useful here: {name: {label: merged}}; what is not a key is left out. */
export const MERGES = {
  "p4-4": {
    angry: "anger/disgust", disgust: "anger/disgust", fear: "fear/surprise", surprise: "fear/surprise",
    happy: "happiness", sad: "sadness",
    "anger/disgust": "anger/disgust", "fear/surprise": "fear/surprise", happiness: "happiness", sadness: "sadness",
  },
  valence: {
    angry: "negative", boredom: "negative", contempt: "negative", disgust: "negative", fear: "negative",
    frustrated: "negative", sad: "negative", calm: "neutral", neutral: "neutral", excited: "positive", happy: "positive",
    "anger/disgust": "negative", sadness: "negative", happiness: "positive",
  },
};

/** The classes of a merge, sorted as the service sorts them. */
export function mergedLabels(name) {
  return [...new Set(Object.values(MERGES[name]))].sort();
}

/**
 * Figures from pairs {truth, answer}.
 *
 * @returns {count, accuracy, weightedF1, macroF1, classes, perClass: [{label, support, precision, recall, f1}],
 *   confusion: rows are truths, columns are answers, both in the order of `classes`}. The macro F1 is over the classes
 *   that were labelled or answered, as in scikit-learn; a class that is never right has an F1 of 0.
 */
export function score(pairs, order = []) {
  const seen = new Set(pairs.flatMap(({ truth, answer }) => [truth, answer]));
  const classes = [...order.filter((label) => seen.has(label)), ...[...seen].filter((label) => !order.includes(label))];
  const at = new Map(classes.map((label, index) => [label, index]));
  const confusion = classes.map(() => classes.map(() => 0));
  for (const { truth, answer } of pairs) confusion[at.get(truth)][at.get(answer)] += 1;

  const perClass = classes.map((label, index) => {
    const right = confusion[index][index];
    const support = confusion[index].reduce((sum, n) => sum + n, 0);
    const answered = confusion.reduce((sum, row) => sum + row[index], 0);
    const f1 = support + answered ? (2 * right) / (support + answered) : 0;
    return { label, support, precision: answered ? right / answered : 0, recall: support ? right / support : 0, f1 };
  });
  const count = pairs.length;
  const right = confusion.reduce((sum, row, index) => sum + row[index], 0);
  const sum = (values) => values.reduce((total, value) => total + value, 0);
  return {
    count, classes, perClass, confusion,
    accuracy: count ? right / count : 0,
    weightedF1: count ? sum(perClass.map(({ f1, support }) => f1 * support)) / count : 0,
    macroF1: classes.length ? sum(perClass.map(({ f1 }) => f1)) / classes.length : 0,
  };
}
