// The Python text of the cells that the panel writes. Not here: where they go (`notebooks.js`).

/**
 * A Python string literal.
 * @param {string} text
 */
export function literal(text) {
  if (text.includes('"') && !/['\\\n\r]/.test(text)) return `'${text}'`;
  return JSON.stringify(text).replace(/[\u007f-\u009f\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

/** What finds the server; `masked` says whether displays mask identifiers. */
export function connecting(masked) {
  const shown = masked ? "" : "isocenter.options.show_identifiers = True\n";
  return `import isocenter\n\n${shown}archive = isocenter.connect()`;
}

const FRAMES = { study: "studies", series: "series", instance: "instances" };

/**
 * A frame of what an expression selects.
 * @param {{dataset: string, level: string, where: string}} query
 */
export function selecting({ dataset, level, where }) {
  const text = where.trim();
  return `${of(dataset)}.${FRAMES[level]}${text ? `.where(${literal(text)})` : ""}`;
}

/** A cohort by its name. */
export function cohort(dataset, name) {
  return `cohort = ${of(dataset)}.cohorts[${literal(name)}]\ncohort`;
}

/** The cells of a new notebook to begin with: their kind and source. */
export function beginning(dataset, masked) {
  const archive = of(dataset);
  return [
    ["markdown", "# Isocenter\n\nThis notebook finds the running server by itself."],
    ["code", `${connecting(masked)}\narchive`],
    ["markdown", "What is there, a study a row. A frame is a question: nothing is fetched before you look at it."],
    ["code", `${archive}.studies`],
    ["markdown", "Narrow it by any attribute, and get a table."],
    ["code", `ct = ${archive}.series.where("Modality=CT and SliceThickness<2")\nct`],
  ];
}

function of(dataset) {
  return dataset === "main" ? "archive" : `archive.dataset(${literal(dataset)})`;
}
