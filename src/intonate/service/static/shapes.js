/** What a file holds that somebody may have edited: each shape throws what was expected, and at which place. Pure. */

const is = (expected, holds) => (value, place) => {
  if (!holds(value)) throw new Error(`${place || "the whole"} should be ${expected}`);
};

// So many seconds are eleven days: more is a slip of the hand, and more than can be drawn.
const LONGEST_S = 1e6;

export const TEXT = is("text", (value) => typeof value === "string");
export const NUMBER = is("a number", Number.isFinite);
const TIME = is("a time in seconds", (value) => Number.isFinite(value) && value >= 0 && value < LONGEST_S);
export const exactly = (wanted) => is(JSON.stringify(wanted), (value) => value === wanted);
export const below = (limit) => is(`a whole number below ${limit}`, (value) => Number.isInteger(value) && value >= 0 && value < limit);

const LIST = is("a list", Array.isArray);
const OBJECT = is("an object", (value) => typeof value === "object" && value !== null && !Array.isArray(value));

/** A list of at least so many items, all of one shape. */
export const list = (item, least = 0) => (value, place) => {
  LIST(value, place);
  if (value.length < least) throw new Error(`${place} should hold something`);
  value.forEach((one, index) => item(one, `${place}[${index}]`));
};

/** A list of as many items as there are shapes, one for each. */
export const tuple = (...items) => (value, place) => {
  LIST(value, place);
  items.forEach((item, index) => item(value[index], `${place}[${index}]`));
};

/** An object with at least these fields. */
export const fields = (shapes) => (value, place) => {
  OBJECT(value, place);
  for (const [name, shape] of Object.entries(shapes)) shape(value[name], place ? `${place}.${name}` : name);
};

/** An object whose values are all of one shape. */
export const valuesOf = (shape) => (value, place) => {
  OBJECT(value, place);
  for (const [name, one] of Object.entries(value)) shape(one, `${place}.${name}`);
};

/** The shape, or nothing. */
export const maybe = (shape) => (value, place) => value == null || shape(value, place);

/** Both shapes. */
export const both = (...shapes) => (value, place) => shapes.forEach((shape) => shape(value, place));

/** From `start` to `end`, seconds. */
export const SPAN = both(fields({ start: TIME, end: TIME }), is("from its start to a later end", ({ start, end }) => end >= start));
