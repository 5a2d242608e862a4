// The beats as they are now: those of the network with the corrections of a person.

const LETTERS = ["N", "S", "V", "F", "Q"]; // that a person gives

function lowerBound(sorted, n, value) { // the first element that is at least `value`
  let low = 0, high = n;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

// `edits` maps a sample to the letter of the beat there, null where a beat of the network is deleted.
function beatTable(meta, base, edits) {
  const names = [...new Set([...meta.letters, ...LETTERS])], code = new Map(names.map((name, k) => [name, k]));
  const silent = new Set(meta.silent);
  let sample, label, origin, n, abnormal, stops;

  const originOf = (at) => {
    const k = lowerBound(base.sample, base.n, at);
    return k < base.n && base.sample[k] === at ? k : -1;
  };

  function rebuild() {
    const inserted = [...edits].filter(([at, letter]) => letter !== null && originOf(at) < 0).map(([at]) => at);
    inserted.sort((a, b) => a - b);
    const most = base.n + inserted.length;
    [sample, label, origin, n] = [new Float64Array(most), new Uint8Array(most), new Int32Array(most), 0];
    const put = (at, letter, from) => {
      sample[n] = at;
      label[n] = letter;
      origin[n++] = from;
    };
    let next = 0;
    for (let k = 0; k <= base.n; k++) {
      const at = k < base.n ? base.sample[k] : Infinity;
      for (; next < inserted.length && inserted[next] < at; next++) put(inserted[next], code.get(edits.get(inserted[next])), -1);
      if (k === base.n) break;
      const letter = edits.size ? edits.get(at) : undefined;
      if (letter !== null) put(at, letter === undefined ? base.label[k] : code.get(letter), k);
    }
    const normal = code.get("N"), each = [...Array(n).keys()];
    abnormal = each.filter((k) => label[k] !== normal);
    stops = each.filter((k) => label[k] !== normal || silent.has(origin[k])); // also beats before silence
  }

  rebuild();
  const time = (k) => sample[k] / meta.fs;
  return {
    rebuild,
    originOf,
    time,
    get n() { return n; },
    get abnormal() { return abnormal; },
    get stops() { return stops; },
    sample: (k) => sample[k],
    letter: (k) => names[label[k]],
    origin: (k) => origin[k], // among the network's beats, -1 of an inserted one
    family: (k) => (origin[k] < 0 ? -1 : base.family[origin[k]]),
    symbol: (k) => // WFDB's; of what the network called Q, there are several
      (origin[k] < 0 || edits.has(sample[k]) ? meta.symbols[names[label[k]]] : String.fromCharCode(base.symbol[origin[k]])),
    edited: (k) => edits.has(sample[k]),
    confidence: (k) => (origin[k] < 0 ? NaN : base.confidence[origin[k]] / 255),
    rr: (k) => (k === 0 || (origin[k] >= 0 && base.begins[origin[k]]) ? NaN : time(k) - time(k - 1)), // s
    from: (t) => lowerBound(sample, n, t * meta.fs), // the first beat at or after t s
    near: (value) => { // the beat within 50 ms of a sample, -1 if there is none: --corrections refuses a second one there
      const k = lowerBound(sample, n, value), off = (i) => (i >= 0 && i < n ? Math.abs(sample[i] - value) : Infinity);
      const nearest = off(k - 1) < off(k) ? k - 1 : k;
      return off(nearest) <= 0.05 * meta.fs ? nearest : -1;
    },
    at: (value) => { // the beat at a sample, -1 if there is none
      const k = lowerBound(sample, n, value);
      return k < n && sample[k] === value ? k : -1;
    },
    atOrigin: (k) => { // where a beat of the network is now, -1 if it is none or deleted
      const now = k < 0 ? n : lowerBound(sample, n, base.sample[k]);
      return now < n && origin[now] === k ? now : -1;
    },
    networkLetter: (at) => { // null where it has no beat
      const k = originOf(at);
      return k < 0 ? null : meta.letters[base.label[k]];
    },
  };
}
