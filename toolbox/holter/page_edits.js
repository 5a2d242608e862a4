// Corrections: named, deleted and inserted beats, with undo; kept in the browser until they are saved.

const FORMAT = 1; // of the list of changes

// `changed` is called after each change. A step is a list of [sample, letter before, letter after], null for no beat.
function corrections(meta, beats, edits, changed) {
  const key = `pytorch-ecg corrections ${meta.recording} ${meta.fingerprint}`;
  let done = [], undone = [], kept = true, saved = true;

  const letterAt = (at) => (edits.has(at) ? edits.get(at) : beats.networkLetter(at));

  function put(step, which) {
    for (const change of step) {
      const at = change[0], letter = change[which];
      if (letter === beats.networkLetter(at)) edits.delete(at);
      else edits.set(at, letter);
    }
    beats.rebuild();
    keep();
    changed();
  }

  function keep() {
    saved = edits.size === 0;
    try {
      if (edits.size) localStorage.setItem(key, JSON.stringify([...edits]));
      else localStorage.removeItem(key);
      kept = true;
    } catch {
      kept = false; // a full or forbidden store
    }
  }

  function change(wanted) { // [[sample, letter or null], ...]; returns how many beats it changes
    const step = wanted.map(([at, letter]) => [at, letterAt(at), letter]).filter(([, from, to]) => from !== to);
    if (!step.length) return 0;
    done.push(step);
    undone = [];
    put(step, 2);
    return step.length;
  }

  function move(from, to, which) { // a step from one stack to the other; returns its first sample
    const step = from.pop();
    if (!step) return undefined;
    to.push(step);
    put(step, which);
    return step[0][0];
  }

  function list() { // as saved, in order of time
    return [...edits].sort((a, b) => a[0] - b[0]).map(([sample, to]) => {
      const from = beats.networkLetter(sample);
      if (to === null) return { action: "delete", sample, from };
      return from === null ? { action: "insert", sample, to } : { action: "name", sample, from, to };
    });
  }

  function open(text) { // takes a saved list; throws an Error that says why it cannot
    let content;
    try {
      content = JSON.parse(text);
    } catch {
      throw new Error("this file is no list of changes: it is no JSON");
    }
    const own = { format: FORMAT, recording: meta.recording, fs: meta.fs, samples: meta.samples };
    if (!Array.isArray(content?.changes)) throw new Error("this file is no list of changes");
    for (const [name, value] of Object.entries(own)) {
      if (content[name] !== value) {
        throw new Error(`this list is of another recording: its ${name} is ${content[name]}, not ${value}`);
      }
    }
    const wanted = content.changes.map(({ action, sample, from, to }) => {
      const there = beats.networkLetter(sample) !== null, letter = action === "delete" ? null : to;
      const fits = { name: there, delete: there, insert: !there }[action] === true;
      const named = letter === null || LETTERS.includes(letter) || letter === from;
      if (!fits || !named || !Number.isInteger(sample) || sample < 0 || sample >= meta.samples) {
        throw new Error(`the change ${JSON.stringify({ action, sample, from, to })} does not fit these beats`);
      }
      return [sample, letter];
    });
    return change(wanted);
  }

  function restore() { // what this browser kept; returns how many
    try {
      for (const [at, letter] of JSON.parse(localStorage.getItem(key) || "[]")) edits.set(at, letter);
    } catch {
      edits.clear();
    }
    saved = edits.size === 0;
    beats.rebuild();
    return edits.size;
  }

  addEventListener("beforeunload", (event) => {
    if (!saved && !kept) event.preventDefault(); // the browser asks
  });

  return {
    change,
    list,
    open,
    restore,
    undo: () => move(done, undone, 1),
    redo: () => move(undone, done, 2),
    canUndo: () => done.length > 0,
    canRedo: () => undone.length > 0,
    discard: () => change([...edits].map(([at]) => [at, beats.networkLetter(at)])),
    letterAt,
    markSaved: () => { saved = true; },
    get count() { return edits.size; },
    get kept() { return kept; },
  };
}
