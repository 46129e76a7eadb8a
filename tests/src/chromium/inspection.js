function () {
  const problems = [];
  const say = (ok, words) => ok || problems.push(words);

  say(/^[a-z]{2}/.test(document.documentElement.lang), "the document names no language");
  say(document.title.trim() !== "", "the document has no title");
  say(document.querySelectorAll("main").length === 1, "there is not one main landmark");
  const levels = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].map((one) => Number(one.tagName[1]));
  say(levels.filter((level) => level === 1).length === 1, `there is not one h1 but ${levels}`);
  levels.forEach((level, i) => say(level <= (levels[i - 1] ?? 0) + 1, `h${level} skips a level`));
  say(document.querySelectorAll("script, [onclick], [style]").length === 0, "there is script or inline style");
  say(document.querySelectorAll("[tabindex]:not([tabindex='0'])").length === 0, "the order of focus is not the document's");
  const root = document.documentElement;
  say(root.scrollWidth <= root.clientWidth, `the page is ${root.scrollWidth} wide in a window of ${root.clientWidth}`);
  for (const control of document.querySelectorAll("button, a[href], input:not([type=hidden])")) {
    const box = control.getBoundingClientRect();
    say(box.width >= 24 && box.height >= 24, `a ${control.tagName} is smaller than 24 by 24`);
  }

  // WCAG 2.2, relative luminance and contrast ratio. Our pages have opaque colours only.
  const numbers = (colour) => colour.match(/[\d.]+/g).map(Number);
  const luminance = (colour) => {
    const [r, g, b] = numbers(colour).map((part) => part / 255)
      .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const ratio = (one, other) => {
    const [high, low] = [luminance(one), luminance(other)].sort((a, b) => b - a);
    return (high + 0.05) / (low + 0.05);
  };
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (numbers(colour)[3] !== 0) return colour;
    }
    return "rgb(255, 255, 255)";
  };
  let contrast = 21;
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.textContent.trim();
    if (text === "") continue;
    const element = texts.currentNode.parentElement;
    const found = ratio(getComputedStyle(element).color, behind(element));
    contrast = Math.min(contrast, found);
    say(found >= 4.5, `"${text}" has a contrast of ${found.toFixed(2)}`);
  }
  for (const button of document.querySelectorAll("button")) {
    const found = ratio(getComputedStyle(button).borderTopColor, behind(button.parentElement));
    say(found >= 3, `the border of "${button.textContent}" has a contrast of ${found.toFixed(2)}`);
  }
  const focused = document.activeElement;
  if (focused.tagName === "BUTTON") {
    const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(focused);
    say(outlineStyle !== "none" && parseFloat(outlineWidth) >= 2, "the focus cannot be seen");
    say(ratio(outlineColor, behind(focused.parentElement)) >= 3, "the focus can hardly be seen");
  }
  return { problems, contrast };
}
