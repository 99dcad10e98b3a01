// The files of what was dropped or chosen, folders within folders included.

/**
 * @typedef {{path: string, file: File}} Found
 * @typedef {{path: string, problem: string}} Lost
 */

/** What was dropped. To be called in the very event: afterwards the browser has forgotten it. */
export function entries_of(transfer) {
  const items = [...(transfer.items ?? [])].filter((item) => item.kind === "file");
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? null);
  if (entries.length && entries.every(Boolean)) return entries;
  return [...(transfer.files ?? [])];
}

/** What an `<input type=file>` chose, of which a folder is a flat list already. */
export function chosen_of(input) {
  return [...(input.files ?? [])];
}

/**
 * Every file, in the order of names; a folder that cannot be read is told and does not end the walk.
 * @param {Array<File | FileSystemEntry>} sources
 * @returns {AsyncGenerator<Found | Lost>}
 */
export async function* walk(sources) {
  for (const source of sources) {
    if (source instanceof File) yield { path: source.webkitRelativePath || source.name, file: source };
    else yield* below(source);
  }
}

async function* below(entry) {
  const path = entry.fullPath.replace(/^\//, "");
  try {
    if (entry.isFile) {
      yield { path, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) };
      return;
    }
    const inside = await listed(entry.createReader());
    inside.sort((a, b) => a.name.localeCompare(b.name, "en", { numeric: true }));
    for (const one of inside) yield* below(one);
  } catch (error) {
    yield { path, problem: `cannot be read (${error.name ?? error})` };
  }
}

/** A folder's entries, of which the browser gives a hundred at a time. */
async function listed(reader) {
  const all = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return all;
    all.push(...some);
  }
}
