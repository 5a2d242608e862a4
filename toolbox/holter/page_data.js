"use strict";
// Unpacks the beats, the episodes, and the parts of the signals when they are shown.

const $ = (id) => document.getElementById(id);
const many = (count, one, several = one + "s") => `${count.toLocaleString("en")} ${count === 1 ? one : several}`;

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

async function inflate(id) {
  const raw = Uint8Array.from(atob($(id).textContent), (c) => c.charCodeAt(0));
  const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

const inflateJson = async (id) => JSON.parse(new TextDecoder().decode(await inflate(id)));

// The network's beats: the recording's own samples since the beat before (uint32 each), then a byte each: letter,
// confidence, whether no RR interval leads to it, family of shapes, WFDB symbol.
async function unpackBeats(meta) {
  const packed = await inflate("beats"), n = packed.length / 9;
  const steps = new Uint32Array(packed.buffer, 0, n), sample = new Float64Array(n); // whole numbers up to 2^53
  for (let k = 0, at = 0; k < n; k++) sample[k] = at += steps[k];
  const column = (k) => packed.subarray((4 + k) * n, (5 + k) * n);
  return { n, sample, label: column(0), confidence: column(1), begins: column(2), family: column(3), symbol: column(4) };
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

// Returns a function that reads samples first .. last of a lead in mV, NaN where they are missing.
function unpackSignal(meta, lead) {
  const { rate, parts: count } = meta.leads[lead], each = meta.part * rate, parts = new Map();
  const part = (k) => {
    if (!parts.has(k)) {
      if (parts.size > 8) parts.delete(parts.keys().next().value);
      parts.set(k, inflate(`part${lead}-${k}`).then(unpackPart));
    }
    return parts.get(k);
  };
  return async (first, last) => {
    const values = new Float32Array(Math.max(0, last - first)).fill(NaN);
    for (let k = Math.floor(first / each); k * each < last && k < count; k++) {
      const signal = await part(k), start = k * each, stop = Math.min(last, start + signal.length);
      for (let i = Math.max(first, start); i < stop; i++) {
        const level = signal[i - start];
        if (level !== meta.missing) values[i - first] = level * meta.quantum;
      }
    }
    return values;
  };
}
