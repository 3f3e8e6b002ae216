// SPDX-License-Identifier: Apache-2.0
"use strict";
(() => {
  // More rows than that are drawn when somebody asks: laying out ten thousand takes seconds.
  const ROOM = 500;
  const collator = new Intl.Collator("en", {numeric: true});
  const counted = (n) => n.toLocaleString("en-US");
  for (const table of document.querySelectorAll("table[data-grid]")) {
    const body = table.tBodies[0];
    const controls = document.getElementById(table.id + "-controls");
    const said = document.getElementById(table.id + "-said");
    const text = controls.querySelector("input[type=search]");
    const pick = controls.querySelector("select");
    const all = controls.querySelector("button");
    const heads = Array.from(table.tHead.rows[0].cells);
    let rows = Array.from(body.rows);
    let words = null;
    let found = rows;
    let room = ROOM;
    const draw = (before) => {
      table.classList.toggle("all", room > ROOM);
      body.replaceChildren(...found.slice(0, room));
      const drawn = Math.min(found.length, room);
      all.hidden = drawn === found.length;
      said.textContent = before + counted(found.length) + " of " + counted(rows.length) +
        " rows found" + (all.hidden ? "" : "; the first " + counted(drawn) + " are shown");
    };
    const filter = () => {
      const wanted = text.value.toLowerCase().split(/\s+/).filter(Boolean);
      const state = pick ? pick.value : "";
      if (wanted.length && !words) {
        words = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
      }
      found = rows.filter((row) => (!state || row.dataset.state === state) &&
        wanted.every((word) => words.get(row).includes(word)));
    };
    let waiting = 0;
    text.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(() => { filter(); draw(""); }, 60);
    });
    if (pick) pick.addEventListener("change", () => { filter(); draw(""); });
    all.addEventListener("click", () => { room = Infinity; draw(""); text.focus(); });
    heads.forEach((head, column) => {
      const button = head.querySelector("button");
      if (!button) return;
      button.addEventListener("click", () => {
        const down = head.getAttribute("aria-sort") === "ascending";
        for (const other of heads) {
          if (other.hasAttribute("aria-sort")) other.setAttribute("aria-sort", "none");
        }
        head.setAttribute("aria-sort", down ? "descending" : "ascending");
        const number = head.dataset.sort === "number";
        const sign = down ? -1 : 1;
        const keyed = rows.map((row, at) => {
          const cell = row.cells[column];
          const key = cell.dataset.key ?? cell.textContent.trim();
          return {row, at, none: key === "", key: number ? Number(key) : key};
        });
        const compare = number ? (a, b) => a - b : collator.compare;
        // What is not known stands last, whichever way is sorted.
        keyed.sort((a, b) => a.none - b.none || (a.none ? 0 : compare(a.key, b.key) * sign) ||
          a.at - b.at);
        rows = keyed.map((one) => one.row);
        filter();
        draw("Sorted by " + button.textContent.trim() + (down ? ", descending; " : ", ascending; "));
      });
    });
    // On paper nobody can ask for more.
    addEventListener("beforeprint", () => {
      table.classList.add("all");
      body.replaceChildren(...found);
    });
    addEventListener("afterprint", () => draw(""));
    controls.hidden = false;
    draw("");
  }
  const marks = new Map();
  for (const rect of document.querySelectorAll("rect[data-offset]")) {
    const at = rect.dataset.offset;
    if (!marks.has(at)) marks.set(at, []);
    marks.get(at).push(rect);
  }
  const regions = document.querySelector("table[data-regions]");
  if (regions) {
    const show = (event, on) => {
      const row = event.target.closest("tr[data-offset]");
      for (const rect of (row && marks.get(row.dataset.offset)) || []) rect.classList.toggle("on", on);
    };
    regions.addEventListener("mouseover", (event) => show(event, true));
    regions.addEventListener("mouseout", (event) => show(event, false));
  }
})();
