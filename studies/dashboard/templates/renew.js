"use strict";
// Whoever reads on keeps the place, the focus and what is marked: only what changed is swapped.
const swap = (before, after) => {
  if (before.innerHTML === after.innerHTML) return;
  const rows = [before.querySelectorAll("tr"), after.querySelectorAll("tr")];
  const frame = (main) => {
    const copy = main.cloneNode(true);
    copy.querySelectorAll("tr").forEach((row) => row.replaceChildren());
    return copy.innerHTML;
  };
  const focused = document.activeElement?.getAttribute("href");
  if (rows[0].length === rows[1].length && frame(before) === frame(after)) {
    rows[0].forEach((row, place) => {
      if (row.innerHTML !== rows[1][place].innerHTML) row.replaceWith(rows[1][place]);
    });
  } else {
    before.replaceChildren(...after.childNodes);
  }
  if (focused && document.activeElement === document.body) {
    [...before.querySelectorAll("a")]
      .find((link) => link.getAttribute("href") === focused)
      ?.focus({ preventScroll: true });
  }
};
const renew = async () => {
  const main = document.querySelector("main");
  const away = document.getElementById("away");
  if (!document.hidden) {
    try {
      const answer = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(20000) });
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const after = page.querySelector("main");
      if (!after) throw new Error("not the overview");
      swap(main, after);
      main.dataset.seconds = after.dataset.seconds;
      document.title = page.title;
      for (const part of ["state", "time"]) {
        document.getElementById(part).replaceWith(page.getElementById(part));
      }
      const place = document.querySelector(".place");
      swap(place, page.querySelector(".place"));
      away.hidden = true;
    } catch {
      away.hidden = false;
    }
  }
  setTimeout(renew, 1000 * main.dataset.seconds);
};
setTimeout(renew, 1000 * document.querySelector("main").dataset.seconds);
