// Filters and unfolds; without it everything is there to be read.
(function () {
  const rows = [...document.querySelectorAll(".list tbody tr:not(.group)")];
  const cells = [...document.querySelectorAll(".cell")];
  const bar = document.getElementById("filter");

  function unfold() {
    const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.matches(".cell")) target.open = true;
  }
  addEventListener("hashchange", unfold);
  unfold();
  addEventListener("beforeprint", function () {
    if (cells.length <= 50) cells.forEach(function (cell) { cell.open = true; });
  });

  document.querySelectorAll(".copy").forEach(function (pre) {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = "Copy";
    button.addEventListener("click", function () {
      const code = pre.querySelector("code");
      getSelection().selectAllChildren(code);
      (navigator.clipboard ? navigator.clipboard.writeText(code.textContent) : Promise.reject()).then(
        function () { button.textContent = "Copied"; },
        function () { button.textContent = "Selected"; });
      setTimeout(function () { button.textContent = "Copy"; }, 1500);
    });
    pre.append(button);
  });

  if (!bar || rows.length < 6) return;
  const shown = new Set(rows.map(function (row) { return row.className; }));
  const words = document.createElement("input");
  const count = document.createElement("output");
  let texts;

  function apply() {
    texts = texts || rows.map(function (row, i) {
      return (row.textContent + " " + cells[i].querySelector(".reason").textContent).toLowerCase();
    });
    const wanted = words.value.toLowerCase().split(" ").filter(Boolean);
    let left = 0;
    rows.forEach(function (row, i) {
      const keep = shown.has(row.className) && wanted.every(function (word) { return texts[i].includes(word); });
      row.hidden = cells[i].hidden = !keep;
      left += keep;
    });
    count.textContent = left === rows.length ? "" : left + " of " + rows.length + " cells";
  }

  words.type = "search";
  words.placeholder = "Filter cells";
  words.setAttribute("aria-label", "Filter cells by words");
  words.addEventListener("input", apply);
  bar.append(words);
  ["p", "r", "u", "s", "b"].filter(function (v) { return shown.has(v); }).forEach(function (verdict) {
    const row = rows.find(function (row) { return row.className === verdict; });
    const button = document.createElement("button");
    button.type = "button";
    button.className = verdict;
    button.setAttribute("aria-pressed", "true");
    button.append(...[...row.cells[0].childNodes].map(function (node) { return node.cloneNode(true); }));
    button.addEventListener("click", function () {
      const on = !shown.has(verdict);
      if (on) shown.add(verdict); else shown.delete(verdict);
      button.setAttribute("aria-pressed", String(on));
      apply();
    });
    bar.append(button);
  });
  const all = document.createElement("button");
  all.type = "button";
  all.textContent = "Unfold all";
  all.addEventListener("click", function () {
    const open = all.textContent === "Unfold all";
    cells.forEach(function (cell) { if (!cell.hidden) cell.open = open; });
    all.textContent = open ? "Fold all" : "Unfold all";
  });
  count.setAttribute("aria-live", "polite");
  bar.append(all, count);
})();
