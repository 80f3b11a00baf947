// Runs before the first paint, so that a page in the dark theme does not flash: the saved theme and language.
// `?theme=` and `?lang=` of the first address win over what was saved.
(function () {
  var query = new URLSearchParams(location.search);
  ["theme", "lang"].forEach(function (name) {
    var value = query.get(name);
    try {
      if (value) localStorage.setItem("mintage." + name, value);
      else value = localStorage.getItem("mintage." + name);
    } catch (_) {
      /* a browser that keeps nothing */
    }
    if (name === "theme" && (value === "dark" || value === "light")) document.documentElement.dataset.theme = value;
    if (name === "lang" && (value === "en" || value === "ru")) document.documentElement.lang = value;
    else if (name === "lang") document.documentElement.lang = /^ru\b/.test(navigator.language) ? "ru" : "en";
  });
})();
