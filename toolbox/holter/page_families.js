// Families of beats of one shape: each drawn, looked through, and named all at once.

const SHAPE = { width: 110, height: 70 };

function shapeSvg(levels, highest) {
  const across = SHAPE.width / (levels.length - 1), down = (SHAPE.height - 8) / highest, peak = Math.max(...levels);
  const top = 4 + (SHAPE.height - 8 - (peak - Math.min(...levels)) * down) / 2;
  const points = levels.map((level, i) => `${(i * across).toFixed(1)} ${(top + (peak - level) * down).toFixed(1)}`);
  const holder = document.createElement("template");
  holder.innerHTML = `<svg viewBox="0 0 ${SHAPE.width} ${SHAPE.height}"><path d="M${points.join("L")}"/></svg>`;
  return holder.content.firstChild;
}

// Returns a function that brings the counts up to date.
function familyCards(beats, edits, show, shapes) {
  const place = $("family-cards"), cards = [];
  const highest = Math.max(1, ...shapes.map((levels) => Math.max(...levels) - Math.min(...levels)));
  const members = (number) => [...Array(beats.n).keys()].filter((k) => beats.family(k) === number);

  function look(number, way) { // at the next beat of the family, or the one before
    const all = members(number);
    if (!all.length) return;
    const from = show.view.chosen, inside = beats.from(show.view.start);
    const next = way > 0
      ? all.find((k) => k > from && k >= (from < 0 ? inside : 0)) ?? all[0]
      : all.findLast((k) => k < (from < 0 ? inside : from)) ?? all.at(-1);
    show.visit(next);
    show.canvas.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }

  function card(number) {
    const title = element("b", {}), classes = element("div", { class: "soft" });
    const button = (text, label, run) => {
      const made = element("button", { type: "button", "aria-label": label, title: label }, text);
      made.addEventListener("click", run);
      return made;
    };
    const name = (letter) => edits.change(members(number).map((k) => [beats.sample(k), letter]));
    const looks = element("div", { class: "bar" },
      button("◀", `Previous beat of family ${number + 1}`, () => look(number, -1)),
      button("▶", `Next beat of family ${number + 1}`, () => look(number, 1)));
    const all = element("div", { class: "bar" }, "All:",
      ...LETTERS.map((letter) => button(letter, `Call all beats of family ${number + 1} ${letter}`, () => name(letter))));
    cards.push({ number, title, classes });
    return element("div", { class: "family" }, shapeSvg(shapes[number], highest), title, classes, looks, all);
  }

  place.replaceChildren(...shapes.map((levels, number) => card(number)));
  return () => {
    const counts = shapes.map(() => new Map());
    let others = 0;
    for (let k = 0; k < beats.n; k++) {
      const of = counts[beats.family(k)], letter = beats.letter(k);
      if (of) of.set(letter, (of.get(letter) || 0) + 1);
      else others++;
    }
    for (const { number, title, classes } of cards) {
      const sorted = [...counts[number]].sort((a, b) => b[1] - a[1]);
      title.textContent = many(sorted.reduce((sum, [, count]) => sum + count, 0), "beat");
      classes.textContent = sorted.map(([letter, count]) => `${letter} ${count.toLocaleString("en")}`).join(", ");
    }
    $("family-others").textContent = others ? `${many(others, "beat")} in no family.` : "";
  };
}
