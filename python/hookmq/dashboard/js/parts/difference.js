// What has changed between two texts, line by line.

const MOST = 2000;

/**
 * @param {string} before
 * @param {string} after
 * @returns {{sign: " "|"-"|"+", text: string}[]} the lines of both, those that are in both once
 */
export function difference(before, after) {
  const old = before.split("\n").slice(0, MOST);
  const fresh = after.split("\n").slice(0, MOST);
  let head = 0;
  while (head < old.length && head < fresh.length && old[head] === fresh[head]) head += 1;
  let tail = 0;
  while (tail < old.length - head && tail < fresh.length - head && old.at(-1 - tail) === fresh.at(-1 - tail)) tail += 1;
  const same = (lines) => lines.map((text) => ({ sign: " ", text }));
  return [
    ...same(old.slice(0, head)),
    ...changed(old.slice(head, old.length - tail), fresh.slice(head, fresh.length - tail)),
    ...same(old.slice(old.length - tail)),
  ];
}

/** The longest common subsequence, by a table: rules are short. */
function changed(old, fresh) {
  const width = fresh.length + 1;
  const length = new Uint16Array((old.length + 1) * width);
  for (let i = old.length - 1; i >= 0; i -= 1) {
    for (let j = fresh.length - 1; j >= 0; j -= 1) {
      const at = i * width + j;
      length[at] = old[i] === fresh[j] ? length[at + width + 1] + 1 : Math.max(length[at + width], length[at + 1]);
    }
  }
  const lines = [];
  let i = 0;
  let j = 0;
  while (i < old.length || j < fresh.length) {
    const at = i * width + j;
    if (i < old.length && j < fresh.length && old[i] === fresh[j]) {
      lines.push({ sign: " ", text: old[i] });
      i += 1;
      j += 1;
    } else if (i < old.length && (j === fresh.length || length[at + width] >= length[at + 1])) {
      lines.push({ sign: "-", text: old[i] });
      i += 1;
    } else {
      lines.push({ sign: "+", text: fresh[j] });
      j += 1;
    }
  }
  return lines;
}
