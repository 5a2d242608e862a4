// Puts the page together.

(async () => {
  const meta = JSON.parse($("meta").textContent);
  if (!window.DecompressionStream) {
    $("status").textContent = "This browser cannot unpack the recording (it lacks DecompressionStream); see the strips below.";
    return;
  }
  const base = await unpackBeats(meta), changed = new Map(), beats = beatTable(meta, base, changed);
  let refresh = () => {};
  const edits = corrections(meta, beats, changed, () => refresh());
  edits.restore();
  const paint = painter(meta, beats), show = viewer(meta, beats, paint, overviewPainter(meta, beats, paint));
  const keys = navigation(meta, beats, show), correct = correcting(meta, beats, edits, show);
  const families = familyCards(beats, edits, show, await inflateJson("families"));
  leadToggles(show);
  goToTime(meta, show);
  refresh = () => {
    if (show.view.chosen >= beats.n) show.choose(-1);
    correct.update();
    families();
    show.draw();
  };
  onKeys({ ...keys, ...correct.keys });
  refresh();
  goToAddress(meta, show);
  episodeTable(meta, await inflateJson("episodes"));
  document.documentElement.dataset.ready = "yes";
})();
