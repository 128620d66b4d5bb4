// Choose the colours before the page is drawn: those that the user chose here, or else those of the system.
(() => {
  "use strict";
  let chosen = null;
  try {
    chosen = localStorage.getItem("truckstream-theme");
  } catch {
    // storage may be forbidden
  }
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    document.documentElement.dataset.theme = chosen ?? (dark.matches ? "dark" : "light");
    dispatchEvent(new Event("themechange"));
  };
  dark.addEventListener("change", apply);
  addEventListener("themetoggle", () => {
    chosen = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
    try {
      localStorage.setItem("truckstream-theme", chosen);
    } catch {
      // it lasts until the page is closed
    }
    apply();
  });
  apply();
})();
