// What can be told by rules alone of a page's accessibility: returns a sentence for each fault that is seen.
() => {
  const faults = [];
  const shown = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true }) && element.getClientRects().length > 0;
  const all = (selector) => [...document.querySelectorAll(selector)].filter(shown);
  const told = (element) => `<${element.tagName.toLowerCase()} class="${element.getAttribute("class") ?? ""}"> ${element.textContent.trim().slice(0, 40)}`;

  const nameOf = (element) => {
    const by = element.getAttribute("aria-labelledby");
    if (by) {
      return by.split(" ").map((id) => document.getElementById(id)?.textContent ?? "").join(" ").trim();
    }
    const label = element.labels?.[0]?.textContent ?? "";
    return (element.getAttribute("aria-label") || label || element.textContent || element.getAttribute("title") || "").trim();
  };

  for (const element of all("a[href], button, input, select, textarea, summary, [tabindex]:not([tabindex='-1']), svg[role=img], section, nav, [role=group], [role=region]")) {
    if (nameOf(element) === "") {
      faults.push(`no name: ${told(element)}`);
    }
  }
  for (const image of all("img:not([alt])")) {
    faults.push(`no alt: ${image.src}`);
  }
  for (const element of document.querySelectorAll("[tabindex]")) {
    if (element.tabIndex > 0) {
      faults.push(`out of the order of the page: ${told(element)}`);
    }
  }
  const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
  for (const id of new Set(ids.filter((each, index) => ids.indexOf(each) !== index))) {
    faults.push(`twice on the page: #${id}`);
  }
  for (const attribute of ["aria-labelledby", "aria-describedby", "aria-controls"]) {
    for (const element of all(`[${attribute}]`)) {
      for (const id of element.getAttribute(attribute).split(" ")) {
        if (!ids.includes(id)) {
          faults.push(`${attribute} leads to nothing: #${id}`);
        }
      }
    }
  }
  const levels = all("h1, h2, h3, h4").map(({ tagName }) => Number(tagName[1]));
  levels.forEach((level, index) => {
    if (level > (levels[index - 1] ?? 0) + 1) {
      faults.push(`h${level} after h${levels[index - 1] ?? 0}`);
    }
  });
  if (all("h1").length !== 1) {
    faults.push(`${all("h1").length} h1`);
  }
  for (const table of all("table")) {
    if (table.querySelector("th") === null) {
      faults.push(`a table without heads: ${told(table)}`);
    }
  }
  // WCAG 2.2, 2.5.8: 24 by 24 pixels, but for links within a sentence.
  for (const element of all("button, input, select, summary, nav a, a.preset, a.lane-name, a.past-name")) {
    const { width, height } = element.getBoundingClientRect();
    if (width > 2 && (width < 24 || height < 24)) { // what has 2 pixels is hidden until it has the focus
      faults.push(`too small to be hit (${Math.round(width)} × ${Math.round(height)}): ${told(element)}`);
    }
  }

  // Contrast (WCAG 2.2, 1.4.3) of every text with what is painted behind it.
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = color;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  };
  const over = (top, below) => top.slice(0, 3).map((value, index) => value * top[3] + below[index] * (1 - top[3]));
  const behind = (element) => {
    const layers = [];
    for (let each = element; each; each = each.parentElement) {
      const color = rgba(getComputedStyle(each).backgroundColor);
      layers.push(color);
      if (color[3] === 1) {
        break;
      }
    }
    return layers.reverse().reduce((below, layer) => over(layer, below), rgba("canvas").slice(0, 3));
  };
  const luminance = (color) => {
    const [red, green, blue] = color.map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const looked = new Set();
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || looked.has(element) || !shown(element) || element.closest(".visually-hidden, title, noscript, option")) {
      continue;
    }
    looked.add(element);
    const style = getComputedStyle(element);
    const ground = behind(element);
    const ink = over(rgba(element instanceof SVGElement ? style.fill : style.color), ground);
    const [light, dark] = [luminance(ink), luminance(ground)].sort((one, other) => other - one);
    const ratio = (light + 0.05) / (dark + 0.05);
    const size = Number.parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) {
      faults.push(`contrast ${ratio.toFixed(2)}: ${told(element)}`);
    }
  }
  return [...new Set(faults)];
}
