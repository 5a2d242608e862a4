// Corrects the chosen beat, or inserts one at the chosen place; saves what was corrected.

// Returns the keys of corrections and a function that brings buttons and counts up to date.
function correcting(meta, beats, edits, show) {
  const { view } = show, say = (text) => { $("corrected").textContent = text; };

  async function name(letter) {
    if (view.cursor !== null) {
      const peak = await show.peakNear(view.cursor), near = beats.near(peak);
      const at = near < 0 ? peak : beats.sample(near); // a beat that is there is named, not doubled
      edits.change([[at, letter]]);
      show.choose(beats.at(at));
    } else if (view.chosen >= 0) {
      edits.change([[beats.sample(view.chosen), letter]]);
    } else {
      say("Choose a beat first: click on it, or press N, P, comma or full stop.");
      return;
    }
    show.draw();
  }

  function remove() {
    if (view.chosen < 0) {
      say("Choose a beat first: click on it.");
      return;
    }
    const at = beats.sample(view.chosen);
    show.choose(-1);
    edits.change([[at, null]]);
    view.cursor = at / meta.fs;
    show.draw();
  }

  function back(at) { // shows where something was undone
    if (at === undefined) return;
    const k = beats.at(at);
    show.choose(k);
    const t = at / meta.fs;
    if (t < view.start || t > view.start + show.screen()) show.show(t);
    else show.draw();
  }

  const undo = () => back(edits.undo()), redo = () => back(edits.redo());
  const stem = () => meta.recording;
  function saveAnnotations() {
    const bytes = annotationBytes(annotationsOf(meta, beats), meta.fs);
    download(`${stem()}.corrected`, bytes, "application/octet-stream");
    saved(`${stem()}.corrected`);
  }
  function saveList() {
    download(`${stem()}.corrections.json`, changesText(meta, edits.list()), "application/json");
    saved(`${stem()}.corrections.json`);
  }
  function saved(file) {
    edits.markSaved();
    say(`${file} saved.`);
  }
  async function openList(event) {
    const [file] = event.target.files;
    if (!file) return;
    try {
      const count = edits.open(await file.text());
      say(`${file.name}: ${many(count, "change")} made.`);
    } catch (error) {
      say(`${file.name}: ${error.message}`);
    }
    event.target.value = "";
  }

  const actions = { delete: remove, undo, redo, save: saveAnnotations, list: saveList, discard: () => edits.discard() };
  for (const button of document.querySelectorAll("[data-correct]")) {
    const action = button.dataset.correct;
    button.addEventListener("click", () => (actions[action] ? actions[action]() : name(action)));
  }
  $("open").addEventListener("change", openList);

  function update() {
    const list = edits.list(), of = (action) => list.filter((change) => change.action === action).length;
    const parts = [["name", "named"], ["delete", "deleted"], ["insert", "inserted"]];
    const counted = parts.filter(([action]) => of(action)).map(([action, word]) => `${of(action).toLocaleString("en")} ${word}`);
    const kept = edits.kept ? "kept in this browser until saved elsewhere" : "not kept by this browser: save before you close";
    say(list.length ? `${many(list.length, "change")}: ${counted.join(", ")}; ${kept}.` : "No changes.");
    $("stale").hidden = !list.length;
    const off = { undo: !edits.canUndo(), redo: !edits.canRedo(), list: !list.length, discard: !list.length };
    for (const button of document.querySelectorAll("[data-correct]")) button.disabled = !!off[button.dataset.correct];
  }

  const named = Object.fromEntries(LETTERS.filter((letter) => letter !== "N").map((l) => [l.toLowerCase(), () => name(l)]));
  const keys = { ...named, N: () => name("N"), Delete: remove, Backspace: remove, u: undo, r: redo };
  return { keys, update };
}
