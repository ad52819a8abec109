// What the page does by itself: it stays current, says when it cannot, and tells times.
(() => {
  "use strict";
  const QUIET = 80; // ms: several events make one refresh
  const AGAIN = 3000; // ms
  const WORDS = { live: "Live", joining: "Connecting", offline: "Offline, trying again" };
  let timer = 0;

  const byId = (id) => document.getElementById(id);

  function tell(state) {
    const live = byId("live");
    if (!live || live.dataset.state === state) return;
    live.dataset.state = state;
    byId("live-text").textContent = WORDS[state];
  }

  function refresh() {
    clearTimeout(timer);
    timer = setTimeout(async () => {
      const before = byId("fresh")?.dataset.says;
      if (before === undefined) return;
      const { search } = location;
      const path = byId("fresh").dataset.at || location.pathname;
      await htmx.ajax("GET", path + search, {
        source: "#fresh", target: "#fresh", select: "#fresh", swap: "outerMorph",
      });
      if (location.search !== search) refresh(); // it was searched meanwhile
      htmx.trigger(document.body, "refreshed");
      const { says: after, title } = byId("fresh")?.dataset || {};
      if (title) document.title = title;
      if (after && after !== before) byId("announce").textContent = after;
    }, QUIET);
  }

  // -- events of the stream; the messages themselves are only hints
  document.addEventListener("htmx:sse:before:message", (event) => {
    event.preventDefault();
    tell("live");
    refresh();
  });
  document.addEventListener("htmx:sse:after:connection", () => {
    tell("live");
    refresh(); // what came before it was not told
  });
  document.addEventListener("htmx:sse:before:connection", (event) => {
    const { attempt } = event.detail.connection;
    if (attempt > 0 && !document.hidden) tell("offline");
  });
  document.addEventListener("htmx:sse:error", (event) => {
    if (event.detail.status === 401) location.reload(); // to the login
  });
  // the very first connection, which nobody else tries again
  for (const name of ["htmx:error", "htmx:response:error"]) {
    document.addEventListener(name, (event) => {
      if (event.target !== byId("live")) return;
      tell("offline");
      setTimeout(() => htmx.trigger("#live", "again"), AGAIN);
    });
  }

  // -- times, in the reader's own zone, and how long ago they were
  const ago = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
  const STEPS = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];

  function tellTimes() {
    for (const each of document.querySelectorAll("time[datetime]")) {
      const at = new Date(each.getAttribute("datetime"));
      const passed = Math.max(0, (Date.now() - at) / 1000);
      const [size, unit] = STEPS.find(([least]) => passed >= least) || STEPS[3];
      const text = passed < 5 ? "just now" : ago.format(-Math.floor(passed / size), unit);
      if (each.textContent !== text) each.textContent = text;
      each.title = at.toLocaleString();
    }
  }
  document.addEventListener("DOMContentLoaded", tellTimes);
  document.addEventListener("htmx:after:swap", tellTimes);
  setInterval(tellTimes, 15000);

  // -- a fault's place leads into the text of the editor
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-line]");
    const text = byId("text");
    if (!link || !text) return;
    event.preventDefault();
    const lines = text.value.split("\n");
    const line = Math.min(Number(link.dataset.line), lines.length) - 1;
    const start = lines.slice(0, line).reduce((sum, each) => sum + each.length + 1, 0);
    const from = start + Math.min(Number(link.dataset.column) - 1, lines[line].length);
    text.focus();
    text.setSelectionRange(from, start + lines[line].length);
  });
})();
