// Writes the corrected beats as a WFDB annotation file and as a list of changes.

// WFDB's codes (ecgcodes.h), and the words that hold more than a code and an interval of 10 bits (annot.c).
const CODES = { N: 1, V: 5, F: 6, S: 9, "/": 12, Q: 13, "~": 14, '"': 22, "+": 28, "[": 32, "]": 33 };
const SKIP = 59, SUB = 61, AUX = 63, LONGEST_STEP = 1023, LONGEST_SKIP = 0x7fffffff;

// All annotations in order: [sample, symbol, subtype, text]. At one sample, marks come first and then beats.
function annotationsOf(meta, beats) {
  const all = meta.marks.map(([sample, symbol, text]) => [sample, symbol, 0, text]);
  for (let k = 0; k < beats.n; k++) all.push([beats.sample(k), beats.symbol(k), 0, ""]);
  all.push(...meta.edges);
  return all.sort((a, b) => a[0] - b[0]); // stable
}

// The bytes of a file in MIT format that counts in samples at `fs` Hz. A list: [[sample, symbol, subtype, text], ...].
function annotationBytes(annotations, fs) {
  let bytes = new Uint8Array(1 << 16), size = 0;
  const push = (...values) => {
    if (size + values.length > bytes.length) {
      const longer = new Uint8Array(2 * bytes.length + values.length);
      longer.set(bytes);
      bytes = longer;
    }
    bytes.set(values, size);
    size += values.length;
  };
  const word = (code, low) => push(low & 255, (code << 2) | (low >> 8));
  const text = (value) => {
    const encoded = new TextEncoder().encode(value);
    word(AUX, encoded.length);
    push(...encoded, ...(encoded.length % 2 ? [0] : []));
  };
  const skip = (step) => { // 32 bits, the high half first
    word(SKIP, 0);
    push((step >> 16) & 255, (step >> 24) & 255, step & 255, (step >> 8) & 255);
  };
  word(CODES['"'], 0);
  text(`## time resolution: ${fs}`);
  skip(-1); // ends the description of the file: back, and on with an annotation without a code
  word(0, 1);
  let before = 0;
  for (const [sample, symbol, subtype, note] of annotations) {
    let step = sample - before;
    for (; step > LONGEST_STEP; step -= Math.min(step, LONGEST_SKIP)) skip(Math.min(step, LONGEST_SKIP));
    word(CODES[symbol], step);
    if (subtype) word(SUB, subtype & 255);
    if (note) text(note);
    before = sample;
  }
  push(0, 0);
  return bytes.slice(0, size);
}

function changesText(meta, changes) {
  const head = { format: FORMAT, recording: meta.recording, fs: meta.fs, samples: meta.samples, annotator: meta.annotator };
  const lines = changes.map((change) => `    ${JSON.stringify(change)}`).join(",\n");
  return `${JSON.stringify(head, null, 2).slice(0, -2)},\n  "changes": [${lines && `\n${lines}\n  `}]\n}\n`;
}

function download(name, content, type) {
  const link = element("a", { href: URL.createObjectURL(new Blob([content], { type })), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}
