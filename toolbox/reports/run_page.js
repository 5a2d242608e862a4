// Copies a command; without a clipboard it is marked, so that Ctrl-C takes it.
for (const button of document.querySelectorAll("button.copy")) {
  button.addEventListener("click", async () => {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "copied";
    } catch {
      getSelection().selectAllChildren(code);
      button.textContent = "marked: Ctrl-C";
    }
  });
}
// A wide table casts a shadow where it goes on beyond the edge.
for (const box of document.querySelectorAll(".scroll")) {
  const mark = () => box.classList.toggle("more", box.scrollLeft + box.clientWidth < box.scrollWidth - 1);
  box.addEventListener("scroll", mark, { passive: true });
  new ResizeObserver(mark).observe(box);
}
// On paper everything that is folded is open.
const folded = [];
addEventListener("beforeprint", () => {
  for (const one of document.querySelectorAll("details:not([open]):not(.long)")) folded.push(one), (one.open = true);
});
addEventListener("afterprint", () => folded.splice(0).forEach((one) => (one.open = false)));
document.documentElement.dataset.ready = "yes";
