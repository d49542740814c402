"""What the browser is asked about a page that it has laid out: scripts for `evaluate`."""

# Every piece of text that can be seen, with its box, cut to the regions that scroll around it. Boxes are
# inset: a line's box is higher than its letters, and labels may stand as close as their letters allow.
OVERLAPS = """() => {
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const node = walker.currentNode, parent = node.parentElement;
    const unseen = parent.closest("title, desc, style, details:not([open]) > :not(summary)");
    if (!node.data.trim() || unseen) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    const boxes = parent.closest("svg") ? [parent.getBoundingClientRect()] : range.getClientRects();
    for (const box of boxes) {
      let {left, top, right, bottom} = box;
      const inset = (bottom - top) * 0.18;
      top += inset; bottom -= inset; left += 1; right -= 1;
      for (let at = parent; at; at = at.parentElement) {
        const style = getComputedStyle(at);
        // Said to a screen reader only.
        if (style.clipPath === "inset(50%)") right = left;
        if (style.overflowX === "visible" || at instanceof SVGElement) continue;
        const edge = at.getBoundingClientRect();
        left = Math.max(left, edge.left); right = Math.min(right, edge.right);
        top = Math.max(top, edge.top); bottom = Math.min(bottom, edge.bottom);
      }
      if (right > left && bottom > top) found.push({left, top, right, bottom, text: node.data.trim(), node});
    }
  }
  found.sort((a, b) => a.top - b.top);
  const pairs = [];
  found.forEach((a, index) => {
    for (let other = index + 1; other < found.length && found[other].top < a.bottom; other++) {
      const b = found[other];
      if (a.node !== b.node && a.left < b.right && b.left < a.right) pairs.push(`${a.text} | ${b.text}`);
    }
  });
  return pairs;
}"""

# What stands out to the right of the page, and regions that hide some of what they hold: on paper none may.
SPILLS = """() => {
  const edge = document.documentElement.clientWidth + 1;
  return [...document.querySelectorAll("body *")]
    .filter(one => !one.closest("title, desc, mask, defs, details:not([open]) > :not(summary)"))
    .filter(one => one.getBoundingClientRect().width && one.getBoundingClientRect().right > edge)
    .map(one => `${one.tagName} ${one.getAttribute("class")}: ${one.textContent.trim().slice(0, 40)}`);
}"""

HIDES = """() => [...document.querySelectorAll("[role=region], pre")]
  .filter(one => !one.closest("details:not([open])"))
  .filter(one => one.scrollHeight > one.clientHeight + 1 || one.scrollWidth > one.clientWidth + 1)
  .map(one => one.getAttribute("aria-label"))"""

# What a reader has to be able to reach by keyboard: links, folds, and whatever has more than it shows.
REACHABLE = """() => [...document.querySelectorAll("a, summary, button, input, select, [role=region], pre")]
  .filter(one => !one.closest("details:not([open]) > :not(summary)"))
  .filter(one => !one.matches("[role=region], pre") || one.scrollWidth > one.clientWidth + 1
    || one.scrollHeight > one.clientHeight + 1)
  .map(one => [...document.querySelectorAll("*")].indexOf(one))"""
FOCUSED = "() => [...document.querySelectorAll('*')].indexOf(document.activeElement)"
OUTLINED = """() => { const style = getComputedStyle(document.activeElement);
  return style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0; }"""

FOLD = "open => document.querySelectorAll('details').forEach(one => { one.open = open; })"
