"use strict";
// Unpacks the beats, and the parts of the signal when they are shown.

async function inflate(id) {
  const raw = Uint8Array.from(atob(document.getElementById(id).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Beats: samples of the signal (uint32 each), then a byte each: class, confidence, whether no RR interval leads to it.
async function unpackBeats(meta) {
  const packed = await inflate("beats");
  const n = packed.length / 7, silent = new Set(meta.silent);
  const at = new Uint32Array(packed.buffer, 0, n);
  const time = (k) => at[k] / meta.rate;
  const letter = (k) => meta.letters[packed[4 * n + k]];
  return {
    n,
    time,
    letter,
    confidence: (k) => packed[5 * n + k] / 255,
    rr: (k) => (k === 0 || packed[6 * n + k] ? NaN : time(k) - time(k - 1)), // s
    abnormal: [...Array(n).keys()].filter((k) => letter(k) !== "N"),
    stops: [...Array(n).keys()].filter((k) => letter(k) !== "N" || silent.has(k)), // also beats before silence
    from: (t) => { // the first beat at or after t
      let low = 0, high = n;
      while (low < high) {
        const middle = (low + high) >> 1;
        if (time(middle) < t) low = middle + 1;
        else high = middle;
      }
      return low;
    },
  };
}

// Differences, zigzag, low bytes before high ones: see trace.py.
function unpackPart(planes) {
  const size = planes.length / 2, signal = new Int16Array(size);
  for (let i = 0, value = 0; i < size; i++) {
    const zigzag = planes[i] | (planes[size + i] << 8);
    signal[i] = value + ((zigzag >>> 1) ^ -(zigzag & 1));
    value = signal[i]; // wrapped to 16 bits
  }
  return signal;
}

// Returns a function that reads samples first .. last of the signal in mV, NaN where they are missing.
function unpackSignal(meta) {
  const each = meta.part * meta.rate, parts = new Map();
  const part = (k) => {
    if (!parts.has(k)) {
      if (parts.size > 8) parts.delete(parts.keys().next().value);
      parts.set(k, inflate("part" + k).then(unpackPart));
    }
    return parts.get(k);
  };
  return async (first, last) => {
    const values = new Float32Array(Math.max(0, last - first)).fill(NaN);
    for (let k = Math.floor(first / each); k * each < last && k < meta.parts; k++) {
      const signal = await part(k), start = k * each, stop = Math.min(last, start + signal.length);
      for (let i = Math.max(first, start); i < stop; i++) {
        const level = signal[i - start];
        if (level !== meta.missing) values[i - first] = level * meta.quantum;
      }
    }
    return values;
  };
}
