"use strict";
(() => {
  // Printed tables cannot be opened by a click.
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const details of opened) details.open = true;
  });
  addEventListener("afterprint", () => {
    for (const details of opened) details.open = false;
  });
  // The current chapter is the last one with its title above a third of the window.
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const sections = [...document.querySelectorAll("main > section")];
  const follow = () => {
    const read = sections.filter((section) => section.getBoundingClientRect().top < innerHeight / 3).pop() ?? sections[0];
    for (const [key, link] of links) {
      if (read && key === read.id) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  };
  addEventListener("scroll", follow, { passive: true });
  follow();
})();
